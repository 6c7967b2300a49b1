//! The Prometheus of the examples, asked by way of the API server.

use e2e::{cluster::Namespace, web::escaped};
use serde_json::Value;

/// A Prometheus that runs in the namespace of a story
pub(crate) struct Prometheus<'a>(&'a Namespace);

impl<'a> Prometheus<'a> {
    /// The one that `prometheus.yaml` has created, once it is ready
    pub(crate) fn of(namespace: &'a Namespace) -> Self {
        namespace.until_pod("prometheus", "it is ready", |pod| pod.is_ready().then_some(()));
        Self(namespace)
    }

    /// The series that a query finds now
    pub(crate) fn query(&self, query: &str) -> Vec<Value> {
        let namespace = self.0.name();
        let escaped = escaped(query);
        let url = format!("/api/v1/namespaces/{namespace}/pods/prometheus:9090/proxy/api/v1/query?query={escaped}");
        let output = self.0.kubectl(["get", "--raw", &url]).output().unwrap();
        assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
        let mut answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let Value::Array(found) = answer["data"]["result"].take() else { panic!("{query}: {answer}") };
        found
    }

    /// Waits until a query finds something.
    pub(crate) fn until_found(&self, query: &str) -> Vec<Value> {
        self.0.until(&format!("{query} finds something"), || Some(self.query(query)).filter(|found| !found.is_empty()))
    }
}
