//! Apps with a page of metrics from the usual client libraries, and the parser of one of these libraries.
//!
//! Each has two counters (of 2 and 7, one with an exemplar) whose labels hold what must be escaped, and a histogram of 100 values.

use std::{fs, process::Command};

use serde_json::Value;

use crate::{
    contained::Network,
    process::{command, output, target_directory},
    server::Server,
};

/// A client library
#[derive(Clone, Copy, Debug)]
pub enum Library {
    /// prom-client of Node, in text
    PromClient,
    /// The same, in OpenMetrics
    PromClientOpenMetrics,
    /// prometheus-client of Python
    PrometheusClient,
    /// `client_golang`, with native histograms and all metrics of Go's runtime
    ClientGolang,
}

/// A running app
pub struct MetricsApp {
    server: Server,
}

impl MetricsApp {
    /// Starts one, and waits until it listens.
    pub fn start(library: Library) -> Self {
        let mut server = Server::new();
        let port = server.port().to_string();
        let target = target_directory();
        let program = match library {
            Library::PromClient | Library::PromClientOpenMetrics => {
                let mut node = command("node");
                node.arg(target.join("prom-client/app.mjs")).arg(&port);
                if matches!(library, Library::PromClientOpenMetrics) {
                    node.arg("openmetrics");
                }
                node
            }
            Library::PrometheusClient => {
                let mut python = command(target.join("peers-venv/bin/python"));
                python.arg(script("metrics_app.py")).arg(&port);
                python
            }
            Library::ClientGolang => {
                let mut app = command(target.join("client-golang/app"));
                app.arg(format!("127.0.0.1:{port}"));
                app
            }
        };
        server.start(&program, Network::Shared, "listens");
        Self { server }
    }

    /// The URL of its page
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address())
    }

    /// The address of its listener
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }

    /// Kills it; connections to its port are refused from then on.
    pub fn stop(&mut self) {
        self.server.stop();
    }
}

/// The families of a page by prometheus-client's parser, which must accept it; `format` is `text` or `openmetrics`
pub fn parsed(format: &str, page: &str) -> Vec<Value> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), page).expect("a file");
    let mut shell: Command = command("sh");
    let python = target_directory().join("peers-venv/bin/python");
    shell.args(["-c", "exec \"$0\" \"$1\" \"$2\" <\"$3\""]).arg(python).arg(script("parse_page.py")).arg(format);
    shell.arg(file.path());
    serde_json::from_str(&output(shell)).expect("JSON")
}

fn script(name: &str) -> String {
    format!("{}/src/peers/apps/{name}", env!("CARGO_MANIFEST_DIR"))
}
