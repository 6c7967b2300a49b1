//! Refusals: which capability is missing, what of the work was done, and when a refusal is no
//! failure.

use std::{path::Path, process::Command};

use harness::Line;

use super::{
    limited::{as_user, without},
    need_root,
};
use crate::support::{Ended, Program, Tree, done, fix_perms, set_mode, set_owner};

fn warning(ended: &Ended) -> &Line {
    ended.message("lacks capabilities: changes that need them will be refused")
}

#[test]
fn the_capability_that_is_missing_is_named_before_the_start_and_at_the_refusal() {
    need_root();
    for (name, others, arguments, refused) in [
        ("CHOWN", "-chown", &["--owner=1000:1000"][..], ("change-owner", 1)),
        ("FOWNER", "-fowner", &["--owner=1000:1000", "--mode=0700"], ("change-mode", 1)),
        ("FSETID", "-fsetid", &["--fs-group=3000"], ("set-group-id", 1)),
        ("DAC_OVERRIDE", "-dac_override,-dac_read_search", &["--owner=1000:1000"], ("look", 13)),
    ] {
        let tree = Tree::new(&["closed/a", "open/b"]);
        set_owner(&tree.join("closed"), 2000, 2000);
        set_mode(&tree.join("closed"), 0o700);
        let ended = without(others, &[arguments, &["--output=json", &tree.path()]].concat());
        assert_eq!(warning(&ended)["missing"], name);
        let problem = &ended.json()["volumes"][0]["problems"][0];
        assert_eq!(
            (&problem["cause"], &problem["action"], &problem["errno"]),
            (&"refused".into(), &refused.0.into(), &refused.1.into())
        );
        let last = ended.last_line();
        assert!(last.starts_with("code=77 reason=denied what="), "{name}: {ended:#?}");
        let remedy =
            format!("CAP_{name} is missing; give the container securityContext: {{capabilities: {{add: [{name}]}}}}");
        assert!(last.contains(&remedy), "{last}");
    }
}

#[test]
fn the_smallest_set_of_capabilities_is_enough() {
    need_root();
    for (set, arguments) in [
        ("+chown", &["--owner=1000:1000"][..]),
        ("+chown,+fowner", &["--owner=1000:1000", "--mode=u=rwX,g=rX,o="]),
        ("+chown,+fowner,+dac_override", &["--owner=1000:1000", "--mode=u=rwX,g=rX,o=", "--policy=stamp"]),
        ("+chown,+fowner,+fsetid,+dac_override", &["--fs-group=3000"]),
    ] {
        let tree = Tree::new(&["a/b", "c"]);
        let ended = without(&format!("-all,{set}"), &[arguments, &[&tree.path()]].concat());
        assert_eq!(ended.code, Some(0), "{set}: {ended:#?}");
        let verified = done(&[arguments, &["--verify", &tree.path()]].concat());
        assert_eq!(verified.stdout, "");
    }
}

