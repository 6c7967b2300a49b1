//! proxy on the app's way out: there before the app's first request, and until the app's last.

use e2e::cluster::{Namespace, Profile};

use crate::examples::{changed, example};

#[test]
fn the_job_of_the_example_completes_although_its_proxy_would_run_for_ever() {
    let namespace = Namespace::new("proxy-job", Profile::Restricted);
    namespace.create(&changed(&example("proxy.yaml"), "replicas: 3", "replicas: 1"));
    namespace.create(&example("proxy-job.yaml"));
    namespace
        .until("the job is complete", || (namespace.find("job/migration")?["status"]["succeeded"] == 1).then_some(()));
    let pods = namespace.pods("job-name=migration");
    let pod = pods.iter().find(|pod| pod.phase() == "Succeeded").unwrap();
    let proxy = pod.ended("proxy").unwrap();
    assert_eq!(proxy.code, 0, "{proxy:?}");
    assert!(namespace.log(pod.name(), "migration").contains("nginx"), "no answer of the server");
}

#[test]
fn an_app_that_stops_slowly_is_served_to_its_last_request() {
    let namespace = Namespace::new("proxy-last", Profile::Restricted);
    namespace.create(&changed(&example("proxy.yaml"), "replicas: 3", "replicas: 1"));
    namespace.until("the server is ready", || namespace.pods("app=web").first()?.is_ready().then_some(()));
    // Kubernetes stops a native sidecar after the app. It stops a second container together with
    // the app, and the proxy there waits until the app's process has ended. It does not go by
    // connections, because a busy machine lets more than a second pass between two of them.
    let pods = [("native", true, "--drain-delay=0s"), ("classic", false, "--exit-with-process=sh")];
    for (name, is_native, flag) in pods {
        namespace.create(&pod(name, is_native, flag));
    }
    for (name, ..) in pods {
        namespace.until_log(name, "main-app", "asked");
        let (pod, _) = namespace.delete_pod(name);
        let (app, proxy) = (pod.ended("main-app").unwrap(), pod.ended("proxy").unwrap());
        assert_eq!(app.message, "requests=11 failed=0", "{name}: {app:?}");
        assert_eq!(proxy.code, 0, "{name}: {proxy:?}");
        assert!(app.finished <= proxy.finished, "{name}: {app:?} {proxy:?}");
    }
}

#[test]
fn the_app_starts_once_the_upstream_is_there_and_its_first_request_is_answered() {
    let namespace = Namespace::new("proxy-hold", Profile::Restricted);
    namespace.create(&pod("held", true, "--hold-start"));
    namespace.until("the startup probe has failed", || {
        let events = namespace.find("events")?["items"].take();
        let messages = events.as_array()?.iter().filter_map(|event| event["message"].as_str());
        messages.filter(|message| message.contains("Startup probe failed")).count().gt(&0).then_some(())
    });
    let held = namespace.pod("held");
    assert!(held.container("proxy").unwrap().running_since().is_some());
    assert!(held.container("main-app").unwrap().running_since().is_none(), "the app runs without its upstream");
    namespace.create(&changed(&example("proxy.yaml"), "replicas: 3", "replicas: 1"));
    let asked = namespace.until_log("held", "main-app", "asked");
    assert_eq!(asked, "asked, after 0 failures");
}

/// A pod whose app asks at its start, and eleven times more after its stop signal; `flag` is one more of the proxy's.
fn pod(name: &str, is_native: bool, flag: &str) -> String {
    let proxy = PROXY.replace("FLAG", flag);
    let (before, beside) = if is_native {
        (format!("  initContainers:{proxy}      restartPolicy: Always\n"), String::new())
    } else {
        (String::new(), proxy)
    };
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{ name: {name} }}
spec:
  restartPolicy: Never
  shareProcessNamespace: true
  terminationGracePeriodSeconds: 150
  securityContext: {{ runAsNonRoot: true, runAsUser: 65532, seccompProfile: {{ type: RuntimeDefault }} }}
{before}  containers:{APP}{beside}"
    )
}

const APP: &str = r#"
    - name: main-app
      image: busybox:1.36
      command:
        - sh
        - -c
        - |
          trap 'stop=1' TERM
          ask() { wget -q -O /dev/null http://127.0.0.1:9000/; }
          failed=0
          until ask; do failed=$((failed + 1)); sleep 0.2; done
          echo "asked, after $failed failures"
          while [ -z "$stop" ]; do sleep 0.2; done
          failed=0
          for request in 1 2 3 4 5 6 7 8 9 10 11; do
            ask || failed=$((failed + 1))
            printf 'requests=%d failed=%d' $request $failed >/dev/termination-log
            sleep 0.5
          done
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
"#;

const PROXY: &str = r#"
    - name: proxy
      image: localhost/sidekit/proxy:0.1.0
      args: ["--listen=127.0.0.1:9000", "--upstream=http://web", "--shutdown-timeout=140s", "FLAG"]
      startupProbe: { httpGet: { path: /startupz, port: 9471 }, periodSeconds: 1, failureThreshold: 60 }
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
"#;
