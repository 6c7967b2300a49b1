//! Apps that are told late, often, or never.

use std::{fs, path::Path};

use lifecycle::{End, TestLife};
use serde_json::json;

use super::{entry::TellEntry, *};

/// The attempts that succeeded and failed, and the ways that are untold
fn counts(metrics: &TellMetrics, way: &str) -> (u64, u64, i64) {
    let series = metrics.series("token", way);
    (series.told.get(), series.failed.get(), series.untold.get())
}

fn touch(path: &Path) -> Way {
    Way::of(&TellEntry { touch: Some(path.to_owned()), ..TellEntry::default() }).unwrap()
}

/// Runs a story, and then stops.
async fn story(ways: Vec<Way>, story: impl AsyncFnOnce(Tell, TellMetrics)) {
    let life = TestLife::sidecar();
    let end: End = life
        .run((), async |(), life| {
            let metrics = TellMetrics::new(&life)?;
            story(Tell::start("token", ways, &metrics, &life), metrics).await;
            Ok(lifecycle::Exit::Done.into())
        })
        .await;
    assert_eq!(end.exit, lifecycle::Exit::Done, "{end:?}");
}

async fn until(is_there: impl Fn() -> bool) {
    while !is_there() {
        time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_value_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("changed");
    story(vec![touch(&path)], async |tell, metrics| {
        time::sleep(Duration::from_secs(3600)).await;
        assert!(!path.exists(), "there is no value yet");
        for told in 1..=3 {
            tell.announce();
            until(|| counts(&metrics, "touch") == (told, 0, 0)).await;
        }
        time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(counts(&metrics, "touch"), (3, 0, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_at_a_bounded_pace_and_the_newest_value_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("later/changed");
    story(vec![touch(&path)], async |tell, metrics| {
        tell.announce();
        until(|| counts(&metrics, "touch").1 == 1).await;
        assert_eq!(counts(&metrics, "touch"), (0, 1, 1));
        time::sleep(Duration::from_secs(600)).await;
        let (_, failed, untold) = counts(&metrics, "touch");
        assert!((600 / 30..=610).contains(&failed), "{failed}");
        assert_eq!(untold, 1);
        // A newer value is tried at once, and takes the place of the untold one.
        tell.announce();
        until(|| counts(&metrics, "touch").1 == failed + 1).await;
        fs::create_dir(path.parent().unwrap()).unwrap();
        until(|| counts(&metrics, "touch").0 == 1).await;
        time::sleep(Duration::from_secs(3600)).await;
        let (told, _, untold) = counts(&metrics, "touch");
        assert_eq!((told, untold), (1, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_way_that_fails_delays_no_other_and_no_stop() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("changed");
    let missing = TellEntry {
        signal: Some(signal_name::SignalName::Hup),
        process: Some("told-never".into()),
        ..TellEntry::default()
    };
    story(vec![Way::of(&missing).unwrap(), touch(&path)], async |tell, metrics| {
        tell.announce();
        until(|| counts(&metrics, "touch") == (1, 0, 0)).await;
        until(|| counts(&metrics, "signal").1 > 2).await;
        assert_eq!(counts(&metrics, "signal").2, 1);
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_never_answers_delays_no_other_way_and_no_stop() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("changed");
    // Nobody accepts, and the system takes connections all the same.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let webhook = json!({ "request": format!("http://{}/", listener.local_addr().unwrap()) });
    let webhook = serde_json::from_value::<TellEntry>(webhook).unwrap();
    story(vec![Way::of(&webhook).unwrap(), touch(&path)], async |tell, metrics| {
        for told in 1..=3 {
            tell.announce();
            until(|| counts(&metrics, "touch") == (told, 0, 0)).await;
        }
        assert_eq!(counts(&metrics, "request"), (0, 0, 1));
    })
    .await;
}

#[test]
fn an_entry_is_one_whole_way() {
    let entry = TellEntry::default;
    let hup = Some(signal_name::SignalName::Hup);
    for (entry, fault) in [
        (entry(), "an entry of tell is one way: write signal, request or touch"),
        (
            TellEntry { touch: Some("/x".into()), expect: Some(statuses::Statuses::default()), ..entry() },
            "method and expect belong to a request",
        ),
        (TellEntry { signal: hup, ..entry() }, "a signal needs a process: add process or command-line"),
        (
            TellEntry { signal: hup, process: Some("a".into()), command_line: Some("b".into()), ..entry() },
            "a signal goes to one process: write process or command-line, not both",
        ),
        (TellEntry { signal: hup, process: Some(String::new()), ..entry() }, "an empty text would match every process"),
        (TellEntry { touch: Some("changed".into()), ..entry() }, "touch needs the absolute path of a file"),
        (TellEntry { touch: Some("/x/..".into()), ..entry() }, "touch needs the absolute path of a file"),
        (
            TellEntry { touch: Some("/x".into()), process: Some("a".into()), ..entry() },
            "process and command-line belong to a signal",
        ),
        (
            TellEntry { touch: Some("/x".into()), signal: hup, ..entry() },
            "an entry of tell is one way: write signal, request or touch",
        ),
    ] {
        assert_eq!(Way::of(&entry).unwrap_err(), fault, "{entry:?}");
    }
}
