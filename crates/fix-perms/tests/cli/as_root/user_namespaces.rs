//! A user namespace, as a pod with `hostUsers: false` has one: it lacks users and groups.

use std::process::Command;

use super::need_root;
use crate::support::{Ended, Program, Tree, done, fix_perms, set_mode, set_owner};

/// In a user namespace that has no user and no group but 0
fn in_namespace(arguments: &[&str]) -> Ended {
    let inside = fix_perms(arguments);
    let mut command = Command::new("unshare");
    command.env_clear().args(["--user", "--map-root-user", "--"]);
    command.arg(inside.get_program()).args(inside.get_args());
    Program::start(&mut command).end()
}

#[test]
fn an_owner_that_the_namespace_lacks_is_a_refusal_that_says_so() {
    need_root();
    let tree = Tree::new(&["a"]);
    for (owner, lack) in [
        ("1000:1000", "the user namespace of the pod has user 0 only, and not user 1000"),
        (":1000", "the user namespace of the pod has group 0 only, and not group 1000"),
    ] {
        let ended = in_namespace(&["--owner", owner, &tree.path()]);
        let words = format!("invalid argument: {lack}: choose another owner, or give the pod hostUsers: true");
        assert!(ended.code == Some(77) && ended.last_line().contains(&words), "{ended:#?}");
    }
    for name in ["", "a"] {
        set_mode(&tree.join(name), 0o777);
    }
    let ended = in_namespace(&["--owner=1000:1000", "--on-denied=accessible", &tree.path()]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

/// In a user namespace that has the numbers from 0 to 65535 and no others, without a capability
fn in_namespace_of_a_pod(capability: &str, arguments: &[&str]) -> Ended {
    let inside = fix_perms(arguments);
    // A namespace gets its maps once, from outside, and its program waits for them.
    let script = r#"
        unshare --user timeout 30 sh -c 'until grep -q 65536 /proc/self/gid_map; do :; done; exec "$@"' sh "$@" &
        for map in uid_map gid_map; do until echo 0 0 65536 >/proc/$!/$map || ! kill -0 $!; do :; done; done 2>/dev/null
        wait $!"#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", "setpriv", &format!("--bounding-set={capability}"), "--"]);
    Program::start(command.arg(inside.get_program()).args(inside.get_args())).end()
}

#[test]
fn a_group_that_the_namespace_lacks_is_kept() {
    need_root();
    let tree = Tree::new(&["d/"]);
    for name in ["", "d"] {
        set_owner(&tree.join(name), 0, 200_000);
        set_mode(&tree.join(name), 0o2775);
    }
    // Neither has it the capability for such a group, nor could it give the group back.
    let ended = in_namespace_of_a_pod("-sys_admin", &["--mode=u=rwX,g=rX,o=", &tree.path()]);
    assert_eq!(tree.entry("d").mode & 0o7777, 0o2775, "{ended:#?}");
    assert_eq!(
        (ended.code, tree.entry("d").owner, tree.entry("").owner),
        (Some(77), (0, 200_000), (0, 200_000)),
        "{ended:#?}"
    );
    set_mode(&tree.root(), 0o070);
    let ended = in_namespace_of_a_pod("-fsetid,-dac_override,-dac_read_search", &["--owner=:0", &tree.path()]);
    assert_eq!((ended.code, tree.entry("").owner), (Some(77), (0, 200_000)), "{ended:#?}");
}

#[test]
fn an_owner_that_stands_for_others_keeps_the_stamp_away() {
    need_root();
    let tree = Tree::new(&["a"]);
    set_owner(&tree.join("a"), 200_000, 65534);
    let ended = in_namespace_of_a_pod("-fsetid", &["--owner=65534", "--policy=stamp", &tree.path()]);
    let line = ended.message("no stamp: the next run looks at everything again");
    assert_eq!(line["reason"], "65534 stands for more than one owner here, see above");
    let ended = done(&["--owner=65534", "--policy=stamp", &tree.path()]);
    assert_eq!((tree.entry("a").owner.0, &ended.message("looked at")["changed"]), (65534, &1.into()));
}

#[test]
fn an_entry_whose_owner_the_namespace_lacks_is_a_refusal_that_says_so() {
    need_root();
    let tree = Tree::new(&["a"]);
    set_owner(&tree.join("a"), 5, 0);
    for wanted in ["--owner=0", "--mode=0600"] {
        let ended = in_namespace(&[wanted, &tree.join("a").display().to_string()]);
        let words = "operation not permitted: the user namespace of the pod has user 0 only, and not user 65534, to which \
                     the entry belongs: set it right from a pod with hostUsers: true";
        assert!(ended.code == Some(77) && ended.last_line().contains(words), "{ended:#?}");
    }
}

#[test]
fn a_user_for_the_command_that_the_namespace_lacks_is_refused_before_any_change() {
    need_root();
    let tree = Tree::new(&["a"]);
    let ended = in_namespace(&["--output=json", "--mode=0700", &tree.path(), "--as=1000:1000", "--", "/bin/true"]);
    let words =
        "cannot become 1000:1000: the user namespace of the pod has user 0 only, and not user 1000: choose others";
    assert!(ended.code == Some(77) && ended.last_line().contains(words), "{ended:#?}");
    assert_eq!(tree.entry("").mode & 0o7777, 0o755);
    // It is no problem of a PATH.
    assert_eq!(ended.json()["volumes"][0]["problems"].as_array().map(Vec::len), Some(0));
}
