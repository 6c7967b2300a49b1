//! OpenSearch, which answers bulk requests as Elasticsearch does.

use serde_json::{Value, json};

use crate::{
    contained::{Network, as_nobody},
    process::target_directory,
    server::Server,
    web::{ask, ask_for_json},
};

/// What one search finds at most, by the server's default
const MOST: usize = 10_000;

/// One node without TLS and passwords
pub struct OpenSearch {
    /// Its port, directory, log and process
    pub server: Server,
}

impl OpenSearch {
    /// One that does not run yet
    pub fn new() -> Self {
        Self { server: Server::new() }
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let built = target_directory().join("opensearch");
        let classes = format!("{0}/classes:{0}/lib/*", built.display());
        let mut program = as_nobody("java");
        // It is small and short-lived: what compiles and collects for long runs would cost more than it saves.
        program.args(["-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]);
        program.arg("-cp").arg(classes).arg("OneNode").arg(self.server.directory.path());
        program.arg(self.server.port().to_string());
        self.server.start(&program, Network::Shared, "OneNode is ready");
    }

    /// The URL of an index, as an output
    pub fn output(&self, index: &str) -> String {
        format!("elasticsearch+http://127.0.0.1:{}/{index}", self.server.port())
    }

    /// Asks, and gives the answer, which must be a good one.
    pub fn ask(&self, method: &str, target: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        ask_for_json(self.server.port(), method, target, &body)
    }

    /// The documents of an index that are there now, in the order of their file
    pub fn documents(&self, index: &str) -> Vec<Value> {
        self.ask("POST", &format!("/{index}/_refresh"), &Value::Null);
        let search = json!({"size": MOST, "sort": ["log.offset"]});
        let found = self.ask("POST", &format!("/{index}/_search"), &search);
        let hits = found["hits"]["hits"].as_array().expect("documents");
        assert!(hits.len() < MOST, "there may be more");
        hits.iter().map(|hit| hit["_source"].clone()).collect()
    }

    /// How many documents an index holds now; none where there is none, or one that is being made
    pub fn count(&self, index: &str) -> usize {
        self.ask("POST", &format!("/{index}/_refresh?ignore_unavailable=true"), &Value::Null);
        let (status, body) = ask(self.server.port(), "GET", &format!("/{index}/_count?ignore_unavailable=true"), "");
        if status == 503 {
            return 0;
        }
        let count: Value = serde_json::from_str(&body).expect("JSON");
        count["count"].as_u64().and_then(|count| count.try_into().ok()).unwrap_or_else(|| panic!("{status} {body}"))
    }
}

impl Default for OpenSearch {
    fn default() -> Self {
        Self::new()
    }
}
