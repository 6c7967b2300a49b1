//! A running metrics-exporter for tests with real servers, its page in each format, and a server with pages for it to scrape.

use std::{fs, net::SocketAddr};

use e2e::{
    directory::Directory,
    peers::nginx::plain,
    process::{Process, helper},
    server::Server,
};
use harness::{http, until};
use tempfile::TempDir;

/// The `Accept` of a scraper that reads only text
pub(crate) const TEXT: &str = "text/plain;version=0.0.4";
/// The `Accept` of Prometheus 2.42
pub(crate) const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// A running exporter
pub(crate) struct MetricsPod {
    address: SocketAddr,
    process: Process,
    _directory: TempDir,
}

impl MetricsPod {
    /// Starts an exporter with these sources.
    pub(crate) fn start(sources: &[String]) -> Self {
        Self::start_with(sources, &[])
    }

    /// Starts an exporter with these sources and these arguments.
    pub(crate) fn start_with(sources: &[String], arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let batch = "# HELP batch_rows Rows.\n# TYPE batch_rows gauge\nbatch_rows 3\n";
        fs::write(directory.path().join("batch.prom"), batch).unwrap();
        let mut command = helper("metrics-exporter");
        command.args(["--health-addr", "127.0.0.1:0", "--textfile-directory"]).arg(directory.path());
        command.args(sources.iter().flat_map(|source| ["--scrape", source])).args(arguments);
        let mut process = Process::start(command);
        let line = process.says("health listener is up");
        let address = line.split(['=', ' ', '"']).find_map(|word| word.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line}"));
        http::until_status(address, "/startupz", 200);
        Self { address, process, _directory: directory }
    }

    /// The address that Prometheus scrapes.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits for the next line of the log that contains this text.
    pub(crate) fn says(&mut self, part: &str) -> String {
        self.process.says(part)
    }

    /// The page for a scraper with this `Accept`.
    pub(crate) fn page(&self, accept: &str) -> String {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: pod\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
        let answer = http::raw(self.address, &request);
        assert_eq!(answer.status, 200, "{}{}", answer.head, answer.body);
        answer.body
    }

    /// Waits until the page contains this text.
    pub(crate) fn until_page(&self, accept: &str, part: &str) -> String {
        until(&format!("the page has {part}"), || Some(self.page(accept)).filter(|page| page.contains(part)))
    }

    /// The text of another page, for example `/debug/merge`.
    pub(crate) fn debug(&self, path: &str) -> String {
        http::get(self.address, path).body
    }
}

/// A running nginx that serves pages in text format 0.0.4, and in OpenMetrics those whose name ends with `.openmetrics`
pub(crate) struct Pages {
    server: Server,
    _directory: Directory,
}

impl Pages {
    /// Starts it. Each page is a name and its text.
    pub(crate) fn start(pages: &[(&str, &str)]) -> Self {
        let directory = Directory::new();
        for (name, page) in pages {
            directory.write(name, page);
        }
        let server = plain(&format!(
            "root {}; types {{}} default_type \"text/plain; version=0.0.4; charset=utf-8\";
             location = /status {{ stub_status; }}
             location ~ openmetrics$ {{ default_type \"application/openmetrics-text; version=1.0.0; charset=utf-8\"; }}",
            directory.path().display()
        ));
        Self { server, _directory: directory }
    }

    /// The address of all pages.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }

    /// The URL of a page, or of `status`, the status page of nginx.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address())
    }
}
