//! Programs in namespaces of their own, as in a pod.
//!
//! Without root this needs unprivileged user namespaces. The tests fail, and say so, where both are denied.

use std::{
    any::type_name,
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::{Command, Stdio},
};

use crate::{program::Program, until::until, variable::variable};

/// The command as PID 1 of a new PID namespace.
pub fn as_pid_one(inside: &Command) -> Command {
    unshare(&["--pid", "--fork", "--kill-child"], inside)
}

/// The same, started.
#[track_caller]
pub fn start_as_pid_one(inside: &Command) -> Program {
    Program::start(&mut as_pid_one(inside))
}

/// The process ID that PID 1 has outside, while it runs.
#[track_caller]
pub fn id_of_pid_one(program: &Program) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", program.id());
    until("unshare has a child (are user namespaces denied?)", || {
        fs::read_to_string(&children).ok()?.trim().parse().ok()
    })
}

/// Whether this test runs as root
pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A command in new namespaces, with no other variables than those that the command sets itself.
pub fn unshare(flags: &[&str], inside: &Command) -> Command {
    let mut command = Command::new("unshare");
    command.env_clear();
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(flags).arg("--").arg(inside.get_program()).args(inside.get_args());
    command.envs(inside.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

/// The variable that marks a test which already runs in its own namespaces
const MARK: &str = "HARNESS_INSIDE";

/// Runs a test's body in a mount namespace. The kernel removes the body's mounts with the namespace.
#[track_caller]
pub fn with_own_mounts<F: FnOnce()>(body: F) {
    with_own_namespaces(&["--mount"], || (), body);
}

/// Brings the loopback interface of a test's own network (`--net`) up or down. While it is down, packets on established
/// connections vanish without a word, as when a host is gone.
#[track_caller]
pub fn set_loopback(is_up: bool) {
    let state = if is_up { "up" } else { "down" };
    let output = Command::new("ip").args(["link", "set", "lo", state]).output().expect("the command `ip`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a test's body in new namespaces, after `prepare` there: the test's binary starts itself again under `unshare`, for
/// this test alone.
#[track_caller]
pub fn with_own_namespaces<F: FnOnce()>(flags: &[&str], prepare: impl FnOnce(), body: F) {
    if variable(MARK).is_some() {
        prepare();
        return body();
    }
    // The name of a closure's type begins with the path of its function, which is libtest's name of the test.
    let name = type_name::<F>().split_once("::").and_then(|(_, name)| name.strip_suffix("::{{closure}}")).unwrap();
    let mut test = Command::new(env::current_exe().unwrap());
    test.args([name, "--exact", "--nocapture"]);
    let mut outside = unshare(flags, &test);
    // What stays there, because something is mounted on it until the body has ended, can be removed here.
    let room = tempfile::tempdir().unwrap();
    fs::set_permissions(room.path(), fs::Permissions::from_mode(0o755)).unwrap();
    outside.env(MARK, "1").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TMPDIR", room.path());
    let output = outside.stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let passed = output.status.success() && stdout.contains("1 passed");
    assert!(passed, "in namespaces of its own (are they denied?), {name}:\n{stdout}{stderr}");
}
