//! An app that writes lines to its logs, and a tool that rotates them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::volume::{DIRECTORY, Model};

/// Bytes of a line up to the end of its number
const NUMBERED: usize = "app.log:0000".len();
/// Rotated files that are kept
const KEPT: u32 = 6;
/// Questions of a scan, about
const QUESTIONS: u32 = 40;
/// Its logs, both of which are inputs
pub(super) const LOGS: [&str; 2] = ["app.log", "web.log"];
/// Before each line of the second log, which is a container's: many of its lines are parts. The first is plain text.
const CONTAINER: &str = "t stdout ";
/// The log of another process, which no input names
pub(super) const FOREIGN: &str = "app-1.log";

/// An app, and a tool that rotates its logs
pub(super) struct App {
    pub(super) model: Model,
    /// All lines, without their newlines
    pub(super) written: BTreeSet<String>,
    lines: u32,
    /// The rest of a line that was begun in each log
    begun: [Option<String>; 2],
    /// Logs that the forwarder has not seen since they were made
    unseen: [bool; 2],
}

pub(super) fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// A line from its number on, which counts up within a log
pub(super) fn text(line: &str) -> &str {
    line.strip_prefix(CONTAINER).and_then(|rest| rest.get("P ".len()..)).unwrap_or(line)
}

impl App {
    pub(super) fn new(model: Model) -> Self {
        Self { model, written: BTreeSet::new(), lines: 0, begun: [None, None], unseen: [false; 2] }
    }

    /// Writes some lines, of which one may be longer than the forwarder's bound.
    pub(super) fn write(&mut self, log: usize, count: u32) {
        self.finish(log);
        for _ in 0..count {
            let line = self.line(LOGS[log]);
            self.model.append(&path(LOGS[log]), format!("{line}\n").as_bytes());
            self.written.insert(line);
        }
    }

    /// Writes the beginning of a line. What comes next in this log finishes it, unless that is rotated before.
    pub(super) fn begin(&mut self, log: usize) {
        self.finish(log);
        let line = self.line(LOGS[log]);
        let (now, later) = line.split_at(line.len() - text(&line).len() + NUMBERED + 1);
        self.model.append(&path(LOGS[log]), now.as_bytes());
        self.begun[log] = Some(later.to_owned());
        self.written.insert(line);
    }

    pub(super) fn write_foreign(&mut self) {
        let line = self.line(FOREIGN);
        self.model.append(&path(FOREIGN), format!("{line}\n").as_bytes());
    }

    fn finish(&mut self, log: usize) {
        if let Some(rest) = self.begun[log].take() {
            self.model.append(&path(LOGS[log]), format!("{rest}\n").as_bytes());
        }
    }

    /// A line begins with its log and its number, so that no two are alike and each is known by its beginning.
    fn line(&mut self, log: &str) -> String {
        self.lines += 1;
        let filling = "x".repeat(3 + (self.lines as usize * 7) % 23 + usize::from(self.lines.is_multiple_of(17)) * 60);
        let text = format!("{log}:{:04}:{filling}", self.lines);
        let tag = if self.lines.is_multiple_of(3) { "P" } else { "F" };
        if log == LOGS[1] { format!("{CONTAINER}{tag} {text}") } else { text }
    }

    /// Renames the log and the files that were rotated before.
    pub(super) fn rename(&mut self, log: usize) {
        for (from, to) in renames(log) {
            self.model.rename(&from, &to);
        }
        self.is_renamed(log);
    }

    /// Does so while the forwarder reads the names, after some of its questions; each number of them comes up.
    pub(super) fn rename_during(&mut self, log: usize, seed: u32, scan: impl FnOnce()) {
        self.model.rename_after((seed + self.lines) % QUESTIONS, renames(log));
        scan();
        if !self.model.call_off() {
            self.is_renamed(log);
        }
    }

    fn is_renamed(&mut self, log: usize) {
        self.unseen[log] = true;
        // The writer goes on in a new file, and finishes its line there.
        self.begun[log] = None;
    }

    /// The forwarder reads the names.
    pub(super) fn is_seen(&mut self) {
        for (log, unseen) in LOGS.iter().zip(&mut self.unseen) {
            *unseen = self.model.bytes(&path(log)).is_none();
        }
    }

    /// Copies the log, and truncates it. If the log was never seen, nothing says that the copy belongs to it.
    pub(super) fn copy(&mut self, log: usize) {
        if self.unseen[log] {
            return;
        }
        let older = renames(log);
        older[..older.len() - 1].iter().for_each(|(from, to)| self.model.rename(from, to));
        self.model.copy(&path(LOGS[log]), &rotated(log, 1));
        self.truncate(log);
    }

    pub(super) fn truncate(&mut self, log: usize) {
        self.model.truncate(&path(LOGS[log]));
        self.begun[log] = None;
    }

    /// Extends the log with zeros, in whose place the next lines come, or takes them away.
    pub(super) fn extend(&mut self, log: usize, zeros: usize) {
        self.model.resize(&path(LOGS[log]), zeros);
    }

    pub(super) fn delete(&mut self, log: usize) {
        self.model.delete(&path(LOGS[log]));
        (self.begun[log], self.unseen[log]) = (None, true);
    }

    /// Deletes the oldest rotated file.
    pub(super) fn delete_oldest(&mut self, log: usize) {
        let names = (1..=KEPT).rev().map(|number| rotated(log, number));
        if let Some(oldest) = names.into_iter().find(|path| self.model.bytes(path).is_some()) {
            self.model.delete(&oldest);
        }
    }
}

/// What a tool renames that keeps this number of rotated files: the oldest first, the log last. The oldest is overwritten.
fn renames(log: usize) -> Vec<(PathBuf, PathBuf)> {
    let mut paths: Vec<_> = (1..=KEPT).rev().map(|number| rotated(log, number)).collect();
    paths.push(path(LOGS[log]));
    paths.windows(2).map(|pair| (pair[1].clone(), pair[0].clone())).collect()
}

fn rotated(log: usize, number: u32) -> PathBuf {
    path(&format!("{}.{number}", LOGS[log]))
}
