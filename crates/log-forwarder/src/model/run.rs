//! One forwarder on a model file system, with two outputs whose servers are this test.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use prometheus::Registry;

use super::{
    app::LOGS,
    books::{Books, OUTPUTS, describe},
    order::Order,
    setup::Setup,
    volume::{DIRECTORY, Model},
};
use crate::{
    files::{
        descriptors::Descriptors,
        follower::{Follower, Policy, Settings},
        known::OutputId,
        ledger::Ledger,
        names::Rename,
        reading::Bounds,
        set::Change,
    },
    filters::Rules,
    format::{FormatFlags, TimeFlags},
    records::{batch::Batch, growing::Growing, span::Span, treatment::Treatment},
    settings::{
        input::Input,
        selection::{Selection, StartAt},
    },
    state::{checkpoint::Checkpoint, resume::resume},
};

const BOUNDS: Bounds = Bounds { batch: 96, line: 48, may_grow: true };
/// Bytes of a batch, which holds several spans
const MOST: usize = 240;

/// Lines that a filter drops: four of ten
const DROPPED: &str = r"\.log:\d{3}[2578]";

/// How the lines of each log are read, and those of the first one if they are joined: compiled once, because a history starts often
static TREATMENTS: LazyLock<[Arc<Treatment>; 3]> = LazyLock::new(|| {
    [treatment("raw", None), treatment("cri", None), treatment("raw", Some(r"\.log:\d{3}[13579]"))].map(Arc::new)
});

/// How lines of a format are read. With a pattern of first lines, others are joined to the lines before them.
fn treatment(format: &str, first_line: Option<&str>) -> Treatment {
    let (parser, multiline) = (format.parse().ok(), first_line.and_then(|pattern| pattern.parse().ok()));
    let format = FormatFlags::default().format(parser.as_ref(), multiline.as_ref(), None, &TimeFlags::default());
    let format = format.expect("a format");
    let rules = Rules { drop: vec![DROPPED.parse().expect("a pattern")], ..Rules::default() };
    let (filter, redaction) = rules.of(&format).expect("a filter");
    Treatment { format, filter, redaction, ..Treatment::default() }
}

/// The input of one log
fn input(log: &str, treatment: &Arc<Treatment>, start_at: StartAt) -> Input {
    let selection = Selection { start_at, ..Selection::default() };
    let input = format!("{DIRECTORY}/{log}").parse::<Input>().expect("a path");
    input.treated(treatment).selected(&selection.into())
}

/// The answer of a server to a batch
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// It takes the batch.
    Take,
    /// It refuses the batch for good.
    Refuse,
    /// It refuses the batch, of which two halves are made.
    Halve,
    /// It takes every second record, and wants the others again, the first of which has this number.
    TakeSome(usize),
}

/// One forwarder, from its start to its end
pub(super) struct Run {
    follower: Follower,
    now: Instant,
    /// The lines that wait for others, of each output
    waiting: [Growing; 2],
    /// The batches of each output, the first last
    in_flight: [Vec<Batch>; 2],
    /// The beginning of each line that was delivered, refused or dropped, in order
    pub(super) settled: [Vec<String>; 2],
    books: Books,
    order: Order,
}

impl Run {
    /// Starts with a checkpoint, or for the first time.
    pub(super) fn start(model: &Model, checkpoint: Option<&Checkpoint>, now: Instant, setup: Setup) -> Self {
        let [plain, container, joined] = &*TREATMENTS;
        let of_app = input(LOGS[0], if setup.joins_lines { joined } else { plain }, setup.start_at);
        let inputs = vec![of_app, input(LOGS[1], container, setup.start_at)];
        let policy = Policy {
            max_pinned: 1 << 30,
            quiet_period: Duration::from_secs(1),
            close_inactive: setup.close_inactive,
            stopping: None,
        };
        let settings = Settings { inputs, bounds: BOUNDS, gathered: MOST, policy };
        let ledger = Ledger::new(&Registry::new()).expect("metrics");
        let mut follower = Follower::new(settings, ledger, Descriptors::new(setup.budget), Arc::new(model.clone()));
        for output in OUTPUTS {
            assert_eq!(follower.add_output(format!("output-{}", output.0)), output);
        }
        if let Some(checkpoint) = checkpoint {
            resume(&mut follower, checkpoint.clone(), now);
        }
        let mut run = Self {
            now,
            waiting: Default::default(),
            in_flight: Default::default(),
            settled: Default::default(),
            books: Books::of(&follower.set, checkpoint),
            follower,
            order: Order::default(),
        };
        run.follower.scan(Vec::new(), false, now);
        run.books.begin(&run.follower.set);
        run.check();
        run
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint::of(&self.follower).reloaded()
    }

    pub(super) fn scan(&mut self, renames: Vec<Rename>, is_overflow: bool) {
        self.follower.scan(renames, is_overflow, self.now);
        self.check();
    }

