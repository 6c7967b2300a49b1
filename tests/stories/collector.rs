//! The collector of the stories: a pod behind the Service `collector` that counts every line, and is asked by way of the API server.

use std::process::Stdio;

use e2e::cluster::Namespace;
use serde_json::Value;

/// A pod whose collector counts lines
pub(crate) struct Collector<'a>(&'a Namespace);

impl<'a> Collector<'a> {
    /// Starts it, and waits until it answers.
    pub(crate) fn start(namespace: &'a Namespace) -> Self {
        namespace.create(MANIFEST);
        namespace.until_pod("collector", "it is ready", |pod| pod.is_ready().then_some(()));
        Self(namespace)
    }

    /// Sets its answer to lines from now on: `keep`, `slow`, `refuse` or `hang`
    pub(crate) fn tell(&self, answer: &str) {
        let url = format!("{}/tell/{answer}", self.url());
        let mut create = self.0.kubectl(["create", "--raw", &url, "--filename=/dev/null"]);
        let output = create.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{answer}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Its report about all lines, as tests/programs/collector writes it
    pub(crate) fn report(&self) -> Value {
        self.0.until("the collector answers", || {
            let output = self.0.kubectl(["get", "--raw", &format!("{}/report", self.url())]).output().unwrap();
            serde_json::from_slice(&output.stdout).ok()
        })
    }

    /// Its report about the lines of one source
    pub(crate) fn source(&self, name: &str) -> Value {
        self.report()["sources"][name].take()
    }

    /// Waits until it has at least this many different lines of a source.
    pub(crate) fn until_distinct(&self, source: &str, count: u64) {
        self.0.until(&format!("the collector has {count} lines of {source}"), || {
            (self.source(source)["distinct"].as_u64()? >= count).then_some(())
        });
    }

    fn url(&self) -> String {
        format!("/api/v1/namespaces/{}/pods/collector:8080/proxy", self.0.name())
    }
}

const MANIFEST: &str = "
apiVersion: v1
kind: Service
metadata: { name: collector }
spec: { selector: { app: collector }, ports: [{ port: 8080 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: collector, labels: { app: collector } }
spec:
  # It hears no signal.
  terminationGracePeriodSeconds: 1
  securityContext: { runAsNonRoot: true, seccompProfile: { type: RuntimeDefault } }
  containers:
    - name: collector
      image: localhost/sidekit/test-collector:0.1.0
      readinessProbe: { periodSeconds: 1, httpGet: { path: /report, port: 8080 } }
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
";
