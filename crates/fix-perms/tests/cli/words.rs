//! The output: a summary, differences where nothing is changed, JSON objects, a last line, and each
//! name on one line.

use std::{
    ffi::OsStr,
    fs::{self, File, hard_link},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use harness::full_pipe;
use serde_json::{Value, json};

use crate::support::{Ended, Tree, done, fix_perms, last_words, mode, run, run_beside};

/// The wanted state that a new tree does not have
const PRIVATE: [&str; 2] = ["--mode", "u=rwX,go="];

/// With these flags, on `data`
#[track_caller]
fn run_on_data(tree: &Tree, flags: &[&str]) -> Ended {
    run_beside(tree, &[flags, &PRIVATE, &["data"]].concat())
}

fn sorted_lines(ended: &Ended) -> Vec<&str> {
    let mut lines: Vec<_> = ended.stdout.lines().collect();
    lines.sort_unstable();
    lines
}

fn objects(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A name with a newline and one that is no UTF-8, in a tree of their own
fn odd_names() -> Tree {
    let tree = Tree::new(&["two\nlines"]);
    let path: PathBuf = tree.root().join(OsStr::from_bytes(b"latin\xe9"));
    fs::create_dir(&path).unwrap();
    crate::support::set_mode(&path, 0o755);
    tree
}

#[test]
fn a_tree_is_summed_up_when_it_is_done() {
    let tree = Tree::new(&["a", "b/c"]);
    let ended = run_on_data(&tree, &[]);
    let line = ended.message("looked at");
    assert_eq!((&line["level"], &line["path"]), (&"INFO".into(), &"data".into()));
    assert_eq!((&line["seen"], &line["changed"], &line["failed"]), (&4.into(), &4.into(), &0.into()));
    assert_eq!(line["different"], Value::Null);
    assert_eq!(ended.last_line(), "looked at");
    let line = run_on_data(&tree, &[]).message("looked at").clone();
    assert_eq!((&line["seen"], &line["changed"]), (&4.into(), &0.into()));
}

#[test]
fn each_path_is_summed_up() {
    let (one, other) = (Tree::new(&["a"]), Tree::new(&["b", "c"]));
    let ended = done(&["--mode", "u=rwX,go=", &one.path(), &other.path()]);
    let told: Vec<_> = ended.messages("looked at").iter().map(|line| (&line["path"], &line["seen"])).collect();
    assert_eq!(told, [(&one.path().into(), &2.into()), (&other.path().into(), &3.into())]);
}

#[test]
fn nothing_is_printed_on_stdout_where_things_are_changed() {
    let tree = Tree::new(&["a", "b/c"]);
    let ended = run_on_data(&tree, &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:#?}");
}

#[test]
fn a_dry_run_prints_what_would_be_changed_and_changes_nothing() {
    let tree = Tree::new(&["a", "b/c"]);
    let before = tree.entries();
    let ended = run_on_data(&tree, &["--dry-run"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.stdout.lines().last(), Some("data: mode 0755 → 0700"), "the root comes last");
    let lines = [
        "data/a: mode 0644 → 0600",
        "data/b/c: mode 0644 → 0600",
        "data/b: mode 0755 → 0700",
        "data: mode 0755 → 0700",
    ];
    assert_eq!(sorted_lines(&ended), lines);
    assert_eq!((&ended.message("looked at")["different"], tree.entries()), (&4.into(), before));
}

#[test]
fn a_dry_run_tells_of_owner_mode_and_acl() {
    let tree = Tree::new(&["a"]);
    let (user, group) = tree.entry("").owner;
    let flags = ["--dry-run", "--owner", "54321:54322", "--file-mode", "0600", "--default-acl", "g::rx", "data"];
    let ended = run_beside(&tree, &flags);
    let lines = [
        format!("data/a: owner {user}:{group} → 54321:54322, mode 0644 → 0600"),
        format!("data: owner {user}:{group} → 54321:54322, another default ACL"),
    ];
    assert_eq!(sorted_lines(&ended), lines);
    assert_eq!(ended.message("looked at")["different"], 2);
}

#[test]
fn a_dry_run_prints_objects_when_asked_for() {
    let tree = Tree::new(&["a"]);
    let before = tree.entries();
    let ended = run_on_data(&tree, &["--dry-run", "--output", "json"]);
    let [file, root, whole] = &objects(&ended)[..] else { panic!("{ended:#?}") };
    assert_eq!(*file, json!({"path": "data/a", "mode": {"now": "0644", "wanted": "0600"}}));
    assert_eq!(*root, json!({"path": "data", "mode": {"now": "0755", "wanted": "0700"}}));
    assert_eq!((&whole["code"], &whole["volumes"][0]["different"]), (&0.into(), &2.into()));
    assert_eq!(tree.entries(), before);
}

#[test]
fn a_check_tells_the_differences_and_ends_with_1() {
    let tree = Tree::new(&["a", "b/c"]);
    let before = tree.entries();
    let ended = run_on_data(&tree, &["--verify"]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_eq!(ended.stdout.lines().next(), Some("data: mode 0755 → 0700"), "the root comes first");
    assert_eq!(sorted_lines(&ended).len(), 4);
    assert_eq!(last_words(&ended), r#"failed what="data" last="mode 0755 → 0700; 4 seen""#);
    assert_eq!(tree.entries(), before);
    run_on_data(&tree, &[]);
    let ended = run_on_data(&tree, &["--verify"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:#?}");
    assert_eq!(ended.message("looked at")["different"], 0);
}

#[test]
fn a_check_tells_the_first_ten_differences_and_no_more() {
    let names: Vec<_> = (0..500).map(|nth| format!("{nth}")).collect();
    let tree = Tree::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for threads in ["1", "4"] {
        let ended = run_on_data(&tree, &["--verify", "--threads", threads]);
        assert_eq!((ended.code, ended.stdout.lines().count()), (Some(1), 10), "{ended:#?}");
        assert!(last_words(&ended).starts_with(r#"failed what="data" last="mode 0755 → 0700; "#), "{ended:#?}");
    }
    let ended = run_on_data(&tree, &["--verify", "--output", "json"]);
    assert_eq!(ended.stdout.lines().count(), 11, "{ended:#?}");
}

#[test]
fn one_object_tells_of_the_whole_when_asked_for() {
    let (one, other) = (Tree::new(&["a"]), Tree::new(&["b", "c"]));
    let arguments = ["--output", "json", "--mode", "u=rwX,go=", &one.path(), &other.path()];
    let whole = done(&arguments).json();
    assert_eq!((&whole["state"], &whole["code"]), (&"right".into(), &0.into()));
    assert!(whole["seconds"].is_f64(), "{whole:#}");
    let volume = |path: String, seen: u64, changed: u64| {
        json!({
            "path": path, "seen": seen, "changed": changed, "different": 0, "vanished": 0, "tolerated": 0, "warned": 0,
            "read_only": 0, "left_alone": 0, "failed": 0, "trusted": false, "labels_ignored": false, "problems": []
        })
    };
    assert_eq!(whole["volumes"], json!([volume(one.path(), 2, 2), volume(other.path(), 3, 3)]));
    let whole = run(&[&["--verify"], &arguments[..2], &["--mode", "0700", &one.path()]].concat());
    let whole = objects(&whole).pop().unwrap();
    assert_eq!((&whole["state"], &whole["code"]), (&"failed".into(), &1.into()));
    assert_eq!(whole["volumes"][0]["different"], 1);
}

#[test]
fn names_are_printed_on_one_line_whatever_is_in_them() {
    let tree = odd_names();
    let ended = run_on_data(&tree, &["--dry-run"]);
    let (bytes, lines) = (r"data/latin\xe9: mode 0755 → 0700", r"data/two\nlines: mode 0644 → 0600");
    assert_eq!(sorted_lines(&ended), [bytes, lines, "data: mode 0755 → 0700"]);
    let ended = run_on_data(&tree, &["--dry-run", "--output", "json"]);
    let mut paths: Vec<_> =
        objects(&ended).iter().filter_map(|object| object["path"].as_str().map(String::from)).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["data", r"data/latin\xe9", r"data/two\nlines"]);
    assert_eq!(run_on_data(&tree, &[]).code, Some(0));
    assert_eq!(run_on_data(&tree, &["--verify"]).code, Some(0));
}

#[test]
fn a_path_is_printed_on_one_line_whatever_is_in_it() {
    let tree = Tree::new(&["two\nlines/"]);
    let lines = |flags: &[&str]| {
        let ended = run_beside(&tree, &[&["--log-format", "text", "--mode", "0700"], flags].concat());
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended
    };
    let ended = lines(&["--dry-run", "--create", "data/two\nlines/new"]);
    assert_eq!(ended.stdout, "data/two\\nlines/new: does not exist → is made\n");
    for flags in [&["--create", "data/two\nlines/new"][..], &["data/two\nlines"]] {
        let ended = lines(flags);
        let odd: Vec<_> = ended.log.iter().filter(|line| !line.starts_with("20")).collect();
        assert!(odd.is_empty(), "lines without a time: {odd:#?}");
    }
}

#[test]
fn the_last_line_keeps_its_grammar() {
    let tree = odd_names();
    run_beside(&tree, &["--max-depth", "0", "--mode", "0700", "data"]);
    for (exclude, name) in [("two*", r"latin\\xe9"), ("latin*", r"two\\nlines")] {
        let ended = run_on_data(&tree, &["--verify", "--exclude", exclude]);
        let line = ended.last_line();
        let rest = line.strip_prefix(&format!(r#"code=1 reason=failed what="data/{name}" last="mode "#));
        let seconds =
            rest.and_then(|rest| rest.split_once(r#"; 2 seen" elapsed="#)).unwrap_or_else(|| panic!("{line}")).1;
        assert!(seconds.strip_suffix('s').is_some_and(|number| number.parse::<f64>().is_ok()), "{line}");
    }
}

#[test]
fn files_that_are_left_alone_are_told() {
    let tree = Tree::new(&["a", "b/c", "b/d"]);
    for name in ["a", "b/c"] {
        hard_link(tree.join(name), tree.beside(&name.replace('/', "-"))).unwrap();
    }
    hard_link(tree.join("b/d"), tree.join("e")).unwrap();
    let message = "left alone: not all of their names were found below PATH (--hard-links allow)";
    let ended = run_on_data(&tree, &[]);
    let line = ended.message(message);
    assert_eq!((&line["level"], &line["files"]), (&"WARN".into(), &2.into()));
    assert_eq!((ended.code, &line["such_as"]), (Some(0), &"data/a, data/b/c".into()));
    let modes = ["a", "b/c", "b/d"].map(|name| mode(&tree.join(name)));
    assert_eq!(modes, [0o644, 0o644, 0o600], "a file is changed when all its names are in the tree");
    let ended = run_on_data(&tree, &["--hard-links", "allow"]);
    assert_eq!((ended.messages(message).len(), mode(&tree.beside("a"))), (0, 0o600));
}

#[test]
fn a_single_file_that_is_left_alone_is_told() {
    let tree = Tree::new(&["a"]);
    hard_link(tree.join("a"), tree.beside("b")).unwrap();
    let ended = run_beside(&tree, &["--mode", "0600", "data/a"]);
    let line = ended.message("left alone: not all of their names were found below PATH (--hard-links allow)");
    assert_eq!((&line["such_as"], ended.code, mode(&tree.join("a"))), (&"data/a".into(), Some(0), 0o644));
}

#[test]
fn text_lines_are_written_when_asked_for() {
    let tree = Tree::new(&["a"]);
    let ended = run_on_data(&tree, &["--log-format", "text"]);
    let line = ended.log.last().unwrap().text();
    assert!(line.contains(" INFO looked at path=\"data\" seen=2 changed=2 "), "{line}");
}

#[test]
fn only_important_lines_are_written_when_asked_for() {
    let tree = Tree::new(&["a"]);
    let ended = run_on_data(&tree, &["--log-level", "error"]);
    assert_eq!((ended.code, ended.log.len()), (Some(0), 0), "{ended:#?}");
    let ended = run_beside(&tree, &["--log-level", "error", "--verify", "--mode", "0750", "data"]);
    assert_eq!((ended.code, ended.log.len()), (Some(1), 1), "{ended:#?}");
}

#[test]
fn a_report_that_nobody_reads_is_no_failure_and_the_command_runs() {
    let tree = Tree::new(&["a", "b"]);
    let path = tree.path();
    let object = ["--output", "json", "--mode", "0700", &path, "--", "/bin/sh", "-c", "exit 7"];
    for (arguments, code) in [(&["--dry-run", "--mode", "0700", &path][..], 0), (&object, 7)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = fix_perms(arguments).stdout(writer).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_74_and_the_command_does_not_run() {
    let tree = Tree::new(&["a"]);
    let path = tree.path();
    let object = ["--output", "json", "--mode", "0700", &path, "--", "/bin/sh", "-c", "exit 7"];
    for arguments in [&["--dry-run", "--mode", "0700", &path][..], &object] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let status = fix_perms(arguments).stdout(full).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(74), "{arguments:?}");
    }
}

#[test]
fn a_report_that_is_not_read_does_not_keep_the_app_from_starting() {
    let tree = Tree::new(&["data/"]);
    let (_reader, stdout) = full_pipe();
    let mut command = fix_perms(&["--mode=0755", "--output=json", tree.root().to_str().unwrap()]);
    let started = Instant::now();
    let ended = command.args(["--", "/bin/sh", "-c", "echo started >&2"]).stdout(stdout).output().unwrap();
    let log = String::from_utf8_lossy(&ended.stderr);
    assert!(log.contains("stdout was not read within 1s") && log.ends_with("started\n"), "{log}");
    // The rest is for machines that are busy with tests.
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
