//! The OpenTelemetry Collector, which `tests/otel-collector/build` builds: OTLP, Fluent forward and syslog in, a file out.

use std::fs;

use harness::until;
use serde_json::Value;

use crate::{
    contained::Network,
    port::Port,
    process::{command, target_directory},
    server::Server,
};

/// A collector that writes what it gets to a file
pub struct OtelCollector {
    /// Its directory, log and process
    pub server: Server,
    otlp: Port,
    fluent: Port,
    syslog: Port,
}

impl OtelCollector {
    /// One that does not run yet
    pub fn new() -> Self {
        Self { server: Server::new(), otlp: Port::free(), fluent: Port::free(), syslog: Port::free() }
    }

    /// Starts it, and waits until it listens.
    pub fn start(&mut self) {
        // Without this setting its syslog reads no message that ends with a space.
        let [otlp, fluent, syslog] = [&self.otlp, &self.fluent, &self.syslog].map(Port::number);
        let settings = format!(
            "receivers:
  otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{otlp}'}}}}}}
  fluent_forward: {{endpoint: '127.0.0.1:{fluent}'}}
  syslog:
    tcp: {{listen_address: '127.0.0.1:{syslog}', preserve_trailing_whitespaces: true}}
    protocol: rfc5424
    enable_octet_counting: true
exporters:
  file: {{path: {}, flush_interval: 100ms}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs: {{receivers: [otlp, fluent_forward, syslog], exporters: [file]}}
",
            self.server.directory.join("received.json").display()
        );
        let settings = self.server.directory.write("settings.yaml", &settings);
        let mut program = command(target_directory().join("otel-collector/otelcol"));
        program.arg("--config").arg(settings);
        // Without it, two goroutines of the syslog receiver hand batches on, and the later one may come first.
        program.arg("--feature-gates=stanza.synchronousLogEmitter");
        self.server.start(&program, Network::Shared, "Everything is ready");
    }

    /// Where it takes OTLP
    pub fn otlp(&self) -> String {
        format!("otlp+http://127.0.0.1:{}", self.otlp.number())
    }

    /// Where it takes Fluent's forward protocol
    pub fn forward(&self) -> String {
        format!("forward://127.0.0.1:{}", self.fluent.number())
    }

    /// Where it takes syslog
    pub fn syslog(&self) -> String {
        format!("syslog+tcp://127.0.0.1:{}", self.syslog.number())
    }

    /// Waits until it has this number of records, and gives all of them, each with its resource as `resource`.
    pub fn records(&self, least: usize) -> Vec<Value> {
        until(&format!("the collector has {least} records"), || {
            let text = fs::read_to_string(self.server.directory.join("received.json")).unwrap_or_default();
            let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
            // Parsed only once there are enough: this is asked often.
            if whole.matches("\"body\":").count() < least {
                return None;
            }
            let records = whole.lines().flat_map(records).collect::<Vec<_>>();
            (records.len() >= least).then_some(records)
        })
    }
}

impl Default for OtelCollector {
    fn default() -> Self {
        Self::new()
    }
}

fn records(line: &str) -> Vec<Value> {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let request: Value = serde_json::from_str(line).expect("JSON");
    let mut found = Vec::new();
    for logs in list(&request, "resourceLogs") {
        for scope in list(&logs, "scopeLogs") {
            for mut record in list(&scope, "logRecords") {
                record["resource"] = logs["resource"].clone();
                found.push(record);
            }
        }
    }
    found
}

/// An attribute of a record, or of a resource, as text
pub fn attribute<'a>(of: &'a Value, name: &str) -> &'a str {
    let attributes = of["attributes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = attributes.iter().find(|attribute| attribute["key"] == name);
    found.and_then(|attribute| attribute["value"]["stringValue"].as_str()).unwrap_or_default()
}
