//! Settings from variables, and what the start line tells of them.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Ended, Tree, done, mode, run, run_with};

/// Fails unless the start line holds these settings.
#[track_caller]
fn assert_tells(ended: &Ended, settings: &Value) {
    let line = ended.message("fix-perms starts");
    for (name, value) in settings.as_object().unwrap() {
        assert_eq!(&line[name], value, "{name} in {line}");
    }
}

#[test]
fn paths_stand_in_a_variable_one_a_line() {
    let tree = Tree::new(&["a", "two words/b", "c"]);
    let (first, second) = (tree.join("a"), tree.join("two words"));
    let paths = format!("{}\n\n  {}\n", first.display(), second.display());
    let variables = [("SIDEKIT_FIX_PERMS_PATHS", paths.as_str()), ("SIDEKIT_FIX_PERMS_MODE", "0700")];
    let ended = run_with(&variables, &[]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!((mode(&first), mode(&second)), (0o700, 0o700));
    assert_ne!(mode(&tree.join("c")), 0o700, "a PATH that is not named");

    // Arguments take the place of the variable, as for every flag.
    let third = tree.join("c");
    let variables = [("SIDEKIT_FIX_PERMS_PATHS", paths.as_str()), ("SIDEKIT_FIX_PERMS_MODE", "0711")];
    let ended = run_with(&variables, &[third.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!((mode(&first), mode(&third)), (0o700, 0o711));

    let ended = run_with(&[("SIDEKIT_FIX_PERMS_PATHS", ""), ("SIDEKIT_FIX_PERMS_MODE", "0700")], &[]);
    assert_eq!(ended.code, Some(64), "an empty variable counts as not set: {ended:#?}");
}

#[test]
fn every_flag_has_a_variable() {
    let tree = Tree::new(&["a", "b/c"]);
    let config = tree.beside("volumes.yaml");
    fs::write(&config, format!("volumes: [{{path: {}, mode: 755}}]", tree.path())).unwrap();
    let variables = [
        ("SIDEKIT_FIX_PERMS_OWNER", "54321:54322"),
        ("SIDEKIT_FIX_PERMS_MODE", "u=rwX,go="),
        ("SIDEKIT_FIX_PERMS_DIR_MODE", "0710"),
        ("SIDEKIT_FIX_PERMS_FILE_MODE", "0604"),
        ("SIDEKIT_FIX_PERMS_PRIVATE", "1"),
        ("SIDEKIT_FIX_PERMS_LINKS", "yes"),
        ("SIDEKIT_FIX_PERMS_DEFAULT_ACL", "g::rx"),
        ("SIDEKIT_FIX_PERMS_SELINUX_LABEL", "u:r:t:s0"),
        ("SIDEKIT_FIX_PERMS_CREATE", "on"),
        ("SIDEKIT_FIX_PERMS_POLICY", "root-match"),
        ("SIDEKIT_FIX_PERMS_EXCLUDE", "*.sock"),
        ("SIDEKIT_FIX_PERMS_NO_DEFAULT_EXCLUDES", "true"),
        ("SIDEKIT_FIX_PERMS_ONE_FILE_SYSTEM", "1"),
        ("SIDEKIT_FIX_PERMS_SKIP_READ_ONLY", "1"),
        ("SIDEKIT_FIX_PERMS_MAX_DEPTH", "7"),
        ("SIDEKIT_FIX_PERMS_HARD_LINKS", "allow"),
        ("SIDEKIT_FIX_PERMS_ON_DENIED", "warn"),
        ("SIDEKIT_FIX_PERMS_NO_SYMLINKS", "1"),
        ("SIDEKIT_FIX_PERMS_ALLOW_ROOT", "true"),
        ("SIDEKIT_FIX_PERMS_CONFIG", config.to_str().unwrap()),
        ("SIDEKIT_FIX_PERMS_DRY_RUN", "1"),
        ("SIDEKIT_FIX_PERMS_THREADS", "3"),
        ("SIDEKIT_FIX_PERMS_OUTPUT", "json"),
        ("SIDEKIT_LOG_FORMAT", "json"),
        ("SIDEKIT_LOG_LEVEL", "info"),
    ];
    let ended = run_with(&variables, &[&tree.path()]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_tells(
        &ended,
        &json!({
            "owner": "54321:54322", "mode": "u=rwX,go=", "dir-mode": "0710", "file-mode": "0604", "private": true,
            "links": true, "default-acl": "g::rx", "selinux-label": "u:r:t:s0", "create": true, "policy": "root-match", "exclude": ["*.sock"],
            "no-default-excludes": true, "one-file-system": true, "skip-read-only": true, "max-depth": "7", "hard-links": "allow",
            "on-denied": "warn", "no-symlinks": true, "allow-root": true, "config": config.to_str(),
            "dry-run": true, "threads": "3", "output": "json", "paths": [tree.path()],
        }),
    );
}

#[test]
fn the_other_flags_have_one_too() {
    let tree = Tree::new(&["a"]);
    let variables = [
        ("SIDEKIT_FIX_PERMS_FS_GROUP", "54321"),
        ("SIDEKIT_FIX_PERMS_READ_ONLY", "1"),
        ("SIDEKIT_FIX_PERMS_FOLLOW_ROOT", "1"),
        ("SIDEKIT_FIX_PERMS_VERIFY", "1"),
        ("SIDEKIT_FIX_PERMS_SAMPLE", "2"),
        ("SIDEKIT_FIX_PERMS_AS", "1000:2000"),
    ];
    let ended = run_with(&variables, &[&tree.path(), "--", "/bin/true"]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_tells(
        &ended,
        &json!({
            "fs-group": "54321", "read-only": true, "follow-root": true, "verify": true, "sample": "2",
            "as": "1000:2000", "command": "/bin/true",
        }),
    );
}

#[test]
fn a_flag_goes_before_its_variable() {
    let tree = Tree::new(&["a"]);
    let ended = run_with(&[("SIDEKIT_FIX_PERMS_MODE", "0777")], &["--mode", "0700", &tree.path()]);
    assert_eq!((ended.code, mode(&tree.join("a"))), (Some(0), 0o700), "{ended:#?}");
}

#[test]
fn an_empty_variable_is_not_set() {
    let tree = Tree::new(&["a"]);
    let variables = [
        ("SIDEKIT_FIX_PERMS_OWNER", ""),
        ("SIDEKIT_FIX_PERMS_FS_GROUP", ""),
        ("SIDEKIT_FIX_PERMS_POLICY", ""),
        ("SIDEKIT_FIX_PERMS_VERIFY", ""),
        ("SIDEKIT_FIX_PERMS_AS", ""),
        ("SIDEKIT_FIX_PERMS_MODE", "0700"),
    ];
    let ended = run_with(&variables, &["--dry-run", &tree.path()]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_tells(&ended, &json!({"owner": null, "fs-group": null, "policy": null, "verify": null, "as": null}));
    let ended = run_with(&[("SIDEKIT_FIX_PERMS_MODE", "")], &[&tree.path()]);
    ended.ended_with(64, r#"reason=usage last="nothing is wanted: "#);
}

#[test]
fn a_switch_can_be_off() {
    let tree = Tree::new(&["a"]);
    for (value, expected) in [("1", true), ("yes", true), ("ON", true), ("0", false), ("false", false), ("off", false)]
    {
        let ended = run_with(&[("SIDEKIT_FIX_PERMS_PRIVATE", value)], &["--mode", "0700", &tree.path()]);
        assert_tells(&ended, &json!({"private": expected.then_some(true)}));
    }
    let ended = run_with(&[("SIDEKIT_FIX_PERMS_PRIVATE", "maybe")], &["--mode", "0700", &tree.path()]);
    let words = "invalid value for '--private (from SIDEKIT_FIX_PERMS_PRIVATE)': write true or false";
    ended.ended_with(64, &format!("reason=usage last={words:?}"));
}

#[test]
fn a_switch_that_is_off_is_in_nobodys_way() {
    let tree = Tree::new(&["a"]);
    for (variable, flag) in [("VERIFY", "--dry-run"), ("DRY_RUN", "--verify"), ("NO_SYMLINKS", "--follow-root")] {
        let variable = format!("SIDEKIT_FIX_PERMS_{variable}");
        let ended = run_with(&[(&variable, "false")], &[flag, "--mode", "u=rwX,go=rX", &tree.path()]);
        assert_eq!(ended.code, Some(0), "{variable}=false {flag}: {ended:#?}");
    }
}

#[test]
fn a_sample_is_never_what_is_changed() {
    let tree = Tree::new(&["a", "b", "c"]);
    let before = tree.entries();
    let ended = run_with(&[("SIDEKIT_FIX_PERMS_VERIFY", "false")], &["--sample", "5", "--mode", "0700", &tree.path()]);
    assert_eq!(ended.code, Some(64), "{ended:#?}");
    assert_eq!(tree.entries(), before);
}

#[test]
fn a_variable_that_is_wrong_is_named() {
    let ended = run_with(&[("SIDEKIT_FIX_PERMS_MODE", "999")], &["/data"]);
    let words = "invalid value for '--mode <MODE> (from SIDEKIT_FIX_PERMS_MODE)': this is not a mode";
    let quoted = format!("{words:?}");
    ended.ended_with(64, &format!("reason=usage last={}", quoted.trim_end_matches('"')));
}

#[test]
fn variables_of_other_helpers_are_nobodys_business() {
    let tree = Tree::new(&["a"]);
    let variables = [("SIDEKIT_WAIT_FOR_TIMEOUT", "odd"), ("FIX_PERMS_MODE", "odd"), ("MODE", "odd")];
    assert_eq!(run_with(&variables, &["--mode", "0700", &tree.path()]).code, Some(0));
}

#[test]
fn the_first_line_tells_version_and_settings() {
    let tree = Tree::new(&["a"]);
    let ended = done(&["--mode", "u=rwX", "--exclude", "*.sock", &tree.path(), "--", "/bin/true"]);
    let line = &ended.log[0];
    assert_eq!((&line["message"], &line["version"]), (&"fix-perms starts".into(), &env!("CARGO_PKG_VERSION").into()));
    assert_tells(
        &ended,
        &json!({"paths": [tree.path()], "mode": "u=rwX", "exclude": ["*.sock"], "dry-run": null, "output": null}),
    );
}

#[test]
fn the_arguments_of_the_command_are_nobodys_business() {
    let tree = Tree::new(&["a"]);
    let ended = done(&["--mode", "0700", &tree.path(), "--", "/bin/echo", "hunter2"]);
    assert_eq!(ended.stdout, "hunter2\n");
    assert!(!format!("{:?}", ended.log).contains("hunter2"), "{ended:#?}");
    let ended = run(&["--mode", "0700", "/none", "--", "/bin/echo", "hunter2"]);
    assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
}

#[test]
fn a_pattern_that_matches_nothing_is_named() {
    let tree = Tree::new(&["a.sock", "b"]);
    let patterns = ["--exclude", "*.sock", "--exclude", "*.log,*.tmp"];
    let ended = done(&[&["--mode", "u=rwX"][..], &patterns, &[&tree.path()]].concat());
    let lines = ended.messages("nothing matches a pattern of exclude");
    assert_eq!(lines.iter().map(|line| line["pattern"].clone()).collect::<Vec<_>>(), ["*.log,*.tmp"], "{ended:#?}");
}

#[test]
fn the_variable_of_exclude_has_one_pattern_a_line() {
    let tree = Tree::new(&["a.sock", "b.tmp", "c"]);
    let variables = [("SIDEKIT_FIX_PERMS_EXCLUDE", "*.sock\n\n*.tmp\n"), ("SIDEKIT_FIX_PERMS_OUTPUT", "json")];
    let ended = run_with(&variables, &["--mode", "0711", "--dry-run", &tree.path()]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.contains("/c\""), "{ended:#?}");
    assert!(!ended.stdout.contains("a.sock") && !ended.stdout.contains("b.tmp"), "{ended:#?}");
}

#[test]
fn an_object_says_what_was_left_alone_and_which_path_is_none() {
    let tree = Tree::new(&["a"]);
    std::fs::write(tree.beside("outside"), "").unwrap();
    std::fs::hard_link(tree.beside("outside"), tree.join("b")).unwrap();
    let whole = done(&["--output", "json", "--mode", "u=rwX,go=", &tree.path()]).json();
    assert_eq!((&whole["state"], &whole["volumes"][0]["left_alone"]), (&"incomplete".into(), &1.into()));
    let missing = tree.beside("none").display().to_string();
    let whole = run(&["--output", "json", "--mode", "0700", &missing]).json();
    let problem = &whole["volumes"][0]["problems"][0];
    assert_eq!((&problem["path"], &problem["code"]), (&json!(missing), &json!(64)));
    assert!(problem["error"].as_str().unwrap().contains("does not exist"), "{whole:#}");
    assert_eq!((&problem["cause"], problem.get("errno")), (&"unusable".into(), None), "{whole:#}");
}

#[test]
fn a_variable_may_end_with_a_line_end() {
    let tree = Tree::new(&["a"]);
    let ended = run_with(&[("SIDEKIT_FIX_PERMS_MODE", "u=rwX,go=\n")], &[&tree.path()]);
    assert_eq!((ended.code, mode(&tree.join("a"))), (Some(0), 0o600), "{ended:#?}");
}
