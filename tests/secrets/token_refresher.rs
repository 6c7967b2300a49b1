//! The rows of `token-refresher`.

use crate::{
    contents, echo, flags, places,
    row::Row,
    secret::{plain, spellings},
    urls,
};

/// A configuration that starts
const RIGHT: &str = concat!("--config=", env!("CARGO_MANIFEST_DIR"), "/secrets/token-refresher.yaml");

pub(crate) const HELPER: places::Helper = places::Helper {
    name: "token-refresher",
    right: &["--health-addr=127.0.0.1:0", "--shutdown-timeout=100ms", RIGHT],
    takes_paths: false,
    subcommands: &["check", "schema", "probe", "drain", "quit", "explain"],
    keys: &["secrets"],
    entry_keys: &[
        ("secrets", "name"),
        ("secrets", "source"),
        ("secrets", "refresh-at"),
        ("secrets", "refresh-every"),
        ("secrets", "on-expired"),
        ("secrets", "outputs"),
        ("secrets", "tell"),
    ],
};

/// Flags whose errors and start line may repeat the value: addresses, paths, names of processes
const REPEATED: [&str; 7] =
    ["admin-addr", "config", "exit-with-file", "exit-with-process", "health-addr", "state-dir", "status-file"];

/// Options of a task that ends soon
const ONCE: [&str; 3] = ["--once", "--timeout=300ms", "--config=FILE"];

/// A server that refuses the connection
const CLOSED: &str = "127.0.0.1:1";

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = HELPER.rows();
    rows.extend(flags::rows(&HELPER, &REPEATED));
    rows.extend(in_urls());
    for secret in spellings() {
        let secret = secret.replace('\'', "''");
        for server in [CLOSED.to_owned(), echo::address()] {
            for (place, source) in sources(&server, &secret) {
                rows.extend(asked(&place, &config(&source, "")));
            }
        }
        for (place, rest) in beside_the_source(&secret) {
            rows.extend(asked(&place, &config("{file: {path: /none}}", &rest)));
        }
    }
    rows.extend(in_files());
    rows
}

/// A run as a task, as a sidecar, and the commands that answer a question about the file
fn asked(place: &str, text: &str) -> Vec<Row> {
    let sidecar = ["--config=FILE", "--health-addr=127.0.0.1:0", "--shutdown-timeout=100ms"];
    let ways: [&[&str]; 4] = [&ONCE, &sidecar, &["check", "--config", "FILE"], &["explain", "--config", "FILE"]];
    ways.iter().map(|way| Row::new(HELPER.name, place, way).with_file(text)).collect()
}

/// A configuration of one secret
fn config(source: &str, rest: &str) -> String {
    format!("secrets:\n- name: token\n  source: {source}\n{rest}")
}

/// Every spelling in the URL of one source, and a few in the others and in a request that tells the app
fn in_urls() -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, url) in urls::urls_in_every_spelling("http") {
        let source = format!("{{http: {{url: '{}', value: /token}}}}", url.replace('\'', "''"));
        rows.extend(asked(&place, &config(&source, "")));
    }
    for (place, url) in urls::urls("http") {
        let url = url.replace('\'', "''");
        let sources = [
            format!("{{oauth2: {{token-endpoint: '{url}', client-id: a, client-secret: {{env: KEY}}}}}}"),
            format!("{{oauth2: {{issuer: '{url}', client-id: a, client-secret: {{env: KEY}}}}}}"),
            format!("{{kubernetes-token: {{service-account: a, namespace: b, url: '{url}', token: {{env: KEY}}}}}}"),
            format!("{{vault-login: {{url: '{url}', login: {{approle: {{role-id: a, secret-id: {{env: KEY}}}}}}}}}}"),
            format!("{{vault-kv: {{url: '{url}', login: {{token: {{env: KEY}}}}, path: secret/a}}}}"),
        ];
        let tell = format!("  tell: [{{request: '{url}'}}]\n");
        let texts = sources.iter().map(|source| config(source, ""));
        for text in texts.chain([config("{file: {path: /etc/hostname}}", &tell)]) {
            let explained = Row::new(HELPER.name, format!("{place} of a source"), &["explain", "--config", "FILE"]);
            rows.push(explained.with_file(&text));
            rows.push(Row::new(HELPER.name, format!("{place} of a source"), &ONCE).with_file(&text));
        }
    }
    rows
}

