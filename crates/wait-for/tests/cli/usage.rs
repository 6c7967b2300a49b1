//! Bad input: the exact message for each mistake, and the help. `UPDATE_SNAPSHOTS=1` rewrites the
//! snapshots.

use std::path::Path;

use harness::{UNTOUCHED, end_with_message};

use crate::support::{Program, run, wait_for};

const SNAPSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/snapshots");

/// Compares with `snapshots/NAME.txt`.
#[track_caller]
fn assert_snapshot(name: &str, text: &str) {
    harness::assert_snapshot(Path::new(SNAPSHOTS), name, text);
}

#[track_caller]
fn assert_usage_error(name: &str, arguments: &[&str]) {
    harness::assert_usage_error(Path::new(SNAPSHOTS), name, &run(arguments));
}

#[test]
fn help_is_printed_on_stdout() {
    for flag in ["--help", "-h"] {
        let ended = run(&[flag]);
        assert_eq!((ended.code, ended.log.len()), (Some(0), 0), "{ended:#?}");
        assert_snapshot(flag.trim_start_matches('-'), &ended.stdout);
    }
}

#[test]
fn the_short_help_fits_on_a_screen_and_names_only_flags_that_there_are() {
    harness::assert_summary(&run(&["-h"]).stdout, &run(&["--help"]).stdout);
}

/// clap breaks lines at the width of the terminal, or else at that of COLUMNS.
#[test]
fn a_narrow_terminal_breaks_no_example() {
    let ended = Program::start(wait_for(&["--help"]).env("COLUMNS", "40")).end();
    let example = "  wait-for --timeout 2m tcp://cache:6379 'https://api:8443/healthz#status=200&stable=3' -- /app";
    assert!(ended.stdout.lines().any(|line| line == example), "{}", ended.stdout);
    let about = "Wait until every target is ready, then exit 0 or become COMMAND";
    assert!(!ended.stdout.contains(about), "the rest is broken: {}", ended.stdout);
}

#[test]
fn completions_are_printed_and_leave_no_termination_message() {
    for (shell, part) in [("bash", "complete -o"), ("zsh", "#compdef wait-for"), ("fish", "complete -c wait-for")] {
        let (ended, message) = end_with_message(&wait_for(&["completions", shell]));
        assert_eq!((ended.code, ended.log.len(), &*message), (Some(0), 0, UNTOUCHED), "{ended:#?}");
        assert!(ended.stdout.contains(part), "{}", ended.stdout);
    }
    for arguments in [&["completions", "csh"][..], &["completions"]] {
        let (ended, message) = end_with_message(&wait_for(arguments));
        assert_eq!((ended.code, &*ended.stdout, &*message), (Some(64), "", UNTOUCHED), "{ended:#?}");
    }
}

