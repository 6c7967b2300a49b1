//! Pushes to Loki with lines that are too old, or too far behind the newest one of their stream. The receiver judges entries and words its
//! answers as the distributor and the ingester of Loki 3 do; `tests/peers` has the real ones.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    process::Command,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{
    receiver::{Receiver, Request},
    support::{Pod, append, assert_all_there, ledger, line, stop},
};

/// Nanoseconds
const MICROSECOND: u64 = 1000;
/// Microseconds
const HOUR: u64 = 3600 * 1_000_000;
const DAY: u64 = 24 * HOUR;
const SECONDS: &str = "+%Y-%m-%dT%H:%M:%SZ";
/// `max_line_size`
const LONGEST: usize = 1000;

/// Metadata by time and line
type Entries = BTreeMap<(u64, String), Value>;

/// Microseconds since 1970, a whole second
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() * 1_000_000
}

/// A time in this form of `date`
fn date(nanoseconds: u64, form: &str) -> String {
    let second = format!("@{}", nanoseconds / MICROSECOND / 1_000_000);
    let date = Command::new("date").args(["-u", form, "-d", &second]).output().unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

/// A line of the ingester's answer
fn too_far_behind(time: u64, bound: u64) -> String {
    let (stamp, second, bound) = (date(time, "+%Y-%m-%d %H:%M:%S"), date(time, SECONDS), date(bound, SECONDS));
    let reason = format!("entry too far behind, entry timestamp is: {second}, oldest acceptable timestamp is: {bound}");
    format!(
        "entry with timestamp {stamp}.{:09} +0000 UTC ignored, reason: '{reason}',\n",
        time % (1_000_000 * MICROSECOND)
    )
}

/// Stores what it can of a push of one stream. The answer of the ingester hides that of the distributor.
fn judge(stored: &mut Entries, request: &Request) -> (u16, String, String) {
    let push: Value = serde_json::from_slice(&request.body).unwrap();
    let (mut dropped, mut behind, mut accepted) = (Vec::new(), Vec::new(), 0);
    let mut newest = stored.keys().next_back().map_or(0, |(time, _)| *time);
    for entry in push["streams"][0]["values"].as_array().unwrap() {
        let time: u64 = entry[0].as_str().unwrap().parse().unwrap();
        let line = entry[1].as_str().unwrap().to_owned();
        if time / MICROSECOND + 7 * DAY < now() {
            let time = date(time, SECONDS);
            dropped.push(format!(
                "entry for stream '{{}}' has timestamp too old: {time}, oldest acceptable timestamp is: x"
            ));
        } else if line.len() > LONGEST {
            dropped.push(format!("max entry size '{LONGEST}' bytes exceeded for stream '{{}}'"));
        } else if time + HOUR * MICROSECOND < newest {
            behind.push(too_far_behind(time, newest - HOUR * MICROSECOND));
        } else {
            accepted += 1;
            newest = newest.max(time);
            stored.entry((time, line)).or_insert_with(|| entry[2].clone());
        }
    }
    let answer = match (&behind[..], &dropped[..]) {
        ([], []) => return (204, String::new(), String::new()),
        ([], [one]) => one.clone(),
        ([], several) => several.iter().map(|error| format!("1 errors like: {error}")).collect::<Vec<_>>().join("; "),
        (behind, _) => {
            let (ignored, all) = (behind.len(), behind.len() + accepted);
            let counts = format!("user 'fake', total ignored: {ignored} out of {all} for stream: {{job=\"x\"}}");
            behind.iter().take(10).cloned().collect::<String>() + &counts
        }
    };
    (400, String::new(), answer)
}

/// Keeps what it stores here
fn loki(stored: &Arc<Mutex<Entries>>) -> Receiver {
    let stored = stored.clone();
    Receiver::start(move |request| Some(judge(&mut stored.lock().unwrap(), request)))
}

/// A line of a file
fn object(time: u64, text: &str) -> String {
    json!({"ts": time, "msg": text}).to_string() + "\n"
}

/// Delivers lines of these times, of which these numbers come under another time, and some are dead letters. Returns how many pushes there were.
#[track_caller]
fn deliver(times: &[u64], moved: &[u64], too_long: &[u64]) -> usize {
    let (pod, stored) = (Pod::new(), Arc::<Mutex<Entries>>::default());
    let loki = loki(&stored);
    let text = |number| if too_long.contains(&number) { "x".repeat(LONGEST + 1) } else { line(number) };
    let lines = (0..).zip(times).map(|(number, time)| object(*time, &text(number)));
    fs::write(pod.log("app.log"), lines.collect::<String>()).unwrap();
    let (output, dead) = (format!("loki+http://{}", loki.address()), pod.beside("dead").display().to_string());
    let program = pod.start(&["--output", &output, "--format", "json", "--dead-letter", &dead]);
    let expected = times.len() - too_long.len();
    harness::until("all lines are there", || (stored.lock().unwrap().len() >= expected).then_some(()));
    let ended = stop(program);
    let stored = stored.lock().unwrap();
    let mut all: Vec<_> =
        stored.keys().map(|(_, line)| line.clone()).chain(too_long.iter().map(|number| line(*number))).collect();
    all.sort();
    assert_eq!((all.len(), ledger(&ended)["lines"]), (times.len(), expected as u64));
    assert_all_there(all.iter().map(String::as_str), times.len() as u64);
    let mut other_times: Vec<_> =
        stored.iter().filter(|(_, metadata)| metadata["time"].is_string()).map(|((_, line), _)| line.clone()).collect();
    other_times.sort();
    assert_eq!(other_times, moved.iter().map(|number| line(*number)).collect::<Vec<_>>());
    assert_eq!(fs::read_to_string(&dead).unwrap_or_default().lines().count(), too_long.len());
    loki.requests().len()
}

/// Times of lines from this number of microseconds ago on, this many apart
fn forty(ago: u64, step: u64) -> Vec<u64> {
    (0..40).map(|number| now() - ago + number * step).collect()
}

#[test]
fn a_line_that_is_too_old_is_moved_alone() {
    let mut times = forty(60_000_000, 0);
    times[20] = now() - 30 * DAY;
    // One error alone may be the last one of several, so the batch is halved.
    assert!(deliver(&times, &[20], &[]) > 5);
    times[25] = now() - 31 * DAY;
    assert_eq!(deliver(&times, &[20, 25], &[]), 2);
}

#[test]
fn a_line_that_is_too_far_behind_is_moved_alone() {
    let mut times = forty(60_000_000, 0);
    times[20] = now() - 3 * HOUR;
    assert_eq!(deliver(&times, &[20], &[]), 2);
}

#[test]
fn lines_after_a_late_one_keep_their_times() {
    let (pod, stored) = (Pod::new(), Arc::<Mutex<Entries>>::default());
    let loki = loki(&stored);
    let mut times = forty(5 * HOUR, 1_000_000);
    times[0] = now() - 30 * DAY;
    times[39] = now() - 31 * DAY;
    let lines = (0..).zip(&times).map(|(number, time)| object(*time, &line(number)));
    fs::write(pod.log("app.log"), lines.collect::<String>()).unwrap();
    let program = pod.start(&["--output", &format!("loki+http://{}", loki.address()), "--format", "json"]);
    harness::until("the first lines are there", || (stored.lock().unwrap().len() == 40).then_some(()));
    let later = times[38] + 1_000_000;
    append(&pod.log("app.log")).write_all(object(later, &line(40)).as_bytes()).unwrap();
    harness::until("the last line is there", || (stored.lock().unwrap().len() == 41).then_some(()));
    stop(program);
    let stored = stored.lock().unwrap();
    let newest = stored.keys().next_back().unwrap();
    assert_eq!(newest.1, line(40));
    assert_eq!(stored[newest]["time"], Value::Null);
}

#[test]
fn lines_of_a_whole_day_are_not_too_far_behind_their_own_batch() {
    let mut times = forty(20 * HOUR, 1_500_000_000);
    times[20] = now() - 30 * DAY;
    deliver(&times, &[20], &[]);
    // A second answer hides the first one.
    times[30] = now() - 25 * HOUR;
    deliver(&times, &[20, 30], &[]);
    deliver(&times, &[20, 30], &[10]);
    deliver(&forty(20 * HOUR, 1_500_000_000), &[], &[10]);
}

#[test]
fn parts_of_a_batch_have_the_times_of_the_whole() {
    // The digits that a time leaves open depend on the times before it. The second half begins with a whole second.
    let mut times = forty(60_000_001, 7);
    times[20] = now() - 60_000_000;
    times[30] = now() - 30 * DAY;
    deliver(&times, &[30], &[]);
}