/// Sources with the secret where one belongs, and where it is there by mistake. Paths, names of variables, roles and accounts
/// are no secrets.
fn sources(server: &str, secret: &str) -> Vec<(String, String)> {
    let http = |place: &str, rest: String| {
        (format!("{place} of http"), format!("{{http: {{url: 'http://{server}/', value: /token, {rest}}}}}"))
    };
    let oauth2 = |place: &str, rest: String| {
        let start = format!("token-endpoint: 'http://{server}/token', client-id: a");
        (format!("{place} of oauth2"), format!("{{oauth2: {{{start}, {rest}}}}}"))
    };
    let kubernetes = |place: &str, rest: String| {
        let start = format!("service-account: a, namespace: b, url: 'http://{server}/'");
        (format!("{place} of kubernetes-token"), format!("{{kubernetes-token: {{{start}, {rest}}}}}"))
    };
    let vault = |place: &str, login: String| {
        let url = format!("url: 'http://{server}/'");
        (format!("{place} of vault-login"), format!("{{vault-login: {{{url}, login: {{{login}}}}}}}"))
    };
    let quoted = format!("'{secret}'");
    vec![
        http("a header", format!("headers: {{Authorization: 'Bearer {secret}'}}")),
        http("a header's name", format!("headers: {{'{secret} x': y}}")),
        http("headers", format!("headers: {quoted}")),
        http("a list of headers", format!("headers: [{quoted}]")),
        http("an input", format!("headers: {{X-A: {{{quoted}: x}}}}")),
        http("an input's kind", format!("headers: {{X-A: {{fil: {quoted}}}}}")),
        http("a header with a line break", format!("headers: {{X-A: \"{}\\n{}\"}}", plain(), plain())),
        http("a form", format!("body: {{form: {{password: {quoted}}}}}")),
        http("a body of JSON", format!("body: {{json: {{password: {quoted}}}}}")),
        http("a text", format!("body: {{text: {quoted}}}")),
        http("a body", format!("body: {quoted}")),
        http("a body's kind", format!("body: {{{quoted}: x}}")),
        http("a pointer", format!("expires-in: {quoted}")),
        http("pointers", format!("values: {{a: {quoted}}}")),
        http("a method", format!("method: {quoted}")),
        http("an unknown key", format!("{quoted}: x")),
        http("an unknown key's value", format!("passwort: {quoted}")),
        oauth2("a client-secret", format!("client-secret: {quoted}")),
        oauth2("a client-secret's kind", format!("client-secret: {{{quoted}: x}}")),
        oauth2("a client-secret's list", format!("client-secret: [{quoted}]")),
        oauth2("a private key", format!("private-key: {quoted}")),
        oauth2("a refresh token", format!("refresh-token: {quoted}")),
        oauth2("an assertion", format!("assertion: {quoted}")),
        oauth2("a client-auth", format!("client-auth: {quoted}")),
        oauth2("parameters", format!("client-secret: {{env: KEY}}, parameters: {quoted}")),
        kubernetes("a token", format!("token: {quoted}")),
        kubernetes("an expiration", format!("expiration: {quoted}")),
        kubernetes("a pod", format!("token: {{env: KEY}}, pod: {quoted}")),
        vault("a token", format!("token: {quoted}")),
        vault("a login", quoted.clone()),
        vault("a login's kind", format!("{quoted}: {{}}")),
        vault("a role-id", format!("approle: {{role-id: {quoted}}}")),
        vault("a secret-id", format!("approle: {{role-id: a, secret-id: {quoted}}}")),
        vault("a jwt", format!("jwt: {{jwt: {quoted}}}")),
        vault("a kubernetes jwt", format!("kubernetes: {{role: a, jwt: {quoted}}}")),
        ("a kind of source".into(), format!("{{{quoted}: {{}}}}")),
        ("a source".into(), quoted),
    ]
}

