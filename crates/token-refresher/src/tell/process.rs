//! The process that a signal is for: how it is found, and how it would take the signal.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    thread,
    time::Duration,
};

use lifecycle::{Process, process_ids, sees_only_itself};
use rustix::process::Signal;

/// Bytes of a command line that are looked at
const COMMAND_LINE_LIMIT: u64 = 64 * 1024;

/// Looks at a process that blocks the signal. A shell blocks all signals for a moment whenever it starts a command, and would die of
/// one that it has no handler for; a process that takes the signal by sigwait(3) or signalfd(2) blocks it all the time.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Which process
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// The name of the process, or of the program that its command line begins with
    Name(String),
    /// A part of its command line
    CommandLine(String),
}

/// What `/proc/PID/status` says about a process and a signal
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    /// The real user
    pub(super) user: u32,
    pub(super) reaction: Reaction,
}

/// What a process does with a signal
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It has a handler.
    Handles,
    /// It blocks the signal, and may take it by sigwait(3) or signalfd(2).
    Blocks,
    Ignores,
    /// The kernel's default
    Default,
}

impl Wanted {
    /// The processes that match, the oldest first: of a server and its workers that is the server. Neither this process nor the
    /// pod's pause container is one of them.
    pub(super) fn find(&self, proc: &Path) -> io::Result<Vec<Process>> {
        let mut found = Vec::new();
        for id in process_ids(proc)? {
            if let Some(process) = Process::look(proc, id)?
                && self.matches(proc, &process)
            {
                found.push(process);
            }
        }
        found.sort_by_key(|process| (process.start_ticks, process.id));
        Ok(found)
    }

    /// Whether the process is one that is meant. A command line that may not be read matches nothing.
    pub(super) fn matches(&self, proc: &Path, process: &Process) -> bool {
        let is_pause = process.id == 1 && process.has_name("pause");
        if is_pause || process.id == std::process::id() {
            return false;
        }
        let command_line = || command_line(&proc.join(process.id.to_string())).unwrap_or_default();
        match self {
            Self::Name(name) => process.has_name(name) || has_program(&command_line(), name),
            Self::CommandLine(text) => has_text(&command_line(), text),
        }
    }

    /// Why no process matches, and the remedy.
    pub(super) fn none_found(&self, proc: &Path) -> String {
        let remedy = if sees_only_itself(proc) {
            "this container sees no other process: set `shareProcessNamespace: true` in the pod's spec"
        } else {
            "it may not have started yet, or the pod's spec lacks `shareProcessNamespace: true`"
        };
        format!("no process {self} runs; {remedy}")
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "named {name:?}"),
            Self::CommandLine(text) => write!(f, "with {text:?} in its command line"),
        }
    }
}

impl Status {
    /// `None` once the process has ended. Takes up to [`LOOKS`] looks where the process blocks the signal.
    pub(super) fn read(proc: &Path, process: &Process, signal: Signal) -> Option<Self> {
        let path = proc.join(process.id.to_string()).join("status");
        let look = || Self::parse(&fs::read_to_string(&path).ok()?, signal);
        let mut status = look()?;
        for _ in 1..LOOKS {
            if status.reaction != Reaction::Blocks {
                break;
            }
            thread::sleep(BETWEEN_LOOKS);
            status = look()?;
        }
        Some(status)
    }

    /// From lines such as `Uid: 101 101 101 101` and `SigCgt: 0000000000000001`: `proc_pid_status(5)`. Bit 0 of a mask is signal 1.
    fn parse(text: &str, signal: Signal) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        let bit = 1_u64.checked_shl(signal.as_raw().cast_unsigned().checked_sub(1)?)?;
        let has = |mask: &str| Some(u64::from_str_radix(field(mask)?, 16).ok()? & bit != 0);
        let user = field("Uid:")?.parse().ok()?;
        let reaction = if has("SigCgt:")? {
            Reaction::Handles
        } else if has("SigBlk:")? {
            Reaction::Blocks
        } else if has("SigIgn:")? {
            Reaction::Ignores
        } else {
            Reaction::Default
        };
        Some(Self { user, reaction })
    }
}

