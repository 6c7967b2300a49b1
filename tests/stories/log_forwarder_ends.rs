//! Ends of pods that log-forwarder stands in: a Job that ends by itself, and a pod whose collector is away.

use std::collections::BTreeMap;

use e2e::cluster::{Namespace, Profile};

use crate::{
    collector::Collector,
    examples::{changed, example_with},
    web_pod::with_visitors,
};

#[test]
fn a_job_ends_and_its_last_line_is_there() {
    let namespace = Namespace::new("last-line", Profile::Restricted);
    let collector = Collector::start(&namespace);
    // The last line has no end, and nothing comes after it.
    let lines = "(seq 0 999 | sed 's/^/seq=job:/'; printf 'seq=job:1000 the last words')";
    namespace.create(&example_with("log-forwarder-job.yaml", "echo migrated", lines));
    namespace
        .until("the job is complete", || (namespace.find("job/migration")?["status"]["succeeded"] == 1).then_some(()));
    let job = collector.source("job");
    assert_eq!((&job["distinct"], &job["last"]), (&1001.into(), &"seq=job:1000 the last words".into()), "{job}");
    let pods = namespace.pods("job-name=migration");
    assert_eq!(pods.len(), 1);
    let forwarder = pods[0].ended("log-forwarder").unwrap();
    assert_eq!(forwarder.code, 0, "{forwarder:?}");
}

#[test]
fn a_pod_whose_collector_is_away_says_75_and_what_was_not_delivered() {
    let namespace = Namespace::new("undelivered", Profile::Restricted);
    let collector = Collector::start(&namespace);
    let soon = "--state-dir=/state\", \"--shutdown-timeout=5s";
    namespace.create(&changed(&with_visitors("log-forwarder.yaml"), "--state-dir=/state", soon));
    collector.until_distinct("web", 1000);
    collector.tell("refuse");
    namespace.until_log("web", "log-forwarder", "cannot deliver");
    let delivered = collector.report()["lines"].as_u64().unwrap();
    namespace.delete("pod/collector");

    let (pod, _) = namespace.delete_pod("web");
    let end = pod.ended("log-forwarder").unwrap();
    assert_eq!(end.code, 75, "{end:?}");
    assert!(end.message.starts_with("code=75 reason=unfinished what=\""), "{end:?}");
    let ledger = ledger(&end.message);
    let sum = ["delivered", "rejected", "lost", "in-flight"].map(|name| ledger[name]).iter().sum::<u64>();
    assert_eq!(ledger["read"], sum, "{ledger:?}");
    assert_eq!((ledger["lines"], ledger["lost"], ledger["rejected"]), (delivered, 0, 0), "{ledger:?}");
}

/// The numbers of a last line
fn ledger(line: &str) -> BTreeMap<&str, u64> {
    let words = line.split([' ', '"']).filter_map(|word| word.split_once('='));
    words.filter_map(|(name, number)| Some((name, number.parse().ok()?))).collect()
}
