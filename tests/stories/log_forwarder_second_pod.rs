//! The pod in which log-forwarder delivers what nginx writes to their shared volume: its end, under load, and the ends of its forwarder.

use e2e::cluster::{Namespace, Profile};

use crate::{
    collector::Collector,
    examples::changed,
    web_pod::{delete_and_compare, with_visitors},
};

/// Lines, so that the load is under way
const UNDER_WAY: u64 = 2000;

#[test]
fn every_line_is_delivered_when_the_pod_is_deleted_under_load() {
    let namespace = Namespace::new("second-pod", Profile::Restricted);
    let collector = Collector::start(&namespace);
    namespace.create(&with_visitors("log-forwarder.yaml"));
    collector.until_distinct("web", UNDER_WAY);
    // So that some lines are always undelivered at the end.
    collector.tell("slow");
    let (pod, _) = delete_and_compare(&namespace, &collector);
    let [nginx, forwarder] = ["nginx", "log-forwarder"].map(|name| pod.ended(name).unwrap());
    assert_eq!((nginx.code, forwarder.code), (0, 0), "{nginx:?} {forwarder:?}");
    assert!(nginx.finished <= forwarder.finished, "{nginx:?} {forwarder:?}");
}

#[test]
fn every_line_is_delivered_although_both_are_told_to_stop_at_once() {
    let namespace = Namespace::new("second-pod-classic", Profile::Restricted);
    let collector = Collector::start(&namespace);
    namespace.create(&with_visitors("log-forwarder-classic.yaml"));
    collector.until_distinct("web", UNDER_WAY);
    let (pod, _) = delete_and_compare(&namespace, &collector);
    let [nginx, forwarder] = ["nginx", "log-forwarder"].map(|name| pod.ended(name).unwrap());
    assert_eq!((nginx.code, forwarder.code), (0, 0), "{nginx:?} {forwarder:?}");
}

#[test]
fn nothing_is_lost_when_the_forwarder_is_killed_five_times() {
    let namespace = Namespace::new("kills", Profile::Restricted);
    let collector = Collector::start(&namespace);
    // Only so can a shell beside it reach it: the first process of a container hears no SIGKILL from within.
    let (alone, shared) = ("spec:\n  securityContext", "spec:\n  shareProcessNamespace: true\n  securityContext");
    namespace.create(&changed(&with_visitors("log-forwarder.yaml"), alone, shared));
    for kills in 0..5 {
        let before = collector.source("web")["distinct"].as_u64().unwrap_or_default();
        collector.until_distinct("web", before + UNDER_WAY);
        namespace.shell("web", "visitors", "kill -9 $(pidof log-forwarder)").unwrap();
        // The kubelet may report the new restart count before the end of the former process.
        let end = namespace.until_pod("web", "the forwarder is started again", |pod| {
            let forwarder = pod.container("log-forwarder")?;
            let is_again = forwarder.restarts() > kills && forwarder.running_since().is_some();
            is_again.then(|| forwarder.previous_end())?
        });
        assert_eq!(end.code, 137, "{end:?}");
    }
    let (pod, _) = delete_and_compare(&namespace, &collector);
    let (forwarder, nginx) = (pod.container("log-forwarder").unwrap(), pod.container("nginx").unwrap());
    assert_eq!((forwarder.restarts(), nginx.restarts()), (5, 0));
    assert_eq!(forwarder.ended().unwrap().code, 0);
}
