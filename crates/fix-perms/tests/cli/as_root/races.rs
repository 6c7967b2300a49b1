//! Another process changes the tree during the walk: files outside the tree are never touched, and
//! an entry that vanishes is no failure.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
};

use harness::{Program, until};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::need_root;
use crate::support::{Entry, Tree, done, entry, fix_perms, run};

/// Runs of fix-perms beside a thread that swaps
pub(super) const RUNS: u32 = 60;

/// Does something over and over until it is dropped, and has done it at least once before it is
/// there
struct Meanwhile<'a> {
    stop: &'a AtomicBool,
    rounds: &'a AtomicU64,
}

impl Drop for Meanwhile<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

/// Runs `body` while `round` goes on in a thread beside it, and says how often it went on.
pub(super) fn meanwhile(round: impl Fn() + Sync, body: impl FnOnce()) -> u64 {
    let (stop, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                round();
                rounds.fetch_add(1, Relaxed);
            }
        });
        // Dropped too when the body panics, so that the scope can end.
        let meanwhile = Meanwhile { stop: &stop, rounds: &rounds };
        until("it is under way", || (meanwhile.rounds.load(Relaxed) > 0).then_some(()));
        body();
    });
    rounds.into_inner()
}

fn exchange(one: &Path, other: &Path) {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
}

/// A directory with a canary beside the tree; what it is, and whether it still is that
struct Outside {
    before: Vec<Entry>,
}

impl Outside {
    fn new(tree: &Tree) -> Self {
        fs::create_dir(tree.beside("outside")).unwrap();
        fs::write(tree.beside("outside/canary"), "").unwrap();
        Self { before: Self::entries(tree) }
    }

    /// Owner and mode alone: a swap that links to the canary moves its times.
    fn entries(tree: &Tree) -> Vec<Entry> {
        let timeless = |path| Entry { changed: (0, 0), ..entry(path) };
        [tree.beside("outside"), tree.beside("outside/canary")].iter().map(|path| timeless(path)).collect()
    }

    #[track_caller]
    fn assert_untouched(&self, tree: &Tree) {
        assert_eq!(Self::entries(tree), self.before);
    }
}

