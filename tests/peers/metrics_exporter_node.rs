//! metrics-exporter beside `node_exporter`: metrics with one name have one type and the same labels.

use std::collections::{BTreeMap, BTreeSet};

use e2e::{
    contained::{Network, as_nobody},
    server::Server,
    web::ask,
};

use crate::metrics_pod::{MetricsPod, TEXT};

/// Metrics of ours with a name of `node_exporter` that differ on purpose
const EXCEPTIONS: [(&str, &str); 1] = [
    // Later versions of node_exporter have the label with the reason of a failure; version 1.5 of Debian has not.
    ("node_filesystem_device_error", "device_error"),
];

/// Metrics that later versions of `node_exporter` have by default, but not version 1.5
const LATER: [&str; 2] = ["node_netstat_TcpExt_TCPOFOQueue", "node_netstat_TcpExt_TCPRcvQDrop"];

/// The type and the names of the labels of each metric
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

#[test]
fn metrics_of_node_exporter_have_its_types_and_labels() {
    let node_exporter = node_exporter();
    let (status, page) = ask(node_exporter.port(), "GET", "/metrics", "");
    assert_eq!(status, 200, "{page}");
    let theirs = metrics(&page);
    let mut ours = metrics(&MetricsPod::start(&[]).page(TEXT));
    for (metric, label) in EXCEPTIONS {
        let (_, labels) = ours.get_mut(metric).unwrap_or_else(|| panic!("no {metric}"));
        labels.remove(label);
    }
    // The exporter's own processes always have a label, so that those of the app stay as they are.
    ours.retain(|name, _| !name.starts_with("process_"));
    let is_missing = |name: &&String| name.starts_with("node_") && !theirs.contains_key(*name);
    let missing: Vec<_> = ours.keys().filter(is_missing).filter(|name| !LATER.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "node_exporter has no {missing:?}");
    let both: Vec<_> = ours.iter().filter(|(name, _)| theirs.contains_key(*name)).collect();
    // Those of devices, protocols, sockets, file systems and text files
    assert!(both.len() > 80, "{both:?}");
    for (name, metric) in both {
        assert_eq!(metric, &theirs[name], "{name}");
    }
}

/// `node_exporter` with the collectors that we have, too, and without its filters
fn node_exporter() -> Server {
    let mut server = Server::new();
    server.directory.write("other.prom", "# TYPE other gauge\nother 1\n");
    let mut program = as_nobody("prometheus-node-exporter");
    program.arg("--collector.disable-defaults");
    for collector in ["netdev", "netstat", "sockstat", "filesystem", "textfile"] {
        program.arg(format!("--collector.{collector}"));
    }
    program.args(["--collector.filesystem.fs-types-exclude=^$", "--collector.filesystem.mount-points-exclude=^$"]);
    program.arg(format!("--collector.textfile.directory={}", server.directory.path().display()));
    program.arg(format!("--web.listen-address=127.0.0.1:{}", server.port()));
    server.start(&program, Network::Shared, "Listening on");
    server
}

fn metrics(page: &str) -> Metrics {
    let mut metrics = Metrics::new();
    for line in page.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kind.clone_into(&mut metrics.entry(name.to_owned()).or_default().0);
        } else if !line.starts_with('#') {
            let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
            metrics.entry(line[..end].to_owned()).or_default().1.extend(labels(&line[end..]));
        }
    }
    metrics
}

/// The names of the labels in a text such as `{a="1",b="2"} 3`
fn labels(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut pieces = text.trim_start_matches('{').split('"');
    // Pieces at even places stand between the values; an escaped quote only lengthens the value before it.
    while let Some(name) = pieces.next().and_then(|piece| piece.trim_start_matches(',').strip_suffix('=')) {
        names.insert(name.to_owned());
        while pieces.next().is_some_and(|value| value.ends_with('\\')) {}
    }
    names
}
