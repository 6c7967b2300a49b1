//! The rows of `log-forwarder`.

use crate::{
    contents, echo, flags, places,
    row::Row,
    secret::{plain, spellings},
    urls,
};

/// A file that has a line to send, and a listener on a port that the system chooses
const INPUT: [&str; 3] = ["--health-addr=127.0.0.1:0", "--shutdown-timeout=100ms", "--input=/etc/passwd"];

pub(crate) const HELPER: places::Helper = places::Helper {
    name: "log-forwarder",
    right: &["--health-addr=127.0.0.1:0", "--shutdown-timeout=100ms", "--input=/etc/passwd", "--output=stdout://"],
    takes_paths: false,
    subcommands: &["check", "schema", "probe", "drain", "quit"],
    keys: &["inputs", "outputs"],
    entry_keys: &[
        ("inputs", "path"),
        ("inputs", "format"),
        ("inputs", "multiline"),
        ("inputs", "encoding"),
        ("inputs", "fields"),
        ("outputs", "url"),
        ("outputs", "header"),
    ],
};

/// Flags whose errors and start line may repeat the value: addresses, paths, patterns, names of things
const REPEATED: [&str; 18] = [
    "admin-addr",
    "config",
    "container-name",
    "dead-letter",
    "drop",
    "exclude",
    "exit-with-file",
    "exit-with-process",
    "health-addr",
    "input",
    "keep",
    "labels-file",
    "multiline",
    "node-name",
    "pod-name",
    "pod-namespace",
    "redact-with",
    "state-dir",
];

/// One scheme of each kind of output, but for http
const SCHEMES: [&str; 11] = [
    "https",
    "tcp",
    "tls",
    "stdout",
    "file",
    "syslog+tcp",
    "syslog+udp",
    "forward",
    "otlp+http",
    "loki+http",
    "elasticsearch+http",
];

/// Outputs whose options name a file
const FILE_URLS: [&str; 6] = [
    "http://127.0.0.1:1/#user=x&password-file=FILE",
    "http://127.0.0.1:1/#token-file=FILE",
    "http://127.0.0.1:1/#header-file=X:FILE",
    "https://127.0.0.1:1/#ca=FILE",
    "https://127.0.0.1:1/#cert=FILE&key=FILE",
    "forward://127.0.0.1:1#shared-key-file=FILE&user=x&password-file=FILE",
];

/// Outputs whose options name a variable
const VARIABLE_URLS: [&str; 3] = [
    "http://127.0.0.1:1/#user=x&password-env=KEY",
    "http://127.0.0.1:1/#token-env=KEY",
    "forward://127.0.0.1:1#shared-key-env=KEY",
];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = HELPER.rows();
    rows.extend(flags::rows(&HELPER, &REPEATED));
    let row = |place: &str| Row::new(HELPER.name, place, &INPUT);
    let every_spelling = urls::urls_in_every_spelling("http");
    rows.extend(every_spelling.iter().map(|(place, url)| row(place).and(&["--output", url])));
    for scheme in SCHEMES {
        let urls = urls::urls(scheme);
        rows.extend(urls.iter().map(|(place, url)| row(place).and(&["--output", url])));
    }
    for (place, url) in urls::urls("http") {
        let several = format!("stdout://\n{url}");
        rows.push(row(&format!("{place} in the variable")).with_variable(&HELPER.variable("OUTPUT"), &several));
    }
    for (place, text) in urls::entries("outputs", &urls::urls("http")) {
        rows.push(row(&place).and(&["--config", "FILE"]).with_file(&text));
    }
    for secret in spellings() {
        for field in [format!("name={secret}"), secret.clone(), format!("={secret}"), format!("message={secret}")] {
            rows.push(row("--field").and(&["--output=stdout://#as=raw", "--field", &field]));
            let text = format!("inputs:\n- path: /etc/passwd\n  fields: {{'{}': 'x'}}\n", field.replace('=', ""));
            rows.push(row("fields").and(&["--output=stdout://#as=raw", "--config=FILE"]).with_file(&text));
        }
    }
    for scheme in ["http", "elasticsearch+http", "loki+http", "otlp+http"] {
        let address = echo::address();
        for option in
            ["token-env=KEY".to_owned(), "user=x&password-env=KEY".to_owned(), format!("header=X: {}", plain())]
        {
            let url = format!("{scheme}://{address}/in#{option}");
            rows.push(row("a server that repeats").and(&["--output", &url]).with_variable("KEY", &plain()));
        }
    }
    let output = |place: String, url: &str| row(&place).and(&["--output", url]);
    rows.extend(contents::in_files(&FILE_URLS, output));
    rows.extend(contents::in_variables(&VARIABLE_URLS, output));
    rows
}