#[test]
fn what_was_done_is_said_when_permission_is_denied_half_way() {
    need_root();
    let tree = Tree::new(&["a/b", "immutable", "c/d"]);
    let attribute =
        |flag: &str| assert!(Command::new("chattr").arg(flag).arg(tree.join("immutable")).status().unwrap().success());
    attribute("+i");
    let ended = crate::support::run(&["--owner=1000:1000", &tree.path()]);
    attribute("-i");
    let what = tree.join("immutable").display().to_string();
    ended.ended_with(77, &format!(r#"reason=denied what="{what}" last="cannot change the owner: operation not permitted: the entry is immutable"#));
    assert!(ended.last_line().contains("; 6 seen, 4 changed\""), "{ended:#?}");
    assert_eq!((tree.entry("c/d").owner, tree.entry("immutable").owner), ((1000, 1000), (0, 0)));
    let line = ended.message("cannot set right");
    assert_eq!((&line["path"], &line["level"]), (&what.into(), &"ERROR".into()));
}

#[test]
fn many_refusals_are_counted_and_only_the_first_are_told() {
    need_root();
    let names: Vec<_> = (0..50).map(|nth| format!("{nth}")).collect();
    let tree = Tree::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let ended = without("-chown", &["--owner=1000:1000", &tree.path()]);
    assert_eq!(ended.messages("cannot set right").len(), 10);
    assert!(ended.last_line().contains(", and 49 more; 51 seen, 0 changed\""), "{ended:#?}");
    let ended = without("-chown", &["--owner=1000:1000", "--on-denied=warn", &tree.path()]);
    assert_eq!((ended.code, ended.messages("left as it is").len()), (Some(0), 10));
    assert_eq!(ended.message("looked at")["warned"], 51);
}

#[test]
fn a_refusal_is_fine_where_the_wanted_owner_can_read_and_write_already() {
    need_root();
    let tree = Tree::new(&["shared", "d/"]);
    set_mode(&tree.join("shared"), 0o666);
    set_mode(&tree.join("d"), 0o777);
    set_mode(&tree.root(), 0o777);
    let arguments = ["--owner=1000:1000", "--on-denied=accessible", &tree.path()];
    let ended = without("-chown", &arguments);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.message("looked at")["tolerated"], 3);
    tree.add("mine");
    let ended = without("-chown", &arguments);
    ended.ended_with(77, &format!(r#"reason=denied what="{}""#, tree.join("mine").display()));
}

#[test]
fn an_ordinary_user_can_verify_and_set_modes_of_its_own() {
    need_root();
    let tree = Tree::new(&["a/b"]);
    open_the_way_to(&tree.root());
    for name in ["", "a", "a/b"] {
        set_owner(&tree.join(name), 1000, 1000);
    }
    assert_eq!(as_user(1000, &["--verify", "--owner=1000:1000", &tree.path()]).code, Some(0));
    assert_eq!(as_user(1000, &["--mode=u=rwX,go=", &tree.path()]).code, Some(0));
    assert_eq!((tree.entry("a").mode & 0o7777, tree.entry("a/b").mode & 0o7777), (0o700, 0o600));
    // Another owner is not for it to give, and the manifest that it needs is named.
    let ended = as_user(1000, &["--owner=2000", &tree.path()]);
    assert_eq!(ended.code, Some(77));
    assert!(
        ended
            .last_line()
            .contains("securityContext: {runAsNonRoot: false, runAsUser: 0, capabilities: {add: [CHOWN]}}"),
        "{ended:#?}"
    );
}

#[test]
fn who_may_change_a_closed_directory_opens_it_first() {
    need_root();
    let tree = Tree::new(&["a/b"]);
    open_the_way_to(&tree.root());
    for name in ["a/b", "a", ""] {
        set_owner(&tree.join(name), 1000, 1000);
        set_mode(&tree.join(name), 0o000);
    }
    let ended = as_user(1000, &["--mode=u=rwX", &tree.path()]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!((tree.entry("").mode & 0o7777, tree.entry("a/b").mode & 0o7777), (0o700, 0o600));
}

/// Temporary directories are closed to others.
fn open_the_way_to(root: &Path) {
    set_mode(root.parent().unwrap(), 0o755);
}

const NO_LOOK: &str = "-dac_override,-dac_read_search";

/// A tree whose directory `closed` only user 1000 may enter, and a file in it that is wrong
fn closed() -> Tree {
    let tree = Tree::new(&["closed/wrong"]);
    set_owner(&tree.root(), 1000, 1000);
    set_owner(&tree.join("closed"), 1000, 1000);
    set_mode(&tree.join("closed"), 0o700);
    tree
}

#[test]
fn what_nobody_could_look_at_gets_no_stamp() {
    need_root();
    let tree = closed();
    let arguments = ["--owner=1000:1000", "--policy=stamp", &tree.path()];
    let ended = without(NO_LOOK, &[&arguments[..], &["--on-denied=accessible"]].concat());
    assert_eq!((ended.code, ended.messages("left as it is").len()), (Some(0), 1), "{ended:#?}");
    // With all capabilities all of it is looked at.
    assert_eq!(done(&arguments).message("looked at")["seen"], 3);
    assert_eq!(tree.entry("closed/wrong").owner, (1000, 1000));
}

#[test]
fn a_root_that_cannot_be_looked_into_is_a_refusal_like_any_other() {
    need_root();
    let tree = closed();
    set_mode(&tree.root(), 0o700);
    let arguments = ["--owner=1000:1000", &tree.path()];
    let ended = without(NO_LOOK, &arguments);
    ended.ended_with(77, &format!(r#"reason=denied what="{}" last="cannot look at it: "#, tree.path()));
    for way in ["--on-denied=accessible", "--on-denied=warn"] {
        let ended = without(NO_LOOK, &[&arguments[..], &[way]].concat());
        assert_eq!((ended.code, ended.messages("left as it is").len()), (Some(0), 1), "{ended:#?}");
    }
}

#[test]
fn a_root_that_was_set_right_to_be_opened_gets_its_own_back_if_the_run_fails() {
    need_root();
    let tree = Tree::new(&["d/file"]);
    open_the_way_to(&tree.root());
    for name in ["d/file", "d", ""] {
        set_owner(&tree.join(name), 1000, 1000);
        set_mode(&tree.join(name), 0o000);
    }
    let arguments = ["--mode=u=rwX,go=", &tree.path()];
    let ended = as_user(1000, &arguments);
    assert_eq!((ended.code, tree.entry("d/file").mode & 0o7777), (Some(0), 0o600), "{ended:#?}");
    // Where that ends badly, the root is given back what it had.
    set_owner(&tree.join("d"), 2000, 2000);
    set_mode(&tree.join("d"), 0o000);
    set_mode(&tree.root(), 0o000);
    assert_eq!(as_user(1000, &arguments).code, Some(77));
    assert_eq!(tree.entry("").mode & 0o7777, 0o000);
}

#[test]
fn an_owner_that_was_changed_counts_even_if_the_mode_was_refused() {
    need_root();
    let tree = Tree::new(&["a"]);
    let ended = without("-fowner", &["--owner=1000", "--mode=0600", &tree.path()]);
    assert!(
        ended.last_line().ends_with(r#"; 2 seen, 1 changed""#) || ended.last_line().contains("; 2 seen, 1 changed\" "),
        "{ended:#?}"
    );
    assert_eq!(tree.entry("a").owner.0, 1000);
}

#[test]
fn threads_that_cannot_be_started_are_done_without() {
    need_root();
    let tree = Tree::new(&["a/b", "c/d"]);
    open_the_way_to(&tree.root());
    // A user that nothing else runs as, who may have few threads.
    let user = 54_321;
    for name in ["", "a", "a/b", "c", "c/d"] {
        set_owner(&tree.join(name), user, user);
    }
    let inside = fix_perms(&["--mode=u=rwX,go=", "--threads=64", &tree.path()]);
    let mut command = Command::new("setpriv");
    let user = [format!("--reuid={user}"), format!("--regid={user}")];
    command.env_clear().args(user).args(["--clear-groups", "--", "prlimit", "--nproc=12", "--"]);
    command.env("PATH", "/usr/bin:/bin").arg(inside.get_program()).args(inside.get_args());
    let ended = Program::start(&mut command).end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.message("cannot start a thread; those that there are go on");
    assert_eq!(tree.entry("c/d").mode & 0o7777, 0o600);
}

#[test]
fn the_report_is_closed_even_when_a_later_path_is_refused() {
    need_root();
    let tree = closed();
    tree.add("one/a");
    set_mode(&tree.root(), 0o755);
    let (one, closed) = (tree.join("one").display().to_string(), tree.join("closed/wrong/none").display().to_string());
    let ended = without(NO_LOOK, &["--owner=1000:1000", "--output=json", &one, &closed]);
    assert_eq!((ended.json()["code"].clone(), ended.code), (77.into(), Some(77)), "{ended:#?}");
}
