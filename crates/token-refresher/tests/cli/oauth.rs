//! The source `oauth2` before a strict issuer.

#[path = "../../src/source/oauth2/tests/issuer.rs"]
mod issuer;

use std::fs;

use harness::{Ended, HttpServer, Program, Reply};
use serde_json::json;
use tempfile::TempDir;

use self::issuer::{CLIENT, Fault, Issuer, KEY, SECRET, SEED};
use crate::support::{assert_silence, refresher};

/// A directory with the client's secret and a refresh token, for the configuration and the output
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [("secret", SECRET), ("seed", SEED), ("key", KEY)] {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

/// The end of `--once`, which prints no secret; `variable` is one of the environment
fn once(directory: &TempDir, source: &serde_json::Value, variable: Option<(&str, String)>) -> Ended {
    let path = directory.path().join("secrets.yaml");
    let output = json!({"file": directory.path().join("token"), "value": "access_token"});
    // JSON is YAML.
    let config = json!({"secrets": [{"name": "api", "source": {"oauth2": source}, "outputs": [output]}]});
    fs::write(&path, config.to_string()).unwrap();
    let mut command = refresher();
    command.args(["--once", "--timeout", "30s", "--health-addr", "127.0.0.1:0", "--config"]).arg(path);
    let ended = Program::start(command.envs(variable)).end();
    assert_silence(&ended, directory.path());
    ended
}

fn token(directory: &TempDir) -> String {
    fs::read_to_string(directory.path().join("token")).unwrap()
}

#[test]
fn a_token_is_written_after_an_outage() {
    let (issuer, directory) = (Issuer::start(), directory());
    issuer.next(Fault::Reply(Reply::Answer(503, vec![("Retry-After", "1".into())], SECRET.into())));
    issuer.next(Fault::Lost);
    let settings = issuer.settings(&json!({"client-secret": {"file": directory.path().join("secret")}}));
    let ended = once(&directory, &settings, None);
    assert_eq!(ended.code, Some(0), "{}", ended.everything());
    assert_eq!((token(&directory), issuer.requests()), ("token-1".into(), 3));
}

#[test]
fn a_refusal_ends_the_task() {
    let (issuer, directory) = (Issuer::start(), directory());
    issuer.state().rotates = false;
    fs::write(directory.path().join("secret"), "not-hunter2").unwrap();
    let settings = issuer.settings(&json!({"client-secret": {"file": directory.path().join("secret")}}));
    let ended = once(&directory, &settings, None);
    assert_eq!(ended.code, Some(77), "{}", ended.everything());
    assert!(ended.everything().contains("invalid_client"));
    issuer.state().answer = json!({"token_type": "mac"});
    let key = json!({"key": {"file": directory.path().join("key")}, "key-id": "k1"});
    let ended = once(&directory, &issuer.settings(&json!({"private-key": key})), None);
    assert!(ended.everything().contains("its token_type is not Bearer"), "{}", ended.everything());
    assert_ne!(ended.code, Some(0));
    assert!(!directory.path().join("token").exists());
}

#[test]
fn the_next_process_goes_on_with_the_rotated_token() {
    let (issuer, directory) = (Issuer::start(), directory());
    let settings = issuer.settings(&json!({
        "client-secret": {"file": directory.path().join("secret")},
        "refresh-token": {"file": directory.path().join("seed")},
        "rotated-token-file": directory.path().join("rotated"),
    }));
    for number in 0..3 {
        let ended = once(&directory, &settings, None);
        assert_eq!(ended.code, Some(0), "{}", ended.everything());
        assert_eq!(token(&directory), format!("token-{number}"));
    }
    // A server that sees the seed again revokes everything.
    fs::remove_file(directory.path().join("rotated")).unwrap();
    assert_eq!(once(&directory, &settings, None).code, Some(77));
    assert_eq!(issuer.state().refresh_token, None);
}

#[test]
fn a_proxy_of_the_environment_is_used_where_the_url_asks_for_it() {
    let directory = directory();
    let answer = |_: &_| Reply::json(200, &json!({"access_token": "by-proxy", "token_type": "Bearer"}));
    let proxy = HttpServer::start(answer);
    let source = |options: &str| {
        let secret = json!({"file": directory.path().join("secret")});
        let endpoint = format!("http://issuer.invalid/token{options}");
        json!({"token-endpoint": endpoint, "insecure-http": true, "client-id": CLIENT, "client-secret": secret})
    };
    let variable = || Some(("HTTP_PROXY", proxy.url("")));
    let ended = once(&directory, &source("#env-proxy"), variable());
    assert_eq!(ended.code, Some(0), "{}", ended.everything());
    assert_eq!(proxy.asked()[0].path, "http://issuer.invalid/token");
    let mut command = refresher();
    fs::write(directory.path().join("plain.yaml"), {
        let output = json!({"file": directory.path().join("other")});
        json!({"secrets": [{"name": "api", "source": {"oauth2": source("")}, "outputs": [output]}]}).to_string()
    })
    .unwrap();
    command.args(["--once", "--timeout", "2s", "--health-addr", "127.0.0.1:0", "--config"]);
    command.arg(directory.path().join("plain.yaml")).envs(variable());
    let ended = Program::start(&mut command).end();
    assert_silence(&ended, directory.path());
    assert_eq!((ended.code, proxy.asked().len()), (Some(124), 1), "{}", ended.everything());
}
