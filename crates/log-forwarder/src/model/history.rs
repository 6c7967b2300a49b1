//! A history: what the app, the rotating tool, the servers and the forwarder do, step by step.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{
    app::{App, FOREIGN, LOGS, path},
    books::OUTPUTS,
    run::{Answer, Run},
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
    Answer(OutputId, Answer),
    /// Reads of a log fail from now on, also when it is renamed.
    Damage(usize),
    /// No reads fail any more.
    Heal,
    Wait,
    /// The clock of the file system is set back by ten seconds, or forward.
    SetClock {
        back: bool,
    },
    Checkpoint,
    /// The forwarder is killed, and starts with its last checkpoint: when no reads fail any more, or while they fail.
    Restart {
        is_healed: bool,
    },
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
            38..=42 => Self::Look,
            43 if byte & 2 == 0 => Self::Damage(log),
            43 => Self::Heal,
            44..=46 => Self::Gather(output),
            47..=50 => Self::HandOut(output),
            51..=54 => Self::Answer(output, Answer::Take),
            55 => Self::Answer(output, Answer::Halve),
            56 => Self::Answer(output, Answer::TakeSome(log)),
            57 => Self::Answer(output, Answer::Refuse),
            58 => Self::Wait,
            59 => Self::SetClock { back: log == 0 },
            60..=61 => Self::Checkpoint,
            more => Self::Restart { is_healed: more == 62 },
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
    /// Lines that a file had whose reads have failed. It could not be compared with its copy then, and so they may come again.
    unreadable: BTreeSet<String>,
    /// Lines that former runs have settled, for each output
    settled: [Vec<String>; 2],
    /// Lines that were settled when the last checkpoint was made, and when that was made with which the present run began
    saved: [BTreeSet<String>; 2],
    began: [BTreeSet<String>; 2],
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
        Self {
            app,
            run,
            checkpoint,
            has_restarted: false,
            unreadable: BTreeSet::new(),
            settled: Default::default(),
            saved: Default::default(),
            began: Default::default(),
            setup,
            passed_over,
        }
    }

    fn step(&mut self, step: Step) {
        self.note_unreadable();
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
            Step::Answer(output, answer) => self.run.answer(output, answer),
            Step::Damage(log) => self.app.model.damage(&path(LOGS[log])),
            Step::Heal => self.app.model.heal(),
            Step::Wait => self.run.wait(Duration::from_secs(1)),
            Step::SetClock { back } => self.app.model.set_clock(if back { -10_000 } else { 10_000 }),
            Step::Checkpoint => self.save(),
            Step::Restart { is_healed } => {
                if is_healed {
                    self.app.model.heal();
                }
                self.restart();
            }
        }
    }

    fn note_unreadable(&mut self) {
        for bytes in self.app.model.unreadable() {
            let text = String::from_utf8_lossy(&bytes);
            self.unreadable.extend(text.split('\n').map(str::to_owned));
        }
    }

    fn save(&mut self) {
        self.checkpoint = self.run.checkpoint();
        for ((saved, began), settled) in self.saved.iter_mut().zip(&self.began).zip(&self.run.settled) {
            *saved = began.iter().chain(settled).cloned().collect();
        }
    }

    /// A kill, and a start with the last checkpoint. Renames between the two are not seen.
    fn restart(&mut self) {
        self.has_restarted = true;
        self.app.model.take_renames();
        self.app.is_seen();
        self.end_run();
        self.began = self.saved.clone();
        self.run = Run::start(&self.app.model, Some(&self.checkpoint), self.run.now(), self.setup);
        self.checkpoint = self.run.checkpoint();
    }

    /// Within a run no line comes twice, and after a restart none again that the checkpoint has, unless it could not be read.
    fn end_run(&mut self) {
        for ((all, began), settled) in self.settled.iter_mut().zip(&mut self.began).zip(&mut self.run.settled) {
            for line in settled.iter() {
                assert!(began.insert(line.clone()) || is_among(line, &self.unreadable), "{line:?} came again");
            }
            all.append(settled);
        }
    }

    fn finish(mut self) {
        let renames = self.app.model.take_renames();
        self.note_unreadable();
        self.app.model.heal();
        self.run.finish(renames);
        let lost = OUTPUTS.map(|output| self.run.lost(output));
        self.end_run();
        for (settled, lost) in self.settled.iter().zip(lost) {
            let is_missing = |line: &&String| !settled.contains(line);
            let missing: usize = self.app.written.iter().filter(is_missing).map(|line| line.len() + 1).sum();
            // After a restart or a failure, lines that counted as lost may come all the same.
            let may_differ = self.has_restarted || !self.unreadable.is_empty();
            assert!(may_differ || lost <= missing as u64, "lost {lost} bytes of {missing}");
            for line in settled {
                let may_come = self.has_restarted || !self.passed_over.contains(line);
                let may_come = may_come || is_among(line, &self.unreadable);
                assert!(may_come, "{line:?} was to be passed over");
                assert!(is_among(line, &self.app.written) && !line.starts_with(FOREIGN), "nobody asked for {line:?}");
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

/// Whether a line, or its beginning, is among these lines.
fn is_among(line: &str, lines: &BTreeSet<String>) -> bool {
    lines.range(line.to_owned()..).next().is_some_and(|other| other.starts_with(line))
}
