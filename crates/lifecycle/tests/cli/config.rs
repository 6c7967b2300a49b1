//! The configuration file: `check`, `schema`, and changes while the helper runs.

use std::{fs, os::unix::fs::symlink, path::Path};

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
        ("greeting: hello\ngretting: hi\n", "unknown field `gretting`, expected `greeting` at line 2 column 1"),
        ("greeting: [1]\n", "invalid type: sequence, expected a string at line 1 column 11"),
        ("greeting: \"hello\n", "at line 2 column 1"),
        ("{}\n", "missing field `greeting`"),
        ("greeting: a\ngreeting: b\n", "duplicate field `greeting`"),
        ("", "missing field `greeting`"),
    ] {
        let ended = check(text);
        ended.ended_with(78, "reason=config");
        assert!(ended.last_line().contains(words), "{text:?}: {words}: {ended:#?}");
    }
}

#[test]
fn a_file_that_can_be_no_configuration_is_78() {
    for (path, words) in
        [("/nowhere/at-all", "No such file or directory"), ("/etc", "Is a directory"), ("/dev/zero", "it is a device")]
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

/// Puts a new version of a volume's content in force, as the kubelet does it: by a swap of the `..data` link.
fn swap(volume: &Path, version: &str, text: &str) {
    let content = volume.join(version);
    fs::create_dir(&content).unwrap();
    fs::write(content.join("sidecar.yaml"), text).unwrap();
    symlink(version, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

#[test]
fn a_config_map_that_changes_is_followed() {
    let volume = tempfile::tempdir().unwrap();
    swap(volume.path(), "..1", "greeting: one");
    let path = volume.path().join("sidecar.yaml");
    symlink("..data/sidecar.yaml", &path).unwrap();
    let mut program = Program::start(&mut sidecar(&["--config", path.to_str().unwrap()]));
    let address = program.address("health");
    program.wait_for_line(r#""greeting":"one""#);
    for version in ["two", "three"] {
        swap(volume.path(), &format!("..{version}"), &format!("greeting: {version}"));
        program.wait_for_line(&format!(r#""greeting":"{version}""#));
    }
    let page = http::get(address, "/metrics").body;
    assert!(page.contains("sidekit_config_reloads_total{result=\"accepted\"} 2\n"), "{page}");
    assert!(page.contains("sidekit_config_reloads_total{result=\"refused\"} 0\n"), "{page}");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
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
    (Program::start(&mut sidecar(&["--config", &flag])), put, directory)
}

#[test]
fn a_bad_change_is_refused_and_counted_and_the_old_one_stays() {
    let (mut program, put, _directory) = with_file("greeting: one");
    let address = program.address("health");
    program.wait_for_line(r#""greeting":"one""#);
    put("greeting: two\nwrong: key\n");
    assert!(program.wait_for_line("refused").contains("unknown field `wrong`, expected `greeting` at line 2 column 1"));
    let page = http::get(address, "/metrics").body;
    assert!(page.contains("sidekit_config_reloads_total{result=\"refused\"} 1\n"), "{page}");
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
