//! Flags and variables, and what is said about wrong ones.

use crate::support::{Ended, NEVER, Program, end, sidecar, sidecar_command, task};

fn with_variable(name: &str, value: &str) -> Ended {
    let mut command = task(&[]);
    end({
        command.env(name, value);
        command
    })
}

#[test]
fn help_and_version_are_answers() {
    for flag in ["--help", "-h", "--version", "-V"] {
        for command in [task(&[flag]), sidecar_command(&[flag])] {
            let ended = end(command);
            assert_eq!((ended.code, ended.log.len()), (Some(0), 0), "{ended:#?}");
            assert!(!ended.stdout.is_empty());
        }
    }
}

#[test]
fn help_begins_with_what_the_helper_is_for() {
    let help = end(sidecar_command(&["--help"])).stdout;
    assert!(help.starts_with("Stand beside an app and say a greeting\n"), "{help}");
    for words in ["Usage: test-sidecar", "Flags every helper carries", "--health-addr", "[default: :9470]", "probe"] {
        assert!(help.contains(words), "{words} in {help}");
    }
    let help = end(task(&["--help"])).stdout;
    assert!(help.starts_with("Wait for a file, then end as told\n"), "{help}");
    assert!(!help.contains("--health-addr"), "a task has no listener: {help}");
}

#[test]
fn help_names_variables_and_keeps_their_values_to_itself() {
    let mut command = task(&["--help"]);
    command.env("SIDEKIT_TEST_TASK_SECRET_FILE", "/etc/hunter2");
    let ended = end(command);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.contains("SIDEKIT_TEST_TASK_SECRET_FILE"), "{ended:#?}");
    assert!(!ended.stdout.contains("hunter2"), "{ended:#?}");
}

#[test]
fn help_is_there_for_who_has_misspelt_a_variable() {
    let mut command = task(&["--help"]);
    command.env("SIDEKIT_TEST_TASK_BUSSY", "1");
    assert_eq!(end(command).code, Some(0));
}

#[test]
fn a_wrong_command_line_is_64_and_says_what_is_wrong() {
    for (arguments, words) in [
        (&["--nope"][..], "unexpected argument '--nope'; --help lists all flags"),
        (&["--end", "well"], "invalid value for '--end <END>': write done, failed, "),
        (&["--log-level", "loud"], "write error, warn, info, debug or trace"),
        (&["--log-level"], "'--log-level <LEVEL>' needs a value"),
        (&["--secret-file", NEVER], "cannot read /nowhere/at-all: no such file or directory"),
        (&["probe"], "unexpected argument, which belongs to no flag"),
    ] {
        let ended = end(task(arguments));
        ended.ended_with(64, "reason=usage");
        assert!(ended.last_line().contains(words), "{words}: {ended:#?}");
    }
}

#[test]
fn what_is_missing_is_named_in_the_last_line() {
    let ended = end(sidecar_command(&["check"]));
    ended.ended_with(64, "reason=usage");
    assert!(ended.last_line().contains("no file to check: write check FILE"), "{ended:#?}");
}

#[test]
fn a_duration_is_read_by_the_one_parser() {
    let ended = end(sidecar(&["--shutdown-timeout", "5 s"]));
    ended.ended_with(64, "reason=usage");
    assert!(ended.last_line().contains("is not a duration: write it as 250ms, 10s, 5m or 1h30m"), "{ended:#?}");
}

#[test]
fn a_misspelt_variable_is_64_and_names_the_nearest() {
    let ended = with_variable("SIDEKIT_TEST_TASK_AFTERFILE", "x");
    ended.ended_with(64, "reason=usage");
    let hint = "unknown variable SIDEKIT_TEST_TASK_AFTERFILE; did you mean SIDEKIT_TEST_TASK_AFTER_FILE?";
    assert!(ended.last_line().contains(hint), "{ended:#?}");
}

#[test]
fn variables_of_others_are_left_alone() {
    for name in ["SIDEKIT_PROXY_LISTEN", "TEST_TASK_PORT", "SIDEKIT_LOG_FORWARDER_TO", "SIDEKIT_TEST_TASK_DB_PORT"] {
        assert_eq!(with_variable(name, "tcp://10.0.0.1:80").code, Some(0), "{name}");
    }
}

#[test]
fn a_misspelt_shared_variable_is_64_too() {
    let ended = with_variable("SIDEKIT_LOG_LEVLE", "debug");
    ended.ended_with(64, "reason=usage");
    assert!(ended.last_line().contains("did you mean SIDEKIT_LOG_LEVEL?"), "{ended:#?}");
}

/// A variable of each sort that a flag can have: switch, enum, word, path, with a parser, shared
const SORTS: [&str; 7] = [
    "TEST_TASK_BUSY",
    "TEST_TASK_END",
    "TEST_TASK_LAST",
    "TEST_TASK_AFTER_FILE",
    "TEST_TASK_OPENED",
    "LOG_LEVEL",
    "LOG_FORMAT",
];

