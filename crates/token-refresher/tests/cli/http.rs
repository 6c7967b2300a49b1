//! The source `http`.

use std::fs;

use harness::{HttpServer, Reply, Signal, until};
use serde_json::json;

use crate::support::Refresher;

#[test]
fn a_changed_option_or_header_counts_at_a_reload() {
    let directory = tempfile::tempdir().unwrap();
    let server = HttpServer::start(|asked| {
        let said = |name| asked.header(name).unwrap_or("nothing").to_owned();
        Reply::json(200, &json!({"token": format!("{} {}", said("x-option"), said("x-key")), "ttl": 3600}))
    });
    let out = directory.path().join("out");
    let config = |option: &str, key: &str| {
        let url = server.url(&format!("/#header=X-Option: {option}"));
        let source = json!({"url": url, "headers": {"X-Key": key}, "value": "/token", "expires-in": "/ttl"});
        json!({"secrets": [{"name": "a", "source": {"http": source}, "outputs": [{"file": out}]}]}).to_string()
    };
    let refresher = Refresher::start(directory.path(), &config("one", "hunter2"));
    let becomes = |value: &str| {
        let is_there = || fs::read_to_string(&out).is_ok_and(|text| text == value).then_some(());
        until(&format!("the file holds {value}"), is_there);
    };
    becomes("one hunter2");
    for (option, key) in [("two", "hunter2"), ("two", "other-hunter2")] {
        fs::write(directory.path().join("secrets.yaml"), config(option, key)).unwrap();
        refresher.program.signal(Signal::HUP);
        becomes(&format!("{option} {key}"));
    }
    refresher.stop();
}
