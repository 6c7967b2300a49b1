//! A configuration that changes, and SIGHUP.

use std::{fs, path::Path};

use harness::{Reply, Signal, http, until};

use crate::{
    issuer::Issuer,
    support::{Refresher, until_content},
};

fn entry(directory: &Path, name: &str, issuer: &Issuer) -> String {
    let (path, source) = (directory.display(), issuer.source());
    format!("- name: {name}\n  source: {source}\n  outputs: [{{file: {path}/{name}}}]\n")
}

fn replace(directory: &Path, config: &str) {
    fs::write(directory.join("next.yaml"), config).unwrap();
    fs::rename(directory.join("next.yaml"), directory.join("secrets.yaml")).unwrap();
}

#[test]
fn secrets_come_and_go_and_the_others_keep_their_state() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (kept, old, new) = (Issuer::start(600), Issuer::start(600), Issuer::start(600));
    let config = format!("secrets:\n{}{}", entry(path, "kept", &kept), entry(path, "old", &old));
    let refresher = Refresher::start(path, &config);
    http::until_status(refresher.health, "/readyz", 200);
    replace(path, &format!("secrets:\n{}{}", entry(path, "kept", &kept), entry(path, "new", &new)));
    until_content(&path.join("new"), &Issuer::token(1));
    refresher.until_check("new", "[+]new ok: fresh");
    let body = http::get(refresher.health, "/readyz?verbose").body;
    assert!(!body.contains("]old "), "{body}");
    assert_eq!(refresher.metric("refreshes_total{secret=\"old\"}"), None);
    assert_eq!((kept.calls().len(), old.calls().len(), new.calls().len()), (1, 1, 1));
    refresher.stop();
}

#[test]
fn a_secret_that_changes_goes_on_with_the_same_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (first, second) = (Issuer::start(600), Issuer::start(600));
    let refresher = Refresher::start(path, &format!("secrets:\n{}", entry(path, "token", &first)));
    http::until_status(refresher.health, "/readyz", 200);
    replace(path, &format!("secrets:\n{}", entry(path, "token", &second)));
    until("the second issuer is asked", || (second.calls().len() == 1).then_some(()));
    refresher.until_check("token", "[+]token ok: fresh");
    refresher.stop();
}

#[test]
fn another_file_gets_the_value_that_is_valid_while_the_store_is_down() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    let config = format!("secrets:\n{}", entry(path, "token", &issuer));
    let refresher = Refresher::start(path, &config);
    http::until_status(refresher.health, "/readyz", 200);
    issuer.answer(Reply::Answer(503, vec![("Retry-After", "300".into())], String::new()));
    replace(path, &config.replace("/token}", "/moved}"));
    until_content(&path.join("moved"), &Issuer::token(1));
    refresher.until_check("token", "[+]token ok: stale, 9m left");
    assert_eq!(issuer.calls().len(), 2);
    // The server has asked for a pause, which no reload ends.
    fs::remove_file(path.join("token")).unwrap();
    replace(path, &config);
    until_content(&path.join("token"), &Issuer::token(1));
    assert_eq!(issuer.calls().len(), 2);
    refresher.stop();
}

#[test]
fn a_wrong_configuration_changes_nothing() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    let mut refresher = Refresher::start(path, &format!("secrets:\n{}", entry(path, "token", &issuer)));
    http::until_status(refresher.health, "/readyz", 200);
    replace(path, "secrets: [{name: token}]\n");
    refresher.program.wait_for_line("new configuration refused");
    assert!(refresher.check("token").contains("fresh"));
    refresher.stop();
}

#[test]
fn sighup_asks_again() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    let refresher = Refresher::start(path, &format!("secrets:\n{}", entry(path, "token", &issuer)));
    http::until_status(refresher.health, "/readyz", 200);
    refresher.program.signal(Signal::HUP);
    until_content(&path.join("token"), &Issuer::token(2));
    refresher.stop();
}
