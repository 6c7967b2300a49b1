//! log-forwarder before the OpenTelemetry Collector, by OTLP, Fluent forward and syslog: it holds what the ledger says was delivered.

use e2e::{
    forwarder::{Logs, assert_lines, finish},
    peers::otel_collector::{OtelCollector, attribute},
};
use serde_json::Value;

const LINES: usize = 20_000;

fn body(record: &Value) -> &str {
    record["body"]["stringValue"].as_str().unwrap_or_default()
}

/// Forwards lines to a collector that starts after log-forwarder, and gives what it has afterwards.
fn delivered(collector: &mut OtelCollector, output: &str) -> (Vec<Value>, Logs) {
    let logs = Logs::new();
    logs.write_lines(LINES);
    let mut forwarder = logs.forward(&["--output", output, "--pod-name", "web-0", "--pod-namespace", "shop"]);
    forwarder.says("cannot deliver");
    collector.start();
    collector.records(LINES);
    let ledger = finish(forwarder);
    assert_eq!(ledger["lines"], LINES as u64);
    (collector.records(LINES), logs)
}

#[test]
fn otlp_records_are_all_there() {
    let mut collector = OtelCollector::new();
    let output = collector.otlp();
    let (records, logs) = delivered(&mut collector, &output);
    assert_lines(&records.iter().map(body).collect::<Vec<_>>(), LINES);
    let record = &records[7];
    assert_eq!(attribute(&record["resource"], "k8s.pod.name"), "web-0");
    assert_eq!(attribute(record, "log.file.path"), logs.join("app.log").display().to_string());
    assert!(record["timeUnixNano"].as_str().is_some_and(|time| time.len() == 19), "{record}");
}

#[test]
fn compressed_otlp_records_are_all_there() {
    for compression in ["gzip", "zstd"] {
        let mut collector = OtelCollector::new();
        let output = format!("{}#{compression}", collector.otlp());
        let (records, _) = delivered(&mut collector, &output);
        assert_lines(&records.iter().map(body).collect::<Vec<_>>(), LINES);
    }
}

#[test]
fn json_fields_arrive_with_their_types() {
    let (mut collector, logs) = (OtelCollector::new(), Logs::new());
    collector.start();
    let line = r#"{"time":"2026-11-24T09:58:45.5Z","level":"warn","msg":"slow","ms":1200,"ok":false,"tags":["a",{"b":null}],
        "trace_id":"0af7651916cd43dd8448eb211c80319c"}"#;
    std::fs::write(logs.join("app.log"), line.replace('\n', "") + "\n").unwrap();
    let forwarder = logs.forward(&["--output", &collector.otlp(), "--format", "json"]);
    let records = collector.records(1);
    assert_eq!(finish(forwarder)["lines"], 1);
    let record = &records[0];
    assert_eq!(
        (body(record), &record["severityNumber"], &record["severityText"]),
        ("slow", &13.into(), &"warn".into())
    );
    assert_eq!(record["timeUnixNano"], "1795514325500000000");
    assert_eq!(record["traceId"], "0af7651916cd43dd8448eb211c80319c");
    let value = |name: &str| {
        let attributes = record["attributes"].as_array().unwrap();
        attributes
            .iter()
            .find(|attribute| attribute["key"] == name)
            .map(|attribute| attribute["value"].clone())
            .unwrap()
    };
    assert_eq!(value("ms")["intValue"], "1200");
    assert_eq!(value("ok")["boolValue"], false);
    assert_eq!(value("tags")["arrayValue"]["values"][0]["stringValue"], "a");
    assert_eq!(value("tags")["arrayValue"]["values"][1]["kvlistValue"]["values"][0]["key"], "b");
}

#[test]
fn forwarded_entries_are_acknowledged_and_all_there() {
    for options in ["", "#gzip&tag=web"] {
        let mut collector = OtelCollector::new();
        let output = collector.forward() + options;
        let (records, _) = delivered(&mut collector, &output);
        // This receiver puts `message` into the body, and what stands beside it into attributes.
        assert_lines(&records.iter().map(body).collect::<Vec<_>>(), LINES);
        assert_eq!(attribute(&records[7], "k8s.pod.name"), "web-0");
        let tag = if options.is_empty() { "kubernetes.shop.web-0" } else { "web" };
        assert_eq!(attribute(&records[7], "fluent.tag"), tag);
    }
}

#[test]
fn syslog_messages_are_all_there() {
    let mut collector = OtelCollector::new();
    let output = collector.syslog();
    let (records, _) = delivered(&mut collector, &output);
    assert_lines(&records.iter().map(|record| attribute(record, "message")).collect::<Vec<_>>(), LINES);
    assert_eq!(attribute(&records[7], "hostname"), "web-0");
}
