//! A courier whose server is a socket of the test.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::PathBuf,
    sync::Mutex,
    thread,
};

use tempfile::TempDir;

use super::*;
use crate::{
    files::follower::tests::{settings, with_a_line},
    filters::Rules,
    format::{Format, FormatFlags, TimeFlags},
    own_files::OwnFiles,
    records::{
        growing::Growing,
        span::{Mark, of},
        treatment::Treatment,
    },
};

/// A courier, and what it depends on
struct Setup {
    courier: Courier,
    orders: watch::Sender<Order>,
    _signal: watch::Sender<Signal>,
    directory: TempDir,
}

impl Setup {
    /// A new configuration hides this text.
    fn redact(&self, text: &str) {
        let rules = Rules { redact: vec![text.parse().unwrap()], ..Rules::default() };
        let (_, redaction) = rules.of(&Format::default()).unwrap();
        let pattern = self.directory.path().join("*.log");
        let settings = settings(&pattern, Treatment { redaction, ..Treatment::default() });
        lock(&self.courier.follower).take_settings(settings, Instant::now());
    }
}

/// A courier to this URL that has seen a line
fn courier(url: &str, dead_letter: Option<PathBuf>) -> Setup {
    let directory = tempfile::tempdir().unwrap();
    let (follower, id) = with_a_line(directory.path());
    let destination: Destination = url.parse().unwrap();
    let output = destination.open(&follower.pool, follower.own_files()).unwrap();
    let account = follower.set.ledger().of(id);
    let follower: Shared = Arc::new(Mutex::new(follower));
    let (sender, signal) = watch::channel(Signal::default());
    let (orders, receiver) = watch::channel(Order::Carry);
    let linger = Duration::ZERO;
    let gatherer =
        Gatherer { follower: follower.clone(), output: id, signal: signal.clone(), linger, batch: Growing::default() };
    let courier = Courier {
        follower,
        account,
        id,
        label: destination.label(),
        output,
        dead_letters: Arc::new(DeadLetters::new(dead_letter, OwnFiles::default())),
        gatherer,
        signal,
        orders: receiver,
        patience: destination.patience,
        retry: Retry::default(),
        throttle: LogThrottle::default(),
        in_flight: InFlight::default(),
        asked_at: 0,
    };
    Setup { courier, orders, _signal: sender, directory }
}

#[tokio::test(start_paused = true)]
async fn a_new_configuration_ends_one_pause_and_not_the_next_ones() {
    let mut setup = courier("http://127.0.0.1:9/", None);
    setup.orders.send_replace(Order::Change("http://127.0.0.1:9/#retry-limit=1".parse().unwrap()));
    let start = time::Instant::now();
    // A dead letter that cannot be written waits without an attempt at its batch.
    setup.courier.pause("the disk is full", None).await;
    assert_eq!((start.elapsed(), setup.courier.patience.has_limit()), (Duration::ZERO, true));
    setup.courier.pause("the disk is full", None).await;
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test(start_paused = true)]
async fn only_attempts_at_a_batch_count_as_retries() {
    let mut setup = courier("http://127.0.0.1:9/#retry-limit=1", None);
    let courier = &mut setup.courier;
    let batch = of(b"line\n", Mark::Whole).into();
    courier.pause("the disk is full", None).await;
    assert_eq!(courier.account.retries.get(), 0);
    courier.fail(&batch, "503", None).await;
    assert_eq!(courier.account.retries.get(), 1);
    // The next attempt is the first one at another batch.
    courier.fail(&batch, "503", None).await;
    assert_eq!(courier.account.retries.get(), 1);
}

#[test]
fn records_that_are_refused_by_number_have_an_average_of_lines() {
    let setup = courier("http://127.0.0.1:9/", None);
    let java = FormatFlags::default().format(None, "java".parse().ok().as_ref(), None, &TimeFlags::default());
    let treatment = Treatment { format: java.unwrap(), ..Treatment::default() };
    let batch: Batch =
        of(b"one\n\tat a\n\tat b\ntwo\n\tat a\n\tat b\n", Mark::Whole).retreated(&treatment.into()).into();
    assert_eq!((batch.count(), batch.amount().lines), (2, 6));
    setup.courier.reject_some(&batch, 1, "too old");
    let summary = lock(&setup.courier.follower).set.ledger().summary();
    assert!(summary.contains(" rejected=16 ") && summary.ends_with(" lines=3"), "{summary}");
}

#[tokio::test]
async fn an_answer_that_may_quote_what_is_hidden_now_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let letters = directory.path().join("letters");
    let mut setup = courier("http://127.0.0.1:9/", Some(letters.clone()));
    let batch = lock(&setup.courier.follower).next(setup.courier.id, None, Instant::now()).unwrap();
    let reason = "failed to parse field [a]: 'line'".to_owned();
    setup.courier.reject(&batch, vec![(0, reason.clone())]).await;
    setup.redact("line");
    setup.courier.reject(&batch, vec![(0, reason.clone())]).await;
    let text = fs::read_to_string(&letters).unwrap();
    let letters: Vec<serde_json::Value> = text.lines().map(|letter| serde_json::from_str(letter).unwrap()).collect();
    assert_eq!((&letters[0]["message"], &letters[0]["reason"]), (&"line".into(), &reason.clone().into()));
    assert_eq!(letters[1]["message"], "[REDACTED]");
    let withheld = "the answer is left out, because it may quote a secret that a new configuration hides";
    assert_eq!(letters[1]["reason"], withheld);
    assert_eq!(setup.courier.without_secrets(&reason, batch.spans()), withheld);
    setup.redact("another");
    assert_eq!(setup.courier.without_secrets(&reason, batch.spans()), reason);
}

#[tokio::test]
async fn records_that_are_delivered_beside_those_that_go_again_are_counted() {
    let url = elasticsearch([
        r#"{"items":[{"create":{"status":201}},{"create":{"status":429}},{"create":{"status":400}}]}"#,
        r#"{"items":[{"create":{"status":201}}]}"#,
    ]);
    assert_eq!(redacted(&url, 3).await, 3);
}

#[tokio::test]
async fn records_that_are_given_up_in_parts_are_counted() {
    assert_eq!(redacted("http://127.0.0.1:9/#retry-limit=0", 300).await, 300);
}

/// The records in which something is hidden, of this number of lines, once all are settled
async fn redacted(url: &str, lines: usize) -> u64 {
    let mut setup = courier(url, None);
    fs::write(setup.directory.path().join("app.log"), "l\n".repeat(lines)).unwrap();
    setup.redact("l");
    lock(&setup.courier.follower).look_at_all(Instant::now());
    let batch = lock(&setup.courier.follower).next(setup.courier.id, None, Instant::now()).unwrap();
    assert_eq!(batch.count(), lines);
    setup.courier.in_flight.push_new(batch);
    setup.courier.deliver().await;
    setup.courier.account.redacted.get()
}

/// A server that gives these answers, one on each connection; its URL
fn elasticsearch(answers: [&'static str; 2]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let head: Vec<_> =
                reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            let length =
                head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            reader.read_exact(&mut vec![0; length.unwrap()]).unwrap();
            let length = answer.len();
            let reply = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{answer}");
            stream.write_all(reply.as_bytes()).unwrap();
        }
    });
    format!("elasticsearch+http://{address}/logs")
}
