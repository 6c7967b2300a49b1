//! The configuration file: `check`, `schema`, and changes while the helper runs.

use std::{fs, process::Command};

use serde_json::Value;

use crate::support::{Ended, Program, end, fifo, http, sidecar, sidecar_command};

fn check(text: &str) -> Ended {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    end(sidecar_command(&["check", "--config", file.path().to_str().unwrap()]))
}

#[test]
fn a_good_file_is_0() {
    let ended = check("greeting: hello\n");
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.ends_with(": ok\n"), "{ended:#?}");
}

#[test]
fn a_wrong_file_is_78_and_says_where() {
    for (text, words) in [
        ("greeting: hello\ngretting: hi\n", r#":2:1: unknown key \"gretting\"; did you mean greeting?"#),
        ("greeting: [1]\n", ":1:11: expected a text"),
        ("greeting: \"hello\n", ":1:11: this is not YAML: "),
        ("{}\n", r#":1:1: the key \"greeting\" is missing"#),
        ("greeting: a\ngreeting: b\n", ":2:1: this key is given twice"),
        ("", ": the file is empty: write {} for no settings"),
    ] {
        let ended = check(text);
        ended.ended_with(78, "reason=config");
        assert!(ended.last_line().contains(words), "{text:?}: {words}: {ended:#?}");
    }
}

#[test]
fn a_file_that_can_be_no_configuration_is_78() {
    for (path, words) in
        [("/nowhere/at-all", "no such file or directory"), ("/etc", "is a directory"), ("/dev/zero", "it is a device")]
    {
        let ended = end(sidecar_command(&["check", "--config", path]));
        ended.ended_with(78, &format!("reason=config last=\"cannot read {path}: "));
        assert!(ended.last_line().contains(words), "{ended:#?}");
    }
    check(&"x".repeat((1 << 20) + 1)).ended_with(78, "reason=config");
}

#[test]
fn a_file_that_would_hang_the_check_is_78() {
    let (_directory, fifo) = fifo();
    let ended = end(sidecar_command(&["check", "--config", &fifo]));
    ended.ended_with(78, "reason=config");
    assert!(ended.last_line().contains("it is a FIFO, not a regular file"), "{ended:#?}");
}

#[test]
fn the_schema_describes_the_file() {
    let ended = end(sidecar_command(&["schema"]));
    assert_eq!(ended.code, Some(0));
    let schema: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["properties"]["greeting"]["type"], "string");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"][0], "greeting");
}

/// A sidecar that follows a plain file, and the way to replace that file.
fn with_file(text: &str) -> (Program, impl Fn(&str), tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let (path, next) = (directory.path().join("sidecar.yaml"), directory.path().join("next"));
    let flag = path.to_str().unwrap().to_owned();
    let put = move |text: &str| {
        fs::write(&next, text).unwrap();
        fs::rename(&next, &path).unwrap();
    };
    put(text);
    (Program::start(&mut sidecar(&["--config", &flag, "--longest-greeting", "100"])), put, directory)
}

#[test]
fn a_bad_change_is_refused_and_counted_and_the_old_one_stays() {
    let (mut program, put, _directory) = with_file("greeting: one");
    let address = program.address("health");
    program.wait_for_line(r#""greeting":"one""#);
    put("greeting: two\nwrong: key\n");
    assert!(program.wait_for_line("refused").contains(r#":2:1: unknown key \"wrong\"; there are greeting"#));
    let page = http::get(address, "/metrics").body;
    assert!(page.contains("result=\"refused\"} 1\n"), "{page}");
    put("greeting: three");
    program.wait_for_line(r#""greeting":"three""#);
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!ended.log.iter().any(|line| line.contains(r#""greeting":"two""#)), "{ended:#?}");
}

#[test]
fn the_same_bad_change_is_told_again_once_the_old_content_was_back() {
    let (mut program, put, _directory) = with_file("greeting: one");
    program.wait_for_line(r#""greeting":"one""#);
    for _ in 0..2 {
        put("wrong: key");
        program.wait_for_line("refused");
        put("greeting: one");
        program.wait_for_line("the old content is back");
    }
}

#[test]
fn a_file_that_goes_and_comes_is_followed() {
    let (mut program, put, directory) = with_file("greeting: one");
    program.wait_for_line(r#""greeting":"one""#);
    fs::remove_file(directory.path().join("sidecar.yaml")).unwrap();
    program.wait_for_line("refused");
    put("greeting: two");
    program.wait_for_line(r#""greeting":"two""#);
}

/// An editor truncates a file before it writes it.
#[test]
fn an_empty_file_is_no_configuration() {
    let (mut program, put, _directory) = with_file("greeting: one");
    program.wait_for_line(r#""greeting":"one""#);
    put("\n");
    program.wait_for_line("the file is empty: write {} for no settings");
    put("greeting: two");
    program.wait_for_line(r#""greeting":"two""#);
}

#[test]
fn hup_asks_for_a_new_look() {
    let (mut program, put, _directory) = with_file("greeting: one");
    program.wait_for_line(r#""greeting":"one""#);
    put("wrong: key");
    program.wait_for_line("refused");
    program.signal("HUP");
    program.wait_for_line("refused");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_change_that_makes_the_judge_panic_is_refused_and_the_follower_goes_on() {
    let (mut program, put, _directory) = with_file("greeting: one");
    let address = program.address("health");
    program.wait_for_line(r#""greeting":"one""#);
    put("greeting: panic");
    program.wait_for_line("new configuration refused, the old one stays");
    put(&format!("greeting: {}", "x".repeat(101)));
    program.wait_for_line("1:11: the greeting is longer than --longest-greeting");
    put("greeting: two");
    program.wait_for_line(r#""greeting":"two""#);
    let page = http::get(address, "/metrics").body;
    assert!(page.contains("result=\"refused\"} 2\n") && page.contains("result=\"accepted\"} 1\n"), "{page}");
}

#[test]
fn a_configuration_that_does_not_fit_the_flags_is_78_at_check_and_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "greeting: hello\n").unwrap();
    let path = file.path().to_str().unwrap();
    for arguments in [
        &["--longest-greeting", "3", "check", path][..],
        &["--longest-greeting", "3", "--config", path, "check"],
        &["--longest-greeting", "3", "--config", path, "--health-addr", "127.0.0.1:0"],
    ] {
        let ended = end(sidecar_command(arguments));
        ended.ended_with(78, "reason=config");
        assert!(ended.last_line().contains(":1:11: the greeting is longer"), "{arguments:?}: {ended:#?}");
    }
}

#[test]
fn several_files_are_followed_and_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    for name in ["one.yaml", "two.yaml"] {
        fs::write(path(name), "greeting: hello").unwrap();
    }
    let arguments = ["--config", &path("one.yaml"), "--second-config", &path("two.yaml")];
    let mut program = Program::start(&mut sidecar(&arguments));
    let address = program.address("health");
    program.wait_for_line(r#""greeting":"hello""#);
    for name in ["one.yaml", "two.yaml"] {
        fs::write(path("next"), "wrong: key").unwrap();
        fs::rename(path("next"), path(name)).unwrap();
        program.wait_for_line("refused");
    }
    let page = http::get(address, "/metrics").body;
    for name in ["one.yaml", "two.yaml"] {
        let line = format!("sidekit_config_reloads_total{{file=\"{}\",result=\"refused\"}} 1\n", path(name));
        assert!(page.contains(&line), "{line} in {page}");
    }
    program.signal("HUP");
    // The two followers take the signal in either order.
    let lines = [program.wait_for_line("refused").to_string(), program.wait_for_line("refused").to_string()];
    for name in ["one.yaml:1:1: unknown key", "two.yaml:1:1: unknown key"] {
        assert!(lines.iter().any(|line| line.contains(name)), "{lines:?}");
    }
}

#[test]
fn check_judges_the_files_that_are_named_unless_told_not_to() {
    let directory = tempfile::tempdir().unwrap();
    let greeting = directory.path().join("greeting");
    let file = directory.path().join("config.yaml");
    fs::write(&file, format!("greeting: {}\n", greeting.display())).unwrap();
    let path = file.to_str().unwrap();
    let check = |more: &[&str]| end(sidecar_command(&[&["--longest-greeting", "100", "check", path], more].concat()));
    let unreadable = check(&[]);
    assert!(unreadable.code == Some(78) && unreadable.stdout.contains("which cannot be read"), "{unreadable:#?}");
    fs::write(&greeting, "x".repeat(101)).unwrap();
    let ended = check(&[]);
    let fault = "the file's greeting is longer than --longest-greeting; --no-files does not look";
    assert_eq!((ended.code, ended.stdout), (Some(78), format!("{path}:1:11: {fault}\n")));
    assert_eq!(check(&["--no-files"]).code, Some(0));
    fs::write(&greeting, "hello").unwrap();
    assert_eq!(check(&[]).code, Some(0));
}

/// Ends `check` of a file when it writes to more than 32 MiB of memory, as a container of that size would.
fn check_in_a_small_container(text: &str) -> Ended {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#"ulimit -d 32768; exec "$0" "$@""#, env!("CARGO_BIN_EXE_test-sidecar"), "check"]);
    command.arg(file.path()).env_clear();
    end(command)
}

#[test]
fn a_file_of_a_mebibyte_takes_few_mebibytes_of_memory() {
    const SIZE: usize = 1 << 20;
    let full = |head: &str, part: &str| {
        let mut text = head.to_owned();
        while text.len() + part.len() <= SIZE {
            text += part;
        }
        text
    };
    for text in [
        full("", "- "),
        full("", "? "),
        full("greeting: [", "a,"),
        full("x: &a [1]\ngreeting: [", "*a,"),
        full("", "{["),
        full("", "a: &a\n  "),
        full("greeting: '", "''"),
        full("greeting: |\n", "  \u{e9}\n"),
        full("", "%TAG ! x\n"),
    ] {
        let ended = check_in_a_small_container(&text);
        let head: String = text.chars().take(20).collect();
        assert!(matches!(ended.code, Some(0 | 78)), "{head:?}…: {ended:#?}");
    }
}
