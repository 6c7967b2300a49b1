//! Groups of `--config`: of each one, a single ready target is enough.

use harness::{config_file, config_refusal};
use serde_json::Value;

use crate::support::{
    Program, Signal, run,
    server::{ClosedPort, Silent},
    wait_for,
};

#[track_caller]
fn refusal(text: &str) -> String {
    config_refusal(text, run)
}

fn json(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap()
}

#[test]
fn one_ready_target_of_each_group_is_enough() {
    let (port, silent) = (ClosedPort::new(), Silent::new());
    let (_directory, path) = config_file(&format!(
        "targets: [file:///dev/null]\ngroups:\n  search: [{}, file:///dev/zero]\n  cache:\n  - url: file:///dev/full\n  \
           - {}\n",
        port.url(),
        silent.url()
    ));
    let ended = run(&["--config", &path, "--output", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let report = json(&ended.stdout);
    let rows: Vec<_> = report["targets"].as_array().unwrap().iter().collect();
    let states: Vec<_> = rows.iter().map(|row| (row["group"].as_str(), row["state"].as_str().unwrap())).collect();
    assert_eq!(
        states,
        [
            (None, "ready"),
            (Some("cache"), "ready"),
            (Some("cache"), "not-needed"),
            (Some("search"), "not-needed"),
            (Some("search"), "ready"),
        ]
    );
    let over = ended.message("the wait is over");
    assert_eq!((&over["ready"], &over["targets"]), (&3.into(), &3.into()));
    let ready: Vec<_> =
        ended.messages("ready").into_iter().map(|line| line["group"].as_str().map(str::to_owned)).collect();
    assert!(ready.contains(&Some("search".into())) && ready.contains(&None), "{ready:?}");
}

#[test]
fn a_group_without_a_ready_target_is_missing_by_its_name() {
    let (one, other) = (ClosedPort::new(), ClosedPort::new());
    let (_directory, path) =
        config_file(&format!("targets: [file:///dev/null]\ngroups: {{search: [{}, {}]}}\n", one.url(), other.url()));
    let ended = run(&["--config", &path, "--timeout", "1s"]);
    let words = format!(r#"reason=timed-out what="group search" last="{}: connection refused""#, one.url());
    ended.ended_with(124, &words);
}

#[test]
fn a_group_ends_the_wait_once_none_of_its_targets_ever_will_be_ready() {
    let port = ClosedPort::new();
    let (_directory, path) =
        config_file(&format!("groups:\n  search: ['postgres://127.0.0.1:1#password-file=/none', {}]\n", port.url()));
    // A target that waits keeps the hope of its group.
    let mut program = Program::start(&mut wait_for(&["--config", &path]));
    let line = program.wait_for_message("will not become ready");
    assert_eq!((&line["level"], &line["group"]), (&"WARN".into(), &"search".into()));
    program.signal(Signal::TERM);
    program.end().ended_with(143, &format!(r#"reason=stopped what="group search" last="{}: "#, port.url()));

    let (_directory, path) = config_file(
        "groups:\n  search: ['postgres://127.0.0.1:1#password-file=/none', 'mysql://127.0.0.1:1#password-file=/none']\n",
    );
    run(&["--config", &path]).ended_with(64, r#"reason=usage what="group search" last="#);
}

#[test]
fn with_any_one_group_is_enough() {
    let port = ClosedPort::new();
    let (_directory, path) =
        config_file(&format!("targets: ['{0}']\ngroups: {{search: ['{0}', file:///dev/null]}}\n", port.url()));
    assert_eq!(run(&["--any", "--config", &path]).code, Some(0));
}

#[test]
fn an_empty_list_of_targets_beside_groups_is_none() {
    let (_directory, path) = config_file("targets: []\ngroups: {search: [file:///dev/null]}\n");
    assert_eq!(run(&["--config", &path]).code, Some(0));
}

#[test]
fn what_is_wrong_about_a_group_is_told_with_line_and_column() {
    let name = "the name of a group has 1 to 64 letters, digits, dots, hyphens and underscores";
    for (text, said) in [
        ("groups: {search: []}\n", "1:18: no targets: name one, such as tcp://db:5432"),
        ("groups: {'my search': [tcp://db:1]}\n", &format!("1:10: {name}")),
        ("groups:\n  search: [tcp://db]\n", "2:12: the port is missing: write tcp://db:PORT"),
        ("groups: {a: [tcp://db:1], a: [tcp://db:2]}\n", "1:27: this key is given twice"),
        ("groups: [tcp://db:1]\n", "1:9: this is a list; write a map"),
        ("groups: {}\n", "1:1: no targets: name one, such as tcp://db:5432"),
        ("groups: {search: tcp://db:1}\n", "1:18: expected a list: begin each entry with -"),
    ] {
        assert!(refusal(text).starts_with(said), "{text}: {}", refusal(text));
    }
    let many = vec!["tcp://db:1"; 600].join(", ");
    let said = refusal(&format!("targets: [{many}]\ngroups: {{search: [{many}]}}\n"));
    assert!(said.ends_with("at most 1000 targets"), "{said}");
}
