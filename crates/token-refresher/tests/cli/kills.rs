//! A refresher that is killed at any moment, beside an app that never stops reading.

use std::{
    fs::{self, File},
    os::fd::AsRawFd,
    path::Path,
    time::Instant,
};

use harness::{DEADLINE, Program};

use crate::support::refresher;

const READS: u32 = 1_000_000;
/// Reads beside one refresher
const ROUND: u32 = 4_000;

#[test]
fn a_million_reads_beside_killed_refreshers_see_whole_files_and_sets() {
    // A disk would take hours: every write waits for it.
    let volume = tempfile::tempdir_in("/dev/shm").unwrap();
    let volume = volume.path();
    let path = volume.display();
    let config = format!(
        "secrets:\n- name: token\n  source: {{file: {{path: {path}/in}}}}\n  outputs:\n  - file: {path}/app/token\n  \
         - directory: {path}/pair\n    files: [{{name: user}}, {{name: password}}]\n"
    );
    fs::write(volume.join("secrets.yaml"), config).unwrap();
    let mut reads = 0;
    let mut seen = 0;
    set_input(volume, 0);
    let first = start(volume);
    harness::until("the first set is there", || volume.join("pair/password").exists().then_some(()));
    drop(first);
    for round in 1..=READS / ROUND {
        set_input(volume, round);
        // Dropped is killed.
        let _refresher = start(volume);
        // Every fifth one may finish; the others are killed at another moment each.
        let start = Instant::now();
        let kill_at = reads + ROUND / 2 + round * 37 % ROUND;
        while reads < kill_at || (round % 5 == 0 && seen < round) {
            seen = seen.max(look(volume, reads));
            reads += 1;
            assert!(start.elapsed() < DEADLINE, "no value of round {round}");
        }
    }
    while reads < READS {
        seen = seen.max(look(volume, reads));
        reads += 1;
    }
    assert_eq!(seen, READS / ROUND);
    let refresher = start(volume);
    harness::until("what killed ones left is gone", || {
        let names = names(&volume.join("app"));
        (names == [".token.lock", "token"]).then_some(())
    });
    drop(refresher);
}

fn start(volume: &Path) -> Program {
    Program::start(refresher().arg("--config").arg(volume.join("secrets.yaml")).arg("--health-addr=127.0.0.1:0"))
}

/// The whole input, at once
fn set_input(volume: &Path, number: u32) {
    fs::write(volume.join("new"), format!("{number} ").repeat(1000)).unwrap();
    fs::rename(volume.join("new"), volume.join("in")).unwrap();
}

/// One read in one of four ways; returns the number that was found.
fn look(volume: &Path, read: u32) -> u32 {
    match read % 4 {
        0 => number(&volume.join("app/token")),
        1 => number(&volume.join("pair/user")),
        2 => number(&volume.join("pair/password")),
        _ => {
            // Both of one state: an app resolves the link once.
            let set = File::open(volume.join("pair/..data")).unwrap();
            let set = Path::new("/proc/self/fd").join(set.as_raw_fd().to_string());
            let user = number(&set.join("user"));
            assert_eq!(number(&set.join("password")), user, "a mixed set");
            user
        }
    }
}

/// The number that a whole file repeats
fn number(path: &Path) -> u32 {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{} is missing: {error}", path.display()));
    let (number, _) = text.split_once(' ').expect("a torn file");
    assert!(text == format!("{number} ").repeat(1000), "{} is torn", path.display());
    number.parse().unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}