/// Runs that change everything each time, with all that is dangerous allowed but hard links.
fn change_everything(tree: &Tree) {
    for round in 0..RUNS {
        let owner = format!("--owner={0}:{0}", 1000 + round % 2);
        let mode = if round % 2 == 0 { "--mode=a+rwX" } else { "--mode=u=rwX,go=" };
        let ended = run(&[&owner, mode, "--links", "--threads=4", &tree.path()]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
    }
}

#[test]
fn a_directory_that_is_swapped_for_a_link_leads_nowhere() {
    need_root();
    let tree = Tree::new(&["a/b/canary", "a/c", "d/e/canary", "x"]);
    let outside = Outside::new(&tree);
    symlink(tree.beside("outside"), tree.join("link")).unwrap();
    let swap = || {
        for name in ["a/b", "d", "d/e", "a"] {
            // The same name in turn is a directory, a link to the outside, and a directory again.
            let _ = renameat_with(CWD, tree.join(name), CWD, tree.join("link"), RenameFlags::EXCHANGE);
            let _ = renameat_with(CWD, tree.join(name), CWD, tree.join("link"), RenameFlags::EXCHANGE);
        }
    };
    let swaps = meanwhile(swap, || change_everything(&tree));
    assert!(swaps > u64::from(RUNS), "{swaps} swaps");
    outside.assert_untouched(&tree);
}

#[test]
fn a_file_that_is_swapped_for_a_link_leads_nowhere() {
    need_root();
    let tree = Tree::new(&["a/file", "a/other"]);
    let outside = Outside::new(&tree);
    symlink(tree.beside("outside/canary"), tree.beside("link")).unwrap();
    let swap = || exchange(&tree.join("a/file"), &tree.beside("link"));
    meanwhile(swap, || change_everything(&tree));
    outside.assert_untouched(&tree);
}

#[test]
fn a_file_that_is_swapped_for_a_name_of_the_canary_is_left_alone() {
    need_root();
    let tree = Tree::new(&["a/file", "a/other"]);
    let outside = Outside::new(&tree);
    let link = tree.beside("link");
    fs::hard_link(tree.beside("outside/canary"), &link).unwrap();
    let swap = || exchange(&tree.join("a/file"), &link);
    meanwhile(swap, || change_everything(&tree));
    outside.assert_untouched(&tree);
}

#[test]
fn a_name_of_the_canary_that_moves_about_is_not_taken_for_all_its_names() {
    need_root();
    let names: Vec<_> = (0..200).map(|nth| format!("{nth}/")).collect();
    let tree = Tree::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let outside = Outside::new(&tree);
    let at = AtomicU64::new(0);
    let place = |nth: u64| tree.join(&format!("{}/canary", nth * 7 % 200));
    fs::hard_link(tree.beside("outside/canary"), place(0)).unwrap();
    let moves = || {
        let nth = at.fetch_add(1, Relaxed);
        fs::rename(place(nth), place(nth + 1)).unwrap();
    };
    meanwhile(moves, || change_everything(&tree));
    outside.assert_untouched(&tree);
}

#[test]
fn a_directory_with_a_name_of_the_canary_that_moves_about_does_not_count_twice() {
    need_root();
    // The file itself is at rest, so that its times tell nothing.
    let tree = Tree::new(&["one/", "two/", "three/", "moving/"]);
    let outside = Outside::new(&tree);
    fs::hard_link(tree.beside("outside/canary"), tree.join("moving/canary")).unwrap();
    let moves = || {
        for (from, to) in [("moving", "one/moving"), ("one/moving", "two/moving"), ("two/moving", "moving")] {
            fs::rename(tree.join(from), tree.join(to)).unwrap();
        }
    };
    meanwhile(moves, || change_everything(&tree));
    outside.assert_untouched(&tree);
}

#[test]
fn what_vanishes_is_no_failure() {
    need_root();
    let tree = Tree::new(&["a/b/c", "stays"]);
    let come_and_go = || {
        tree.add("a/d/e/f");
        tree.add("a/g");
        fs::remove_dir_all(tree.join("a/d")).unwrap();
        fs::remove_file(tree.join("a/g")).unwrap();
    };
    meanwhile(come_and_go, || change_everything(&tree));
    assert_eq!(tree.entry("stays").owner.0, 1000 + (RUNS - 1) % 2);
    // It may only have moved, so no stamp says that all was seen.
    let mut owner = 0;
    let a_run = || {
        owner = 1000 + (owner + 1) % 2;
        let ended = done(&[&format!("--owner={owner}"), "--policy=stamp", &tree.path()]);
        let stamps = ended.messages("no stamp: the next run looks at everything again").len();
        (ended.message("looked at")["vanished"] != 0).then(|| assert_eq!(stamps, 1, "{ended:#?}"))
    };
    meanwhile(come_and_go, || until("something vanishes", a_run));
}

#[test]
fn a_run_that_is_killed_is_finished_by_the_next_one() {
    need_root();
    let names: Vec<_> = (0..1500).map(|nth| format!("{}/{}/{nth}", nth % 10, nth % 7)).collect();
    let tree = Tree::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for round in 0..25u32 {
        let owner = 1000 + round % 2;
        let arguments = [&format!("--owner={owner}:{owner}"), "--policy=stamp", &tree.path()];
        let mut program = Program::start(&mut fix_perms(&arguments.map(|argument| argument as &str)));
        program.wait_for_message("fix-perms starts");
        // Killed once a file that the directory's order puts anywhere is changed: at another point
        // each time.
        let file = tree.join(&names[(round as usize * 611) % names.len()]);
        until("a file is changed", || (entry(&file).owner.0 == owner).then_some(()));
        program.signal(harness::Signal::KILL);
        program.end();
        let all_right = || tree.entries().values().all(|entry| entry.owner == (owner, owner));
        let ended = done(&arguments.map(|argument| argument as &str));
        assert!(all_right(), "after {:?}", ended.message("looked at"));
        assert_eq!(done(&arguments.map(|argument| argument as &str)).message("looked at")["seen"], 1);
    }
}

#[test]
fn what_is_put_where_something_was_missing_is_not_followed() {
    need_root();
    let tree = Tree::new(&["there"]);
    let outside = Outside::new(&tree);
    let new = tree.join("new");
    let come_and_go = || {
        // Between the two, a run may have made the directory itself.
        let _ = symlink(tree.beside("outside"), &new);
        let _ = fs::remove_file(&new);
    };
    let path = new.display().to_string();
    meanwhile(come_and_go, || {
        for _ in 0..RUNS {
            let ended = run(&["--create", "--owner=1000:1000", "--mode=0700", &path]);
            assert!(matches!(ended.code, Some(0 | 1 | 64)), "{ended:#?}");
            let _ = fs::remove_dir(&new);
        }
    });
    outside.assert_untouched(&tree);
}

#[test]
fn a_directory_that_moves_while_it_is_walked_is_told_or_nothing_is_left_out() {
    need_root();
    // Deeper than the few descriptors reach, so that the way back is looked for.
    let chain = "d/".repeat(80);
    let names: Vec<_> = (0..80).map(|depth| format!("{}file", &chain[..2 * depth])).collect();
    let tree = Tree::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    // The way back by `..` leads there while it is moved.
    let outside = Outside::new(&tree);
    let strangers: Vec<_> = (0..300).map(|nth| tree.beside(&format!("outside/{nth}"))).collect();
    for stranger in &strangers {
        fs::write(stranger, "").unwrap();
    }
    let [from, to] = [tree.join(&chain[..39]), tree.beside("outside/d")];
    let moves = || {
        fs::rename(&from, &to).unwrap();
        fs::rename(&to, &from).unwrap();
    };
    let path = tree.path();
    meanwhile(moves, || {
        for round in 0..RUNS {
            let owner = format!("--owner={}", 1000 + round % 2);
            let inside = fix_perms(&[&owner, "--threads=1", &path]);
            let mut command = std::process::Command::new("/bin/sh");
            command.env_clear().args(["-c", "ulimit -n 70 && exec \"$0\" \"$@\""]);
            let ended = Program::start(command.arg(inside.get_program()).args(inside.get_args())).end();
            assert!(matches!(ended.code, Some(0 | 1)), "{ended:#?}");
            let told = ended.messages("cannot set right").len();
            assert_eq!(ended.code == Some(1), told > 0, "{ended:#?}");
        }
    });
    outside.assert_untouched(&tree);
    assert!(strangers.iter().all(|stranger| entry(stranger).owner == (0, 0)));
    done(&["--owner=1000", &path]);
    assert!(tree.entries().values().all(|entry| entry.owner.0 == 1000));
}
