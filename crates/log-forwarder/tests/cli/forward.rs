//! `forward://`, `forward+tls://`: acknowledged, or sent again; only to those who prove who they are.

use std::fs;

use harness::Authority;

use crate::{
    fluentd::{Answer, Fluentd, Security, Value},
    support::{Pod, Writer, assert_all_there, ledger, line, start, stop},
};

fn url(fluentd: &Fluentd, options: &str) -> String {
    format!("forward://{}#{options}", fluentd.address)
}

#[test]
fn entries_are_acknowledged_on_one_connection() {
    let (pod, fluentd) = (Pod::new(), Fluentd::start(None, None));
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(20_000);
    let mut command = pod.command(&["--output", &url(&fluentd, "")]);
    command.envs([("POD_NAMESPACE", "shop"), ("POD_NAME", "web-0"), ("CONTAINER_NAME", "nginx")]);
    let program = start(&mut command);
    fluentd.wait_for(&line(19_999));
    writer.write(10);
    fluentd.wait_for(&line(20_009));
    let ended = stop(program);
    assert_all_there(fluentd.messages().iter().map(String::as_str), 20_010);
    assert_eq!((ledger(&ended)["lines"], fluentd.messages().len(), fluentd.connections()), (20_010, 20_010, 1));
    let (tag, record, seconds) = &fluentd.entries()[1];
    assert_eq!(tag, "kubernetes.shop.web-0.nginx");
    assert_eq!(record["file"], Value::Text(pod.log("app.log").display().to_string()));
    assert_eq!(record["offset"], Value::Number(line(0).len() as u64 + 1));
    assert_eq!(record["k8s.pod.name"], Value::Text("web-0".into()));
    assert!(*seconds > 1_700_000_000);
    let mut chunks = fluentd.chunks();
    let all = chunks.len();
    chunks.dedup();
    assert_eq!(chunks.len(), all);
}

#[test]
fn what_is_not_acknowledged_goes_again_under_the_same_name() {
    let (pod, fluentd) = (Pod::new(), Fluentd::start(None, None));
    fluentd.answer([Answer::Close, Answer::Mistake, Answer::Withhold]);
    Writer::new(&pod.log("app.log")).write(10);
    let mut program = pod.start(&["--output", &url(&fluentd, "ack-timeout=500ms&tag=app")]);
    program.wait_for_reason("closed without an acknowledgement");
    program.wait_for_reason("it acknowledges what was not sent");
    program.wait_for_reason("no acknowledgement within 500ms");
    program.wait_for_message("delivers again");
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], fluentd.messages().len(), fluentd.connections()), (10, 40, 4));
    let chunks = fluentd.chunks();
    assert!(chunks.iter().all(|chunk| *chunk == chunks[0]), "{chunks:?}");
    assert!(fluentd.entries().iter().all(|(tag, _, _)| tag == "app"));
}

#[test]
fn fields_keep_their_types() {
    let (pod, fluentd) = (Pod::new(), Fluentd::start(None, None));
    fs::write(pod.log("app.log"), "{\"msg\":\"paid\",\"id\":8812,\"ok\":true,\"deep\":{\"a\":[1,\"x\",null]}}\n")
        .unwrap();
    let program = pod.start(&["--output", &url(&fluentd, ""), "--format", "json"]);
    fluentd.wait_for("paid");
    stop(program);
    let list = Value::Array(vec![Value::Number(1), Value::Text("x".into()), Value::Other]);
    let deep = Value::Map([("a".to_owned(), list)].into());
    let fields = [("id", Value::Number(8812)), ("ok", Value::Boolean(true)), ("deep", deep)];
    let fields = fields.map(|(name, value)| (name.to_owned(), value)).into();
    assert_eq!(fluentd.entries()[0].1["fields"], Value::Map(fields));
}

#[test]
fn entries_are_compressed_over_tls() {
    let (pod, authority) = (Pod::new(), Authority::new());
    let fluentd = Fluentd::start(None, Some(authority.server(&["localhost"])));
    Writer::new(&pod.log("app.log")).write(20_000);
    let output = format!("forward+tls://localhost:{}#gzip&ca={}", fluentd.address.port(), authority.ca());
    let program = pod.start(&["--output", &output]);
    fluentd.wait_for(&line(19_999));
    assert_eq!(ledger(&stop(program))["lines"], 20_000);
    assert_all_there(fluentd.messages().iter().map(String::as_str), 20_000);
    assert!(fluentd.entries()[0].0.starts_with("file.") && fluentd.entries()[0].0.ends_with(".logs.app.log"));
}

#[test]
fn a_shared_key_is_proved_and_a_wrong_one_is_told() {
    let security = Security { key: "correct horse", user: None, keepalive: true };
    let (pod, fluentd) = (Pod::new(), Fluentd::start(Some(security), None));
    let key = pod.beside("key");
    Writer::new(&pod.log("app.log")).write(10);
    let mut program = pod.start(&["--output", &url(&fluentd, &format!("shared-key-file={}", key.display()))]);
    let missing = format!("option shared-key-file: cannot read {}: no such file or directory", key.display());
    program.wait_for_reason(&missing);
    fs::write(&key, "battery staple\n").unwrap();
    program.wait_for_reason("the server does not believe us: shared_key mismatch");
    fs::write(&key, "correct horse\n").unwrap();
    program.wait_for_message("delivers again");
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], fluentd.messages().len()), (10, 10));
    for secret in ["correct horse", "battery staple"] {
        assert!(!ended.everything().contains(secret));
    }
}

#[test]
fn a_server_that_wants_a_key_or_a_user_is_told_of() {
    let security = Security { key: "correct horse", user: Some(("web", "hunter2")), keepalive: false };
    let (pod, fluentd) = (Pod::new(), Fluentd::start(Some(security), None));
    let (key, password) = (pod.beside("key"), pod.beside("password"));
    fs::write(&key, "correct horse").unwrap();
    fs::write(&password, "hunter2").unwrap();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let mut program = pod.start(&["--output", &url(&fluentd, "")]);
    program.wait_for_reason("the server wants a shared key: give shared-key-file=PATH");
    drop(program);
    let key = format!("shared-key-file={}", key.display());
    let mut program = pod.start(&["--output", &url(&fluentd, &key)]);
    program.wait_for_reason("the server wants a user: give user=NAME and password-file=PATH");
    drop(program);
    let before = fluentd.connections();
    let login = format!("{key}&user=web&password-file={}", password.display());
    let program = pod.start(&["--output", &url(&fluentd, &login)]);
    fluentd.wait_for(&line(9));
    writer.write(10);
    fluentd.wait_for(&line(19));
    let ended = stop(program);
    assert_all_there(fluentd.messages().iter().map(String::as_str), 20);
    // This server wants each message on a connection of its own.
    assert_eq!((ledger(&ended)["lines"], fluentd.connections() - before), (20, fluentd.chunks().len()));
    assert!(!ended.everything().contains("hunter2"));
}

#[test]
fn a_server_without_helo_has_no_key() {
    let (pod, fluentd) = (Pod::new(), Fluentd::start(None, None));
    let key = pod.beside("key");
    fs::write(&key, "correct horse").unwrap();
    Writer::new(&pod.log("app.log")).write(1);
    let mut program =
        pod.start(&["--output", &url(&fluentd, &format!("ack-timeout=300ms&shared-key-file={}", key.display()))]);
    program.wait_for_reason("no HELO within 150ms: does the server have a shared key?");
    assert!(fluentd.messages().is_empty());
}
