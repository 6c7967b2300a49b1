//! Logins that the proxy puts into requests, from files that change.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use harness::until;
use tempfile::TempDir;

use crate::{
    client::{Answer, Client, header},
    support::{OK, Proxy, Signal, proxy},
    upstream::Upstream,
};

/// A directory of files as token-refresher or the kubelet keeps it: all of them change by one swap of `..data`
struct Tokens {
    directory: TempDir,
}

impl Tokens {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn publish(&self, version: &str, files: &[(&str, &str)]) {
        fs::create_dir(self.path(version)).unwrap();
        for (name, text) in files {
            fs::write(self.path(version).join(name), text).unwrap();
            let _ = symlink(Path::new("..data").join(name), self.path(name));
        }
        symlink(version, self.path("..next")).unwrap();
        fs::rename(self.path("..next"), self.path("..data")).unwrap();
    }
}

/// A request whose client has a login of its own
fn ask(client: &mut Client) -> Answer {
    client.send("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer theirs\r\nX-Api-Key: theirs\r\n\r\n");
    client.answer()
}

fn sent(upstream: &Upstream, name: &str) -> Option<String> {
    header(upstream.requests().last().unwrap(), name).map(str::to_owned)
}

#[test]
fn a_token_is_injected_and_read_again_when_it_changes() {
    let (upstream, tokens) = (Upstream::answering(OK), Tokens::new());
    tokens.publish("..1", &[("api", "first\n")]);
    let url = format!("{}#token-file={}", upstream.url(), tokens.path("api").display());
    let mut proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", &url, "--direction", "outbound"]);
    harness::http::until_status(proxy.health, "/readyz", 200);
    let mut client = proxy.client();
    assert_eq!(ask(&mut client).status, 200);
    assert_eq!(sent(&upstream, "authorization").as_deref(), Some("Bearer first"));
    assert_eq!(sent(&upstream, "x-api-key").as_deref(), Some("theirs"));
    tokens.publish("..2", &[("api", "second")]);
    until("the new token is sent", || {
        ask(&mut client);
        (sent(&upstream, "authorization").as_deref() == Some("Bearer second")).then_some(())
    });
    // A content that cannot be a token changes nothing; it is logged and counted once, and after that a good one comes.
    tokens.publish("..3", &[("api", "two\nlines\n")]);
    let line = proxy.program.wait_for_message("a file cannot be used; its former content stays in use");
    assert!(!format!("{line:?}").contains("lines\\n"), "{line:?}");
    until("the fault is counted", || (proxy.metric("sidekit_proxy_login_faults_total") == 1).then_some(()));
    ask(&mut client);
    assert_eq!(sent(&upstream, "authorization").as_deref(), Some("Bearer second"));
    tokens.publish("..4", &[("api", "fourth")]);
    proxy.program.wait_for_message("the files of a fault can be used again");
    until("the good token is sent", || {
        ask(&mut client);
        (sent(&upstream, "authorization").as_deref() == Some("Bearer fourth")).then_some(())
    });
    drop(client);
    let secrets = ["first", "second", "fourth"];
    proxy.program.signal(Signal::TERM);
    let ended = proxy.program.end();
    assert!(ended.code == Some(0) && !secrets.iter().any(|secret| ended.everything().contains(secret)), "{ended:#?}");
    // The end of the fault has its own line.
    assert_eq!(ended.messages("a login is there").len(), 1);
}

