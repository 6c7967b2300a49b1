//! log-forwarder on mounts whose files another host writes, renames, copies and deletes. bindfs and sshfs play NFS and SMB: no
//! event comes, attributes are old for a while, and what the system says of an open file is what its path leads to now.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileExt, MetadataExt},
            net::UnixStream,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use e2e::{
    forwarder::{Logs, finish, line},
    process::{Process, command, output},
};
use harness::until;

const ROUNDS: usize = 3;
const LINES: usize = 300;
/// Between two writes of an app: short in comparison with the time for which a mount keeps names
const PAUSE: Duration = Duration::from_millis(250);
/// The log says this about a descriptor whose path leads to another file now.
const ASTRAY: &str = "its descriptor leads to another file";

/// A directory on another host, as it were, and the mount through which log-forwarder sees it; unmounted when dropped
struct Remote {
    logs: Logs,
    servers: Vec<Child>,
}

impl Remote {
    fn new() -> Self {
        let logs = Logs::new();
        for name in ["there", "mounted"] {
            fs::create_dir(logs.join(name)).unwrap();
        }
        Self { logs, servers: Vec::new() }
    }

    fn bindfs(options: &[&str]) -> Self {
        let remote = Self::new();
        let mut bindfs = command("bindfs");
        bindfs.args(options).args([remote.there(), remote.mounted()]);
        output(bindfs);
        remote
    }

    /// Without sshfs' cache of attributes, which keeps everything for 20 s
    fn sshfs() -> Self {
        let mut remote = Self::new();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let end = |stream: &UnixStream| Stdio::from(OwnedFd::from(stream.try_clone().unwrap()));
        let mut server = command("/usr/lib/openssh/sftp-server");
        let server = server.stdin(end(&theirs)).stdout(end(&theirs)).spawn().unwrap();
        let mut sshfs = command("sshfs");
        sshfs.args(["-o", "passive,cache=no"]).arg(format!("there:{}", remote.there().display())).arg(remote.mounted());
        let sshfs = sshfs.stdin(end(&ours)).stdout(end(&ours)).spawn().unwrap();
        remote.servers = vec![sshfs, server];
        let device = |path: PathBuf| fs::metadata(path).unwrap().dev();
        until("sshfs has mounted", || (device(remote.mounted()) != device(remote.there())).then_some(()));
        remote
    }

    fn there(&self) -> PathBuf {
        self.logs.join("there")
    }

    fn mounted(&self) -> PathBuf {
        self.logs.join("mounted")
    }

    fn write(&self, from: usize, count: usize) {
        let text = (from..from + count).fold(String::new(), |text, number| text + &line(number) + "\n");
        let mut log = File::options().append(true).create(true).open(self.there().join("app.log")).unwrap();
        log.write_all(text.as_bytes()).unwrap();
    }

    fn arrived(&self) -> Vec<String> {
        self.logs.read("out").lines().map(str::to_owned).collect()
    }

