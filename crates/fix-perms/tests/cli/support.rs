//! Starts fix-perms, makes trees for it, and sees what has become of them.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, lchown},
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) use harness::{Ended, Program, Signal, until};
use tempfile::TempDir;

/// fix-perms with these arguments and nothing in its environment.
pub(crate) fn fix_perms(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fix-perms"));
    command.args(arguments).env_clear();
    command
}

/// Runs fix-perms to its end.
#[track_caller]
pub(crate) fn run(arguments: &[&str]) -> Ended {
    Program::start(&mut fix_perms(arguments)).end()
}

/// Runs fix-perms, which must end with 0.
#[track_caller]
pub(crate) fn done(arguments: &[&str]) -> Ended {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended
}

/// A directory of the test's own, with a tree in it; gone when dropped
pub(crate) struct Tree {
    directory: TempDir,
}

/// What a tree's entry is: kind and mode, owner, and when that last changed
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    /// Seconds and nanoseconds
    pub(crate) changed: (i64, i64),
}

impl Tree {
    /// A tree of these files; a name that ends in `/` is a directory. Directories on the way are
    /// made. Modes are 0755 and 0644.
    pub(crate) fn new(names: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tree = Self { directory };
        fs::create_dir(tree.root()).unwrap();
        set_mode(&tree.root(), 0o755);
        for name in names {
            tree.add(name);
        }
        tree
    }

    /// The root of the tree; beside it is room for what must stay untouched.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The root, as an argument
    pub(crate) fn path(&self) -> String {
        self.root().to_str().unwrap().to_owned()
    }

    /// A name in the tree
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// A name beside the tree
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn add(&self, name: &str) {
        let path = self.join(name);
        let mut at = self.root();
        for part in path.parent().unwrap().strip_prefix(self.root()).unwrap() {
            at.push(part);
            make_directory(&at);
        }
        if name.ends_with('/') {
            make_directory(&path);
        } else {
            fs::write(&path, "content").unwrap();
            set_mode(&path, 0o644);
        }
    }

    /// What an entry of the tree is now.
    pub(crate) fn entry(&self, name: &str) -> Entry {
        entry(&self.join(name))
    }

    /// The whole tree as it is now, the root under the empty path
    pub(crate) fn entries(&self) -> BTreeMap<PathBuf, Entry> {
        let mut entries = BTreeMap::new();
        collect(&self.root(), &self.root(), &mut entries);
        entries
    }
}

fn make_directory(path: &Path) {
    if !path.exists() {
        fs::create_dir(path).unwrap();
        set_mode(path, 0o755);
    }
}

fn collect(root: &Path, path: &Path, entries: &mut BTreeMap<PathBuf, Entry>) {
    entries.insert(path.strip_prefix(root).unwrap().into(), entry(path));
    if path.symlink_metadata().unwrap().is_dir() {
        for below in fs::read_dir(path).unwrap() {
            collect(root, &below.unwrap().path(), entries);
        }
    }
}

/// What an entry is now.
#[track_caller]
pub(crate) fn entry(path: &Path) -> Entry {
    let stat = path.symlink_metadata().unwrap();
    Entry { mode: stat.mode(), owner: (stat.uid(), stat.gid()), changed: (stat.ctime(), stat.ctime_nsec()) }
}

/// The twelve mode bits of an entry
#[track_caller]
pub(crate) fn mode(path: &Path) -> u32 {
    entry(path).mode & 0o7777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn set_owner(path: &Path, user: u32, group: u32) {
    lchown(path, Some(user), Some(group)).unwrap();
}

/// Runs fix-perms beside a tree, whose root is `data` in all that it says then.
#[track_caller]
pub(crate) fn run_beside(tree: &Tree, arguments: &[&str]) -> Ended {
    Program::start(fix_perms(arguments).current_dir(tree.beside(""))).end()
}

/// Runs fix-perms with these variables.
#[track_caller]
pub(crate) fn run_with(variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    Program::start(fix_perms(arguments).envs(variables.iter().copied())).end()
}

/// What the last line says, from its `reason=` on, but for how long it took
#[track_caller]
pub(crate) fn last_words(ended: &Ended) -> &str {
    let words = ended.last_line().split_once(" reason=").and_then(|(_, words)| words.rsplit_once(" elapsed="));
    words.unwrap_or_else(|| panic!("no last line in {ended:#?}")).0
}

/// Stops fix-perms until it was in time: from a signal on it has 80 ms for its words, and on a
/// machine that is too busy it ends without them.
#[track_caller]
pub(crate) fn stopped_in_time<T>(what: impl Fn(&T) -> bool, mut stop: impl FnMut() -> T) -> T {
    until("a stop leaves time for last words", || Some(stop()).filter(&what))
}

/// Whether it has said what was done until it was stopped
pub(crate) fn tells_of_its_stop(ended: &Ended) -> bool {
    ended.last_line().contains(r#" reason=stopped last="stopped after "#)
}

/// A walk that goes on for long: over the same small tree, again and again
pub(crate) struct LongWalk {
    tree: Tree,
    times: usize,
}

impl LongWalk {
    /// What the first of its walks changes: a file with many names, and the root
    pub(crate) const CHANGES: usize = 2;

    pub(crate) fn new(times: usize) -> Self {
        let tree = Tree::new(&["file"]);
        tree.link("file", "name", 5_000);
        Self { tree, times }
    }

    /// fix-perms with these flags, one thread, and the PATH so often
    pub(crate) fn fix_perms(&self, flags: &[&str]) -> Command {
        let mut command = fix_perms(flags);
        command.args(["--threads", "1"]).args(vec![self.tree.path(); self.times]);
        command
    }
}

impl Tree {
    /// Adds this number of hard links to a file, with names that begin with `prefix`: a link costs a
    /// tenth of a file.
    pub(crate) fn link(&self, file: &str, prefix: &str, names: usize) {
        for nth in 0..names {
            fs::hard_link(self.join(file), self.join(&format!("{prefix}{nth}"))).unwrap();
        }
    }
}

/// A test that runs without root ends with the remedy.
#[track_caller]
pub(crate) fn need_root() {
    assert!(harness::is_root(), "this test needs root: `make test` leaves it out elsewhere and says so");
}

/// Mounts something in the mount namespace of the test; an empty source is left out.
#[track_caller]
pub(crate) fn mount(options: &[&str], source: &Path, target: &Path) {
    let mut command = Command::new("mount");
    command.args(options).args(Some(source).filter(|source| !source.as_os_str().is_empty())).arg(target);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}
