//! What log-forwarder's `/metrics` says, asked by way of the API server.

use e2e::cluster::Namespace;

/// The sum of a metric over all its labels; `None` while there is no answer, or no such metric
pub(crate) fn metric(namespace: &Namespace, pod: &str, name: &str) -> Option<f64> {
    let url = format!("/api/v1/namespaces/{}/pods/{pod}:9472/proxy/metrics", namespace.name());
    let output = namespace.kubectl(["get", "--raw", &url]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let start = format!("sidekit_log_forwarder_{name}{{");
    let values = text.lines().filter(|line| line.starts_with(&start)).map(|line| line.rsplit(' ').next().unwrap());
    values.map(|value| value.parse::<f64>().unwrap()).reduce(|one, other| one + other)
}
