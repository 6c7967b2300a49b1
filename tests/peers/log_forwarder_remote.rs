//! log-forwarder on mounts whose files another host writes, renames, copies and deletes. bindfs and sshfs play NFS and SMB: no
//! event comes, attributes are old for a while, and what the system says of an open file is what its path leads to now.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    os::{
        fd::OwnedFd,
        unix::{fs::MetadataExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use e2e::{
    forwarder::{Logs, finish, line},
    process::{command, output},
};
use harness::until;

const ROUNDS: usize = 3;
const LINES: usize = 300;

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

/// Each line is delivered once, although the log is rotated on the other host again and again.
fn each_line_arrives_once(remote: &Remote, rotate: impl Fn(&Path, usize)) {
    let out = format!("file://{}#as=raw", remote.logs.join("out").display());
    let mut written = 0;
    let mut forwarder = remote.logs.forward_from(&remote.mounted().join("*.log"), &["--output", &out]);
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

#[test]
fn bindfs_shows_files_that_are_renamed_elsewhere() {
    each_line_arrives_once(&Remote::bindfs(&[]), rename);
    each_line_arrives_once(&Remote::bindfs(&["-o", "attr_timeout=0,entry_timeout=0"]), rename);
}

#[test]
fn bindfs_shows_files_that_are_copied_and_truncated_elsewhere() {
    each_line_arrives_once(&Remote::bindfs(&[]), copy_and_truncate);
}

#[test]
fn bindfs_shows_files_that_are_deleted_elsewhere() {
    each_line_arrives_once(&Remote::bindfs(&[]), delete);
}

#[test]
fn sshfs_shows_files_that_are_renamed_elsewhere() {
    each_line_arrives_once(&Remote::sshfs(), rename);
}

#[test]
fn sshfs_shows_files_that_are_copied_and_truncated_elsewhere() {
    each_line_arrives_once(&Remote::sshfs(), copy_and_truncate);
}

#[test]
fn sshfs_shows_files_that_are_deleted_elsewhere() {
    each_line_arrives_once(&Remote::sshfs(), delete);
}