/// The words of a command line
fn command_line(process: &Path) -> io::Result<Vec<String>> {
    let mut bytes = Vec::new();
    File::open(process.join("cmdline"))?.take(COMMAND_LINE_LIMIT).read_to_end(&mut bytes)?;
    let words = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    Ok(words.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

fn has_program(words: &[String], name: &str) -> bool {
    words.first().is_some_and(|program| program.rsplit('/').next() == Some(name))
}

/// Whether the text is in a command line. The script of a shell, as in `sh -c 'exec nginx'`, does not count, because the shell is older than
/// the program that it has started, and the signal would end it.
fn has_text(words: &[String], text: &str) -> bool {
    let is_script = |words: &[String]| words.get(1).is_some_and(|flag| is_flag_of_script(flag));
    let words: Vec<_> = match words {
        [shell, flag, _, rest @ ..] if is_script(words) => [shell, flag].into_iter().chain(rest).collect(),
        words => words.iter().collect(),
    };
    words.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(" ").contains(text)
}

/// `-c`, also together with other letters, as in `sh -ec`
fn is_flag_of_script(flag: &str) -> bool {
    flag.strip_prefix('-').is_some_and(|letters| {
        letters.ends_with('c') && letters.len() <= 4 && letters.bytes().all(|letter| letter.is_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_program_is_known_by_the_last_part_of_its_path() {
        assert!(has_program(&words(&["/usr/sbin/haproxy", "-W"]), "haproxy"));
        assert!(!has_program(&words(&["/usr/sbin/haproxy", "-W"]), "proxy"));
        assert!(!has_program(&words(&["tail", "haproxy"]), "haproxy"));
        assert!(!has_program(&[], "haproxy"));
    }

    #[test]
    fn a_text_may_cross_words_and_is_not_looked_for_in_the_script_of_a_shell() {
        let gunicorn = "gunicorn app:app";
        assert!(has_text(&words(&["/usr/bin/python3", "/usr/bin/gunicorn", "app:app"]), gunicorn));
        for shell in [&["sh", "-c", gunicorn][..], &["/bin/bash", "-ec", gunicorn], &["bash", "-c", gunicorn, "name"]] {
            assert!(!has_text(&words(shell), gunicorn), "{shell:?}");
        }
        assert!(has_text(&words(&["sh", "-c", "true", gunicorn]), gunicorn));
        assert!(has_text(&words(&["bash", "/app/run.sh"]), "/app/run.sh"));
    }

    #[test]
    fn a_status_tells_the_user_and_the_reaction() {
        let status = |blocked, ignored, caught| {
            format!(
                "Name:\tx\nUid:\t101\t0\t0\t0\nSigBlk:\t{blocked:016x}\nSigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\n"
            )
        };
        for (text, reaction) in [
            (status(0, 0, 1), Reaction::Handles),
            (status(1, 0, 0), Reaction::Blocks),
            (status(0, 1, 2), Reaction::Ignores),
            (status(2, 2, 2), Reaction::Default),
        ] {
            assert_eq!(Status::parse(&text, Signal::HUP), Some(Status { user: 101, reaction }), "{text}");
        }
        assert_eq!(Status::parse("Uid:\t101\n", Signal::HUP), None);
    }

    #[test]
    fn a_signal_that_is_blocked_for_a_moment_is_not_taken() {
        let proc = tempfile::tempdir().unwrap();
        let directory = proc.path().join("7");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("stat"), "7 (app) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0").unwrap();
        let process = Process::look(proc.path(), 7).unwrap().unwrap();
        let status = |blocked| format!("Uid:\t101\t0\t0\t0\nSigBlk:\t{blocked:016x}\nSigIgn:\t0\nSigCgt:\t0\n");
        fs::write(directory.join("status"), status(1)).unwrap();
        let read = || Status::read(proc.path(), &process, Signal::HUP).unwrap().reaction;
        assert_eq!(read(), Reaction::Blocks);
        let unblocks = thread::scope(|scope| {
            let reading = scope.spawn(read);
            thread::sleep(BETWEEN_LOOKS);
            fs::write(directory.join("next"), status(0)).unwrap();
            fs::rename(directory.join("next"), directory.join("status")).unwrap();
            reading.join().unwrap()
        });
        assert_eq!(unblocks, Reaction::Default);
    }
}