#[test]
fn the_version_is_printed_on_stdout() {
    let ended = run(&["--version"]);
    let version = concat!("wait-for ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((ended.code, ended.stdout.as_str(), ended.log.len()), (Some(0), version, 0));
}

#[test]
fn no_targets() {
    assert_usage_error("no-targets", &[]);
    assert_usage_error("no-targets-but-a-command", &["--", "/app"]);
}

#[test]
fn a_target_that_is_no_url() {
    assert_usage_error("no-url", &["db:5432"]);
}

#[test]
fn a_command_without_its_dashes() {
    assert_usage_error("forgotten-dashes", &["tcp://db:5432", "echo", "hi"]);
    assert_usage_error("forgotten-dashes-before-a-flag", &["tcp://db:5432", "sh", "-c", "hunter2"]);
    assert_usage_error("forgotten-dashes-before-a-path", &["tcp://db:5432", "/app"]);
}

#[test]
fn an_unknown_scheme() {
    assert_usage_error("unknown-scheme", &["tpc://db:5432"]);
    assert_usage_error("unknown-scheme-without-a-near-one", &["zookeeper://broker:9092"]);
}

#[test]
fn a_missing_host_or_path() {
    assert_usage_error("missing-host", &["tcp://:5432"]);
    assert_usage_error("relative-path", &["file://data/ready"]);
    assert_usage_error("long-socket-path", &[&format!("unix:///{}", "x".repeat(108))]);
}

#[test]
fn a_missing_or_impossible_port() {
    assert_usage_error("missing-port", &["tcp://db"]);
    assert_usage_error("port-0", &["tcp://db:0"]);
    assert_usage_error("port-65536", &["tcp://db:65536"]);
    assert_usage_error("port-no-number", &["tcp://db:postgres"]);
}

#[test]
fn an_option_that_there_is_not() {
    assert_usage_error("unknown-option", &["https://api/#insecure&statsu=200"]);
    assert_usage_error("unknown-option-without-a-near-one", &["tcp://db:5432#user=app"]);
    assert_usage_error("unknown-flag", &["--timout", "5m", "tcp://db:5432"]);
}

#[test]
fn an_option_that_needs_another() {
    assert_usage_error("tls-option-without-tls", &["http://api/#ca=/certs/ca.pem"]);
    assert_usage_error("tls-option-without-tls-of-a-database", &["mysql://db#ca=/certs/ca.pem"]);
    assert_usage_error("query-and-table", &["postgres://db#query=SELECT 1&table=users"]);
    assert_usage_error("schema-without-a-question", &["postgres://db#schema=app"]);
    assert_usage_error("cert-without-key", &["https://api/#insecure&cert=/certs/tls.crt"]);
    assert_usage_error("run-anyway-without-a-command", &["--run-anyway", "tcp://db:5432"]);
}

#[test]
fn an_option_whose_value_is_wrong() {
    for (name, target) in [
        ("bad-status-range", "http://api/#status=299-200"),
        ("bad-status", "http://api/#status=2xx"),
        ("bad-method", "http://api/#method=get"),
        ("bad-header", "http://api/#header=Authorization"),
        ("bad-regex", "http://api/#body-regex=("),
        ("bad-json", "http://api/#json=status"),
        ("bad-redirects", "http://api/#redirects=51"),
        ("bad-resolve", "http://api/#resolve=db"),
        ("bad-sni", "https://api/#insecure&sni=no name"),
        ("bad-stable", "tcp://db:1#stable=0"),
        ("bad-duration", "tcp://db:1#hold=100"),
        ("bad-attempt-timeout", "tcp://db:1#attempt-timeout=0"),
        ("zero-interval-of-a-target", "tcp://db:1#interval=0s"),
        ("bad-size", "file:///data/ready#min-size=big"),
        ("bad-mode", "file:///data/ready#mode=rw"),
        ("bad-dns-type", "dns://db#type=MX"),
        ("bad-dns-min", "dns://db#min=0"),
        ("bad-tls", "redis://cache#tls=maybe"),
        ("bad-query", "postgres://db#query="),
        ("bad-migration-tool", "postgres://db#migration=flywya:12"),
        ("bad-migration-version", "postgres://db#migration=flyway:V12__users"),
        ("bad-switch", "tcp://db:1#not=maybe"),
        ("option-twice", "tcp://db:1#hold=1s&hold=2s"),
    ] {
        assert_usage_error(name, &[target]);
    }
}

#[test]
fn a_flag_whose_value_is_wrong() {
    assert_usage_error("bad-timeout", &["--timeout", "5 minutes", "tcp://db:5432"]);
    assert_usage_error("zero-attempt-timeout", &["--attempt-timeout", "0s", "tcp://db:5432"]);
    assert_usage_error("zero-interval", &["--interval", "0", "tcp://db:5432"]);
    assert_usage_error("zero-stable", &["--stable", "0", "tcp://db:5432"]);
    assert_usage_error("bad-output", &["--output", "yaml", "tcp://db:5432"]);
    assert_usage_error("bad-proxy", &["--proxy", "http://proxy:3128", "tcp://db:5432"]);
}

#[test]
fn a_file_that_cannot_be_read() {
    for (target, what, reason) in [
        ("https://api/#ca=/none/ca.pem", "https://api/", "option ca: cannot read /none/ca.pem"),
        ("https://api/#insecure&cert=/none/c&key=/none/k", "https://api/", "option cert: cannot read /none/c"),
        ("redis://cache#password-file=/none/p", "redis://cache", "option password-file: cannot read /none/p"),
    ] {
        let words = format!(r#"reason=usage what="{what}" last="{reason}: no such file"#);
        run(&[target]).ended_with(64, &words);
    }
}

#[test]
fn a_password_in_an_argument() {
    assert_usage_error("password-in-an-argument", &["mysql://app:hunter2@db:3306/shop"]);
    assert_usage_error("password-as-an-option", &["mysql://app@db:3306/shop#password=hunter2"]);
    assert_usage_error("password-twice", &["redis://:hunter2@cache#password-file=/proc/version"]);
}
