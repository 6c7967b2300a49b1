//! Stores that are down, slow or wrong, and a process that was suspended.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use harness::{HttpServer, Reply, Signal, http, until};
use serde_json::json;

use crate::{
    issuer::Issuer,
    support::{Refresher, read, until_content},
};

fn config(directory: &Path, issuer: &Issuer, more: &str) -> String {
    let (path, source) = (directory.display(), issuer.source());
    format!("secrets:\n- name: token\n  source: {source}\n  outputs: [{{file: {path}/out}}]\n{more}")
}

#[test]
fn an_outage_longer_than_the_life_is_calm_and_ends_soon_after_it() {
    let (directory, mut issuer) = (tempfile::tempdir().unwrap(), Issuer::start(4));
    let path = directory.path();
    let refresher = Refresher::start(path, &config(path, &issuer, "  on-expired: unready\n"));
    http::until_status(refresher.health, "/readyz", 200);
    issuer.answer(Reply::Answer(503, Vec::new(), String::new()));
    let down = issuer.calls().len();
    http::until_status(refresher.health, "/readyz", 503);
    assert!(refresher.check("token").contains("expired"), "{}", refresher.check("token"));
    assert_eq!(refresher.metric("state{secret=\"token\",state=\"expired\"}"), Some(1.0));
    assert!(
        http::get(refresher.health, "/livez").status == 200 && http::get(refresher.health, "/startupz").status == 200
    );
    until("three more calls", || (issuer.calls().len() >= down + 4).then_some(()));
    let calls = issuer.calls();
    for pair in calls[down..].windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(4900), "{calls:?}");
    }
    issuer.set_life(600);
    issuer.answer(None);
    let back = Instant::now();
    http::until_status(refresher.health, "/readyz", 200);
    assert!(back.elapsed() < Duration::from_secs(6), "{:?}", back.elapsed());
    assert_eq!(read(&path.join("out")), Issuer::token(issuer.tokens()));
    issuer.go_down();
    let ended = refresher.stop();
    assert_eq!(ended.messages("the value has expired").len(), 1, "{ended:#?}");
}

#[test]
fn a_store_that_is_down_at_the_start_is_waited_for() {
    let (directory, mut issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    issuer.go_down();
    let refresher = Refresher::start(path, &config(path, &issuer, ""));
    refresher.until_check("token", "[-]token failed: http://127.0.0.1");
    assert_eq!(http::get(refresher.health, "/startupz").status, 503);
    issuer.come_back();
    http::until_status(refresher.health, "/readyz", 200);
    assert!(refresher.check("token").starts_with("[+]token ok: fresh, 9m left"), "{}", refresher.check("token"));
    refresher.stop();
}

#[test]
fn secrets_of_one_store_share_its_calls_while_it_is_down() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let (path, source) = (directory.path(), issuer.source());
    issuer.answer(Reply::status(503));
    let entry =
        |number| format!("- {{name: s{number}, source: {source}, outputs: [{{file: {}/{number}}}]}}\n", path.display());
    let entries: String = (0..20).map(entry).collect();
    let refresher = Refresher::start(path, &format!("secrets:\n{entries}"));
    until("three calls", || (issuer.calls().len() >= 3).then_some(()));
    let calls = issuer.calls();
    for pair in calls.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(4900), "{calls:?}");
    }
    issuer.answer(None);
    let back = Instant::now();
    http::until_status(refresher.health, "/readyz", 200);
    assert!(back.elapsed() < Duration::from_secs(6), "{:?}", back.elapsed());
    refresher.stop();
}

#[test]
fn a_short_life_does_not_wait_for_the_failures_of_other_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    // One server, at which one path fails for good
    let server = HttpServer::start(|request| match request.path.as_str() {
        "/short" => Reply::json(200, &json!({"value": "a", "expires_in": 2})),
        _ => Reply::status(503),
    });
    let entry = |name: &str| {
        let url = format!("http://{}/{name}", server.address());
        let source = format!("{{http: {{url: \"{url}\", value: /value, expires-in: /expires_in}}}}");
        format!("- {{name: {name}, source: {source}, outputs: [{{file: {}/{name}}}]}}\n", path.display())
    };
    let refresher = Refresher::start(path, &format!("secrets:\n{}{}", entry("short"), entry("broken")));
    until("five values", || (refresher.metric("refreshes_total{secret=\"short\"}") >= Some(5.0)).then_some(()));
    let ended = refresher.stop();
    assert!(ended.messages("the value has expired").is_empty(), "{ended:#?}");
}

#[test]
fn an_answer_that_breaks_off_is_a_failure_like_others() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    let half = format!("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{{\"access_token\": \"{}", Issuer::token(1));
    issuer.answer(Reply::Bytes(half));
    let refresher = Refresher::start(path, &config(path, &issuer, ""));
    until("a failure", || {
        (refresher.metric("failures_total{reason=\"unavailable\",secret=\"token\"}") == Some(1.0)).then_some(())
    });
    issuer.answer(None);
    until_content(&path.join("out"), &Issuer::token(1));
    refresher.stop();
}

#[test]
fn retry_after_is_honoured() {
    for (status, wish) in [(429, "8"), (503, "8")] {
        let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
        let path = directory.path();
        issuer.answer(Reply::Answer(status, vec![("Retry-After", wish.into())], String::new()));
        let refresher = Refresher::start(path, &config(path, &issuer, ""));
        until("a call", || (!issuer.calls().is_empty()).then_some(()));
        issuer.answer(None);
        until_content(&path.join("out"), &Issuer::token(1));
        let calls = issuer.calls();
        assert_eq!(calls.len(), 2);
        let gap = calls[1] - calls[0];
        assert!((Duration::from_secs(8)..Duration::from_secs(10)).contains(&gap), "{gap:?}");
        refresher.stop();
    }
}

