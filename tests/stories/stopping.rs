//! The end of a pod while it waits, and what its status tells of that.

use e2e::cluster::{Namespace, Profile};

use crate::waiting_pod::WaitingPod;

#[test]
fn a_pod_deleted_while_it_waits_is_gone_at_once_and_says_143() {
    let namespace = Namespace::new("deleted", Profile::Restricted);
    // A helper that did not hear SIGTERM would be killed after these seconds, and its status would
    // say 137. Thirty leave room for a node that stands still for a while.
    for grace in [30, 120] {
        namespace.create(&waits("for-ever", grace, ""));
        namespace.until_log("for-ever", "wait-for", "not ready");
        let (pod, elapsed) = namespace.delete_pod("for-ever");
        let end = pod.ended("wait-for").unwrap();
        assert_eq!(end.code, 143, "{end:?}");
        assert!(elapsed.as_secs() < 90, "{elapsed:?} with a grace of {grace} s");
        // A busy node may not leave it the time to say what it waited for as well.
        assert!(end.message.starts_with("code=143 reason=stopped ") && end.message.contains("elapsed="), "{end:?}");
        assert!(pod.container("main-app").is_none_or(|app| app.ended().is_none_or(|end| end.reason != "Completed")));
        namespace.until("the pod is gone", || namespace.find("pod/for-ever").is_none().then_some(()));
    }
}

#[test]
fn a_timeout_is_124_and_the_status_has_the_whole_last_line() {
    let namespace = Namespace::new("timeout", Profile::Restricted);
    namespace.create(&waits("in-vain", 30, r#", "--timeout=3s""#));
    let end = namespace.until_pod("in-vain", "wait-for has ended", |pod| pod.ended("wait-for"));
    assert_eq!(end.code, 124, "{end:?}");
    assert_grammar(
        &end.message,
        r#"code=124 reason=timed-out what="tcp://nobody:1" last="unknown name nobody" attempts="#,
    );
    let log = namespace.log("in-vain", "wait-for");
    let last = log.lines().last().unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["message"], end.message);
    namespace.until_pod("in-vain", "it has failed", |pod| (pod.phase() == "Failed").then_some(()));
}

/// Fails unless the message is whole: `start`, how many attempts, and how long, to the last letter.
fn assert_grammar(message: &str, start: &str) {
    let rest = message.strip_prefix(start).unwrap_or_else(|| panic!("{message:?} does not start with {start}"));
    let (attempts, elapsed) = rest.split_once(" elapsed=").unwrap_or_else(|| panic!("{message:?}"));
    assert!(attempts.parse::<u32>().is_ok(), "{message:?}");
    assert!(elapsed.strip_suffix('s').is_some_and(|seconds| seconds.parse::<f64>().is_ok()), "{message:?}");
}

fn waits(name: &str, grace_seconds: u32, flags: &str) -> String {
    let settings = format!("terminationGracePeriodSeconds: {grace_seconds}");
    let arguments = format!(r#""tcp://nobody:1"{flags}"#);
    WaitingPod { name, settings: &settings, arguments: &arguments, ..WaitingPod::default() }.manifest()
}
