//! Agreement with chown(1) and chmod(1) of GNU, and with the kubelet, on trees that are made up:
//! every inode is compared.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use proptest::prelude::*;

use super::need_root;
use crate::support::{Entry, Tree, done, entry, set_mode, set_owner};

/// Who owns what before: never the wanted owner, since chown(1) clears set-ID bits even where the
/// owner is right
const OWNERS: std::ops::Range<u32> = 0..4;

/// An entry that is made up
#[derive(Clone, Debug)]
struct Made {
    /// A directory that was made before, by number
    parent: usize,
    kind: Kind,
    mode: u32,
    owner: (u32, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
    Link,
    Fifo,
    Device,
}

fn made() -> impl Strategy<Value = Made> {
    let kind = prop_oneof![
        3 => Just(Kind::Directory),
        4 => Just(Kind::File),
        1 => Just(Kind::Link),
        1 => Just(Kind::Fifo),
        1 => Just(Kind::Device),
    ];
    let any = (any::<usize>(), kind, 0..0o10000u32, (OWNERS, OWNERS));
    any.prop_map(|(parent, kind, mode, owner)| Made { parent, kind, mode, owner })
}

fn trees() -> impl Strategy<Value = Vec<Made>> {
    proptest::collection::vec(made(), 1..24)
}

fn rule() -> impl Strategy<Value = String> {
    let octal = "[0-7]{1,5}".prop_filter("no more than 7777", |text| u32::from_str_radix(text, 8).unwrap() <= 0o7777);
    let clause = "[ugoa]{0,3}[+=-]([rwxXst]{0,4}|[ugo])";
    prop_oneof![octal, proptest::collection::vec(clause, 1..4).prop_map(|clauses| clauses.join(","))]
}

fn build(made: &[Made]) -> Tree {
    let tree = Tree::new(&[]);
    let mut directories = vec![tree.root()];
    let mut paths = Vec::new();
    for (number, Made { parent, kind, .. }) in made.iter().enumerate() {
        let path = directories[parent % directories.len()].join(number.to_string());
        match kind {
            Kind::Directory => fs::create_dir(&path).unwrap(),
            Kind::File => fs::write(&path, "content").unwrap(),
            Kind::Link => symlink("/proc/version", &path).unwrap(),
            Kind::Fifo => succeed(Command::new("mkfifo").arg(&path)),
            Kind::Device => succeed(Command::new("mknod").arg(&path).args(["c", "1", "3"])),
        }
        if *kind == Kind::Directory {
            directories.push(path.clone());
        }
        paths.push(path);
    }
    for (path, Made { kind, mode, owner, .. }) in paths.iter().zip(made) {
        set_owner(path, owner.0, owner.1);
        if *kind != Kind::Link {
            set_mode(path, *mode);
        }
    }
    tree
}

#[track_caller]
fn succeed(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// Everything about two trees but the times
#[track_caller]
fn assert_same(ours: &Tree, theirs: &Tree, context: &str) {
    let without_time = |tree: &Tree| -> Vec<_> {
        tree.entries().into_iter().map(|(path, Entry { mode, owner, .. })| (path, format!("{mode:o}"), owner)).collect()
    };
    assert_eq!(without_time(ours), without_time(theirs), "{context}");
}

#[track_caller]
fn assert_stable(tree: &Tree, arguments: &[&str]) {
    let before = tree.entries();
    done(arguments);
    assert_eq!(tree.entries(), before, "the second run of {arguments:?} changes something");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn modes_are_those_of_chmod(made in trees(), rule in rule()) {
        need_root();
        let (ours, theirs) = (build(&made), build(&made));
        let path = ours.path();
        let mode = format!("--mode={rule}");
        let arguments = ["--hard-links=allow", &mode, &path];
        let ended = crate::support::run(&arguments);
        // What gives another result each time is refused; chmod(1) takes it.
        prop_assume!(ended.code != Some(64));
        prop_assert_eq!(ended.code, Some(0));
        let output = Command::new("chmod").args(["-R", "--", &rule]).arg(theirs.root()).output().unwrap();
        prop_assert!(output.status.success(), "{:?}", output);
        assert_same(&ours, &theirs, &rule);
        assert_stable(&ours, &arguments);
    }

    #[test]
    fn owners_then_modes_are_those_of_chown_then_chmod(made in trees(), rule in rule()) {
        need_root();
        let (ours, theirs) = (build(&made), build(&made));
        let path = ours.path();
        let mode = format!("--mode={rule}");
        let arguments = ["--links", "--owner=1000:2000", &mode, &path];
        let ended = crate::support::run(&arguments);
        prop_assume!(ended.code != Some(64));
        prop_assert_eq!(ended.code, Some(0));
        succeed(Command::new("chown").args(["-R", "1000:2000"]).arg(theirs.root()));
        succeed(Command::new("chmod").args(["-R", "--", &rule]).arg(theirs.root()));
        assert_same(&ours, &theirs, &rule);
        assert_stable(&ours, &arguments);
    }

    #[test]
    fn owners_alone_are_those_of_chown(made in trees(), owner in prop_oneof![Just("1000"), Just(":1000"), Just("1000:2000")]) {
        need_root();
        let (ours, theirs) = (build(&made), build(&made));
        let path = ours.path();
        let arguments = ["--links", "--owner", owner, &path];
        done(&arguments);
        succeed(Command::new("chown").args(["-R", owner]).arg(theirs.root()));
        assert_same(&ours, &theirs, owner);
        assert_stable(&ours, &arguments);
    }

    #[test]
    fn fs_group_is_what_the_kubelet_does(made in trees(), read_only in any::<bool>()) {
        need_root();
        let (ours, theirs) = (build(&made), build(&made));
        let path = ours.path();
        let mut arguments = vec!["--fs-group=3000", &path];
        arguments.extend(read_only.then_some("--read-only"));
        done(&arguments);
        as_the_kubelet(&theirs.root(), 3000, read_only);
        assert_same(&ours, &theirs, "fsGroup");
        assert_stable(&ours, &arguments);
    }
}

/// What `walkDeep` and `changeFilePermission` of `pkg/volume/volume_linux.go` (Kubernetes 1.34) do
/// to a volume, step by step.
fn as_the_kubelet(path: &Path, group: u32, read_only: bool) {
    let before = path.symlink_metadata().unwrap();
    if before.is_dir() {
        for below in fs::read_dir(path).unwrap() {
            as_the_kubelet(&below.unwrap().path(), group, read_only);
        }
    }
    set_owner(path, before.uid(), group);
    if before.is_symlink() {
        return;
    }
    let mask = match (before.is_dir(), read_only) {
        (true, false) => 0o2770,
        (true, true) => 0o2550,
        (false, false) => 0o660,
        (false, true) => 0o440,
    };
    fs::set_permissions(path, fs::Permissions::from_mode(before.mode() & 0o7777 | mask)).unwrap();
}

#[test]
fn a_special_file_is_re_owned_and_never_opened() {
    need_root();
    // Opening a FIFO without another reader or writer blocks for ever; opening a device that is
    // not there fails.
    let tree = Tree::new(&[]);
    succeed(Command::new("mkfifo").arg(tree.join("fifo")));
    succeed(Command::new("mknod").arg(tree.join("device")).args(["b", "250", "250"]));
    let _socket = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();
    done(&["--owner=1000:1000", &tree.path()]);
    for name in ["fifo", "device", "socket"] {
        assert_eq!(entry(&tree.join(name)).owner, (1000, 1000), "{name}");
    }
}