#[test]
fn an_empty_variable_counts_as_not_set() {
    let mut command = task(&["--end", "io"]);
    command.envs(SORTS.map(|name| (format!("SIDEKIT_{name}"), "")));
    end(command).ended_with(74, "reason=io last=\"told to end so\"");
    assert_eq!(with_variable("SIDEKIT_TEST_TASK_END", "").code, Some(0));
    let mut command = sidecar(&[]);
    for name in ["HEALTH_ADDR", "ADMIN_ADDR", "ADMIN_ALLOW_REMOTE", "SHUTDOWN_TIMEOUT", "EXIT_WITH_FILE", "BOUND"] {
        command.env(format!("SIDEKIT_TEST_SIDECAR_{name}"), "");
    }
    let mut program = Program::start(&mut command);
    program.address("health");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn help_names_an_empty_variable_too() {
    let mut command = task(&["--help"]);
    command.env("SIDEKIT_TEST_TASK_LAST", "");
    assert!(end(command).stdout.contains("[env: SIDEKIT_TEST_TASK_LAST]"));
}

#[test]
fn a_wrong_value_is_told_with_its_variable() {
    for (name, value, words) in [
        ("LOG_LEVEL", "loud", "'--log-level <LEVEL> (from SIDEKIT_LOG_LEVEL)': write error, warn"),
        ("TEST_TASK_END", "well", "'--end <END> (from SIDEKIT_TEST_TASK_END)'"),
        ("TEST_TASK_BUSY", "maybe", "'--busy (from SIDEKIT_TEST_TASK_BUSY)': write true or false"),
    ] {
        let ended = with_variable(&format!("SIDEKIT_{name}"), value);
        ended.ended_with(64, "reason=usage");
        assert!(ended.last_line().contains(words), "{words}: {ended:#?}");
    }
    let mut command = task(&["--log-level", "louder"]);
    command.env("SIDEKIT_LOG_LEVEL", "loud");
    assert!(end(command).last_line().contains("invalid value for '--log-level <LEVEL>': write"));
}

#[test]
fn a_flag_goes_before_its_variable() {
    let mut command = task(&["--end", "io"]);
    command.env("SIDEKIT_TEST_TASK_END", "data");
    assert_eq!(end(command).code, Some(74));
    assert_eq!(with_variable("SIDEKIT_TEST_TASK_END", "data").code, Some(65));
}

#[test]
fn a_switch_reads_yes_and_no_in_the_usual_words() {
    for (value, busy) in [
        ("1", true),
        ("true", true),
        ("yes", true),
        ("on", true),
        ("0", false),
        ("false", false),
        ("no", false),
        ("off", false),
    ] {
        let ended = with_variable("SIDEKIT_TEST_TASK_BUSY", value);
        assert_eq!(ended.code, Some(0), "{value}: {ended:#?}");
        assert_eq!(ended.log[0].contains(r#""busy":true"#), busy, "{value}: {ended:#?}");
    }
    with_variable("SIDEKIT_TEST_TASK_BUSY", "maybe").ended_with(64, "reason=usage");
    let ended = end(task(&["--busy"]));
    assert!(ended.log[0].contains(r#""busy":true"#), "{ended:#?}");
}

#[test]
fn a_sidecars_shared_flags_have_variables_of_its_own() {
    let mut command = sidecar_command(&["--admin-addr", "127.0.0.1:0"]);
    command
        .env("SIDEKIT_TEST_SIDECAR_HEALTH_ADDR", "127.0.0.1:0")
        .env("SIDEKIT_TEST_SIDECAR_SHUTDOWN_TIMEOUT", "1h30m");
    let mut program = Program::start(&mut command);
    assert!(program.wait_for_line("starts").contains(r#""shutdown-timeout":"1h30m""#));
    assert!(program.address("health").ip().is_loopback());
}

#[test]
fn a_fault_is_said_once_in_the_format_of_the_log() {
    for (arguments, variable, is_json) in [
        (&["--nope"][..], None, true),
        (&["--log-format", "text", "--nope"], None, false),
        (&["--log-format=text", "--nope"], Some("json"), false),
        (&["--nope"], Some("text"), false),
        (&["--nope", "--", "--log-format", "text"], None, true),
    ] {
        let mut command = task(arguments);
        command.envs(variable.map(|format| ("SIDEKIT_LOG_FORMAT", format)));
        let ended = end(command);
        assert_eq!(ended.code, Some(64), "{ended:#?}");
        let words = "code=64 reason=usage last=\"unexpected argument '--nope'; --help lists all flags\"";
        assert!(ended.last_line().contains(words), "{ended:#?}");
        assert_eq!(ended.log.len(), 1, "{ended:#?}");
        assert_eq!(ended.log[0].starts_with('{'), is_json, "{arguments:?}: {ended:#?}");
    }
}

#[test]
fn no_usage_error_repeats_a_secret() {
    for arguments in [
        &["--end", "hunter2"][..],
        &["--busy=hunter2"],
        &["https://user:hunter2@h/?token=hunter2"],
        &["--password=hunter2"],
        &["--log-level", "hunter2"],
    ] {
        let ended = end(task(arguments));
        ended.ended_with(64, "reason=usage");
        assert!(!format!("{ended:?}").contains("hunter2"), "{ended:#?}");
    }
    for name in ["SIDEKIT_TEST_TASK_END", "SIDEKIT_TEST_TASK_BUSY", "SIDEKIT_LOG_FORMAT"] {
        let ended = with_variable(name, "hunter2");
        ended.ended_with(64, "reason=usage");
        assert!(!format!("{ended:?}").contains("hunter2"), "{ended:#?}");
    }
}