    fn wait_for(&self, count: usize) {
        until(&format!("{count} lines are there"), || (self.arrived().len() >= count).then_some(()));
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let mut umount = command("umount");
        // No assertion: the test may be failing already.
        let _ = umount.arg("--lazy").arg(self.mounted()).status();
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Each line is delivered once, although the log is rotated on the other host again and again. The mount has the inode numbers of
/// the other host, or its own, by which a descriptor is known that leads to another file.
fn each_line_arrives_once(remote: &Remote, rotate: impl Fn(&Path, usize), is_said: Option<&str>) {
    let mut written = 0;
    let mut forwarder = forward(remote);
    for _ in 0..4 {
        remote.write(written, 1);
        written += 1;
        remote.wait_for(written);
    }
    forwarder.says("its files grow without events");
    for round in 0..ROUNDS {
        remote.write(written, LINES);
        written += LINES;
        remote.wait_for(written);
        rotate(&remote.there().join("app.log"), round);
    }
    if let Some(what) = is_said {
        let said = forwarder.says(what);
        assert!(said.contains("app.log"), "{said}");
    }
    let ledger = finish(forwarder);
    let arrived = remote.arrived();
    let distinct: BTreeSet<_> = arrived.iter().cloned().collect();
    assert_eq!(distinct, (0..written).map(line).collect());
    assert_eq!((arrived.len(), ledger["lost"]), (written, 0));
}

fn numbered(log: &Path, number: usize) -> PathBuf {
    PathBuf::from(format!("{}.{number}", log.display()))
}

fn rename(log: &Path, round: usize) {
    for number in (1..=round).rev() {
        fs::rename(numbered(log, number), numbered(log, number + 1)).unwrap();
    }
    fs::rename(log, numbered(log, 1)).unwrap();
}

fn copy_and_truncate(log: &Path, round: usize) {
    fs::copy(log, numbered(log, round)).unwrap();
    File::options().write(true).open(log).unwrap().set_len(0).unwrap();
}

fn delete(log: &Path, _: usize) {
    fs::remove_file(log).unwrap();
}

/// log-forwarder on the mount, before it has polled anything
fn forward(remote: &Remote) -> Process {
    let out = format!("file://{}#as=raw", remote.logs.join("out").display());
    remote.logs.forward_from(&remote.mounted().join("*.log"), &["--output", &out])
}

/// Each of these lines has come. Returns the bytes that count as lost.
fn finish_with_all(remote: &Remote, forwarder: Process, count: usize) -> u64 {
    let missing = || {
        let arrived: BTreeSet<_> = remote.arrived().into_iter().collect();
        (0..count).map(line).filter(|line| !arrived.contains(line)).collect::<Vec<_>>()
    };
    until("the last line is there", || (!missing().contains(&line(count - 1))).then_some(()));
    let ledger = finish(forwarder);
    assert_eq!(missing(), [""; 0]);
    ledger["lost"]
}

#[test]
fn bindfs_states_an_old_size_and_the_log_says_that_the_bytes_contradict_it() {
    // The mount keeps its answers for an hour, and another host shortens the log within it. On a mount that can be written, each
    // read would make the kernel ask again.
    let remote = Remote::bindfs(&["-o", "ro,attr_timeout=3600,direct_io"]);
    remote.write(0, 2 * LINES);
    assert!(fs::metadata(remote.mounted().join("app.log")).unwrap().len() > 0);
    File::options().write(true).open(remote.there().join("app.log")).unwrap().set_len(0).unwrap();
    remote.write(0, LINES);
    let mut forwarder = forward(&remote);
    let said = forwarder.says("its size and its bytes contradict each other");
    assert!(said.contains("app.log"), "{said}");
    remote.wait_for(LINES);
    // Lines that follow come too, although the size stays as it is.
    remote.write(LINES, 1);
    assert_eq!(finish_with_all(&remote, forwarder, LINES + 1), 0);
    assert_eq!(remote.arrived().len(), LINES + 1);
}

#[test]
fn bindfs_shows_a_head_that_differs_from_one_read_to_the_next_and_the_log_says_so() {
    let remote = Remote::bindfs(&["-o", "direct_io"]);
    let mut forwarder = forward(&remote);
    remote.write(0, LINES);
    remote.wait_for(LINES);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let log = File::options().write(true).open(remote.there().join("app.log")).unwrap();
            let mut texts = (0..).map(|number| format!("{number:013}"));
            while !is_over.load(SeqCst) {
                log.write_all_at(texts.next().unwrap().as_bytes(), 0).unwrap();
            }
            log.write_all_at(line(0).as_bytes(), 0).unwrap();
        });
        remote.write(LINES, 1);
        let said = forwarder.says("its bytes differ from one read to the next");
        is_over.store(true, SeqCst);
        assert!(said.contains("app.log"), "{said}");
    });
    // A head that stayed for a moment before it was read may count as lost.
    finish_with_all(&remote, forwarder, LINES + 1);
}

#[test]
fn bindfs_shows_files_that_are_renamed_elsewhere() {
    each_line_arrives_once(&Remote::bindfs(&[]), rename, Some(ASTRAY));
    each_line_arrives_once(&Remote::bindfs(&["-o", "attr_timeout=0,entry_timeout=0"]), rename, Some(ASTRAY));
}

#[test]
fn bindfs_shows_files_that_are_copied_and_truncated_elsewhere() {
    each_line_arrives_once(&Remote::bindfs(&[]), copy_and_truncate, None);
}

#[test]
fn bindfs_shows_files_that_are_deleted_elsewhere() {
    each_line_arrives_once(&Remote::bindfs(&[]), delete, Some(ASTRAY));
}

#[test]
fn bindfs_has_one_cache_for_files_that_have_one_path_one_after_another() {
    // While the mount keeps the old name, the descriptors of both files read into one cache.
    let remote = Remote::bindfs(&["-o", "attr_timeout=3,entry_timeout=3,negative_timeout=3"]);
    let rotate = |round| rename(&remote.there().join("app.log"), round);
    remote.write(0, LINES);
    let forwarder = forward(&remote);
    remote.wait_for(LINES);
    finish(forwarder);
    rotate(0);
    remote.write(LINES, 1);
    let forwarder = forward(&remote);
    let mut written = LINES + 1;
    for number in 0..8 {
        if number == 4 {
            rotate(1);
        }
        remote.write(written, LINES);
        written += LINES;
        thread::sleep(PAUSE);
    }
    remote.wait_for(written);
    finish(forwarder);
    let distinct: BTreeSet<_> = remote.arrived().into_iter().collect();
    assert_eq!(distinct, (0..written).map(line).collect());
}

#[test]
fn sshfs_shows_files_that_are_renamed_elsewhere() {
    each_line_arrives_once(&Remote::sshfs(), rename, None);
}

#[test]
fn sshfs_shows_files_that_are_copied_and_truncated_elsewhere() {
    each_line_arrives_once(&Remote::sshfs(), copy_and_truncate, None);
}

#[test]
fn sshfs_shows_files_that_are_deleted_elsewhere() {
    each_line_arrives_once(&Remote::sshfs(), delete, None);
}
