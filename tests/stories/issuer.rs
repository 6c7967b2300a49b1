//! The issuer of the stories: a pod behind the Services `issuer` and `api` that gives tokens and judges them, and is asked by way of the API
//! server.

use std::process::Stdio;

use e2e::cluster::Namespace;
use serde_json::Value;

/// A pod whose issuer counts logins, and requests by their tokens
pub(crate) struct Issuer<'a>(&'a Namespace);

impl<'a> Issuer<'a> {
    /// Starts it, and waits until it answers. Its tokens live for this many seconds.
    pub(crate) fn start(namespace: &'a Namespace, life: u32) -> Self {
        namespace.create(SERVICES);
        let issuer = Self(namespace);
        issuer.start_pod(life);
        issuer
    }

    /// Starts its pod, which must not be there.
    pub(crate) fn start_pod(&self, life: u32) {
        self.0.create(&POD.replace("LIFE", &life.to_string()));
        self.0.until_pod("issuer", "it is ready", |pod| pod.is_ready().then_some(()));
    }

    /// Sets its answer to grants from now on: `grant`, `refuse` or `away`
    pub(crate) fn tell(&self, answer: &str) {
        let url = format!("{}/tell/{answer}", self.url());
        let mut create = self.0.kubectl(["create", "--raw", &url, "--filename=/dev/null"]);
        let output = create.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{answer}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A number of its report, as tests/programs/issuer writes it, at a JSON pointer such as `/requests/valid`
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        self.0.until("the issuer answers", || {
            let output = self.0.kubectl(["get", "--raw", &format!("{}/report", self.url())]).output().unwrap();
            let report: Value = serde_json::from_slice(&output.stdout).ok()?;
            report.pointer(pointer)?.as_u64()
        })
    }

    /// Waits until a number of its report is at least this.
    pub(crate) fn until_count(&self, pointer: &str, least: u64) {
        self.0.until(&format!("{pointer} of the issuer is {least}"), || (self.count(pointer) >= least).then_some(()));
    }

    fn url(&self) -> String {
        format!("/api/v1/namespaces/{}/pods/issuer:8080/proxy", self.0.name())
    }
}

const SERVICES: &str = "
apiVersion: v1
kind: Service
metadata: { name: issuer }
spec: { selector: { app: issuer }, ports: [{ port: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: api }
spec: { selector: { app: issuer }, ports: [{ port: 8080 }] }
";

const POD: &str = r#"
apiVersion: v1
kind: Pod
metadata: { name: issuer, labels: { app: issuer } }
spec:
  # It hears no signal.
  terminationGracePeriodSeconds: 1
  securityContext: { runAsNonRoot: true, seccompProfile: { type: RuntimeDefault } }
  containers:
    - name: issuer
      image: localhost/sidekit/test-issuer:0.1.0
      args: ["0.0.0.0:8080", "LIFE"]
      readinessProbe: { periodSeconds: 1, httpGet: { path: /report, port: 8080 } }
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
"#;
