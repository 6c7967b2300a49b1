//! Where each target stands, and the words about it: a line when a reason changes, one every 30 s,
//! a summary.

use std::{
    collections::BTreeSet,
    ops::Range,
    time::{Duration, Instant},
};

use lifecycle::{End, Exit, elapsed};
use serde::Serialize;

use crate::{
    network::Network,
    not_ready::{Cause, Verdict},
    row::{Row, State},
    table::Table,
    target::Target,
};

/// The time between two lines about a target that is not ready
pub(crate) const REMINDER: Duration = Duration::from_secs(30);

/// Where all targets stand
#[derive(Debug)]
pub(crate) struct Board {
    started: Instant,
    rows: Vec<Row>,
    /// The targets that will never be ready, in the order of their last attempts
    never: Vec<usize>,
    /// On a terminal, instead of log lines
    table: Option<Table>,
}

/// The object that `--output json` prints
#[derive(Serialize)]
struct Summary<'a> {
    state: &'a str,
    code: u8,
    seconds: f64,
    targets: &'a [Row],
}

impl Board {
    pub(crate) fn new(targets: &[Target], on_terminal: bool) -> Self {
        let row = |target: &Target| Row {
            label: target.label.clone(),
            group: target.group.clone(),
            state: State::Waiting,
            cause: None,
            reason: String::new(),
            attempts: 0,
            seconds: None,
        };
        Self {
            started: Instant::now(),
            rows: targets.iter().map(row).collect(),
            never: Vec::new(),
            table: on_terminal.then(Table::default),
        }
    }

    /// Notes the verdict of an attempt, and where the target stands with it.
    pub(crate) fn record(&mut self, index: usize, verdict: &Verdict, state: State) {
        let seconds = self.started.elapsed().as_secs_f64();
        let row = &mut self.rows[index];
        let (reason, cause) = match verdict {
            Ok(proof) => (proof, None),
            Err(refusal) => (&refusal.reason, Some(refusal.cause.name())),
        };
        let news = row.state != state || row.reason != *reason;
        row.cause = cause;
        row.attempts += 1;
        row.state = state;
        if state == State::Never {
            self.never.push(index);
        }
        if state != State::Waiting {
            row.seconds = Some((seconds * 1000.0).round() / 1000.0);
        }
        if news {
            row.reason.clone_from(reason);
            self.tell(index);
        }
    }

    /// Adds the progress of the attempt under way to the reason, if it is the first one or has
    /// lasted for a second. The wait ends in the middle of that attempt.
    pub(crate) fn interrupt(&mut self, index: usize, network: &Network) {
        let row = &mut self.rows[index];
        let is_first = row.reason.is_empty();
        let is_telling = row.state == State::Waiting && (is_first || network.progress.is_long());
        let Some(words) = network.so_far().filter(|words| is_telling && !row.reason.ends_with(words)) else { return };
        if is_first {
            row.cause = Some(Cause::Silent.name());
        }
        row.reason = if is_first { words } else { format!("{}; the last attempt: {words}", row.reason) };
    }

    fn tell(&mut self, index: usize) {
        if self.table.is_some() {
            return self.draw();
        }
        let Row { label, group, state, reason, attempts, .. } = &self.rows[index];
        let group = group.as_deref();
        match state {
            State::Waiting => tracing::info!(target = label, group, reason, attempts, "not ready"),
            State::Ready => tracing::info!(target = label, group, proof = reason, attempts, "ready"),
            // Another target of the group may still become ready.
            State::Never if group.is_some() => {
                tracing::warn!(target = label, group, reason, attempts, "will not become ready");
            }
            State::Never => tracing::error!(target = label, reason, attempts, "will not become ready"),
            State::NotNeeded => {}
        }
    }

    /// One of these targets is ready, and that is enough: the others are not needed any more.
    pub(crate) fn release(&mut self, group: Range<usize>) {
        for row in self.rows[group].iter_mut().filter(|row| row.state != State::Ready) {
            row.state = State::NotNeeded;
        }
        self.draw();
    }

    /// Tells what is still missing.
    pub(crate) fn remind(&mut self) {
        let waited = elapsed(self.started.elapsed());
        for row in self.rows.iter().filter(|row| row.state == State::Waiting) {
            let Row { label, group, reason, attempts, .. } = row;
            tracing::info!(target = label, group = group.as_deref(), reason, attempts, waited, "still not ready");
        }
    }

    /// Draws the live table, if there is one.
    pub(crate) fn draw(&mut self) {
        if let Some(table) = &mut self.table {
            table.draw(&self.rows, self.started.elapsed());
        }
    }

    /// Whether a live table stands in for log lines
    pub(crate) fn is_live(&self) -> bool {
        self.table.is_some()
    }

    /// Closes the log: what became of each target that is missing, and of all.
    pub(crate) fn summarize(&mut self, exit: Exit) {
        self.draw();
        let ready = self.rows.iter().filter(|row| row.state == State::Ready).count();
        let all = self.rows.iter().filter(|row| row.state != State::NotNeeded).count();
        let waited = elapsed(self.started.elapsed());
        if exit == Exit::Done {
            return tracing::info!(ready, targets = all, waited, "the wait is over");
        }
        for row in self.rows.iter().filter(|row| row.is_missing()) {
            let Row { label, group, reason, attempts, .. } = row;
            tracing::warn!(target = label, group = group.as_deref(), reason, attempts, "missing");
        }
        tracing::warn!(ready, targets = all, waited, "the wait ends: {}", exit.reason());
    }

