//! The rows of `wait-for`.

use crate::{
    contents, echo, flags, places,
    row::Row,
    secret::{plain, spellings},
    urls,
};

/// The options of a run that ends soon
const SOON: [&str; 2] = ["--timeout=200ms", "--attempt-timeout=100ms"];

pub(crate) const HELPER: places::Helper = places::Helper {
    name: "wait-for",
    right: &["--timeout=100ms", "tcp://127.0.0.1:1"],
    takes_paths: false,
    subcommands: &["check", "schema"],
    keys: &["targets"],
    entry_keys: &[("targets", "url"), ("targets", "stable"), ("targets", "header"), ("targets", "status")],
};

/// Flags whose errors may repeat the value
const REPEATED: [&str; 1] = ["config"];

/// One scheme of each kind of target
const SCHEMES: [&str; 19] = [
    "tcp",
    "https",
    "http+unix",
    "unix",
    "dns",
    "file",
    "grpc",
    "grpcs",
    "mysql",
    "postgres",
    "redis",
    "memcached",
    "nats",
    "smtp",
    "ldap",
    "kafka",
    "mongodb",
    "amqp",
    "kubernetes",
];

/// Options of databases that hold SQL, or stand where it may be written by mistake
const QUESTIONS: [&str; 8] = [
    "query=SELECT ",
    "query=SELECT 1&table=",
    "query-file=",
    "query-env=",
    "table=a%00",
    "migration=",
    "migration=flyway:",
    "schema=",
];

/// Targets whose options name a file
const FILE_URLS: [&str; 10] = [
    "http://127.0.0.1:1/#user=x&password-file=FILE",
    "http://127.0.0.1:1/#token-file=FILE",
    "http://127.0.0.1:1/#header-file=X:FILE",
    "https://127.0.0.1:1/#ca=FILE",
    "https://127.0.0.1:1/#cert=FILE&key=FILE",
    "postgres://user@127.0.0.1:1/#password-file=FILE",
    "redis://127.0.0.1:1/#password-file=FILE",
    "mysql://user@127.0.0.1:1/#password-file=FILE",
    "mysql://user@127.0.0.1:1/#query-file=FILE",
    "mongodb://user@127.0.0.1:1,127.0.0.1:2/#password-file=FILE",
];

/// Targets whose options name a variable
const VARIABLE_URLS: [&str; 3] = [
    "http://127.0.0.1:1/#user=x&password-env=KEY",
    "postgres://user@127.0.0.1:1/#password-env=KEY",
    "postgres://user@127.0.0.1:1/#query-env=KEY",
];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = HELPER.rows();
    rows.extend(flags::rows(&HELPER, &REPEATED));
    let row = |place: &str, arguments: &[&str]| Row::new(HELPER.name, place, &SOON).and(arguments);
    let every_spelling = urls::urls_in_every_spelling("http");
    rows.extend(every_spelling.into_iter().map(|(place, url)| row(&place, &[&url])));
    for scheme in SCHEMES {
        rows.extend(urls::urls(scheme).into_iter().map(|(place, url)| row(&place, &[&url])));
    }
    for (place, url) in urls::urls("http") {
        let row = Row::new(HELPER.name, format!("{place} in the variable"), &SOON);
        rows.push(row.with_variable(&HELPER.variable("TARGETS"), &format!("tcp://127.0.0.1:1\n{url}")));
    }
    for (place, text) in urls::entries("targets", &urls::urls("http")) {
        rows.push(Row::new(HELPER.name, place, &SOON).and(&["--config", "FILE"]).with_file(&text));
    }
    for secret in spellings() {
        for option in QUESTIONS {
            for url in ["postgres://app@127.0.0.1:1/x", "mysql://app@127.0.0.1:1/x", "mysql://127.0.0.1:1"] {
                rows.push(row("a question", &[&format!("{url}#{option}{secret}")]));
                rows.push(row("a question", &[&format!("{url}#{option}{secret}&nosuch=1")]));
            }
        }
        rows.push(row("COMMAND's argument", &["tcp://127.0.0.1:1", "--", "/bin/true", &secret]));
        rows.push(row("COMMAND's argument", &["--disabled", "tcp://127.0.0.1:1", "--", "/bin/false", &secret]));
        // Without an `@` the words belong to the path, which may be printed.
        for words in [format!("http://user:{secret}@127.0.0.1:1"), format!("{secret}@x")] {
            for target in ["tcp://127.0.0.1:1", "http://127.0.0.1:1/x", "postgres://user:x"] {
                rows.push(row("words behind a blank", &[&format!("{target} {words}")]));
            }
        }
        let proxied = row("the proxy", &["--proxy=env", "http://127.0.0.1:1/"]);
        for proxy in [format!("http://user:{secret}@127.0.0.1:1"), format!("user:{secret}@[::")] {
            rows.push(proxied.clone().with_variable("HTTP_PROXY", &proxy).with_variable("http_proxy", &proxy));
        }
    }
    rows.extend(files());
    rows.extend(servers());
    // A log in text escapes in another way.
    let text = |row: Row| row.and(&["--log-format=text"]);
    rows.extend(urls::urls("http").into_iter().map(|(place, url)| text(row(&place, &[&url]))));
    rows.extend(files().into_iter().map(text));
    rows
}

/// A secret that a server repeats
fn servers() -> Vec<Row> {
    let address = echo::address();
    let urls = [
        format!("http://{address}/#token-env=KEY"),
        format!("http://{address}/#user=x&password-env=KEY"),
        format!("http://{address}/#body-regex=never&header=X-Api-Key: {}", plain()),
        format!("redis://{address}/#password-env=KEY"),
    ];
    let row = |url: &String| Row::new(HELPER.name, "a server that repeats", &SOON).and(&[url]);
    urls.iter().map(|url| row(url).with_variable("KEY", &plain())).collect()
}

/// A secret in a file or a variable that an option names
fn files() -> Vec<Row> {
    let row = |place: String, url: &str| Row::new(HELPER.name, place, &SOON).and(&[url]);
    [contents::in_files(&FILE_URLS, row), contents::in_variables(&VARIABLE_URLS, row)].concat()
}
