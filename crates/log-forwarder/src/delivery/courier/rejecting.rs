//! Records that an output refuses for good become dead letters, and are booked.

use std::{io, ops::Add, path::Path, slice, sync::Arc, time::Duration};

use lifecycle::{io_text, on_volume_in_turn};
use tokio::time;

use super::Courier;
use crate::{
    files::{follower::lock, set::Change},
    format::amount::Amount,
    records::{batch::Batch, span::Span},
};

/// The time that a volume has to take dead letters
const VOLUME_LIMIT: Duration = Duration::from_secs(10);
/// Records of a batch that is given up, of which dead letters are made at once
const LETTERS: usize = 256;
/// The time that the dead letters of other outputs have before that
const TURN_LIMIT: Duration = Duration::from_secs(10);
/// In place of an answer to lines in which more is hidden since then
const WITHHELD: &str = "the answer is left out, because it may quote a secret that a new configuration hides";

impl Courier {
    /// All records of the first batch in flight become dead letters, [`LETTERS`] at a time, because
    /// each letter is a text in memory.
    pub(super) async fn give_up(&mut self, reason: &str) {
        let attempts = self.retry.start_over();
        let plural = if attempts == 1 { "" } else { "s" };
        let reason = format!("given up after {attempts} attempt{plural}: {reason}");
        // Parts of the batch have no visit of their own.
        let tally = self.in_flight.batches().last().map(Batch::tally);
        self.account.count_defects(tally.unwrap_or_default());
        let others = self.in_flight.batches().len().saturating_sub(1);
        while let Some(batch) = self.first()
            && self.in_flight.batches().len() > others
        {
            if batch.exceeds(LETTERS)
                && let Some((first, second)) = batch.halves()
            {
                self.in_flight.replace([second, first]);
                continue;
            }
            self.reject(&batch, (0..LETTERS).map(|number| (number, reason.clone())).collect()).await;
            self.in_flight.pop();
            self.settle_spans(batch.spans());
        }
    }

    /// Writes refused records to the dead letters. Records that are neither refused nor to be sent
    /// again are delivered.
    pub(super) async fn sort(&mut self, batch: &Batch, refused: Vec<(usize, String)>, rest: Amount) {
        let rejected = self.reject(batch, refused).await;
        self.book(Change::Deliver(self.id, batch.amount() - rest - rejected));
    }

    /// Single records that the output refuses, by their numbers in order; their amount
    pub(super) async fn reject(&mut self, batch: &Batch, refused: Vec<(usize, String)>) -> Amount {
        if refused.is_empty() {
            return Amount::default();
        }
        let (numbers, reasons): (Vec<_>, Vec<_>) = refused.into_iter().unzip();
        let mut records: Vec<_> = batch.singles(&numbers).into_iter().zip(reasons).collect();
        loop {
            // Also while a letter waits for its volume, a new configuration may hide more in it.
            for (record, reason) in &mut records {
                *reason = self.without_secrets(reason, slice::from_ref(record)).to_owned();
                *record = lock(&self.follower).retreated(record);
            }
            let Err(error) = self.write_dead_letters(records.clone().into()).await else { break };
            self.pause(&format!("cannot write the dead letter: {}", io_text(&error)), None).await;
        }
        let rejected = records.iter().map(|(record, _)| record.amount()).fold(Amount::default(), Amount::add);
        self.book(Change::Reject(self.id, rejected));
        rejected
    }

    /// Writes on a thread of its own, because a disk may be slow, and in turn, because all outputs
    /// share one file. When a write hangs, its records are written once the volume answers, and
    /// then once more.
    async fn write_dead_letters(&mut self, records: Arc<[(Span, String)]>) -> io::Result<()> {
        let (dead_letters, label) = (self.dead_letters.clone(), self.label.clone());
        let Some(path) = dead_letters.path().map(Path::to_path_buf) else {
            return dead_letters.write(&records, &label);
        };
        let writing = on_volume_in_turn(&path, VOLUME_LIMIT, move || dead_letters.write(&records, &label));
        match time::timeout(VOLUME_LIMIT + TURN_LIMIT, writing).await {
            Ok(written) => written?,
            Err(_) => Err(io::Error::other("its volume has not answered yet")),
        }
    }

    /// Books records that are refused by an answer that does not say which they are. Their lines
    /// and bytes are an average.
    pub(super) fn reject_some(&self, batch: &Batch, refused: u64, reason: &str) {
        let (all, records) = (batch.amount(), batch.count() as u64);
        let refused = refused.min(records);
        let share = |of: u64| of * refused / records.max(1);
        let rejected = Amount { lines: share(all.lines), bytes: share(all.bytes) };
        self.book(Change::Reject(self.id, rejected));
        self.book(Change::Deliver(self.id, all - rejected));
        if let Some(first) = batch.spans().first() {
            let reason = self.without_secrets(reason, batch.spans());
            self.dead_letters.mention((refused, records), first, reason, &self.label);
        }
    }

    /// The reason for which an attempt at these lines failed. A receiver quotes lines, and in a
    /// line that was sent before a change of the configuration, more may be hidden now. The reason
    /// may quote a value alone, which no pattern finds without the line: it is left out as a whole.
    pub(super) fn without_secrets<'a>(&self, reason: &'a str, lines: &[Span]) -> &'a str {
        let retreated: Vec<_> = {
            let follower = lock(&self.follower);
            if follower.reloads == self.asked_at {
                return reason;
            }
            lines.iter().map(|span| follower.retreated(span)).collect()
        };
        if retreated.iter().any(Span::hides_secrets) { WITHHELD } else { reason }
    }
}
