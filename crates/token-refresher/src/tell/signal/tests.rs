//! Signals to real processes.

use std::{
    fs,
    os::unix::{fs::symlink, process::CommandExt},
    path::Path,
    process::{Child, Command},
    thread,
};

use harness::until;
use rustix::{process::Uid, thread::set_thread_res_uid};
use tempfile::TempDir;

use super::*;

/// Writes a line to its first argument at HUP, and one when it listens
const LISTENING: &str = "trap 'echo HUP >> \"$1\"' HUP\necho listening >> \"$1\"\nwhile :; do sleep 0.02; done\n";
/// Leaves HUP to the kernel
const DEAF: &str = "echo listening >> \"$1\"\nwhile :; do sleep 0.02; done\n";

/// A directory with scripts and what they wrote
struct Pod(TempDir);

/// A process that ends with its test
struct App {
    child: Child,
    log: PathBuf,
}

impl Pod {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Starts a process of this name that runs the script, and waits until it listens.
    fn start(&self, name: &str, script: &str, log: &str) -> App {
        let (program, file, log) = (self.path(name), self.path(&format!("{log}.sh")), self.path(log));
        if !program.exists() {
            symlink("/bin/sh", &program).unwrap();
        }
        fs::write(&file, script).unwrap();
        let child = Command::new(program).arg(file).arg(&log).process_group(0).spawn().unwrap();
        let app = App { child, log };
        until("the app listens", || app.lines().contains(&"listening".to_owned()).then_some(()));
        app
    }
}

