//! A native sidecar (KEP-753): the containers that wait for it, those that it never holds up, and the time of its stop signal.
//!
//! It is the small sidecar of `lifecycle`'s tests, so that the results hold for every sidecar.

use e2e::cluster::{Ended, Namespace, Pod, Profile};

#[test]
fn the_startup_probe_gates_the_next_container() {
    let namespace = Namespace::new("startup", Profile::Restricted);
    namespace.create(&pod("", "touch /shared/stall", "sleep 1000"));
    namespace.until("the startup probe has failed", || probe_failed(&namespace, "Startup probe failed"));
    let pod = namespace.pod("pod");
    let sidecar = pod.container("sidecar").unwrap();
    assert!(sidecar.running_since().is_some() && !sidecar.has_started(), "the sidecar has said that it started");
    assert!(pod.container("main-app").unwrap().running_since().is_none(), "the app runs before its sidecar");
    namespace.shell("pod", "hand", "rm /shared/stall").unwrap();
    namespace.until_pod("pod", "the app runs", |pod| pod.container("main-app")?.running_since().map(|_| ()));
    assert!(namespace.pod("pod").container("sidecar").unwrap().has_started());
}

#[test]
fn a_sidecar_whose_loop_stalls_is_restarted() {
    let namespace = Namespace::new("stall", Profile::Restricted);
    namespace.create(&pod("", "true", "sleep 1000"));
    namespace.until_pod("pod", "the app runs", |pod| pod.container("main-app")?.running_since().map(|_| ()));
    namespace.shell("pod", "hand", "touch /shared/stall").unwrap();
    namespace.until("the liveness probe has seen 503", || {
        probe_failed(&namespace, "Liveness probe failed: HTTP probe failed with statuscode: 503")
    });
    namespace.until_pod("pod", "it was ended", |pod| pod.container("sidecar")?.previous_end().map(|_| ()));
    namespace.shell("pod", "hand", "rm /shared/stall").unwrap();
    namespace.until_pod("pod", "it is ready again", |pod| pod.is_ready().then_some(()));
    let pod = namespace.pod("pod");
    assert!(pod.container("sidecar").unwrap().restarts() >= 1);
    assert_eq!(pod.container("main-app").unwrap().restarts(), 0, "the app was restarted too");
}

#[test]
fn a_job_ends_although_its_sidecar_runs() {
    let namespace = Namespace::new("job-ends", Profile::Restricted);
    let spec = pod("", "true", "true");
    let (_, spec) = spec.split_once("spec:\n").unwrap();
    let spec = spec.replace('\n', "\n    ");
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: { name: job }\nspec:\n  template:\n    spec:\n    ";
    namespace.create(&format!("{job}{spec}"));
    namespace.until("the job is complete", || {
        let job = namespace.find("job/job")?;
        (job["status"]["succeeded"] == 1).then_some(())
    });
    let pods = namespace.pods("job-name=job");
    let (app, sidecar) = ends(&pods[0]);
    assert_eq!((app.code, sidecar.code), (0, 0), "{app:?} {sidecar:?}");
}

#[test]
fn a_sidecar_is_told_to_stop_after_the_app_has_ended() {
    let namespace = Namespace::new("order", Profile::Restricted);
    namespace.create(&pod("", "true", "trap 'sleep 4; echo last words; exit 0' TERM; sleep 1000 & wait"));
    namespace.until_pod("pod", "the app runs", |pod| pod.is_ready().then_some(()));
    let (pod, _) = namespace.delete_pod("pod");
    let (app, sidecar) = ends(&pod);
    assert_eq!((app.code, sidecar.code), (0, 0), "{app:?} {sidecar:?}");
    assert!(app.finished <= sidecar.finished, "{app:?} {sidecar:?}");
    // A sidecar that had its signal with the app would have ended four seconds before it.
    assert!(pod.ended("hand").unwrap().finished >= sidecar.finished, "the first started is the last to stop");
}

#[test]
fn a_sidecar_drains_in_two_seconds_when_the_app_has_eaten_the_grace() {
    let namespace = Namespace::new("grace", Profile::Restricted);
    namespace.create(&pod("  terminationGracePeriodSeconds: 3", "true", "trap '' TERM; while true; do sleep 1; done"));
    namespace.until_pod("pod", "the app runs", |pod| pod.is_ready().then_some(()));
    let (pod, _) = namespace.delete_pod("pod");
    let (app, sidecar) = ends(&pod);
    assert_eq!((app.code, sidecar.code), (137, 0), "{app:?} {sidecar:?}");
}

fn ends(pod: &Pod) -> (Ended, Ended) {
    (pod.ended("main-app").unwrap(), pod.ended("sidecar").unwrap())
}

fn probe_failed(namespace: &Namespace, part: &str) -> Option<()> {
    let events = namespace.find("events")?;
    let mut messages = events["items"].as_array()?.iter().filter_map(|event| event["message"].as_str());
    messages.any(|message| message.contains(part)).then_some(())
}

/// A pod whose containers share a directory: `hand`, in which a story can type; a sidecar that stalls while `/shared/stall` is
/// there; and an app
fn pod(settings: &str, first: &str, app: &str) -> String {
    format!(
        r#"apiVersion: v1
kind: Pod
metadata: {{ name: pod }}
spec:
{settings}
  restartPolicy: Never
  securityContext: {{ runAsNonRoot: true, runAsUser: 65532, seccompProfile: {{ type: RuntimeDefault }} }}
  initContainers:
    - name: first
      image: busybox:1.36
      command: ["sh", "-c", "{first}"]
      securityContext: &restricted {{ allowPrivilegeEscalation: false, capabilities: {{ drop: [ALL] }} }}
      volumeMounts: &shared [{{ name: shared, mountPath: /shared }}]
    - name: hand
      image: busybox:1.36
      command: ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"]
      restartPolicy: Always
      securityContext: *restricted
      volumeMounts: *shared
    - name: sidecar
      image: localhost/sidekit/test-sidecar:0.1.0
      args: ["--stall-file=/shared/stall", "--bound=2s", "--shutdown-timeout=5s"]
      restartPolicy: Always
      startupProbe: {{ httpGet: {{ path: /startupz, port: 9470 }}, periodSeconds: 1, failureThreshold: 60 }}
      livenessProbe: {{ httpGet: {{ path: /livez, port: 9470 }}, periodSeconds: 1, failureThreshold: 2 }}
      readinessProbe: {{ httpGet: {{ path: /readyz, port: 9470 }}, periodSeconds: 1 }}
      securityContext: *restricted
      volumeMounts: *shared
  containers:
    - name: main-app
      image: busybox:1.36
      command: ["sh", "-c", "{app}"]
      securityContext: *restricted
      volumeMounts: *shared
  volumes:
    - name: shared
      emptyDir: {{}}
"#
    )
}