    /// All of it as one JSON object.
    pub(crate) fn json(&self, state: &str, exit: Exit) -> serde_json::Result<String> {
        let seconds = (self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        serde_json::to_string(&Summary { state, code: exit.code(), seconds, targets: &self.rows })
    }

    /// The end, in the words of the target that decided it: one that will never be ready, else the
    /// first that is missing.
    pub(crate) fn end(&self, exit: Exit) -> End {
        let missing = || self.rows.iter().filter(|row| row.is_missing());
        // The words of a deadline or a signal are those of a target that still waits.
        let waiting = missing().find(|row| row.state == State::Waiting);
        let never = self.never.iter().map(|index| &self.rows[*index]).find(|row| self.is_lost(row));
        let decisive = match exit {
            Exit::Done => None,
            Exit::TimedOut | Exit::Stopped(_) => waiting.or(never),
            _ => never.or(waiting),
        };
        let Some(row) = decisive else { return exit.into() };
        // A group counts once.
        let groups: BTreeSet<_> = missing().filter_map(|row| row.group.as_ref()).collect();
        let others = missing().filter(|row| row.group.is_none()).count() + groups.len() - 1;
        let name = row.group.as_ref().map_or_else(|| row.label.clone(), |group| format!("group {group}"));
        let what = if others == 0 { name } else { format!("{name} and {others} more") };
        let last = if row.reason.is_empty() { "no attempt has ended yet" } else { &row.reason };
        let last = if row.group.is_some() { format!("{}: {last}", row.label) } else { last.to_owned() };
        End { what: Some(what), last: Some(last), attempts: Some(row.attempts), ..exit.into() }
    }

    /// Whether a target that will never be ready was the last hope of its group, or has none
    fn is_lost(&self, row: &Row) -> bool {
        row.group.is_none()
            || self.rows.iter().filter(|other| other.group == row.group).all(|row| row.state == State::Never)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::not_ready::{Cause, NotReady};

    fn refused(reason: &str) -> Verdict {
        Err(NotReady::new(Cause::Absent, reason))
    }

    fn board() -> Board {
        let targets = ["tcp://a:1", "tcp://b:2", "tcp://c:3"].map(|url| Target::parse(url).unwrap());
        let mut board = Board::new(&targets, false);
        board.record(0, &refused("connection refused"), State::Waiting);
        board.record(0, &refused("connection refused"), State::Waiting);
        board.record(1, &Ok("connected".into()), State::Ready);
        board
    }

    #[test]
    fn the_end_names_what_is_missing() {
        let end = board().end(Exit::TimedOut);
        assert_eq!(end.what.as_deref(), Some("tcp://a:1 and 1 more"));
        assert_eq!((end.last.as_deref(), end.attempts), (Some("connection refused"), Some(2)));
        let mut board = board();
        board.record(2, &refused("wrong name"), State::Never);
        assert_eq!(board.end(Exit::Unavailable).what.as_deref(), Some("tcp://c:3 and 1 more"));
        assert_eq!(board.end(Exit::Done).what, None);
    }

    #[test]
    fn a_group_counts_once_and_never_ends_before_its_last_target() {
        let mut targets = ["tcp://a:1", "tcp://b:2", "tcp://c:3"].map(|url| Target::parse(url).unwrap());
        for target in &mut targets[1..] {
            target.group = Some("search".into());
        }
        let mut board = Board::new(&targets, false);
        board.record(1, &refused("wrong name"), State::Never);
        let end = board.end(Exit::TimedOut);
        assert_eq!(end.what.as_deref(), Some("tcp://a:1 and 1 more"));
        board.record(0, &refused("wrong name"), State::Never);
        assert_eq!(board.end(Exit::Unavailable).what.as_deref(), Some("tcp://a:1 and 1 more"));
        let mut board = Board::new(&targets, false);
        board.record(0, &Ok("connected".into()), State::Ready);
        board.record(1, &refused("wrong name"), State::Never);
        board.record(2, &refused("refused"), State::Never);
        let end = board.end(Exit::Unavailable);
        assert_eq!(end.what.as_deref(), Some("group search"));
        assert_eq!(end.last.as_deref(), Some("tcp://b:2: wrong name"));
        let mut board = Board::new(&targets, false);
        board.record(2, &Ok("connected".into()), State::Ready);
        board.release(1..3);
        assert_eq!(board.end(Exit::TimedOut).what.as_deref(), Some("tcp://a:1"));
    }

    #[test]
    fn the_json_object_has_a_row_for_each_target() {
        let json: serde_json::Value =
            serde_json::from_str(&board().json("timed-out", Exit::TimedOut).unwrap()).unwrap();
        assert_eq!((&json["state"], &json["code"]), (&"timed-out".into(), &124.into()));
        let row = &json["targets"][0];
        assert_eq!((&row["last"], &row["cause"]), (&"connection refused".into(), &"absent".into()));
        assert_eq!(json["targets"][1]["state"], "ready");
        assert_eq!(json["targets"][2]["attempts"], 0);
    }
}