#[test]
fn a_login_that_is_not_there_yet_holds_back_readiness_and_requests() {
    let (upstream, tokens) = (Upstream::answering(OK), Tokens::new());
    let url = format!("{}#user=me&password-file={}", upstream.url(), tokens.path("password").display());
    let proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", &url, "--direction", "outbound"]);
    // The app may start; token-refresher may start after it.
    harness::http::until_status(proxy.health, "/startupz", 200);
    let ready = harness::http::get(proxy.health, "/readyz");
    assert!(ready.status == 503 && ready.body.contains("login failed: option password-file"), "{ready:?}");
    let mut client = proxy.client();
    let answer = ask(&mut client);
    assert_eq!((answer.status, header(&answer.head, "retry-after")), (503, Some("1")), "{answer:?}");
    let status = header(&answer.head, "proxy-status").unwrap();
    assert!(status.contains("proxy_configuration_error") && status.contains("no-login"), "{status}");
    assert_eq!((proxy.refusals("no-login"), upstream.requests().len()), (1, 0));
    tokens.publish("..1", &[("password", "sesame")]);
    harness::http::until_status(proxy.health, "/readyz", 200);
    assert_eq!(ask(&mut client).status, 200);
    assert_eq!(sent(&upstream, "authorization").as_deref(), Some("Basic bWU6c2VzYW1l"));
    drop(client);
    proxy.program.signal(Signal::TERM);
    let ended = proxy.program.end();
    assert_eq!(ended.messages("a login is not there: its requests are answered with 503").len(), 1, "{ended:#?}");
}

#[test]
fn a_login_whose_file_is_gone_is_withdrawn_until_the_file_is_back() {
    let (upstream, tokens) = (Upstream::answering(OK), Tokens::new());
    tokens.publish("..1", &[("api", "first")]);
    let url = format!("{}#token-file={}", upstream.url(), tokens.path("api").display());
    let proxy = Proxy::run(&["--listen", "127.0.0.1:0", "--upstream", &url, "--direction", "outbound"]);
    harness::http::until_status(proxy.health, "/readyz", 200);
    let mut client = proxy.client();
    assert_eq!(ask(&mut client).status, 200);
    fs::remove_file(tokens.path("api")).unwrap();
    let answer = until("requests are refused", || {
        let answer = ask(&mut client);
        (answer.status != 200).then_some(answer)
    });
    assert_eq!((answer.status, header(&answer.head, "retry-after")), (503, Some("1")), "{answer:?}");
    assert!(header(&answer.head, "proxy-status").unwrap().contains("no-login"), "{answer:?}");
    let sent_before = upstream.requests().len();
    assert_eq!((ask(&mut client).status, upstream.requests().len()), (503, sent_before));
    until("it is counted", || (proxy.metric("sidekit_proxy_login_faults_total") == 1).then_some(()));
    assert_eq!(harness::http::get(proxy.health, "/readyz").status, 200, "other routes go on");
    // It may be back as it was.
    symlink("..data/api", tokens.path("api")).unwrap();
    until("requests go on", || (ask(&mut client).status == 200).then_some(()));
    assert_eq!(sent(&upstream, "authorization").as_deref(), Some("Bearer first"));
    assert_eq!(proxy.metric("sidekit_proxy_login_faults_total"), 1);
    drop(client);
    proxy.program.signal(Signal::TERM);
    let ended = proxy.program.end();
    assert_eq!(ended.messages("a login is not there: its requests are answered with 503").len(), 1, "{ended:#?}");
}