/// Keys beside the source, with the secret as a value of the wrong type or as an unknown name
fn beside_the_source(secret: &str) -> Vec<(String, String)> {
    let quoted = format!("'{secret}'");
    let output = |rest: String| format!("  outputs: [{{file: /none/a/b, {rest}}}]\n");
    let request = |rest: String| format!("  tell: [{{request: 'http://{CLOSED}/', {rest}}}]\n");
    let rows = [
        ("refresh-at", format!("  refresh-at: {quoted}\n")),
        ("refresh-every", format!("  refresh-every: {quoted}\n")),
        ("on-expired", format!("  on-expired: {quoted}\n")),
        ("a mode", output(format!("mode: {quoted}"))),
        ("a format", output(format!("format: {quoted}"))),
        ("a way to write", output(format!("write: {quoted}"))),
        ("an unknown key of an output", output(format!("{quoted}: x"))),
        ("an unknown key's value of an output", output(format!("valeu: {quoted}"))),
        ("keys", output(format!("format: dotenv, keys: {quoted}"))),
        ("files", format!("  outputs: [{{directory: /none/a/b, files: {quoted}}}]\n")),
        ("a list of files", format!("  outputs: [{{directory: /none/a/b, files: [{quoted}]}}]\n")),
        ("a list of outputs", format!("  outputs: [{quoted}]\n")),
        ("a list of ways", format!("  tell: [{quoted}]\n")),
        ("a signal", format!("  tell: [{{signal: {quoted}, process: a}}]\n")),
        ("a method", request(format!("method: {quoted}"))),
        ("an expected status", request(format!("expect: {quoted}"))),
        ("an unknown key of a way", request(format!("{quoted}: x"))),
        ("an unknown key of a secret", format!("  {quoted}: x\n")),
        ("an unknown key's value of a secret", format!("  valeu: {quoted}\n")),
    ];
    rows.map(|(place, rest)| (place.to_owned(), rest)).to_vec()
}

/// The secret in a file or a variable that an input or an option of a URL names
fn in_files() -> Vec<Row> {
    let mut rows = Vec::new();
    for server in [CLOSED.to_owned(), echo::address()] {
        let oauth2 = format!("token-endpoint: 'http://{server}/token', client-id: a");
        let sources = [
            format!("{{http: {{url: 'http://{server}/', headers: {{Authorization: INPUT}}}}}}"),
            format!("{{http: {{url: 'http://{server}/', body: {{text: INPUT}}}}}}"),
            format!("{{oauth2: {{{oauth2}, client-secret: INPUT}}}}"),
            format!("{{oauth2: {{{oauth2}, client-secret: INPUT, client-auth: client_secret_post}}}}"),
            format!("{{oauth2: {{{oauth2}, private-key: {{key: INPUT}}}}}}"),
            format!("{{oauth2: {{{oauth2}, assertion: INPUT}}}}"),
            format!(
                "{{kubernetes-token: {{service-account: a, namespace: b, url: 'http://{server}/', token: INPUT}}}}"
            ),
            format!(
                "{{vault-login: {{url: 'http://{server}/', login: {{approle: {{role-id: a, secret-id: INPUT}}}}}}}}"
            ),
            format!("{{vault-login: {{url: 'http://{server}/', login: {{jwt: {{jwt: INPUT}}}}}}}}"),
            format!("{{vault-login: {{url: 'http://{server}/', login: {{token: INPUT}}}}}}"),
            format!("{{vault-kv: {{url: 'http://{server}/', login: {{token: INPUT}}, path: secret/a}}}}"),
        ];
        for source in &sources {
            let text = config(&source.replace("INPUT", "{env: KEY}"), "");
            let in_variable = |place, _: &str| Row::new(HELPER.name, place, &ONCE).with_file(&text);
            rows.extend(contents::in_variables(&[source], in_variable));
        }
    }
    for secret in spellings() {
        let files = ["file: {path: FILE}", "http: {url: 'http://127.0.0.1:1/#token-file=FILE'}"];
        // The file is its own input: a wrong configuration whose text is the secret, and a right one in which it is a comment.
        for source in files {
            let text = config(&format!("{{{source}}}"), &format!("# {secret}\n"));
            rows.extend(asked("a file that is read", &text));
        }
    }
    rows
}
