//! Grafana Loki.

use serde_json::Value;

use crate::{
    contained::{Network, as_nobody},
    port::Port,
    process::target_directory,
    server::Server,
    web::{ask_for_json, escaped},
};

/// The most lines that one query returns, by our configuration; another query counts them
const MOST: usize = 20_000;

/// A Loki in one process, on files
pub struct Loki {
    /// Its port, directory, log and process
    pub server: Server,
    /// Where its own parts talk to each other
    grpc: Port,
}

impl Loki {
    /// One that does not run yet
    pub fn new() -> Self {
        let loki = Self { server: Server::new(), grpc: Port::free() };
        let (directory, http, grpc) = (loki.server.directory.path().display(), loki.server.port(), loki.grpc.number());
        let settings = format!(
            "auth_enabled: false
server: {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}}}
common:
  instance_addr: 127.0.0.1
  path_prefix: {directory}/data
  replication_factor: 1
  ring: {{instance_addr: 127.0.0.1, kvstore: {{store: inmemory}}}}
  storage: {{filesystem: {{chunks_directory: {directory}/chunks, rules_directory: {directory}/rules}}}}
schema_config: {{configs: [{{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}]}}
limits_config: {{max_entries_limit_per_query: {MOST}}}
analytics: {{reporting_enabled: false}}
"
        );
        loki.server.directory.write("loki.yaml", &settings);
        loki
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let mut program = as_nobody(target_directory().join("loki/loki"));
        program.arg(format!("-config.file={}", self.server.directory.join("loki.yaml").display()));
        self.server.start(&program, Network::Shared, "Loki started");
    }

    /// Its URL, as an output
    pub fn output(&self) -> String {
        format!("loki+http://127.0.0.1:{}", self.server.port())
    }

    /// How many lines a query of the last hours finds
    pub fn count(&self, query: &str) -> usize {
        let sum = format!("sum(count_over_time({query}[48h]))");
        let target = format!("/loki/api/v1/query?query={}", escaped(&sum));
        let answer = ask_for_json(self.server.port(), "GET", &target, "");
        let value = answer["data"]["result"][0]["value"][1].as_str().unwrap_or("0");
        value.parse().expect("a number")
    }

    /// The lines that a query of the last hours finds, by time, each with all its names
    pub fn lines(&self, query: &str) -> Vec<(String, Value)> {
        let target =
            format!("/loki/api/v1/query_range?since=48h&direction=forward&limit={MOST}&query={}", escaped(query));
        let answer = ask_for_json(self.server.port(), "GET", &target, "");
        let streams = answer["data"]["result"].as_array().expect("streams");
        let entries = streams.iter().flat_map(|stream| {
            let values = stream["values"].as_array().expect("entries");
            values.iter().map(|value| (&value[0], &value[1], &stream["stream"]))
        });
        let mut entries: Vec<_> = entries
            .map(|(time, line, names)| {
                let time: i64 = time.as_str().and_then(|time| time.parse().ok()).expect("a time");
                (time, line.as_str().expect("a line").to_owned(), names.clone())
            })
            .collect();
        assert!(entries.len() < MOST, "there may be more");
        entries.sort_by_key(|(time, ..)| *time);
        entries.into_iter().map(|(_, line, names)| (line, names)).collect()
    }
}

impl Default for Loki {
    fn default() -> Self {
        Self::new()
    }
}
