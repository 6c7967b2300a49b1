//! `check`: every fault of a configuration, before anything is asked.

use harness::Program;

use crate::support::{configured, refresher};

fn faults(config: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    configured(directory.path(), config);
    let ended =
        Program::start(refresher().args(["check", "--no-files"]).arg(directory.path().join("secrets.yaml"))).end();
    assert!(matches!(ended.code, Some(0 | 78)), "{ended:#?}");
    ended.everything()
}

fn source(base: &str) -> String {
    format!("{{http: {{url: \"http://127.0.0.1:1/\", headers: {{X-A: {{secret: {base}}}}}}}}}")
}

#[test]
fn a_circle_is_named() {
    let entry = |name: &str, base: &str| format!("- {{name: {name}, source: {}}}\n", source(base));
    let text = faults(&format!("secrets:\n{}{}{}", entry("a", "b"), entry("b", "c"), entry("c", "a")));
    assert!(text.contains("secrets build on each other in a circle: a → b → c → a"), "{text}");
    let text = faults(&format!("secrets:\n{}", entry("a", "a")));
    assert!(text.contains("in a circle: a → a"), "{text}");
    let text = faults(&format!("secrets:\n{}", entry("a", "none")));
    assert!(text.contains("it builds on a secret that is not in this file"), "{text}");
}

#[test]
fn names_places_shares_and_ways_are_judged() {
    let file = "source: {file: {path: /tmp/in}}";
    for (config, fault) in [
        (format!("[{{name: a, {file}}}, {{name: a, {file}}}]"), "an earlier secret has this name"),
        (format!("[{{name: A, {file}}}]"), "a name has at most 63 small letters"),
        (
            format!("[{{name: a, {file}, outputs: [{{file: /run/x}}, {{file: /run/x}}]}}]"),
            "an earlier output writes to the same place",
        ),
        (format!("[{{name: a, {file}, refresh-at: 1.5}}]"), "write a share of the life from 0.1 to 0.95, such as 0.8"),
        (format!("[{{name: a, {file}, refresh-at: 80%}}]"), "write a share of the life from 0.1 to 0.95, such as 0.8"),
        (
            format!("[{{name: a, {}, login: kubernetes, path: a/b}}}}}}]", "source: {vault-kv: {url: http://v"),
            "expected a map",
        ),
        (
            format!("[{{name: a, {}, login: {{token: hunter2}}, path: a/b}}}}}}]", "source: {vault-kv: {url: http://v"),
            "the place of the secret, not the secret itself",
        ),
        (
            format!("[{{name: a, {}, login: {{cert: {{}}}}}}}}}}]", "source: {vault-login: {url: http://v/v1"),
            "without /v1",
        ),
        (format!("[{{name: a, {file}, refresh-every: 1ms}}]"), "at least 1s"),
        (format!("[{{name: a, {file}, tell: [{{signal: HUP}}]}}]"), "a signal needs a process"),
        (format!("[{{name: a, {file}, on-expired: never}}]"), "there are keep, delete, unready"),
    ] {
        let text = faults(&format!("secrets: {config}\n"));
        assert!(text.contains(fault), "{fault} in {text}");
    }
    let text = faults(&format!("secrets: [{{name: a, {file}, refresh-at: 0.5, refresh-every: 1m}}]\n"));
    assert!(text.contains("ok") || text.is_empty(), "{text}");
}

#[test]
fn relative_paths_of_flags_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for flag in ["--state-dir", "--status-file"] {
        let config = "secrets: [{name: a, source: {file: {path: /tmp/in}}}]\n";
        let ended = Program::start(configured(directory.path(), config).args([flag, "some/where"])).end();
        ended.ended_with(64, &format!("reason=usage last=\"{flag} needs"));
    }
}
