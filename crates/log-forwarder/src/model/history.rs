//! A history: what the app, the rotating tool, the servers and the forwarder do, step by step.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{
    app::{App, FOREIGN, LOGS},
    run::{OUTPUTS, Run},
    setup::Setup,
    volume::Model,
};
use crate::{files::known::OutputId, settings::selection::StartAt};

/// One step of a history
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The app writes this number of lines to a log.
    Write(usize, u32),
    /// It writes the beginning of a line.
    Begin(usize),
    /// Another process writes a line to a file of its own.
    WriteForeign,
    Rename(usize),
    Copy(usize),
    Truncate(usize),
    /// The app extends a log with this number of zeros, before it writes there.
    Extend(usize, usize),
    Delete(usize),
    DeleteOldest(usize),
    /// The forwarder reads the names; it has events of all renames, or they got lost.
    Scan {
        is_overflow: bool,
    },
    /// The same, and a log is renamed in between.
    ScanInRename {
        log: usize,
        seed: u32,
    },
    Look,
    /// Lines are read for an output, and wait for others.
    Gather(OutputId),
    HandOut(OutputId),
    Answer {
        output: OutputId,
        is_taken: bool,
    },
    /// The server refuses the batch, and gets its halves.
    Halve(OutputId),
    Wait,
    Checkpoint,
    /// The forwarder is killed, and starts with its last checkpoint.
    Restart,
}

impl Step {
    pub(crate) fn of(byte: u8) -> Self {
        let (log, output) = (usize::from(byte & 1), OUTPUTS[usize::from(byte >> 1 & 1)]);
        match byte >> 2 {
            0..=9 => Self::Write(log, u32::from(byte >> 3) + 1),
            10..=11 => Self::Begin(log),
            12 => Self::Extend(log, usize::from(byte & 2) * 200),
            13..=16 => Self::Rename(log),
            17..=20 => Self::Copy(log),
            21 => Self::Truncate(log),
            22 => Self::Delete(log),
            23 => Self::DeleteOldest(log),
            24 => Self::WriteForeign,
            25..=33 => Self::Scan { is_overflow: false },
            34 => Self::Scan { is_overflow: true },
            35..=37 => Self::ScanInRename { log, seed: u32::from(byte >> 1) * 7 },
            38..=43 => Self::Look,
            44..=47 => Self::Gather(output),
            48..=51 => Self::HandOut(output),
            52..=55 => Self::Answer { output, is_taken: true },
            56 => Self::Halve(output),
            57 => Self::Answer { output, is_taken: false },
            58..=59 => Self::Wait,
            60..=61 => Self::Checkpoint,
            _ => Self::Restart,
        }
    }
}

/// Plays a history: with so few descriptors that files wait for each other, or with enough; the first lines are read, or passed
/// over; files that do not grow are closed, or stay open. Checks what the forwarder promises.
///
/// # Panics
/// If it does not keep a promise.
pub(crate) fn play(steps: &[Step], setup: Setup) {
    let mut history = History::new(setup);
    for step in steps {
        history.step(*step);
    }
    history.finish();
}

struct History {
    app: App,
    run: Run,
    checkpoint: crate::state::checkpoint::Checkpoint,
    has_restarted: bool,
    /// Lines that former runs have settled, for each output
    settled: [Vec<String>; 2],
    setup: Setup,
    /// Lines that were there before the first start, and are passed over
    passed_over: BTreeSet<String>,
}

impl History {
    fn new(setup: Setup) -> Self {
        let model = Model::default();
        let mut app = App::new(model.clone());
        // Files beside a log that are there when it is first seen are taken for another's.
        (0..LOGS.len()).for_each(|log| app.write(log, 1));
        let passed_over = if setup.start_at == StartAt::End { app.written.clone() } else { BTreeSet::new() };
        let run = Run::start(&model, None, Instant::now(), setup);
        let checkpoint = run.checkpoint();
        Self { app, run, checkpoint, has_restarted: false, settled: [Vec::new(), Vec::new()], setup, passed_over }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Write(log, lines) => self.app.write(log, lines),
            Step::Begin(log) => self.app.begin(log),
            Step::WriteForeign => self.app.write_foreign(),
            Step::Rename(log) => self.app.rename(log),
            Step::Copy(log) => self.app.copy(log),
            Step::Truncate(log) => self.app.truncate(log),
            Step::Extend(log, zeros) => self.app.extend(log, zeros),
            Step::Delete(log) => self.app.delete(log),
            Step::DeleteOldest(log) => self.app.delete_oldest(log),
            Step::Scan { is_overflow } => {
                let renames = self.app.model.take_renames();
                self.app.is_seen();
                self.run.scan(if is_overflow { Vec::new() } else { renames }, is_overflow);
            }
            Step::ScanInRename { log, seed } => {
                let renames = self.app.model.take_renames();
                self.app.is_seen();
                let run = &mut self.run;
                self.app.rename_during(log, seed, || run.scan(renames, false));
            }
            Step::Look => self.run.look(),
            Step::Gather(output) => self.run.gather(output),
            Step::HandOut(output) => drop(self.run.hand_out(output)),
            Step::Answer { output, is_taken } => self.run.answer(output, is_taken),
            Step::Halve(output) => self.run.halve(output),
            Step::Wait => self.run.wait(Duration::from_secs(1)),
            Step::Checkpoint => self.checkpoint = self.run.checkpoint(),
            Step::Restart => self.restart(),
        }
    }

    /// A kill, and a start with the last checkpoint. Renames between the two are not seen.
    fn restart(&mut self) {
        self.has_restarted = true;
        self.app.model.take_renames();
        self.app.is_seen();
        for (all, settled) in self.settled.iter_mut().zip(&mut self.run.settled) {
            all.append(settled);
        }
        self.run = Run::start(&self.app.model, Some(&self.checkpoint), self.run.now(), self.setup);
        self.checkpoint = self.run.checkpoint();
    }

    fn finish(mut self) {
        let renames = self.app.model.take_renames();
        self.run.finish(renames);
        if !self.has_restarted {
            self.run.check_accounts();
        }
        for (all, settled) in self.settled.iter_mut().zip(&mut self.run.settled) {
            all.append(settled);
        }
        for settled in &self.settled {
            for line in settled {
                assert!(self.has_restarted || !self.passed_over.contains(line), "{line:?} was to be passed over");
                let is_written = self.app.written.iter().any(|written| written.starts_with(line.as_str()));
                assert!(is_written && !line.starts_with(FOREIGN), "nobody asked for {line:?}");
            }
            for (path, bytes) in self.app.model.contents() {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if LOGS.iter().any(|log| name.starts_with(log)) {
                    let text = String::from_utf8_lossy(&bytes);
                    let lines = text.split('\n').filter(|line| line.contains(".log:"));
                    for line in lines.filter(|line| !self.passed_over.contains(*line)) {
                        let is_there = settled.iter().any(|settled| line.starts_with(settled.as_str()));
                        assert!(is_there, "{line:?} of {} was not delivered", path.display());
                    }
                }
            }
        }
    }
}
