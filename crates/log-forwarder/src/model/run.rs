//! One forwarder on a model file system, with two outputs whose servers are this test.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus::Registry;

use super::{
    app::LOGS,
    order::Order,
    setup::Setup,
    volume::{DIRECTORY, Model},
};
use crate::{
    files::{
        descriptors::Descriptors,
        follower::{Follower, Policy, Settings},
        known::{Key, KnownFile, OutputId},
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

pub(super) const OUTPUTS: [OutputId; 2] = [OutputId(0), OutputId(1)];
const BOUNDS: Bounds = Bounds { batch: 96, line: 48, may_grow: true };
/// Bytes of a batch, which holds several spans
const MOST: usize = 240;

/// Lines that a filter drops: four of ten
const DROPPED: &str = r"\.log:\d{3}[2578]";

/// The input of one log. With a pattern of first lines, others are joined to the lines before them.
fn input(log: &str, format: &str, first_line: Option<&str>, start_at: StartAt) -> Input {
    let (parser, multiline) = (format.parse().ok(), first_line.and_then(|pattern| pattern.parse().ok()));
    let format = FormatFlags::default().format(parser.as_ref(), multiline.as_ref(), None, &TimeFlags::default());
    let format = format.expect("a format");
    let rules = Rules { drop: vec![DROPPED.parse().expect("a pattern")], ..Rules::default() };
    let (filter, redaction) = rules.of(&format).expect("a filter");
    let treatment = Treatment { format, filter, redaction, ..Treatment::default() };
    let selection = Selection { start_at, ..Selection::default() };
    let input = format!("{DIRECTORY}/{log}").parse::<Input>().expect("a path");
    input.treated(&treatment.into()).selected(&selection.into())
}

/// One forwarder, from its start to its end
pub(super) struct Run {
    follower: Follower,
    now: Instant,
    /// The lines that wait for others, of each output
    waiting: [Growing; 2],
    /// The batches of each output that has some, the first last
    in_flight: BTreeMap<OutputId, Vec<Batch>>,
    /// The beginning of each line that was delivered, refused or dropped, in order
    pub(super) settled: [Vec<String>; 2],
    /// The greatest size with which each file was seen
    seen: BTreeMap<Key, u64>,
    /// Bytes that were there before the first start, and are passed over
    passed_over: u64,
    order: Order,
}

impl Run {
    /// Starts with a checkpoint, or for the first time.
    pub(super) fn start(model: &Model, checkpoint: Option<&Checkpoint>, now: Instant, setup: Setup) -> Self {
        let first_line = setup.joins_lines.then_some(r"\.log:\d{3}[13579]");
        let of_app = input(LOGS[0], "raw", first_line, setup.start_at);
        let inputs = vec![of_app, input(LOGS[1], "cri", None, setup.start_at)];
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
            follower,
            now,
            waiting: Default::default(),
            in_flight: BTreeMap::new(),
            settled: [Vec::new(), Vec::new()],
            seen: BTreeMap::new(),
            order: Order::default(),
            passed_over: 0,
        };
        run.scan(Vec::new(), false);
        let first = |(_, file): (Key, &KnownFile)| file.cursors[0].position;
        run.passed_over = run.follower.set.iter().map(first).sum();
        run
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint::of(&self.follower)
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
        if !self.in_flight.contains_key(&output) {
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
            self.in_flight.extend(sifted.rest.map(|batch| (output, vec![batch])));
        }
        self.check();
        is_some
    }

    /// The server of an output refuses its batch, which is divided.
    pub(super) fn halve(&mut self, output: OutputId) {
        let Some(batches) = self.in_flight.get_mut(&output) else { return };
        if let Some((first, second)) = batches.last().and_then(Batch::halves) {
            batches.pop();
            batches.extend([second, first]);
        }
        self.check();
    }

    /// The server of an output takes its batch, or refuses it for good.
    pub(super) fn answer(&mut self, output: OutputId, is_taken: bool) {
        let Some(batches) = self.in_flight.get_mut(&output) else { return };
        let Some(batch) = batches.pop() else { return };
        if batches.is_empty() {
            self.in_flight.remove(&output);
        }
        for span in batch.spans() {
            let filter = &span.source.treatment.filter;
            span.records(|record| assert!(filter.keeps(record), "{} was to be dropped", record.text));
            self.take_lines(span, output);
        }
        let amount = batch.amount();
        let change = if is_taken { Change::Deliver(output, amount) } else { Change::Reject(output, amount) };
        self.follower.account(change);
        for span in batch.spans() {
            self.follower.account(Change::Settle(span, output));
        }
        self.check();
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
                while self.in_flight.contains_key(&output) || self.hand_out(output) {
                    self.answer(output, true);
                    is_news = true;
                }
            }
            is_idle = if is_news { 0 } else { is_idle + 1 };
            if is_idle > 8 {
                assert_eq!(self.follower.set.behind(), 0, "still behind: {:#?}", self.describe());
                return;
            }
            self.wait(Duration::from_secs(1));
        }
        panic!("it does not come to an end");
    }

    /// The files, for a test that fails
    fn describe(&self) -> Vec<String> {
        let one = |(key, file): (Key, &KnownFile)| {
            let positions: Vec<_> = file.cursors.iter().map(|cursor| (cursor.position, cursor.in_flight_end)).collect();
            let access = if file.is_open() {
                "open"
            } else if file.is_parked() {
                "parked"
            } else {
                "closed"
            };
            let (path, state, seen, inode) = (file.path().display(), file.state, file.seen, file.inode.inode);
            format!("{key} {path} {state:?} {access} inode {inode} ended {} seen {seen} at {positions:?}", file.ended)
        };
        self.follower.set.iter().map(one).collect()
    }

    /// The ledger's equation
    fn check(&mut self) {
        for (key, file) in self.follower.set.iter() {
            let seen = self.seen.entry(key).or_default();
            *seen = (*seen).max(file.seen);
        }
        for output in OUTPUTS {
            let sums = self.follower.set.ledger().of(output).sums();
            assert_eq!(
                sums.read,
                sums.delivered + sums.rejected + sums.dropped + sums.lost + sums.in_flight,
                "{sums:?}"
            );
            let in_flight = self.in_flight.get(&output).into_iter().flatten().map(|batch| batch.amount().bytes);
            let in_flight = in_flight.sum::<u64>() + self.waiting[output.0].amount().bytes;
            assert_eq!(sums.in_flight, in_flight, "in flight");
        }
        let behind: u64 =
            self.follower.set.iter().flat_map(|(_, file)| OUTPUTS.map(|output| file.behind(output))).sum();
        assert_eq!(behind, self.follower.set.behind(), "the sum of what is behind");
    }

    /// Bytes that the first output lost
    #[cfg(test)]
    pub(super) fn lost(&self) -> u64 {
        self.follower.set.ledger().of(OUTPUTS[0]).sums().lost
    }

    /// After [`Self::finish`]: each byte that was seen is in one account, and no line came twice.
    pub(super) fn check_accounts(&self) {
        let seen: u64 = self.seen.values().sum();
        for output in OUTPUTS {
            let sums = self.follower.set.ledger().of(output).sums();
            assert_eq!(sums.in_flight, 0);
            assert_eq!(sums.read + self.passed_over, seen, "bytes that were seen and have no account: {sums:?}");
            let lines = &self.settled[output.0];
            let once: BTreeSet<&String> = lines.iter().collect();
            assert_eq!(lines.len(), once.len(), "lines came twice: {lines:?}");
        }
    }
}
