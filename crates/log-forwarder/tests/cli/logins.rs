//! Requests around their lines: compression, tokens and passwords that change, headers; no log line
//! shows a secret.

use std::fs;

use crate::{
    collector::{Answer, Collector},
    receiver::Receiver,
    support::{Pod, Signal, Writer, assert_all_there, http, ledger, line, start, stop},
};

/// Delivers with these options, and tells whether all lines were there, and each body smaller than its lines.
#[track_caller]
fn assert_compressed(name: &str) {
    let (pod, collector) = (Pod::new(), Collector::start());
    collector.answer([Answer::Say(503, "Retry-After: 0\r\n".into())]);
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(20_000);
    let program = pod.start(&["--output", &format!("{}#{name}", collector.url())]);
    collector.wait_for(&line(19_999));
    writer.write(1);
    collector.wait_for(&line(20_000));
    let ended = stop(program);
    assert_all_there(collector.messages().iter().map(String::as_str), 20_001);
    assert_eq!(ledger(&ended)["lines"], 20_001);
    for request in collector.seen() {
        assert_eq!(request.headers["content-encoding"], name);
        let length: usize = request.headers["content-length"].parse().unwrap();
        assert!(length < 200 + request.lines * 100, "{request:?}");
    }
}

#[test]
fn bodies_are_compressed_with_gzip() {
    assert_compressed("gzip");
}

#[test]
fn bodies_are_compressed_with_zstd() {
    assert_compressed("zstd");
}

#[test]
fn a_token_is_read_anew_when_its_file_changes() {
    let (pod, collector) = (Pod::new(), Collector::start());
    let token = pod.beside("token");
    let mut writer = Writer::new(&pod.log("app.log"));
    collector.accept_login("Bearer SECRET-one");
    let mut program = pod.start(&["--output", &format!("{}#token-file={}", collector.url(), token.display())]);
    writer.write(10);
    let missing = format!("option token-file: cannot read {}: no such file or directory", token.display());
    program.wait_for_reason(&missing);
    fs::write(&token, "SECRET-one\n").unwrap();
    program.wait_for_message("delivers again");
    // Renamed into place, as token-refresher and the kubelet do it; the server goes on to the new one at the same time.
    fs::write(pod.beside("new"), "SECRET-two\n").unwrap();
    fs::rename(pod.beside("new"), &token).unwrap();
    collector.accept_login("Bearer SECRET-two");
    writer.write(10);
    collector.wait_for(&line(19));
    // Before its file is there
    collector.accept_login("Bearer SECRET-three");
    writer.write(10);
    program.wait_for_reason("401 Unauthorized: why");
    fs::write(&token, "SECRET-three\n").unwrap();
    program.wait_for_message("delivers again");
    let ended = stop(program);
    assert_all_there(collector.messages().iter().map(String::as_str), 30);
    assert!(!ended.everything().contains("SECRET"), "{ended:#?}");
}

#[test]
fn a_password_and_headers_are_sent_and_never_told() {
    let (pod, collector) = (Pod::new(), Collector::start());
    let (password, tenant) = (pod.beside("password"), pod.beside("tenant"));
    fs::write(&password, "SECRET sesame\n").unwrap();
    fs::write(&tenant, "SECRET-team\n").unwrap();
    collector.accept_login("Basic QWxhZGRpbjpTRUNSRVQgc2VzYW1l");
    collector.answer([Answer::Say(503, String::new())]);
    Writer::new(&pod.log("app.log")).write(3);
    let options = format!(
        "user=Aladdin&password-file={}&header=X-Key:%20SECRET%26key&header-file=X-Scope-OrgID:{}",
        password.display(),
        tenant.display()
    );
    let mut command = pod.command(&["--output", &format!("{}?key=SECRET#{options}", collector.url())]);
    let mut program = start(command.args(["--log-level", "trace"]));
    let health = program.address("health");
    collector.wait_for(&line(2));
    let metrics = http::get(health, "/metrics").body + &http::get(health, "/readyz?verbose").body;
    let ended = stop(program);
    let headers = &collector.seen()[0].headers;
    assert_eq!((&*headers["x-key"], &*headers["x-scope-orgid"]), ("SECRET&key", "SECRET-team"));
    assert!(metrics.contains("log_forwarder") && !metrics.contains("SECRET"), "{metrics}");
    assert!(!(ended.everything() + &pod.checkpoint().unwrap()).contains("SECRET"), "{ended:#?}");
}

#[test]
fn a_token_comes_from_a_variable() {
    let (pod, collector) = (Pod::new(), Collector::start());
    collector.accept_login("Bearer SECRET-token");
    Writer::new(&pod.log("app.log")).write(3);
    let mut command = pod.command(&["--output", &format!("{}#token-env=API_TOKEN", collector.url())]);
    let program = start(command.env("API_TOKEN", "SECRET-token"));
    collector.wait_for(&line(2));
    let ended = stop(program);
    assert!(!ended.everything().contains("SECRET"), "{ended:#?}");
}

#[test]
fn a_login_that_a_collector_repeats_is_not_told() {
    let receiver =
        Receiver::start(|request| Some((401, String::new(), format!("who is {}?", request.headers["authorization"]))));
    for scheme in ["http", "elasticsearch+http", "loki+http", "otlp+http"] {
        let pod = Pod::new();
        Writer::new(&pod.log("app.log")).write(1);
        let url = format!("{scheme}://{}/in#header=Authorization: Bearer SECRET", receiver.address());
        let mut command = pod.command(&["--shutdown-timeout", "1s"]);
        let mut program = start(command.env("SIDEKIT_LOG_FORWARDER_OUTPUT", &url));
        program.wait_for_reason("401 Unauthorized: who is …?");
        program.signal(Signal::TERM);
        let ended = program.end();
        assert!(!format!("{ended:?}").contains("SECRET"), "{ended:#?}");
    }
}
