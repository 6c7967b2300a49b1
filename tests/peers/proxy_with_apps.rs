//! The proxy between real clients and real apps: curl and wrk in front, nginx, Python and Go behind.

use std::{fs, path::Path, process::Command};

use e2e::{
    peers::{
        app::{App, Kind},
        front::Front,
    },
    process::{command, output, target_directory},
};

/// curl with these arguments and no configuration of its own; what it writes to stdout
fn curl(arguments: &[&str]) -> String {
    let mut curl = command("curl");
    curl.args(["--disable", "--silent", "--show-error", "--fail", "--max-time", "60"]).args(arguments);
    output(curl)
}

fn on_every_app(test: impl Fn(Kind, &App, &Front)) {
    for kind in Kind::ALL {
        let app = App::start(kind);
        let front = Front::ours(app.address, &[]);
        test(kind, &app, &front);
    }
}

#[test]
fn curl_gets_the_same_as_without_a_proxy_over_one_connection() {
    on_every_app(|kind, app, front| {
        let (direct, url) = (format!("http://{}/", app.address), format!("http://{}/", front.address));
        assert_eq!(curl(&[&url]), "hello\n", "{kind:?}");
        assert_eq!(curl(&[&url]), curl(&[&direct]), "{kind:?}");
        // Three requests, and the number of connections that each made
        let made = curl(&[
            "--write-out",
            "%{http_code} %{num_connects}\n",
            "-o",
            "/dev/null",
            &url,
            "-o",
            "/dev/null",
            &url,
            "-I",
            "-o",
            "/dev/null",
            &url,
        ]);
        assert!(made.starts_with("200 1\n200 0\n"), "{kind:?}: {made}");
        let head = curl(&["--head", &url]).to_lowercase();
        assert!(head.starts_with("http/1.1 200") && head.contains("\r\ncontent-length: 6\r\n"), "{kind:?}: {head}");
        assert_eq!(curl(&["--http1.0", &url]), "hello\n", "{kind:?}");
    });
}

#[test]
fn curl_uploads_with_a_length_in_chunks_and_with_an_expectation() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("upload");
    let content: Vec<u8> = (0..5_000_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&file, &content).unwrap();
    let path = file.to_str().unwrap();
    on_every_app(|kind, _, front| {
        let url = format!("http://{}/upload", front.address);
        for header in ["Expect:", "Expect: 100-continue", "Transfer-Encoding: chunked"] {
            let verbose = curl(&["--verbose", "--stderr", "-", "--header", header, "--upload-file", path, &url]);
            // curl expects it of itself where it sends chunks.
            let is_kept = verbose.contains("left intact");
            let continued = verbose.contains("< HTTP/1.1 100 Continue");
            assert!(is_kept && continued == (header != "Expect:"), "{kind:?} {header}: {verbose}");
            let back = directory.path().join("back");
            curl(&["--output", back.to_str().unwrap(), &url]);
            assert!(is_equal(&back, &content), "{kind:?} {header}");
            curl(&["--upload-file", "/dev/null", &url]);
        }
    });
}

fn is_equal(file: &Path, content: &[u8]) -> bool {
    fs::read(file).unwrap() == content
}

#[test]
fn wrk_sees_no_failed_request() {
    on_every_app(|kind, _, front| {
        let mut wrk = command("wrk");
        wrk.args(["-t", "1", "-c", "32", "-d", "3s", "--timeout", "20s"]).arg(format!("http://{}/", front.address));
        let report = output(wrk);
        let requests = report.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse::<u64>().ok());
        assert!(requests.is_some_and(|requests| requests > 300), "{kind:?}: {report}");
        assert!(!report.contains("Non-2xx") && !report.contains("Socket errors"), "{kind:?}: {report}");
    });
}

#[test]
fn a_parser_of_prometheus_takes_the_metrics() {
    let app = App::start(Kind::Go);
    let front = Front::ours(app.address, &[]);
    curl(&[&format!("http://{}/", front.address)]);
    let page = curl(&[&format!("http://{}/metrics", front.health)]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("page");
    fs::write(&file, &page).unwrap();
    let script = "
import sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(open(sys.argv[1]).read()):
    assert family.documentation and family.type != 'unknown', family
    print(family.name, family.type, len(family.samples))
";
    let mut python = Command::new(target_directory().join("peers-venv/bin/python"));
    python.args(["-c", script]).arg(&file);
    let families = output(python);
    // A histogram has a sample for each bucket, with +Inf, and two more.
    for family in
        ["http_server_request_duration_seconds histogram 17", "http_client_request_duration_seconds histogram 17"]
    {
        assert!(families.contains(family), "{families}");
    }
}
