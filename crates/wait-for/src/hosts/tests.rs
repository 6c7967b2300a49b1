//! Tests: how hosts are read, and what becomes of their failures.

use proptest::prelude::*;
use tokio::time::sleep;

use super::*;
use crate::stage::Stage;

#[test]
fn each_host_has_a_port_of_its_own() {
    let urls = urls("kafka://app:a,b@h1,h2:9093,[::1]:1/x?y,z").unwrap();
    assert_eq!(urls, ["kafka://app:a,b@h1/x?y,z", "kafka://app:a,b@h2:9093/x?y,z", "kafka://app:a,b@[::1]:1/x?y,z"]);
    assert_eq!(super::urls("kafka://h1").unwrap(), ["kafka://h1"]);
    for wrong in ["kafka://h1,,h2", "kafka://h1,", "kafka://,h1", "kafka://h1,:9092"] {
        assert_eq!(super::urls(wrong).unwrap_err(), "a host between two commas is missing", "{wrong}");
    }
    assert!(super::urls(&format!("kafka://h{}", ",h".repeat(50))).unwrap_err().starts_with("at most 50"));
}

#[test]
fn a_label_has_all_hosts_and_no_login() {
    for (url, printed) in [
        ("kafka://app:SECRET@h1,h2:9092", "kafka://h1,h2:9092"),
        ("mongodb://h1:1,h2:2/app?x=SECRET", "mongodb://h1:1,h2:2/app"),
        ("kafka://app:SEC,RET/x@h1,h2:9092", "kafka://…"),
        ("kafka://app:1,2#3SECRET@h1,h2", "kafka://…"),
        ("kafka://app:1,2 SECRET@h1/,h2", "kafka://…"),
        ("SEC,RET", "…"),
        ("kafka://app:a,SECRET", "kafka://…"),
        ("kafka://[::1]:9092,h2:1", "kafka://[::1]:9092,h2:1"),
        ("kafka://h1:9092", "kafka://h1:9092"),
    ] {
        assert_eq!(label(url), printed);
    }
}

fn summed(causes: &[Option<Cause>]) -> (Cause, String) {
    let failures = causes.iter().map(|cause| cause.map(|cause| NotReady::new(cause, format!("{cause:?}"))));
    let named: Vec<_> = ["a", "b", "c"].into_iter().zip(failures).collect();
    let NotReady { cause, reason, .. } = summary(&named);
    (cause, reason)
}

#[test]
fn the_failure_that_says_most_is_told() {
    let denied = Cause::Never(Exit::Denied);
    let never = Cause::Never(Exit::Unavailable);
    for (causes, cause, reason) in [
        (&[Some(Cause::Absent), Some(Cause::Absent)][..], Cause::Absent, "all hosts: Absent"),
        (&[Some(Cause::Absent), Some(denied), None], denied, "b: Never(Denied)"),
        (&[Some(Cause::Absent), Some(Cause::Contrary)], Cause::Contrary, "b: Contrary"),
        // No proof that all are gone
        (&[Some(Cause::Contrary), None], Cause::Busy, "a: Contrary"),
        (&[Some(Cause::Absent), None], Cause::Silent, "b: no answer"),
        (&[Some(never), Some(Cause::Absent)], Cause::Odd, "a: Never(Unavailable)"),
        (&[Some(never), Some(never)], never, "all hosts: Never(Unavailable)"),
    ] {
        assert_eq!(summed(causes), (cause, reason.to_owned()), "{causes:?}");
    }
}

#[test]
fn the_rest_of_a_full_server_is_kept_beside_another_reason() {
    let contrary = NotReady::new(Cause::Contrary, "no such host");
    let failure = summary(&[("a", Some(contrary)), ("b", Some(NotReady::full("connection limit"))), ("c", None)]);
    assert_eq!((failure.reason.as_str(), failure.rest), ("a: no such host", Some(Duration::ZERO)));
}

/// A host that says the same of itself after the same time
#[derive(Debug)]
struct Host(Duration, Verdict);

impl Check for Host {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            network.progress.reach(Stage::Connected);
            sleep(self.0).await;
            self.1.clone()
        }
        .boxed_local()
    }
}

/// A host that is ready and slow, and one that says at once that it starts; in both orders
fn slow_and_starting() -> [Arc<dyn Check>; 2] {
    let slow = || Arc::new(Host(Duration::from_secs(3), Ok("ready".into()))) as Arc<dyn Check>;
    let starting = || Arc::new(Host(Duration::ZERO, Err(NotReady::new(Cause::Busy, "it starts")))) as Arc<dyn Check>;
    [
        any_of("kafka://slow,starting", vec![slow(), starting()]),
        any_of("kafka://starting,slow", vec![starting(), slow()]),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_slow_host_is_found_beside_one_that_starts_in_either_order() {
    for check in slow_and_starting() {
        let network = Network::default();
        network.progress.begin(Duration::from_secs(5));
        let proof = check.check(&network).await;
        assert_eq!(proof, Ok("slow: ready".to_owned()));
    }
}

/// A host that is not ready before this time
#[derive(Debug)]
struct ReadyAt(Instant);

impl Check for ReadyAt {
    fn check<'a>(&'a self, _: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        let is_ready = Instant::now() >= self.0;
        let verdict = if is_ready { Ok("ready".into()) } else { Err(NotReady::new(Cause::Absent, "refused")) };
        async { verdict }.boxed_local()
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_becomes_ready_beside_a_silent_one_is_found_in_the_same_attempt() {
    let begin = Instant::now();
    let silent = Host(Duration::from_secs(600), Ok("ready".into()));
    let checks: Vec<Arc<dyn Check>> = vec![Arc::new(silent), Arc::new(ReadyAt(begin + Duration::from_secs(2)))];
    let network = Network::default();
    network.progress.begin(Duration::from_secs(10));
    assert_eq!(any_of("kafka://silent,late", checks).check(&network).await, Ok("late: ready".to_owned()));
    // One pause, and the leave of the silent host
    assert!(begin.elapsed() <= Duration::from_millis(3250), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_ends_when_each_host_has_answered() {
    let begin = Instant::now();
    let starting = |after| Arc::new(Host(after, Err(NotReady::new(Cause::Busy, "it starts")))) as Arc<dyn Check>;
    let checks = vec![starting(Duration::ZERO), starting(Duration::from_secs(1))];
    let network = Network::default();
    network.progress.begin(Duration::from_secs(10));
    let refusal = any_of("kafka://a,b", checks).check(&network).await.unwrap_err();
    assert_eq!(refusal.reason, "all hosts: it starts");
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_one_host_has_said_is_known_amid_an_attempt() {
    for check in slow_and_starting() {
        let network = Network::default();
        network.progress.begin(Duration::from_secs(60));
        let _ = timeout(Duration::from_secs(1), check.check(&network)).await.unwrap_err();
        assert_eq!(network.so_far().as_deref(), Some("starting: it starts"));
    }
}

proptest! {
    #[test]
    fn no_label_holds_the_password(host in "[a-z%:/@, ]{0,9}", path in "[/?a-z@,]{0,9}", torn in "[,# ?]?") {
        let text = format!("kafka://user:{torn}hunter2@{host}{path}");
        prop_assert!(!label(&text).contains("hunter2"));
        let _ = urls(&text);
    }
}
