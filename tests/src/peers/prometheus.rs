//! Prometheus and `VictoriaMetrics`: they scrape targets, and tests query the stored series.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, TcpStream},
    process::Command,
};

use harness::until;
use serde_json::Value;

use crate::{
    contained::{Network, as_nobody},
    process::{command, output},
    server::Server,
    web::{ask_for_json, escaped},
};

/// A server that scrapes some targets once a second
pub struct Scraper {
    /// The port, directory, log and process
    pub server: Server,
}

/// A stored series at its newest time: its labels with its name, and its value
#[derive(Clone, Debug)]
pub struct Sample {
    /// With `__name__`
    pub labels: BTreeMap<String, String>,
    /// The text of a number, or the JSON of a native histogram
    pub value: String,
}

impl Scraper {
    /// Starts Prometheus, which requests OpenMetrics, or protobuf with `native`. Each target is a job and its `host:port`.
    pub fn prometheus(targets: &[(&str, String)], native: bool) -> Self {
        Self::prometheus_with(&settings(targets), native)
    }

    /// Starts Prometheus with this configuration.
    pub fn prometheus_with(settings: &str, native: bool) -> Self {
        let mut server = Server::new();
        let config = server.directory.write("prometheus.yml", settings);
        let mut promtool = command("promtool");
        promtool.args(["check", "config", "--lint=all", "--lint-fatal"]).arg(&config);
        output(promtool);
        let mut program = as_nobody("prometheus");
        program.arg(format!("--config.file={}", config.display()));
        program.arg(format!("--storage.tsdb.path={}", server.directory.join("data").display()));
        program.arg(format!("--web.listen-address=127.0.0.1:{}", server.port()));
        program.arg("--enable-feature=exemplar-storage");
        if native {
            program.arg("--enable-feature=native-histograms");
        }
        server.start(&program, Network::Shared, "Server is ready to receive web requests");
        Self { server }
    }

    /// Starts `VictoriaMetrics`, which requests text.
    pub fn victoria_metrics(targets: &[(&str, String)]) -> Self {
        let mut server = Server::new();
        let config = server.directory.write("scrape.yml", &settings(targets));
        let mut program = as_nobody("victoria-metrics");
        program.arg(format!("-promscrape.config={}", config.display()));
        program.arg(format!("-storageDataPath={}", server.directory.join("data").display()));
        program.arg(format!("-httpListenAddr=127.0.0.1:{}", server.port()));
        // The default latency would hide the last half minute from queries.
        program.arg("-search.latencyOffset=0s");
        server.start(&program, Network::Shared, "started VictoriaMetrics in");
        let address = (Ipv4Addr::LOCALHOST, server.port());
        until("it listens", || TcpStream::connect(address).ok());
        Self { server }
    }

    /// The result of a query at this moment.
    pub fn query(&self, query: &str) -> Vec<Sample> {
        let target = format!("/api/v1/query?query={}", escaped(query));
        let answer = ask_for_json(self.server.port(), "GET", &target, "");
        let found = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{query}: {answer}"));
        found.iter().map(Sample::of).collect()
    }

    /// Waits until the result of a query is not empty.
    #[track_caller]
    pub fn until_found(&self, query: &str) -> Vec<Sample> {
        until(&format!("{query} finds something\n"), || Some(self.query(query)).filter(|found| !found.is_empty()))
    }

    /// Waits until a job was scraped twice from now on without a fault, so that every series has a new value.
    #[track_caller]
    pub fn until_scraped(&self, job: &str) {
        self.until_found(&format!("up{{job=\"{job}\"}} == 1 and count_over_time(up{{job=\"{job}\"}}[1h]) >= 2"));
    }

    /// The value of the only series in the result of a query.
    #[track_caller]
    pub fn value(&self, query: &str) -> f64 {
        let found = self.until_found(query);
        assert_eq!(found.len(), 1, "{query}: {found:?}");
        found[0].value.parse().unwrap_or_else(|_| panic!("{query}: {found:?}"))
    }

    /// The exemplars of the series that a query selects.
    pub fn exemplars(&self, query: &str) -> Value {
        let target = format!("/api/v1/query_exemplars?query={}", escaped(query));
        ask_for_json(self.server.port(), "GET", &target, "")["data"].take()
    }

    /// The targets in Prometheus' API, with health and last error.
    pub fn targets(&self) -> Value {
        ask_for_json(self.server.port(), "GET", "/api/v1/targets", "")["data"]["activeTargets"].take()
    }
}

impl Sample {
    fn of(result: &Value) -> Self {
        let labels = result["metric"].as_object().expect("labels").iter();
        let labels = labels.map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned())).collect();
        let number = result["value"][1].as_str().map(str::to_owned);
        Self { labels, value: number.unwrap_or_else(|| result["histogram"][1].to_string()) }
    }
}

/// The complaints of promtool about a page in text format, each with the name of the metric first
///
/// Fails when promtool cannot parse the page.
pub fn promtool_complaints(page: &str) -> Vec<String> {
    let mut promtool: Command = command("promtool");
    promtool.args(["check", "metrics"]);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), page).expect("a file");
    promtool.stdin(file.reopen().expect("a file"));
    let verdict = promtool.output().expect("promtool");
    let said = String::from_utf8_lossy(&verdict.stderr).into_owned();
    // 3: complaints about names; 1: no page
    assert!(matches!(verdict.status.code(), Some(0 | 3)), "{said}\n{page}");
    said.lines().map(str::to_owned).collect()
}

fn settings(targets: &[(&str, String)]) -> String {
    let job = |(name, address): &(&str, String)| {
        format!("- job_name: {name}\n  static_configs: [{{targets: ['{address}']}}]\n")
    };
    let jobs: String = targets.iter().map(job).collect();
    format!("global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n{jobs}")
}
