//! Settings from variables.

use serde_json::Value;

use crate::support::{
    Ended, Program,
    server::{ClosedPort, Server, hold},
    wait_for,
};

#[track_caller]
fn run_with(variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    Program::start(wait_for(arguments).envs(variables.iter().copied())).end()
}

#[test]
fn targets_come_from_a_variable_one_a_line() {
    // As a YAML block writes it, with a line's end behind the last.
    let targets = "file:///dev/null\n\n  file:///dev/zero  \n";
    let ended = run_with(&[("SIDEKIT_WAIT_FOR_TARGETS", targets)], &[]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.message("the wait is over")["ready"], 2);
}

#[test]
fn an_empty_variable_is_none() {
    let ended = run_with(&[("SIDEKIT_WAIT_FOR_TARGETS", "")], &[]);
    ended.ended_with(64, "reason=usage last=\"no targets: name one");
}

#[test]
fn targets_of_the_command_line_go_before_those_of_the_variable() {
    let ended = run_with(&[("SIDEKIT_WAIT_FOR_TARGETS", "file:///none")], &["file:///dev/null"]);
    assert_eq!(ended.message("the wait is over")["targets"], 1);
}

#[test]
fn every_flag_has_a_variable() {
    let port = ClosedPort::new();
    let server = Server::start(|stream, _| hold(stream));
    let variables = [
        ("SIDEKIT_WAIT_FOR_TIMEOUT", "1500ms"),
        ("SIDEKIT_WAIT_FOR_ATTEMPT_TIMEOUT", "700ms"),
        ("SIDEKIT_WAIT_FOR_INTERVAL", "20ms"),
        ("SIDEKIT_WAIT_FOR_STABLE", "3"),
        ("SIDEKIT_WAIT_FOR_ANY", "yes"),
        ("SIDEKIT_WAIT_FOR_NOT", "off"),
        ("SIDEKIT_WAIT_FOR_RETRY_ALL", "1"),
        ("SIDEKIT_WAIT_FOR_RUN_ANYWAY", "false"),
        ("SIDEKIT_WAIT_FOR_PROXY", "env"),
        ("SIDEKIT_WAIT_FOR_OUTPUT", "json"),
        ("SIDEKIT_LOG_FORMAT", "json"),
        ("SIDEKIT_LOG_LEVEL", "info"),
    ];
    let ended = run_with(&variables, &[&port.url(), &server.url("tcp")]);
    assert_eq!(ended.json()["state"], "ready");
    let line = ended.message("wait-for starts");
    for (name, value) in [
        ("timeout", "1500ms".into()),
        ("attempt-timeout", "700ms".into()),
        ("interval", "20ms".into()),
        ("stable", "3".into()),
        ("any", true.into()),
        ("not", Value::Null),
        ("retry-all", true.into()),
        ("proxy", "env".into()),
        ("run-anyway", Value::Null),
    ] {
        assert_eq!(line[name], value, "{name} in {line}");
    }
}

#[test]
fn a_flag_goes_before_its_variable() {
    let ended = run_with(&[("SIDEKIT_WAIT_FOR_TIMEOUT", "1h")], &["--timeout", "200ms", "file:///none"]);
    assert_eq!(ended.code, Some(124));
}

#[test]
fn a_misspelt_variable_is_refused() {
    let ended = run_with(&[("SIDEKIT_WAIT_FOR_TIMEOUTT", "1h")], &["file:///dev/null"]);
    let words = "unknown variable SIDEKIT_WAIT_FOR_TIMEOUTT; did you mean SIDEKIT_WAIT_FOR_TIMEOUT?";
    ended.ended_with(64, &format!(r#"reason=usage last="{words}""#));
}

#[test]
fn variables_of_other_helpers_and_of_services_are_nobodys_business() {
    let variables = [("SIDEKIT_PROXY_LISTEN", ":80"), ("WAIT_FOR_PORT", "tcp://10.0.0.1:80"), ("TIMEOUT", "odd")];
    assert_eq!(run_with(&variables, &["file:///dev/null"]).code, Some(0));
}

#[test]
fn a_variable_that_is_wrong_is_named() {
    let ended = run_with(&[("SIDEKIT_WAIT_FOR_TIMEOUT", "5 minutes")], &["file:///dev/null"]);
    assert_eq!(ended.code, Some(64), "{ended:#?}");
    assert!(ended.last_line().contains("write it as 250ms, 10s, 5m or 1h30m"), "{ended:#?}");
}
