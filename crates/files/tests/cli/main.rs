//! A writer that is killed at any moment, beside a reader that never stops.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    fs::{self, File},
    io::Write,
    os::fd::AsRawFd,
    path::Path,
    process::{Child, Command, Stdio},
};

const READS: u32 = 1_000_000;
/// Reads between two writes
const PACE: u32 = 400;

#[test]
fn a_million_reads_beside_killed_writers_see_whole_sets() {
    // A disk would take hours: every write waits for it.
    let volume = tempfile::tempdir_in("/dev/shm").unwrap();
    let volume = volume.path();
    let mut writer = Writer::start(volume);
    writer.write(0);
    harness::until("the first file is there", || volume.join("token").exists().then_some(()));
    let mut newest = 0;
    let mut kills = 0;
    let mut kill_at = u32::MAX;
    for read in 1..=READS {
        newest = newest.max(look(volume, read));
        if read == kill_at {
            writer.kill();
            writer = Writer::start(volume);
            kills += 1;
        }
        if read % PACE == 0 {
            let number = read / PACE;
            writer.write(number);
            // Every third write is killed, each time at another moment.
            kill_at = if number.is_multiple_of(3) { read + 1 + number % 60 } else { u32::MAX };
        }
    }
    assert!(kills > 800, "{kills} kills");
    assert!(newest > READS / PACE / 2, "the last number that was read is {newest}");
    writer.write(u32::MAX);
    writer.end();
    assert_eq!(look(volume, 0), u32::MAX);
    let mut names: Vec<_> =
        fs::read_dir(volume).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["pair", "token"]);
    assert!(!volume.join("pair/..data_tmp").is_symlink());
}

/// One read in one of four ways; returns the number that was found.
fn look(volume: &Path, read: u32) -> u32 {
    match read % 4 {
        0 => number(&volume.join("token"), 1000),
        1 => number(&volume.join("pair/user"), 10),
        2 => number(&volume.join("pair/password"), 1000),
        _ => {
            // Both of one state: an app resolves the link once.
            let set = File::open(volume.join("pair/..data")).unwrap();
            let set = Path::new("/proc/self/fd").join(set.as_raw_fd().to_string());
            let user = number(&set.join("user"), 10);
            assert_eq!(number(&set.join("password"), 1000), user, "a mixed set");
            user
        }
    }
}

/// The number that a whole file repeats
fn number(path: &Path, times: usize) -> u32 {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{} is missing: {error}", path.display()));
    let (number, _) = text.split_once(' ').expect("a torn file");
    assert!(text == format!("{number} ").repeat(times), "{} is torn", path.display());
    number.parse().unwrap()
}

struct Writer(Child);

impl Writer {
    fn start(volume: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_test-writer"));
        Self(command.arg(volume).stdin(Stdio::piped()).spawn().unwrap())
    }

    fn write(&mut self, number: u32) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{number}").unwrap();
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}