impl App {
    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.log).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn process(&self) -> Process {
        Process::look(Path::new("/proc"), self.child.id()).unwrap().unwrap()
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn until_told(&self, times: usize) {
        until("the app is told", || (self.lines().len() == 1 + times).then_some(()));
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A name that no process of another run of these tests has, of at most 15 bytes
fn unique(word: &str) -> String {
    format!("{word}-{}", std::process::id())
}

fn tell(signal: SignalName, wanted: Wanted) -> SignalTell {
    SignalTell { signal, wanted, proc: "/proc".into() }
}

fn hup(name: &str) -> SignalTell {
    tell(SignalName::Hup, Wanted::Name(name.into()))
}

#[tokio::test]
async fn the_oldest_process_of_a_name_is_told_and_no_other() {
    let (pod, name) = (Pod::new(), unique("name"));
    let server = pod.start(&name, LISTENING, "server");
    let worker = pod.start(&name, LISTENING, "worker");
    hup(&name).tell().await.unwrap();
    server.until_told(1);
    assert_eq!(worker.lines().len(), 1);
    let lines = hup(&name).explain();
    let user = rustix::process::getuid().as_raw();
    let (first, second) = (server.child.id(), worker.child.id());
    assert_eq!(lines[0], format!("process {first} ({name}) of user {user}: gets HUP"));
    // A command that a script has just started has the script's name for a moment, so there may be more.
    let not_oldest = format!("process {second} ({name}) of user {user}: not signalled: it is not the oldest");
    assert!(lines.contains(&not_oldest), "{lines:?}");
}

#[tokio::test]
async fn a_process_is_told_by_a_part_of_its_command_line() {
    let (pod, name) = (Pod::new(), unique("words"));
    let app = pod.start(&name, LISTENING, "app");
    let _other = pod.start(&name, LISTENING, "other");
    let part = format!("app.sh {}", app.log.display());
    tell(SignalName::Hup, Wanted::CommandLine(part)).tell().await.unwrap();
    app.until_told(1);
}

#[tokio::test]
async fn a_process_that_the_signal_would_end_is_left_alone() {
    let (pod, name) = (Pod::new(), unique("deaf"));
    let mut app = pod.start(&name, DEAF, "app");
    let refusal = hup(&name).tell().await.unwrap_err();
    let reason = "has no handler for HUP, and HUP would end it: it may not have started fully, or is the wrong process";
    assert_eq!(refusal, format!("process {} ({name}) {reason}", app.child.id()));
    assert!(app.is_running());
    assert!(hup(&name).explain()[0].ends_with(reason));
    // TERM asks for the end.
    tell(SignalName::Term, Wanted::Name(name.clone())).tell().await.unwrap();
    until("the app ends", || (!app.is_running()).then_some(()));
}

#[tokio::test]
async fn a_process_that_takes_no_notice_of_the_signal_is_not_told() {
    let (pod, name) = (Pod::new(), unique("ign"));
    let app = pod.start(&name, &format!("trap '' HUP\n{DEAF}"), "app");
    let reason = "it may not have started fully, or is the wrong process";
    let refusal = hup(&name).tell().await.unwrap_err();
    assert_eq!(refusal, format!("process {} ({name}) ignores HUP: {reason}", app.child.id()));
    let winch = tell(SignalName::Winch, Wanted::Name(name.clone()));
    let refusal = winch.tell().await.unwrap_err();
    assert_eq!(refusal, format!("process {} ({name}) has no handler for WINCH: {reason}", app.child.id()));
    assert_eq!(tell(SignalName::Cont, Wanted::Name(name)).tell().await, Ok(()));
}

#[tokio::test]
async fn a_process_that_restarts_is_told_once_it_is_there_again() {
    let (pod, name) = (Pod::new(), unique("later"));
    let tell = hup(&name);
    let refusal = tell.tell().await.unwrap_err();
    assert!(refusal.starts_with(&format!("no process named {name:?} runs; ")), "{refusal}");
    assert!(refusal.contains("shareProcessNamespace: true"), "{refusal}");
    assert_eq!(tell.explain(), [refusal]);
    drop(pod.start(&name, LISTENING, "first"));
    // A child that the shell has just forked has its name until it runs another program.
    until("its last child has another name", || {
        tell.explain().iter().any(|line| line.starts_with("no process named")).then_some(())
    });
    assert!(tell.tell().await.is_err());
    let again = pod.start(&name, LISTENING, "second");
    tell.tell().await.unwrap();
    again.until_told(1);
}

#[tokio::test]
async fn another_process_with_the_number_of_the_old_one_is_not_told() {
    let (pod, name) = (Pod::new(), unique("num"));
    let app = pod.start(&name, LISTENING, "app");
    let (tell, mut old) = (hup(&name), app.process());
    old.start_ticks -= 1;
    assert_eq!(tell.send_to(&old), Ok(false));
    // The same process with another name than the one it was found by
    assert_eq!(hup("told-otherwise").send_to(&app.process()), Ok(false));
    assert_eq!(tell.send_to(&app.process()), Ok(true));
    app.until_told(1);
}

#[test]
fn neither_this_process_nor_the_pause_container_is_told() {
    let own = Process::look(Path::new("/proc"), std::process::id()).unwrap().unwrap();
    assert!(!Wanted::Name(own.name()).matches(Path::new("/proc"), &own));
    let proc = tempfile::tempdir().unwrap();
    let write = |id: u32, name: &str| {
        fs::create_dir_all(proc.path().join(id.to_string())).unwrap();
        let stat = format!("{id} ({name}) S 0 1 1 0 -1 4194560 99 0 0 0 25 5 0 0 20 0 3 0 {id}");
        fs::write(proc.path().join(id.to_string()).join("stat"), stat).unwrap();
    };
    write(1, "pause");
    write(2_000_000_007, "pause");
    let found = Wanted::Name("pause".into()).find(proc.path()).unwrap();
    assert_eq!(found.iter().map(|process| process.id).collect::<Vec<_>>(), [2_000_000_007]);
    // PID 1 of another name is the app itself, where a container joins the namespace of another one.
    write(1, "nginx");
    let found = Wanted::Name("nginx".into()).find(proc.path()).unwrap();
    assert_eq!(found[0].id, 1);
    // The kernel would drop the signal.
    let term = tell(SignalName::Term, Wanted::Name("nginx".into()));
    let obstacle = term.obstacle(&found[0], Status { user: 101, reaction: Reaction::Default });
    assert!(obstacle.is_some_and(|text| text.starts_with("has no handler for TERM: ")));
}

#[test]
fn a_container_that_sees_only_itself_is_told_the_remedy() {
    let proc = tempfile::tempdir().unwrap();
    fs::create_dir(proc.path().join("7")).unwrap();
    symlink("7", proc.path().join("self")).unwrap();
    let tell = SignalTell { proc: proc.path().into(), ..hup("nginx") };
    let refusal = "no process named \"nginx\" runs; this container sees no other process: set `shareProcessNamespace: true` in the \
                   pod's spec";
    assert_eq!(tell.send().unwrap_err(), refusal);
}

mod as_root {
    use super::*;

    /// Any user but root
    const USER: u32 = 64_321;

    #[test]
    fn a_process_of_another_user_names_the_user_and_the_capability() {
        let (pod, name) = (Pod::new(), unique("root"));
        let app = pod.start(&name, LISTENING, "app");
        let (refusal, lines) = thread::scope(|scope| {
            // Only this thread becomes another user.
            let other = scope.spawn(|| {
                let user = Uid::from_raw(USER);
                set_thread_res_uid(user, user, user).unwrap();
                (hup(&name).send().unwrap_err(), hup(&name).explain())
            });
            other.join().unwrap()
        });
        let reason = "may not be signalled, because it belongs to user 0: run this container with `runAsUser: 0`, or as root with the \
                      capability KILL";
        assert_eq!(refusal, format!("process {} ({name}) {reason}", app.child.id()));
        assert!(lines[0].ends_with(reason), "{lines:?}");
        assert_eq!(app.lines().len(), 1);
    }
}