    pub(super) fn look(&mut self) {
        self.follower.look_at_all(self.now);
        self.follower.share(self.now);
        self.check();
    }

    /// Reads lines for an output that has no batch: they wait for others.
    pub(super) fn gather(&mut self, output: OutputId) {
        if self.in_flight[output.0].is_empty() {
            let waiting = &mut self.waiting[output.0];
            let former = waiting.spans().len();
            self.follower.gather(output, Some(&|_, _| true), waiting, self.now);
            self.order.get(&waiting.spans()[former..], output, &self.follower.set);
        }
        self.check();
    }

    /// Hands a batch to an output that has none. True if there was one.
    pub(super) fn hand_out(&mut self, output: OutputId) -> bool {
        self.gather(output);
        let sifted = self.waiting[output.0].take().map(Batch::sifted);
        let is_some = sifted.is_some();
        if let Some(sifted) = sifted {
            self.follower.drop_records(&sifted, output);
            sifted.empty.iter().for_each(|span| self.take_lines(span, output));
            self.in_flight[output.0].extend(sifted.rest);
        }
        self.check();
        is_some
    }

    /// The server of an output answers to its first batch.
    pub(super) fn answer(&mut self, output: OutputId, answer: Answer) {
        let Some(batch) = self.in_flight[output.0].pop() else { return };
        for span in batch.spans() {
            let filter = &span.source.treatment.filter;
            span.records(|record| assert!(filter.keeps(record), "{} was to be dropped", record.text));
        }
        let amount = batch.amount();
        match (answer, batch.halves()) {
            (Answer::Halve, Some((first, second))) => self.in_flight[output.0].extend([second, first]),
            (Answer::Halve | Answer::Refuse, _) => {
                self.follower.account(Change::Reject(output, amount));
                self.settle(batch.spans(), output);
            }
            (Answer::Take, _) => {
                self.follower.account(Change::Deliver(output, amount));
                self.settle(batch.spans(), output);
            }
            (Answer::TakeSome(first), _) => {
                let count = batch.spans().iter().map(Span::count).sum();
                let again: Vec<usize> = (first..count).step_by(2).collect();
                let (done, rest) = batch.parted(&again);
                let left = rest.as_ref().map(Batch::amount).unwrap_or_default();
                self.follower.account(Change::Deliver(output, amount - left));
                self.settle(&done, output);
                self.in_flight[output.0].extend(rest);
            }
        }
        self.check();
    }

    fn settle(&mut self, spans: &[Span], output: OutputId) {
        for span in spans {
            self.follower.account(Change::Settle(span, output));
            // Its lines alternate with others, which are still to be sent.
            if !span.goes_on {
                self.take_lines(span, output);
            }
        }
    }

    fn take_lines(&mut self, span: &Span, output: OutputId) {
        for line in span.bytes().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line = String::from_utf8_lossy(line).into_owned();
            // The end of a line whose beginning was delivered before as unfinished has no number.
            if line.contains(".log:") {
                self.order.settle(&line, span.key, output);
                self.settled[output.0].push(line);
            }
        }
    }

    /// Bytes that an output never gets
    pub(super) fn lost(&self, output: OutputId) -> u64 {
        self.follower.set.ledger().of(output).sums().lost
    }

    /// The number of known files
    #[cfg(test)]
    pub(super) fn files(&self) -> usize {
        self.follower.set.iter().count()
    }

    /// Stops: reads and delivers until nothing is left, and all that is undecided is decided.
    pub(super) fn finish(&mut self, mut renames: Vec<Rename>) {
        // A last line without a newline is complete at a stop.
        self.follower.stop(self.now);
        let mut is_idle = 0;
        for _ in 0..400 {
            self.scan(std::mem::take(&mut renames), false);
            self.look();
            let mut is_news = false;
            for output in OUTPUTS {
                while !self.in_flight[output.0].is_empty() || self.hand_out(output) {
                    self.answer(output, Answer::Take);
                    is_news = true;
                }
            }
            is_idle = if is_news { 0 } else { is_idle + 1 };
            if is_idle > 8 {
                assert_eq!(self.follower.set.behind(), 0, "still behind: {:#?}", describe(&self.follower.set));
                return;
            }
            self.wait(Duration::from_secs(1));
        }
        panic!("it does not come to an end");
    }

    /// No output got a line twice.
    #[cfg(test)]
    pub(super) fn check_doubles(&self) {
        for lines in &self.settled {
            let mut once = lines.clone();
            once.sort();
            once.dedup();
            assert_eq!(lines.len(), once.len(), "lines came twice: {lines:?}");
        }
    }

    fn check(&mut self) {
        let in_flight = OUTPUTS.map(|output| {
            let batches = self.in_flight[output.0].iter().map(|batch| batch.amount().bytes).sum::<u64>();
            batches + self.waiting[output.0].amount().bytes
        });
        self.books.check(&self.follower.set, in_flight);
    }
}
