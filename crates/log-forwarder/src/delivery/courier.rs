//! Carries batches to one output: one at a time, again until it is delivered, halved when it is
//! refused.

mod rejecting;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lifecycle::{Heartbeat, LogThrottle};
use tokio::{sync::watch, task, time};

use crate::{
    delivery::{dead_letters::DeadLetters, gatherer::Gatherer, in_flight::InFlight, retry::Retry},
    files::{
        follower::{Shared, lock},
        known::OutputId,
        ledger::Account,
        set::Change,
    },
    outputs::{Attempt, Output, Patience},
    records::{batch::Batch, span::Span},
    settings::destination::Destination,
    watch::signal::Signal,
};

/// Carries batches to one output
pub(crate) struct Courier {
    pub(crate) follower: Shared,
    pub(crate) account: Arc<Account>,
    pub(crate) id: OutputId,
    pub(crate) label: String,
    pub(crate) output: Box<dyn Output>,
    pub(crate) dead_letters: Arc<DeadLetters>,
    pub(crate) gatherer: Gatherer,
    pub(crate) signal: watch::Receiver<Signal>,
    pub(crate) orders: watch::Receiver<Order>,
    pub(crate) patience: Patience,
    pub(crate) retry: Retry,
    pub(crate) throttle: LogThrottle,
    pub(crate) in_flight: InFlight,
    /// How often the settings had changed when the batch of the last attempt was adapted to them
    pub(crate) asked_at: u64,
}

/// The task of a courier when the configuration has changed
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// As before
    Carry,
    /// Deliver to the same place with other settings.
    Change(Destination),
    /// Stop: the output is gone.
    End,
}

impl Courier {
    /// Carries until all is over. A batch that is in flight then is sent again after a restart.
    pub(crate) async fn run(mut self, heartbeat: Heartbeat) -> anyhow::Result<()> {
        let (mut over, mut orders) = (self.signal.clone(), self.orders.clone());
        {
            let mut work = std::pin::pin!(self.carry());
            loop {
                heartbeat.beat();
                // The beat says that the courier runs. It does not depend on the output, because an
                // output that never answers is no fault of log-forwarder.
                tokio::select! {
                    biased;
                    _ = over.wait_for(|signal| signal.over) => return Ok(()),
                    Ok(_) = orders.wait_for(|order| matches!(order, Order::End)) => {
                        heartbeat.retire();
                        break;
                    }
                    () = &mut work => return Ok(()),
                    () = time::sleep(heartbeat.interval()) => {}
                }
            }
        }
        for amount in self.in_flight.batches().iter().map(Batch::amount).chain([self.gatherer.batch.amount()]) {
            self.book(Change::Abandon(self.id, amount));
        }
        Ok(())
    }

    async fn carry(&mut self) {
        while let Some(batch) = self.gatherer.next(self.output.as_mut()).await {
            self.in_flight.push_new(batch);
            self.deliver().await;
            // Other tasks get their turn between batches of which all is dropped.
            task::yield_now().await;
        }
    }

    /// Tries until each record in flight is delivered or rejected. The cursor moves over batches
    /// that are done, the first one first.
    async fn deliver(&mut self) {
        while let Some(batch) = self.first() {
            let attempt = self.attempt(&batch).await;
            match attempt {
                Attempt::Delivered => {
                    self.book(Change::Deliver(self.id, batch.amount()));
                    self.settle();
                }
                Attempt::Again { reason, after } => self.fail(&batch, &reason, after).await,
                Attempt::Refused(reason) => {
                    if let Some((first, second)) = batch.halves() {
                        self.in_flight.replace([second, first]);
                    } else {
                        self.reject(&batch, vec![(0, reason)]).await;
                        self.settle();
                    }
                }
                Attempt::Mixed { refused, again, reason, after } => {
                    let (done, rest) = batch.parted(&again);
                    self.sort(&batch, refused, rest.as_ref().map(Batch::amount).unwrap_or_default()).await;
                    if let Some(rest) = rest {
                        // Those of the rest count once it is settled.
                        self.account.count_defects(batch.tally() - rest.visited());
                        self.settle_spans(&done);
                        self.in_flight.replace([rest]);
                        self.fail(&batch, &reason, after).await;
                    } else {
                        self.settle();
                    }
                }
                Attempt::Partly { refused, reason } => {
                    self.reject_some(&batch, refused, &reason);
                    self.settle();
                }
            }
        }
    }

    async fn attempt(&mut self, batch: &Batch) -> Attempt {
        if self.orders.has_changed().is_ok_and(|changed| changed) {
            self.take_order();
        }
        self.asked_at = self.in_flight.reloads;
        let start = Instant::now();
        let attempt = self.output.deliver(batch).await;
        self.account.seconds.observe(start.elapsed().as_secs_f64());
        attempt
    }

    /// Opens the output with the settings that have come.
    fn take_order(&mut self) {
        let Order::Change(destination) = self.orders.borrow_and_update().clone() else { return };
        self.patience = destination.patience;
        let opened = {
            let follower = lock(&self.follower);
            destination.open(&follower.pool, follower.own_files())
        };
        match opened {
            Ok(output) => self.output = output,
            // Its settings were judged when they were read.
            Err(fault) => tracing::error!(output = self.label, fault, "cannot be opened; keeps its former settings"),
        }
    }

    /// The first batch in flight, as the settings say now
    fn first(&mut self) -> Option<Batch> {
        self.in_flight.first(&self.follower, self.id)
    }

    fn book(&self, change: Change) {
        lock(&self.follower).account(change);
    }

    /// The first batch in flight is accounted for.
    fn settle(&mut self) {
        let Some(batch) = self.in_flight.pop() else { return };
        self.retry.reset();
        if self.throttle.settle() {
            tracing::info!(output = self.label, "delivers again");
        }
        self.account.count_defects(batch.tally());
        self.settle_spans(batch.spans());
    }

    fn settle_spans(&self, spans: &[Span]) {
        for span in spans {
            self.book(Change::Settle(span, self.id));
        }
    }

    /// After a failed attempt at a batch: waits for the next attempt at the first one in flight, or
    /// gives that up.
    async fn fail(&mut self, batch: &Batch, reason: &str, after: Option<Duration>) {
        let stopping = self.signal.borrow().stopping;
        if self.retry.fail(self.patience, stopping, Instant::now()) {
            self.give_up(reason).await;
        } else {
            self.account.retries.inc();
        }
        let reason = self.without_secrets(reason, batch.spans());
        self.pause(reason, after).await;
    }

    /// Logs why a batch is sent again, and waits; a stop and a new configuration end the wait at once.
    async fn pause(&mut self, reason: &str, asked_for: Option<Duration>) {
        if self.throttle.is_due(reason, Instant::now()) {
            if self.patience.has_limit() {
                tracing::warn!(output = self.label, reason, "cannot deliver; the batch is sent again up to its limit");
            } else {
                tracing::warn!(
                    output = self.label,
                    reason,
                    "cannot deliver; the batch is sent again until it is delivered"
                );
            }
        }
        let stopping = self.signal.borrow().stopping;
        let pause = self.retry.pause(asked_for, stopping, fastrand::f64());
        let mut signal = self.signal.clone();
        let is_ordered = tokio::select! {
            () = time::sleep(pause) => false,
            Ok(()) = self.orders.changed() => true,
            _ = signal.wait_for(|signal| signal.stopping), if !stopping => false,
        };
        if is_ordered {
            // An order ends one pause: that of a dead letter may follow.
            self.take_order();
        }
    }
}

#[cfg(test)]
mod tests;
