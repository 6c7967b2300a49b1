//! An app that writes lines to its logs, and a tool that rotates them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::volume::{Act, DIRECTORY, Model};

/// Bytes of a line up to the end of its number
const NUMBERED: usize = "app.log:0000".len();
/// Rotated files that are kept
const KEPT: u32 = 6;
/// Questions of a scan, about
const QUESTIONS: u32 = 40;
/// Its logs, both of which are inputs
pub(super) const LOGS: [&str; 2] = ["app.log", "web.log"];
/// Before each line of the second log, which is a container's: many of its lines are parts. The
/// first is plain text.
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

/// Copies and truncations between the questions of the forwarder
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Ambush {
    /// Each copy has a name of its own, and is not renamed later.
    pub(super) keeps_names: bool,
    /// Questions before the first act
    pub(super) first: u32,
    /// Questions before the act with this number
    pub(super) pause: u32,
    pub(super) act: usize,
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
            self.append(LOGS[log], &format!("{line}\n"));
            self.written.insert(line);
        }
    }

    fn append(&self, log: &str, text: &str) {
        self.model.act(&Act::Append(path(log), text.into()));
    }

    /// Writes the beginning of a line. What comes next in this log finishes it, unless that is
    /// rotated before.
    pub(super) fn begin(&mut self, log: usize) {
        self.finish(log);
        let line = self.line(LOGS[log]);
        let (now, later) = line.split_at(line.len() - text(&line).len() + NUMBERED + 1);
        self.append(LOGS[log], now);
        self.begun[log] = Some(later.to_owned());
        self.written.insert(line);
    }

    pub(super) fn write_foreign(&mut self) {
        let line = self.line(FOREIGN);
        self.append(FOREIGN, &format!("{line}\n"));
    }

    fn finish(&mut self, log: usize) {
        if let Some(rest) = self.begun[log].take() {
            self.append(LOGS[log], &format!("{rest}\n"));
        }
    }

    /// A line begins with its log and its number, so that no two are alike and each is known by its
    /// beginning.
    fn line(&mut self, log: &str) -> String {
        self.lines += 1;
        let filling = "x".repeat(3 + (self.lines as usize * 7) % 23 + usize::from(self.lines.is_multiple_of(17)) * 60);
        let text = format!("{log}:{:04}:{filling}", self.lines);
        let tag = if self.lines.is_multiple_of(3) { "P" } else { "F" };
        if log == LOGS[1] { format!("{CONTAINER}{tag} {text}") } else { text }
    }

    /// Renames the log and the files that were rotated before.
    pub(super) fn rename(&mut self, log: usize) {
        for act in renames(log) {
            self.model.act(&act);
        }
        self.is_renamed(log);
    }

    /// Does so while the forwarder reads the names, after some of its questions; each number of
    /// them comes up.
    pub(super) fn rename_during(&mut self, log: usize, seed: u32, scan: impl FnOnce()) {
        let first = (seed + self.lines) % QUESTIONS;
        let acts = renames(log).into_iter().enumerate();
        self.model.ambush(acts.map(|(at, act)| (if at == 0 { first } else { 0 }, act)).collect());
        scan();
        self.model.finish_ambush();
        self.is_renamed(log);
    }

    /// Renames the log twice while the forwarder reads the names, after some of its questions, and
    /// writes a line to each new one.
    #[cfg(test)]
    pub(super) fn rename_twice_during(&mut self, log: usize, questions: u32, scan: impl FnOnce()) {
        let mut acts = Vec::new();
        for _ in 0..2 {
            let line = self.line(LOGS[log]);
            acts.extend(renames(log));
            acts.push(Act::Append(path(LOGS[log]), format!("{line}\n").into()));
            self.written.insert(line);
        }
        let acts = acts.into_iter().enumerate();
        self.model.ambush(acts.map(|(at, act)| (if at == 0 { questions } else { 0 }, act)).collect());
        scan();
        self.model.finish_ambush();
        self.begun[log] = None;
    }

    /// Copies and truncates the log three times while the forwarder asks its questions, and writes
    /// lines after each truncation.
    #[cfg(test)]
    pub(super) fn copy_during(&mut self, log: usize, ambush: Ambush, scan: impl FnOnce()) {
        let (original, mut acts) = (path(LOGS[log]), Vec::new());
        for count in 1..=3 {
            let copy = rotated(log, if ambush.keeps_names { count + 1 } else { 1 });
            let mut older = if ambush.keeps_names { Vec::new() } else { renames(log) };
            older.pop();
            older.push(Act::Make(copy.clone()));
            acts.extend([older, vec![Act::Copy(original.clone(), copy)], vec![Act::Truncate(original.clone())]]);
            for _ in 0..count.min(2) {
                let line = self.line(LOGS[log]);
                acts.push(vec![Act::Append(original.clone(), format!("{line}\n").into())]);
                self.written.insert(line);
            }
        }
        let mut timed = Vec::new();
        for (at, acts) in acts.into_iter().enumerate() {
            let questions = if at == ambush.act { ambush.pause } else { 0 } + if at == 0 { ambush.first } else { 0 };
            timed.extend(acts.into_iter().enumerate().map(|(at, act)| (if at == 0 { questions } else { 0 }, act)));
        }
        self.model.ambush(timed);
        scan();
        self.model.finish_ambush();
        self.begun[log] = None;
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

    /// Copies the log, and truncates it. If the log was never seen, nothing says that the copy
    /// belongs to it.
    pub(super) fn copy(&mut self, log: usize) {
        if self.unseen[log] {
            return;
        }
        let older = renames(log);
        for act in &older[..older.len() - 1] {
            self.model.act(act);
        }
        self.model.act(&Act::Make(rotated(log, 1)));
        self.model.act(&Act::Copy(path(LOGS[log]), rotated(log, 1)));
        self.truncate(log);
    }

    pub(super) fn truncate(&mut self, log: usize) {
        self.model.act(&Act::Truncate(path(LOGS[log])));
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

/// The renames of a tool that keeps this number of rotated files: the oldest first, the log last.
/// The oldest is overwritten.
fn renames(log: usize) -> Vec<Act> {
    let mut paths: Vec<_> = (1..=KEPT).rev().map(|number| rotated(log, number)).collect();
    paths.push(path(LOGS[log]));
    paths.windows(2).map(|pair| Act::Rename(pair[1].clone(), pair[0].clone())).collect()
}

fn rotated(log: usize, number: u32) -> PathBuf {
    path(&format!("{}.{number}", LOGS[log]))
}