#[test]
fn a_route_of_a_file_has_its_own_login_which_a_reload_keeps_or_changes() {
    let (upstream, tokens) = (Upstream::answering(OK), Tokens::new());
    tokens.publish("..1", &[("key", "key-1"), ("other", "other-1")]);
    let (key, other) = (tokens.path("key").display().to_string(), tokens.path("other").display().to_string());
    let text = |login: &str, path: &str| {
        format!(
            "listeners:
- address: 127.0.0.1:0
  direction: outbound
  routes:
  - path: {path}
    upstream: {{url: '{url}', header-file: 'X-Api-Key:{login}'}}
  - upstream: '{url}'
",
            url = upstream.url()
        )
    };
    let (directory, file) = harness::config_file(&text(&key, "/api"));
    let write = |text: &str| {
        fs::write(directory.path().join("next"), text).unwrap();
        fs::rename(directory.path().join("next"), &file).unwrap();
    };
    let mut proxy = Proxy::run(&["--config", &file]);
    let mut client = proxy.client();
    let mut key_for = |path: &str| {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: theirs\r\nX_Api_Key: theirs\r\n\r\n"));
        let status = client.answer().status;
        let request = upstream.requests().last().cloned().unwrap_or_default();
        (status, header(&request, "x-api-key").map(str::to_owned), request.contains("x_api_key"))
    };
    assert_eq!(key_for("/api/x"), (200, Some("key-1".into()), false));
    assert_eq!(key_for("/web"), (200, Some("theirs".into()), true));
    // The file cannot be used, but a login that stays keeps its value through a reload.
    fs::write(&key, "two\nlines\n").unwrap();
    write(&text(&key, "/v2"));
    proxy.program.wait_for_message("new configuration in force");
    assert_eq!(key_for("/v2/x"), (200, Some("key-1".into()), false));
    // A new login is there with the first request.
    write(&text(&other, "/v2"));
    proxy.program.wait_for_message("new configuration in force");
    assert_eq!(key_for("/v2/x"), (200, Some("other-1".into()), false));
    // One without a good file is waited for, and the proxy stays ready.
    write(&text(&key, "/v2"));
    proxy.program.wait_for_message("new configuration in force");
    assert_eq!(key_for("/v2/x").0, 503);
    assert_eq!(harness::http::get(proxy.health, "/readyz").status, 200);
    tokens.publish("..2", &[("key", "key-1")]);
    proxy.program.signal(Signal::HUP);
    until("the login is there", || (key_for("/v2/x") == (200, Some("key-1".into()), false)).then_some(()));
}

#[test]
fn what_no_login_can_be_is_refused() {
    let refused = |url: &str| {
        let ended = harness::Program::start(&mut proxy(&["--listen", ":0", "--upstream", url])).end();
        assert_eq!(ended.code, Some(64), "{ended:#?}");
        ended.last_line().to_owned()
    };
    assert!(refused("http://a#token-fil=/x").contains("did you mean token-file?"));
    assert!(refused("http://a?token-file=/x").contains("write # in front of options"));
    assert!(refused("http://a#header-file=Content-Length:/x").contains("content-length is not yours to set"));
    let text = |url: &str| {
        format!(
            "listeners:\n- address: ':0'\n  direction: outbound\n  routes:\n  - upstream: '{url}'\n    \
             request-headers: {{set: {{Authorization: hunter2}}}}\n"
        )
    };
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_proxy"));
        harness::Program::start(command.args(arguments).env_clear()).end()
    };
    let fault = harness::config_refusal(&text("http://a#token-file=/x"), run);
    assert_eq!(fault, "6:22: the login of the upstream sets authorization");
    // `check` looks whether the files are there.
    let (_directory, file) = harness::config_file(&text("http://a#header-file=X-Key:/nowhere/key"));
    let ended = run(&["check", &file]);
    assert!(ended.code == Some(78) && ended.stdout.contains("/nowhere/key"), "{ended:#?}");
    assert_eq!(run(&["check", "--no-files", &file]).code, Some(0));
}

#[test]
fn a_reload_without_the_login_that_was_not_there_makes_the_proxy_ready() {
    let (upstream, tokens) = (Upstream::answering(OK), Tokens::new());
    tokens.publish("..1", &[("api", "first")]);
    let text = |login: &str| {
        let url = upstream.url();
        format!(
            "listeners:\n- {{address: '127.0.0.1:0', direction: outbound, routes: [{{upstream: {{url: '{url}'{login}}}}}]}}\n"
        )
    };
    let good = format!(", token-file: '{}'", tokens.path("api").display());
    for login in ["", &good] {
        let (directory, file) = harness::config_file(&text(", token-file: /nowhere/api"));
        let proxy = Proxy::run(&["--config", &file]);
        assert_eq!(harness::http::get(proxy.health, "/readyz").status, 503);
        fs::write(directory.path().join("next"), text(login)).unwrap();
        fs::rename(directory.path().join("next"), &file).unwrap();
        harness::http::until_status(proxy.health, "/readyz", 200);
        assert_eq!(proxy.client().get("/").status, 200);
        proxy.stop();
    }
}
