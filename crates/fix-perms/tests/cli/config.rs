//! `--config`, `check` and `schema`: several trees as YAML, each with a wanted state of its own.

use harness::{config_file, config_refusal};
use serde_json::Value;

use crate::support::{Tree, done, last_words, mode, run, run_beside};

#[track_caller]
fn refusal(text: &str) -> String {
    config_refusal(text, run)
}

/// What a dry run prints for a tree `data` of one file `a`, each with this configuration; sorted.
#[track_caller]
fn differences(volume: &str) -> (Tree, Vec<String>) {
    let tree = Tree::new(&["a"]);
    let (_directory, path) = config_file(&format!("volumes:\n- path: data\n{volume}"));
    let ended = run_beside(&tree, &["--config", &path, "--dry-run"]);
    assert_eq!(ended.code, Some(0), "{volume}: {ended:#?}");
    let mut lines: Vec<_> = ended.stdout.lines().map(String::from).collect();
    lines.sort_unstable();
    (tree, lines)
}

#[test]
fn each_volume_has_a_state_of_its_own() {
    let tree = Tree::new(&["one/a", "one/.cache/b", "two/a", "two/key"]);
    crate::support::set_mode(&tree.join("two/key"), 0o600);
    let (_directory, path) = config_file(
        "volumes:\n\
         - path: data/one\n  \
           dir-mode: '0750'\n  \
           file-mode: 0640\n  \
           exclude: [.cache]\n\
         - path: data/two\n  \
           mode: u=rwX,g=rX,o=\n  \
           private: true\n\
         - {path: data/three/four, mode: 2770, create: true}\n",
    );
    let ended = run_beside(&tree, &["--config", &path]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    for (name, expected) in [
        ("", 0o755),
        ("one", 0o750),
        ("one/a", 0o640),
        ("one/.cache", 0o755),
        ("one/.cache/b", 0o644),
        ("two", 0o750),
        ("two/a", 0o640),
        ("two/key", 0o600),
        ("three", 0o2770),
        ("three/four", 0o2770),
    ] {
        assert_eq!(mode(&tree.join(name)), expected, "{name:?}");
    }
    let paths: Vec<_> = ended.messages("looked at").iter().map(|line| &line["path"]).collect();
    assert_eq!(paths, ["data/one", "data/two", "data/three/four"]);
}

#[test]
fn flags_are_for_the_paths_beside_them_and_not_for_the_file() {
    let tree = Tree::new(&["one/a", "two/a"]);
    let (_directory, path) = config_file("volumes: [{path: data/two, file-mode: '0640'}]\n");
    let ended = run_beside(&tree, &["--config", &path, "--mode", "0700", "--max-depth", "0", "data/one"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let modes = ["one", "one/a", "two", "two/a"].map(|name| mode(&tree.join(name)));
    assert_eq!(modes, [0o700, 0o644, 0o755, 0o640]);
}

#[test]
fn nothing_is_touched_while_the_file_or_one_of_its_paths_is_a_mistake() {
    let tree = Tree::new(&["a"]);
    let before = tree.entries();
    let ended_with = |text: &str, code: i32, words: &str| {
        let (_directory, path) = config_file(text);
        run_beside(&tree, &["--config", &path, "--mode", "0700", "data"]).ended_with(code, words);
        assert_eq!(tree.entries(), before, "{text}");
    };
    ended_with("volumes: [{path: none, mode: 700}]\n", 64, r#"reason=usage last="none does not exist: "#);
    ended_with("volumes: [{path: data, mode: rwx}]\n", 78, "reason=config");
}

#[test]
fn a_file_is_checked_without_its_volumes() {
    let (_directory, path) = config_file("volumes: [{path: /none, owner: 1000:1000, mode: u=rwX}]\n");
    let ended = done(&["check", "--config", &path]);
    assert_eq!((ended.stdout, ended.log.len()), (format!("{path}: ok\n"), 0));
}

#[test]
fn owners_and_groups_may_be_numbers() {
    let (tree, lines) = differences("  owner: 54321\n");
    let (user, group) = tree.entry("").owner;
    let line = |name: &str, new: &str| format!("{name}: owner {user}:{group} → {new}");
    assert_eq!(lines, ["data/a", "data"].map(|name| line(name, &format!("54321:{group}"))));
    for owner in ["54321:54322", "'54321:54322'"] {
        let (_, lines) = differences(&format!("  owner: {owner}\n"));
        assert_eq!(lines, ["data/a", "data"].map(|name| line(name, "54321:54322")), "{owner}");
    }
    for group in ["54321", "'54321'"] {
        let (_, lines) = differences(&format!("  fs-group: {group}\n"));
        assert!(lines.iter().all(|line| line.contains(&format!(" → {user}:54321"))), "{lines:?}");
        assert_eq!(lines.len(), 2, "{lines:?}");
    }
}

#[test]
fn modes_may_be_numbers_as_chmod_reads_them() {
    for rule in ["750", "0750", "'750'", "\"0750\"", "u=rwx,g=rx,o=", "a=,u+rwx,g+rx"] {
        let (_, lines) = differences(&format!("  mode: {rule}\n"));
        assert_eq!(lines, ["data/a: mode 0644 → 0750", "data: mode 0755 → 0750"], "{rule}");
    }
}

/// YAML reads these as other numbers than the digits that are written there.
#[test]
fn a_mode_in_a_notation_of_yaml_is_never_taken_for_another_mode() {
    for rule in ["0o640", "0x1a0", "0b110100000"] {
        refusal(&format!("volumes: [{{path: /none, mode: {rule}}}]\n"));
    }
}

#[test]
fn a_choice_that_is_left_empty_is_told() {
    for key in ["policy", "hard-links", "on-denied"] {
        let said = refusal(&format!("volumes:\n- path: /data\n  mode: 700\n  {key}:\n"));
        assert!(said.starts_with("4:"), "{said}");
    }
}

#[test]
fn an_unknown_key_is_told_with_line_and_column() {
    let said = refusal("volumes:\n- path: /data\n  mode: 700\nthreads: 4\n");
    assert_eq!(said, "4:1: unknown key threads, which is a flag: write --threads; there are volumes");
    let said = refusal("volumes:\n- path: /data\n  ownr: 1000\n");
    assert_eq!(said, r#"3:3: unknown key "ownr"; did you mean owner?"#);
}

#[test]
fn a_value_that_is_wrong_is_told_with_its_volume() {
    for (setting, words) in [
        ("mode: rwx", "this is not a mode: write it as chmod reads it, such as 0750 or u=rwX,g=rX,o="),
        ("mode: 999", "this is not a mode: write it as chmod reads it, such as 0750 or u=rwX,g=rX,o="),
        ("owner: nobody-here", "/etc/passwd does not know this user: write its number"),
        ("fs-group: no-group", "/etc/group does not know this group: write its number"),
        ("default-acl: u:1000", "this is not an ACL entry: write it as u:1000:rwx, g::rx or o::-"),
        ("exclude: ['a[']", "this is not a pattern: invalid range pattern at character 2"),
    ] {
        let said = refusal(&format!("volumes:\n- {{path: /one, mode: 700}}\n- path: /two\n  {setting}\n"));
        // A fault stands at the value; of a list, at the list.
        let column = setting.find(' ').unwrap() + 4;
        assert_eq!(said, format!("4:{column}: {words}"), "{setting}");
    }
    for (setting, words) in [
        ("policy: maybe", "unknown value; there are always, root-match, stamp"),
        ("policy: alway", r#"unknown value "alway"; did you mean always?"#),
        ("private: maybe", "expected true or false"),
        ("max-depth: -1", "expected a whole number from 0"),
        ("owner: -1", "expected a text or a number"),
        ("exclude: a", "expected a list: begin each entry with -"),
    ] {
        let said = refusal(&format!("volumes:\n- path: /data\n  {setting}\n"));
        let column = setting.find(' ').unwrap() + 4;
        assert_eq!(said, format!("3:{column}: {words}"), "{setting}");
    }
}

#[test]
fn settings_that_do_not_go_together_are_told_with_their_path() {
    for (settings, words) in [
        ("private: true", "nothing is wanted: give owner, mode, fs-group, default-acl, selinux-label or create"),
        ("mode: 700, read-only: true", "read-only goes with fs-group: name the group"),
        ("fs-group: 1, owner: 1", "fs-group takes the place of owner and modes: give the one or the others"),
    ] {
        let said = refusal(&format!("volumes: [{{path: /one, mode: 700}}, {{path: /two, {settings}}}]\n"));
        assert_eq!(said, format!("1:36: /two: {words}"));
    }
}

#[test]
fn a_file_without_volumes_or_with_too_many_is_told() {
    assert_eq!(refusal("{}\n"), "1:1: the key \"volumes\" is missing");
    assert_eq!(refusal("volumes: [{mode: 700}]\n"), "1:11: the key \"path\" is missing");
    for none in ["volumes: []\n", "volumes:\n"] {
        assert!(refusal(none).contains("volumes has 0 entries: give from 1 to 100"), "{none}");
    }
    let volumes = |count| format!("volumes:\n{}", "- {path: /none, mode: 700}\n".repeat(count));
    assert!(refusal(&volumes(101)).contains("volumes has 101 entries: give from 1 to 100"));
    let (_directory, path) = config_file(&volumes(100));
    done(&["check", "--config", &path]);
}

#[test]
fn a_file_that_is_missing_or_no_yaml_is_told() {
    for arguments in [&["--config", "/none.yaml"][..], &["check", "--config", "/none.yaml"]] {
        let ended = run(arguments);
        ended.ended_with(78, r#"reason=config last="cannot read /none.yaml: no such file or directory"#);
    }
    assert!(refusal("volumes: [").contains("this is not YAML"));
}

#[test]
fn what_one_volume_lacks_is_in_the_exit_code_of_all() {
    let tree = Tree::new(&["one/a", "two/b"]);
    let (_directory, path) =
        config_file("volumes:\n- {path: data/one, file-mode: 644}\n- {path: data/two, file-mode: 600}\n");
    let ended = run_beside(&tree, &["--config", &path, "--verify"]);
    assert_eq!(ended.stdout, "data/two/b: mode 0644 → 0600\n");
    assert_eq!(last_words(&ended), r#"failed what="data/two/b" last="mode 0644 → 0600; 4 seen""#);
}

#[test]
fn the_schema_describes_every_setting() {
    let schema = done(&["schema"]).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!((&schema["type"], &schema["additionalProperties"]), (&"object".into(), &Value::Bool(false)));
    assert_eq!(schema["properties"]["volumes"]["items"]["$ref"], "#/$defs/Volume");
    let volume = &schema["$defs"]["Volume"];
    assert_eq!(volume["required"], Value::from(vec!["path"]));
    assert_eq!(volume["additionalProperties"], false);
    let help = done(&["--help"]).stdout;
    let settings = volume["properties"].as_object().unwrap();
    for name in settings.keys().filter(|name| *name != "path") {
        assert!(help.contains(&format!("      --{name}")), "{name} is a flag too");
    }
    assert_eq!(settings.len(), 23, "{settings:#?}");
}

#[test]
fn check_lists_every_fault_with_its_place() {
    let text = "volumes:\n- path: /one\n  mode: rwx\n- pth: /two\n- {path: /three, private: maybe}\n- {path: /four, mode: 700}\n";
    let expected = "3:9: this is not a mode: write it as chmod reads it, such as 0750 or u=rwX,g=rX,o=\n\
                    4:3: unknown key \"pth\"; did you mean path?\n5:27: expected true or false";
    assert_eq!(refusal(text), expected);
    let twice = "volumes:\n- path: /one\n- {path: /two, mode: 700}\n- path: /three\n";
    assert_eq!(refusal(twice).lines().count(), 2);
}

#[test]
fn a_list_is_no_volume() {
    let message = "this is a list; write a map, as in key: value";
    for text in ["volumes: [[/data, 1000]]", "[[{path: /data, owner: 1}]]", "- - path: /data"] {
        assert!(refusal(text).contains(message), "{text}: {}", refusal(text));
    }
    for (text, words) in [
        ("volumes: [/data]", "expected a map, as in key: value"),
        ("volumes: [{path: [a]}]", "expected a path"),
        ("volumes: [{path: /data, max-depth: x}]", "expected a whole number from 0"),
        ("volumes: [{path: /data, policy: [always]}]", "expected one of the words always, root-match, stamp"),
    ] {
        assert!(refusal(text).ends_with(words), "{text}: {}", refusal(text));
    }
}
