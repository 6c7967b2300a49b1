//! Exit codes drive policy: the manifest says how Kubernetes answers each code, without a look into a log.

use e2e::cluster::{Namespace, Profile};
use serde_json::Value;

use crate::examples::{changed, example, example_with};

const TARGET: &str = r#"["mysql://db:3306", "--timeout=2m"]"#;

#[test]
fn the_job_of_the_example_completes_once_its_database_is_there() {
    let namespace = Namespace::new("job-completes", Profile::Restricted);
    namespace.create(&example("job-failure-policy.yaml"));
    namespace.create(&example("database.yaml"));
    assert_eq!(end_of_job(&namespace, "Complete"), "CompletionsReached");
}

#[test]
fn a_job_fails_at_once_on_a_usage_error() {
    fails_at_once("usage", r#"["mysql://db:port"]"#, 64);
}

#[test]
fn a_job_fails_at_once_when_it_is_denied() {
    // The kernel lets only root look into this directory.
    fails_at_once("denied", r#"["file:///proc/tty/driver/serial"]"#, 77);
}

#[test]
fn a_job_fails_at_once_on_a_wrong_configuration_file() {
    fails_at_once("configuration", r#"["--config=/etc/passwd"]"#, 78);
}

#[test]
fn a_job_counts_a_timeout_as_a_try() {
    let namespace = Namespace::new("job-tries", Profile::Restricted);
    let job = example_with("job-failure-policy.yaml", TARGET, r#"["mysql://db:3306", "--timeout=1s"]"#);
    namespace.create(&changed(&job, "backoffLimit: 3", "backoffLimit: 1"));
    assert_eq!(end_of_job(&namespace, "Failed"), "BackoffLimitExceeded");
    assert_eq!(codes(&namespace), [124, 124]);
}

#[test]
fn a_timeout_restarts_in_place_and_a_usage_error_does_not() {
    let namespace = Namespace::new("restart-rules", Profile::Restricted);
    let pod = |targets| example_with("restart-rules.yaml", r#"["mysql://db:3306", "--timeout=10s"]"#, targets);
    namespace.create(&pod(r#"["mysql://db:3306", "--timeout=2s"]"#));
    assert_rules_are_kept(&namespace, "migration");
    let end = namespace.until_pod("migration", "wait-for is tried again", |pod| {
        let container = pod.container("wait-for")?;
        (container.restarts() > 0).then(|| container.previous_end())?
    });
    assert_eq!(end.code, 124, "{end:?}");
    namespace.create(&example("database.yaml"));
    namespace.until_pod("migration", "it has ended", |pod| pod.has_ended().then_some(()));
    assert_eq!(namespace.pod("migration").phase(), "Succeeded");

    namespace.delete("pod/migration");
    namespace.create(&pod(r#"["mysql://db:port"]"#));
    namespace.until_pod("migration", "it has failed", |pod| (pod.phase() == "Failed").then_some(()));
    let pod = namespace.pod("migration");
    let container = pod.container("wait-for").unwrap();
    assert_eq!((container.ended().unwrap().code, container.restarts()), (64, 0));
}

#[test]
fn a_sidecar_that_could_not_deliver_restarts_in_place() {
    let namespace = Namespace::new("unfinished", Profile::Restricted);
    namespace.create(UNFINISHED);
    assert_rules_are_kept(&namespace, "sidecar");
    namespace.until_log("sidecar", "sidecar", "admin listener is up");
    let quit = namespace.kubectl(["exec", "sidecar", "--", "/test-sidecar", "quit"]).output().unwrap();
    assert!(quit.status.success(), "{}", String::from_utf8_lossy(&quit.stderr));
    let end = namespace.until_pod("sidecar", "it is started again", |pod| {
        let container = pod.container("sidecar")?;
        container.running_since()?;
        (container.restarts() == 1).then(|| container.previous_end())?
    });
    assert_eq!(end.code, 75, "{end:?}");
    assert!(end.message.starts_with("code=75 reason=unfinished"), "{end:?}");
}

/// A cluster without the feature drops the field in silence.
fn assert_rules_are_kept(namespace: &Namespace, pod: &str) {
    let spec = namespace.find(&format!("pod/{pod}")).unwrap()["spec"].to_string();
    assert!(spec.contains("restartPolicyRules"), "the cluster has the feature gate ContainerRestartRules turned off");
}

fn fails_at_once(story: &str, targets: &str, code: i64) {
    let namespace = Namespace::new(&format!("job-{story}"), Profile::Restricted);
    namespace.create(&example_with("job-failure-policy.yaml", TARGET, targets));
    assert_eq!(end_of_job(&namespace, "Failed"), "PodFailurePolicy");
    assert_eq!(codes(&namespace), [code]);
}

/// Waits until the job has this condition, which tells its end, and gives the reason.
fn end_of_job(namespace: &Namespace, condition: &str) -> String {
    namespace.until(&format!("the job is {condition}"), || {
        let job = namespace.find("job/migration")?;
        let conditions = job["status"]["conditions"].as_array()?.clone();
        let is_it = |found: &&Value| found["type"] == condition && found["status"] == "True";
        conditions.iter().find(is_it).and_then(|found| found["reason"].as_str().map(str::to_owned))
    })
}

/// How each try ended
fn codes(namespace: &Namespace) -> Vec<i64> {
    namespace.pods("job-name=migration").iter().map(|pod| pod.ended("wait-for").unwrap().code).collect()
}

const UNFINISHED: &str = r#"
apiVersion: v1
kind: Pod
metadata: { name: sidecar }
spec:
  restartPolicy: Never
  securityContext: { runAsNonRoot: true, seccompProfile: { type: RuntimeDefault } }
  containers:
    - name: sidecar
      image: localhost/sidekit/test-sidecar:0.1.0
      args: ["--stuck-batches=1", "--shutdown-timeout=1s"]
      env: [{ name: SIDEKIT_TEST_SIDECAR_ADMIN_ADDR, value: "127.0.0.1:9480" }]
      restartPolicy: Never
      restartPolicyRules: [{ action: Restart, exitCodes: { operator: In, values: [75, 124] } }]
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
"#;
