//! The rows of `proxy`.

use crate::{
    flags, places,
    row::Row,
    secret::{plain, spellings},
    urls,
};

pub(crate) const HELPER: places::Helper = places::Helper {
    name: "proxy",
    right: &[
        "--health-addr=127.0.0.1:0",
        "--shutdown-timeout=100ms",
        "--drain-delay=0s",
        "--listen=127.0.0.1:0",
        "--upstream=http://127.0.0.1:1",
    ],
    takes_paths: false,
    subcommands: &["check", "schema", "probe", "drain", "quit", "explain"],
    keys: &["listeners"],
    entry_keys: &[("listeners", "address"), ("listeners", "direction"), ("listeners", "routes")],
};

/// Flags whose errors and start line may repeat the value: addresses, paths, names of processes
const REPEATED: [&str; 7] =
    ["admin-addr", "config", "exit-with-file", "exit-with-process", "health-addr", "listen", "probe-addr"];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = HELPER.rows();
    rows.extend(flags::rows(&HELPER, &REPEATED));
    let listening = ["--health-addr=127.0.0.1:0", "--shutdown-timeout=100ms", "--drain-delay=0s"];
    let row = |place: &str| Row::new(HELPER.name, place, &listening);
    for (place, url) in urls::urls_in_every_spelling("http") {
        rows.push(row(&place).and(&["--listen=127.0.0.1:0", "--upstream", &url]));
    }
    for (place, url) in urls::urls("http") {
        let quoted = url.replace('\'', "''");
        let text =
            format!("listeners:\n- address: 127.0.0.1:0\n  direction: inbound\n  routes:\n  - upstream: '{quoted}'\n");
        rows.push(row(&format!("{place} in the file")).and(&["--config", "FILE"]).with_file(&text));
    }
    for secret in spellings() {
        for (place, asked) in [
            ("a URL that is explained", ["GET", &format!("http://a/?token={secret}"), "-HX: y"]),
            ("a path that is explained", ["GET", &format!("/ {secret}"), "-HX: y"]),
            ("a method that is explained", [&format!("G {secret}"), "/", "-HX: y"]),
            ("a header that is explained", ["GET", "http://a/", &format!("-HAuthorization: Bearer {secret}")]),
            // The name of a header is no secret and may be printed; with `@` this is no name.
            ("a wrong header that is explained", ["GET", "http://a/", &format!("-H@{secret}")]),
        ] {
            let flags = ["--listen=127.0.0.1:0", "--upstream=http://127.0.0.1:1", "explain"];
            rows.push(Row::new(HELPER.name, place, &flags).and(&asked));
        }
        for headers in [
            format!("set: {{Authorization: 'Bearer {secret}'}}"),
            format!("set: {{'{secret} x': 'y'}}"),
            format!("remove: ['{secret} x']"),
        ] {
            let route = format!("  - {{upstream: 'http://127.0.0.1:1', request-headers: {{{headers}}}}}\n");
            let text = format!("listeners:\n- address: 127.0.0.1:0\n  direction: inbound\n  routes:\n{route}");
            rows.push(row("a header of a route").and(&["--config", "FILE"]).with_file(&text));
        }
    }
    rows.push(row("a header's value").and(&["--config", "FILE"]).with_file(&format!(
        "listeners:\n- address: 127.0.0.1:0\n  direction: inbound\n  routes:\n  - upstream: http://127.0.0.1:1\n    \
         request-headers: {{set: {{X: \"{}\\u0001\"}}}}\n",
        plain()
    )));
    rows
}
