//! The rows of `metrics-exporter`.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::LazyLock,
    thread,
};

use crate::{
    contents, echo, flags, places,
    row::Row,
    secret::{plain, spellings},
    urls,
};

pub(crate) const HELPER: places::Helper = places::Helper {
    name: "metrics-exporter",
    right: &["--health-addr=127.0.0.1:0", "--shutdown-timeout=100ms", "--scrape=http://127.0.0.1:1/metrics"],
    takes_paths: false,
    subcommands: &["check", "schema", "probe", "drain", "quit", "lint"],
    keys: &["scrape", "metric_relabel_configs"],
    entry_keys: &[
        ("scrape", "url"),
        ("scrape", "name"),
        ("scrape", "metric_relabel_configs"),
        ("metric_relabel_configs", "source_labels"),
        ("metric_relabel_configs", "regex"),
        ("metric_relabel_configs", "modulus"),
        ("metric_relabel_configs", "action"),
        ("metric_relabel_configs", "target_label"),
    ],
};

/// Flags whose errors and start line may repeat the value: addresses, paths, names of processes
const REPEATED: [&str; 7] =
    ["admin-addr", "config", "exit-with-file", "exit-with-process", "health-addr", "root", "textfile-directory"];

/// Sources whose options name a file
const FILE_URLS: [&str; 5] = [
    "http://127.0.0.1:1/#user=x&password-file=FILE",
    "http://127.0.0.1:1/#token-file=FILE",
    "http://127.0.0.1:1/#header-file=X:FILE",
    "https://127.0.0.1:1/#ca=FILE",
    "https://127.0.0.1:1/#cert=FILE&key=FILE",
];

/// Sources whose options name a variable
const VARIABLE_URLS: [&str; 2] = ["http://127.0.0.1:1/#user=x&password-env=KEY", "http://127.0.0.1:1/#token-env=KEY"];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = HELPER.rows();
    rows.extend(flags::rows(&HELPER, &REPEATED));
    let listening = ["--health-addr=127.0.0.1:0", "--shutdown-timeout=100ms", "--collect=none"];
    let row = |place: &str| Row::new(HELPER.name, place, &listening);
    let source = |place: String, url: &str| row(&place).and(&["--scrape", url]);
    let every_spelling = urls::urls_in_every_spelling("http");
    rows.extend(every_spelling.iter().map(|(place, url)| source(place.clone(), url)));
    for scheme in ["https", "http+unix"] {
        rows.extend(urls::urls(scheme).into_iter().map(|(place, url)| source(place, &url)));
    }
    for (place, url) in urls::urls("http") {
        let several = format!("http://127.0.0.1:1/\n{url}");
        let in_variable = row(&format!("{place} in the variable"));
        rows.push(in_variable.with_variable(&HELPER.variable("SCRAPE"), &several));
        rows.push(Row::new(HELPER.name, format!("{place} that is linted"), &["lint", &url]));
    }
    for (place, text) in in_the_file() {
        rows.push(row(&place).and(&["--config", "FILE"]).with_file(&text));
        rows.push(Row::new(HELPER.name, place, &["check", "--config", "FILE"]).with_file(&text));
    }
    for line in 0..broken_lines().len() {
        let url = format!("http://{}/{line}", *BROKEN_PAGES);
        rows.push(source(format!("the broken line {line} of a page"), &url));
        rows.push(Row::new(HELPER.name, format!("the broken line {line} of a page that is linted"), &["lint", &url]));
    }
    let address = echo::address();
    for option in ["token-env=KEY", "user=x&password-env=KEY"] {
        let url = format!("http://{address}/metrics#{option}");
        rows.push(source("a server that repeats".into(), &url).with_variable("KEY", &plain()));
    }
    rows.extend(contents::in_files(&FILE_URLS, source));
    rows.extend(contents::in_variables(&VARIABLE_URLS, source));
    rows
}

/// A server of pages that a line with the secret breaks. The number in the path selects the line.
static BROKEN_PAGES: LazyLock<SocketAddr> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut heard = [0; 4096];
            let length = stream.read(&mut heard).unwrap_or_default();
            let asked = String::from_utf8_lossy(&heard[..length]);
            let number = asked.split(['/', ' ']).find_map(|word| word.parse::<usize>().ok()).unwrap_or_default();
            let body = &broken_lines()[number];
            let head =
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length";
            let _ = stream.write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes());
        }
    });
    address
});

/// The lines that break a page
fn broken_lines() -> Vec<String> {
    let secret = plain();
    vec![
        format!("a{{token=\"{secret}\"}} {secret}\n"),
        format!("a{{token=\"{secret}}} 1\n"),
        format!("a{{token=\"{secret}\" 1\n"),
        format!("a{{token={secret}}} 1\n"),
        format!("{secret}!\n"),
        format!("# TYPE a {secret}\n"),
        format!("a 1 {secret}\n"),
        format!("{{\"token\": \"{secret}\"}}\n"),
        secret,
    ]
}

/// URLs as entries, and rules with a fault in each of their keys
fn in_the_file() -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for (place, url) in urls::urls("http") {
        let quoted = url.replace('\'', "''");
        texts.push((place.clone(), format!("scrape:\n- url: '{quoted}'\n")));
        texts.push((place.clone(), format!("scrape:\n- '{quoted}'\n")));
        let (server, fragment) = quoted.split_once('#').unwrap_or((&quoted, "nosuch=x"));
        let (name, value) = fragment.split_once('=').unwrap_or((fragment, "x"));
        texts.push((place.clone(), format!("scrape:\n- url: {{url: '{server}', '{name}': '{value}'}}\n")));
        texts.push((place, format!("scrape:\n- {{url: 'http://127.0.0.1:1/', '{name}': '{value}'}}\n")));
    }
    for secret in spellings() {
        let secret = secret.replace('\'', "''");
        for rule in [
            format!("{{source_labels: ['{secret} x'], regex: a, action: drop}}"),
            format!("{{source_labels: [a], regex: '({secret}', action: drop}}"),
            format!("{{source_labels: [a], action: '{secret}'}}"),
            format!("{{source_labels: [a], modulus: '{secret}', target_label: a, action: hashmod}}"),
            format!("{{source_labels: [a], target_label: '{secret} x'}}"),
            format!("{{source_labels: [a], target_label: '{secret}x', '{secret}': a}}"),
            format!("{{source_labels: '{secret}'}}"),
            format!("'{secret}'"),
        ] {
            texts.push(("a rule".into(), format!("metric_relabel_configs:\n- {rule}\n")));
            let entry = format!("scrape:\n- url: http://127.0.0.1:1/\n  metric_relabel_configs:\n  - {rule}\n");
            texts.push(("a rule of a source".into(), entry));
        }
    }
    texts
}
