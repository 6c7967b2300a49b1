//! `--once`: a task, as an init container runs it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use harness::{Program, Reply, Signal};
use serde_json::json;

use crate::{
    issuer::Issuer,
    support::{MARK, assert_silence, configured, once, read},
};

fn config(directory: &Path, issuer: &Issuer) -> String {
    let (path, source) = (directory.display(), issuer.source());
    format!(
        "secrets:\n- name: token\n  source: {source}\n  outputs: [{{file: {path}/out}}]\n  tell: [{{touch: {path}/told}}]\n"
    )
}

#[test]
fn a_task_writes_everything_and_tells_nobody() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    let status = path.join("status.json");
    let ended = once(path, &config(path, &issuer), &["--status-file", status.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(read(&path.join("out")), Issuer::token(1));
    assert!(ended.last_line().contains("all secrets are written"), "{ended:#?}");
    assert!(!path.join("told").exists());
    let status: serde_json::Value = serde_json::from_str(&read(&status)).unwrap();
    assert_eq!((&status["secrets"]["token"]["state"], issuer.calls().len()), (&json!("fresh"), 1));
}

#[test]
fn a_secret_that_leads_nowhere_is_said_and_a_variable_that_is_not_set_ends_the_task() {
    let directory = tempfile::tempdir().unwrap();
    let source = "vault-kv: {url: 'http://127.0.0.1:1', login: {token: {env: NOT_SET_ANYWHERE}}, path: a/b}";
    let ended = once(directory.path(), &format!("secrets:\n- name: token\n  source: {{{source}}}\n"), &[]);
    ended.ended_with(78, "reason=config last=\"secret token: variable NOT_SET_ANYWHERE is not set\"");
    ended.message("the secret has no outputs, so it is written to no file");
}

#[test]
fn a_refusal_ends_at_once_and_a_bad_answer_too() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    let echo = json!({"error": "invalid_client", "error_description": "not today"});
    issuer.answer(Reply::json(401, &echo));
    once(path, &config(path, &issuer), &[]).ended_with(77, "reason=denied last=\"secret token:");
    for life in [json!(0), json!(-5), json!("soon")] {
        issuer.answer(Reply::json(200, &json!({"access_token": MARK, "expires_in": life})));
        once(path, &config(path, &issuer), &[]).ended_with(65, "reason=data last=\"secret token:");
    }
    assert!(!path.join("out").exists());
}

#[test]
fn a_store_that_is_down_is_tried_until_the_timeout() {
    let (directory, mut issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    issuer.go_down();
    let ended = once(path, &config(path, &issuer), &["--timeout", "7s"]);
    ended.ended_with(124, "reason=timed-out what=\"token\" last=");
    assert!(ended.last_line().contains("attempts=2"), "{ended:#?}");
}

#[test]
fn a_store_that_comes_back_in_time_is_used() {
    let (directory, mut issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    issuer.go_down();
    let mut program = Program::start(configured(path, &config(path, &issuer)).arg("--once"));
    program.wait_for_line("cannot refresh");
    issuer.come_back();
    let ended = program.end();
    assert_silence(&ended, path);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.elapsed < Duration::from_secs(9), "{ended:#?}");
    assert_eq!(read(&path.join("out")), Issuer::token(1));
}

#[test]
fn a_stop_ends_a_call_that_hangs_at_once() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    issuer.answer(Reply::Silence);
    let program = Program::start(configured(path, &config(path, &issuer)).arg("--once"));
    harness::until("the issuer is asked", || (!issuer.calls().is_empty()).then_some(()));
    program.signal(Signal::TERM);
    let ended = program.end();
    ended.ended_with(143, "reason=stopped");
    assert!(ended.elapsed < Duration::from_secs(9), "{ended:#?}");
}

#[test]
fn a_secret_is_fetched_after_the_one_that_it_builds_on() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    let (place, source) = (path.display(), issuer.source());
    let second = source.replace("value:", "headers: {X-Token: {secret: first}}, value:");
    let config = format!(
        "secrets:\n- name: second\n  source: {second}\n  outputs: [{{file: {place}/second}}]\n\
         - name: first\n  source: {source}\n  outputs: [{{file: {place}/first}}]\n"
    );
    assert_eq!(once(path, &config, &[]).code, Some(0));
    assert_eq!((read(&path.join("first")), read(&path.join("second"))), (Issuer::token(1), Issuer::token(2)));
}

#[test]
fn a_place_that_others_can_change_is_refused_before_a_token_is_asked_for() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let (path, open) = (directory.path(), directory.path().join("open"));
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let source = issuer.source();
    let config =
        format!("secrets:\n- {{name: token, source: {source}, outputs: [{{file: {}/out}}]}}\n", open.display());
    let ended = once(path, &config, &[]);
    assert_eq!((ended.code, issuer.calls().len()), (Some(78), 0), "{ended:#?}");
}