#[test]
fn a_life_of_ten_years_and_one_that_is_missing_are_good_values() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(10 * 365 * 86_400));
    let path = directory.path();
    let refresher = Refresher::start(path, &config(path, &issuer, ""));
    until_content(&path.join("out"), &Issuer::token(1));
    assert!(refresher.metric("expiry_timestamp_seconds{secret=\"token\"}").is_some());
    refresher.stop();
    let issuer = Issuer::without_expiry();
    let refresher = Refresher::start(path, &config(path, &issuer, "  refresh-every: 1s\n"));
    until("a second token is written", || (read(&path.join("out")) == Issuer::token(2)).then_some(()));
    assert_eq!(refresher.metric("expiry_timestamp_seconds{secret=\"token\"}"), None);
    refresher.stop();
}

#[test]
fn a_value_that_has_expired_is_deleted_where_that_is_asked_for() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(2));
    let path = directory.path();
    let refresher = Refresher::start(path, &config(path, &issuer, "  on-expired: delete\n"));
    until("the file is there", || path.join("out").exists().then_some(()));
    issuer.answer(Reply::status(503));
    until("the file is gone", || (!path.join("out").exists()).then_some(()));
    assert_eq!(http::get(refresher.health, "/readyz").status, 200);
    issuer.set_life(600);
    issuer.answer(None);
    until("the file is there again", || path.join("out").exists().then_some(()));
    assert_eq!(read(&path.join("out")), Issuer::token(issuer.tokens()));
    refresher.stop();
}

#[test]
fn a_value_is_deleted_before_it_expires_also_while_its_store_does_not_answer() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(6));
    let path = directory.path();
    let refresher = Refresher::start(path, &config(path, &issuer, "  on-expired: delete\n  refresh-at: 0.2\n"));
    until("the file is there", || path.join("out").exists().then_some(()));
    issuer.answer(Reply::Silence);
    until("the file is gone", || (!path.join("out").exists()).then_some(()));
    let check = refresher.check("token");
    assert!(check.contains("left"), "not expired yet: {check}");
    refresher.stop();
}

#[test]
fn a_process_that_was_suspended_looks_at_the_clock() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(3));
    let path = directory.path();
    let refresher = Refresher::start(path, &config(path, &issuer, ""));
    until("the file is there", || path.join("out").exists().then_some(()));
    refresher.program.signal(Signal::STOP);
    let stopped = issuer.tokens();
    // As long as the life, which is over then
    let until_over = Instant::now() + Duration::from_secs(4);
    until("the life is over", || (Instant::now() > until_over).then_some(()));
    assert!(issuer.tokens() <= stopped + 1);
    issuer.set_life(600);
    refresher.program.signal(Signal::CONT);
    until("a new token", || (issuer.tokens() > stopped).then_some(()));
    until_content(&path.join("out"), &Issuer::token(issuer.tokens()));
    refresher.stop();
}

#[test]
fn a_directory_that_was_replaced_gets_its_files_again_with_the_next_value() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(6));
    let path = directory.path();
    fs::create_dir(path.join("run")).unwrap();
    let config = config(path, &issuer, "").replace("/out", "/run/out");
    let refresher = Refresher::start(path, &config);
    until_content(&path.join("run/out"), &Issuer::token(1));
    fs::rename(path.join("run"), path.join("old")).unwrap();
    fs::create_dir(path.join("run")).unwrap();
    until("the file is there again", || (!read(&path.join("run/out")).is_empty()).then_some(()));
    refresher.stop();
}

#[test]
fn a_refused_sidecar_is_unready_with_the_reason_and_comes_back() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    issuer.answer(Reply::json(403, &json!({"error": "no right"})));
    let refresher = Refresher::start(path, &config(path, &issuer, ""));
    refresher.until_check("token", "no right");
    assert_eq!(refresher.metric("failures_total{reason=\"refused\",secret=\"token\"}"), Some(1.0));
    issuer.answer(None);
    http::until_status(refresher.health, "/readyz", 200);
    refresher.stop();
}

#[test]
fn a_value_expires_also_while_its_store_is_silent() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(3));
    let path = directory.path();
    let refresher = Refresher::start(path, &config(path, &issuer, "  on-expired: unready\n"));
    http::until_status(refresher.health, "/readyz", 200);
    issuer.answer(Reply::Silence);
    let silent = Instant::now();
    http::until_status(refresher.health, "/readyz", 503);
    // The call itself is given up after 14 s.
    assert!(silent.elapsed() < Duration::from_secs(8), "{:?}", silent.elapsed());
    assert!(refresher.check("token").contains("expired"), "{}", refresher.check("token"));
    refresher.stop();
}

#[test]
fn a_secret_says_which_other_one_it_waits_for() {
    let (directory, mut issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    let second = "- name: second\n  source: {http: {url: \"http://127.0.0.1:1/\", body: {text: {secret: token}}}}\n";
    issuer.go_down();
    let refresher = Refresher::start(path, &config(path, &issuer, second));
    refresher.until_check("second", "[-]second failed: waits for the secret token");
    refresher.stop();
}
