//! Set-user-ID and set-group-ID bits: what a new owner costs, what a dry run says of it, and what
//! is kept.

use super::{limited::without, need_root};
use crate::support::{Tree, done, mode, run, set_mode, set_owner};

const OWNER: &str = "--owner=1000:1000";

#[test]
fn a_dry_run_foresees_the_bits_that_a_new_owner_costs() {
    need_root();
    let modes = [("set-user", 0o4755), ("set-group", 0o2755), ("mandatory", 0o2644), ("plain", 0o755)];
    let tree = Tree::new(&modes.map(|(name, _)| name));
    for (name, before) in modes {
        set_mode(&tree.join(name), before);
    }
    let foreseen = run(&["--dry-run", OWNER, &tree.path()]).stdout;
    let verified = run(&["--verify", OWNER, &tree.path()]).stdout;
    done(&[OWNER, &tree.path()]);
    for (name, before) in modes {
        let after = mode(&tree.join(name));
        let change = if after == before { String::new() } else { format!(", mode {before:04o} → {after:04o}") };
        let line = |change: &str| format!("{}: owner 0:0 → 1000:1000{change}\n", tree.join(name).display());
        assert!(foreseen.contains(&line(&change)), "{foreseen}");
        assert!(verified.contains(&line("")), "{verified}");
    }
}

#[test]
fn a_dry_run_foresees_what_a_missing_capability_costs() {
    need_root();
    let is_foreseen = |before, arguments: &[&str], words: &str, after| {
        let tree = Tree::new(&["a"]);
        set_owner(&tree.join("a"), 5, 6);
        set_mode(&tree.join("a"), before);
        let path = tree.path();
        let arguments = [arguments, &["--threads=1", &path]].concat();
        let foreseen = without("-fsetid", &[&["--dry-run"][..], &arguments].concat()).stdout;
        let line = format!("{}: owner 5:6 → 2:2{words}\n", tree.join("a").display());
        assert!(foreseen.contains(&line), "{foreseen}{line}");
        let ended = without("-fsetid", &arguments);
        assert_eq!((ended.code, mode(&tree.join("a"))), (Some(0), after), "{ended:#?}");
    };
    is_foreseen(0o2644, &["--owner=2:2", "--mode=g+w"], ", mode 2644 → 0664", 0o664);
    is_foreseen(0o6654, &["--owner=2:2", "--mode=u+s,g-x"], ", mode 6654 → 4644", 0o4644);
    is_foreseen(0o4755, &["--owner=2:2", "--file-mode=4755"], "", 0o4755);
}

#[test]
fn a_mode_that_is_right_is_no_difference_beside_an_owner() {
    need_root();
    let tree = Tree::new(&["a"]);
    set_mode(&tree.join("a"), 0o4755);
    for way in ["--verify", "--dry-run"] {
        let lines = run(&[OWNER, "--file-mode=4755", way, &tree.path()]).stdout;
        assert!(lines.contains("/a: owner 0:0 → 1000:1000\n"), "{lines}");
    }
}

#[test]
fn a_set_group_id_bit_that_would_be_lost_is_left_where_it_is() {
    need_root();
    let tree = Tree::new(&["d/"]);
    for name in ["", "d"] {
        set_owner(&tree.join(name), 0, 3000);
        set_mode(&tree.join(name), 0o2775);
    }
    let wishes = ["--owner=1000", "--mode=u=rwX,g=rX,o=", &tree.path()];
    let foreseen = without("-fsetid", &[&["--dry-run"][..], &wishes].concat());
    assert_eq!((foreseen.code, &foreseen.stdout[..]), (Some(77), ""), "{foreseen:#?}");
    assert!(foreseen.last_line().contains("CAP_FSETID is missing"), "{foreseen:#?}");
    let looked =
        without("-fsetid", &[&["--dry-run", "--on-denied=warn", "--default-acl=u:1000:rx"][..], &wishes].concat());
    let (line, both) = (format!("{}: ", tree.join("d").display()), looked.stdout.lines().count());
    assert_eq!((looked.code, both, looked.stdout.contains(&line)), (Some(0), 2, true), "{looked:#?}");
    assert!(looked.stdout.contains("default ACL") && !looked.stdout.contains("owner"), "{looked:#?}");
    let ended = without("-fsetid", &wishes);
    let now = tree.entry("d");
    // Neither has its owner changed.
    assert_eq!((ended.code, now.mode & 0o7777, now.owner), (Some(77), 0o2775, (0, 3000)), "{ended:#?}");
    assert!(ended.last_line().contains("CAP_FSETID is missing"), "{ended:#?}");
    // Who wants no mode needs nothing for it, in a directory that is made there either.
    let new = tree.join("new").display().to_string();
    let ended = without("-all,+chown", &["--owner=1000:1000", "--create", &new]);
    assert_eq!((ended.code, tree.entry("new").mode & 0o7777), (Some(0), 0o2755), "{ended:#?}");
}

#[test]
fn a_set_group_id_bit_that_the_new_owner_costs_is_missed() {
    need_root();
    let tree = Tree::new(&["a"]);
    set_owner(&tree.join("a"), 0, 3000);
    // Without the right to run for the group, the bit goes only where the capability is missing.
    set_mode(&tree.join("a"), 0o2644);
    let ended = without("-fsetid", &["--owner=1000", "--file-mode=2644", &tree.path()]);
    // Nothing is changed, because the bit would be gone for good.
    let now = tree.entry("a");
    assert_eq!((ended.code, now.mode & 0o7777, now.owner), (Some(77), 0o2644, (0, 3000)), "{ended:#?}");
    assert!(ended.last_line().contains("CAP_FSETID is missing"), "{ended:#?}");
    done(&["--owner=1000", "--file-mode=2644", &tree.path()]);
    assert_eq!(tree.entry("a").mode & 0o7777, 0o2644);
}
