//! A process that cannot outlive its test, and neither can its children.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::Write,
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{
    directory::NOBODY,
    process::{command, kill},
};
use harness::until;

/// A running process, killed with all its children when dropped
///
/// It is the first process of a PID namespace, so the kernel ends its children with it. A namespace for System V shared memory
/// removes the segments that PostgreSQL would leave. Parent-death signals do the same when the test itself is killed.
pub struct Contained(Child);

/// The network that a process runs in
#[derive(Clone, Copy)]
pub enum Network<'a> {
    /// The network of the test
    Shared,
    /// A namespace with this address, and with this file as `/etc/hosts`; the kernel removes both with the process
    Own(Ipv4Addr, &'a Path),
}

impl Contained {
    /// Starts `program`; its stdout and stderr go to `log`.
    pub fn start(program: &Command, log: File, network: Network) -> Self {
        let mut contained = contained(program, network);
        contained.stdin(Stdio::piped()).stdout(log.try_clone().expect("a descriptor")).stderr(log);
        Self(contained.spawn().expect("setpriv of util-linux"))
    }

    /// Whether it has not ended yet
    pub fn runs(&mut self) -> bool {
        self.0.try_wait().expect("a child").is_none()
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.0.stdin.as_mut().expect("a pipe"), "{line}").expect("a process that reads");
    }

    /// The process ID that it has outside
    pub fn number(&self) -> u32 {
        until("the process runs", || self.first_process())
    }

    /// `inner` as a command that runs in the same network, with the same `/etc/hosts`
    pub fn beside(&self, inner: &Command) -> Command {
        let process = self.number();
        let mut outer = command("nsenter");
        outer.arg(format!("--net=/proc/{process}/ns/net")).arg(format!("--mount=/proc/{process}/ns/mnt"));
        outer.arg(inner.get_program()).args(inner.get_args());
        outer
    }

    /// The only child of `unshare`. When it ends, every other process of the namespace has ended.
    fn first_process(&self) -> Option<u32> {
        children_of(self.0.id()).first().copied()
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        match self.first_process() {
            // The process may have ended by itself, and a second panic would abort the test.
            Some(process) => drop(kill(process, "KILL").status()),
            None => drop(self.0.kill()),
        }
        let _ = self.0.wait();
    }
}

/// The children of a process's first thread; none when it has ended
pub fn children_of(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().map(|number| number.parse().expect("a process number")).collect()
}

/// `program` as [`NOBODY`], because databases refuse to run as root; it dies with the thread that starts it
pub fn as_nobody(program: impl AsRef<OsStr>) -> Command {
    let mut outer = command("setpriv");
    outer.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]).arg("--clear-groups");
    // A change of the user clears a parent-death signal, so this inner setpriv sets it again.
    outer.arg("--pdeathsig=KILL").arg(command(program).get_program());
    outer
}

fn contained(program: &Command, network: Network) -> Command {
    let mut outer = command("setpriv");
    outer.args(["--pdeathsig=KILL", "unshare", "--pid", "--ipc", "--fork", "--kill-child=KILL"]);
    if let Network::Own(address, hosts) = network {
        let own =
            "ip link set lo up && ip address add $1/32 dev lo && mount --bind $2 /etc/hosts && shift 2 && exec \"$@\"";
        outer.args(["--net", "--mount", "sh", "-c", own, "sh", &address.to_string()]).arg(hosts);
    }
    outer.arg(program.get_program()).args(program.get_args());
    outer
}
