//! The source `kubernetes-token` before an API server of the test.

use std::{fs, path::Path};

use harness::{Ended, HttpServer, Program, Reply};
use serde_json::json;

use crate::support::{assert_silence, refresher};

/// A task that gets a token of the service account `billing` with the own token `hunter2`.
fn ask(directory: &Path, server: &HttpServer) -> Ended {
    let own = directory.join("own");
    fs::write(&own, "hunter2").unwrap();
    let source = json!({"kubernetes-token": {
        "service-account": "billing", "namespace": "shop", "audiences": ["vault"], "expiration": "10m",
        "url": server.url("/"), "token": {"file": own},
    }});
    let secret = json!({"name": "token", "source": source, "outputs": [{"file": directory.join("token")}]});
    let config = directory.join("secrets.yaml");
    fs::write(&config, json!({"secrets": [secret]}).to_string()).unwrap();
    let ended = Program::start(refresher().arg("--once").arg("--config").arg(config)).end();
    assert_silence(&ended, directory);
    ended
}

#[test]
fn a_task_writes_the_token_of_a_service_account() {
    let server = HttpServer::start(|_| {
        let status = json!({"token": "eyJ.a.b", "expirationTimestamp": "2100-01-01T00:00:00Z"});
        Reply::json(201, &json!({"kind": "TokenRequest", "status": status}))
    });
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(ask(directory.path(), &server).code, Some(0));
    assert_eq!(fs::read_to_string(directory.path().join("token")).unwrap(), "eyJ.a.b");
    assert_eq!(server.asked()[0].header("authorization"), Some("Bearer hunter2"));
}

#[test]
fn a_missing_right_ends_the_task_with_its_remedy() {
    let server = HttpServer::start(|_| Reply::json(403, &json!({"kind": "Status", "message": "no, hunter2"})));
    let directory = tempfile::tempdir().unwrap();
    let end = ask(directory.path(), &server);
    assert_eq!(end.code, Some(77));
    let log = format!("{:?}", end.log);
    assert!(log.contains("the verb create on serviceaccounts/token"), "{log}");
    assert_eq!(server.asked().len(), 1);
}
