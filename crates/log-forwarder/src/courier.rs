//! Carries batches to one output: one at a time, again until it is delivered, halved when it is refused.

use std::{sync::Arc, time::Instant};

use lifecycle::{Complaint, Heartbeat};
use tokio::{sync::watch, time};

use crate::{
    batch::Batch,
    catalog::{Shared, lock},
    dead_letters::DeadLetters,
    ledger::Ledger,
    outputs::{Attempt, Output},
    retry::Retry,
    tail::Signal,
};

/// Carries batches to one output
pub(crate) struct Courier {
    pub(crate) catalog: Shared,
    pub(crate) ledger: Ledger,
    /// Its index among the outputs
    pub(crate) index: usize,
    pub(crate) label: String,
    pub(crate) output: Box<dyn Output>,
    pub(crate) dead_letters: Arc<DeadLetters>,
    pub(crate) signal: watch::Receiver<Signal>,
    pub(crate) retry: Retry,
    pub(crate) complaint: Complaint,
}

impl Courier {
    /// Carries until all is over. What is in flight then goes again after a restart.
    pub(crate) async fn run(mut self, heartbeat: Heartbeat) -> anyhow::Result<()> {
        let mut over = self.signal.clone();
        let mut work = std::pin::pin!(self.carry());
        loop {
            heartbeat.beat();
            // An output that never answers is no fault of ours: the beat says that its courier is there.
            tokio::select! {
                biased;
                _ = over.wait_for(|signal| signal.over) => return Ok(()),
                () = &mut work => return Ok(()),
                () = time::sleep(heartbeat.interval()) => {}
            }
        }
    }

    async fn carry(&mut self) {
        loop {
            self.signal.borrow_and_update();
            let next = lock(&self.catalog).next(self.index);
            match next {
                Some(batch) => self.deliver(batch).await,
                None => {
                    if self.signal.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn deliver(&mut self, batch: Batch) {
        let mut batches = vec![batch];
        while let Some(batch) = batches.pop() {
            match self.settle(&batch).await {
                Ok(()) => {
                    self.ledger.of(self.index).delivered(&batch);
                    lock(&self.catalog).settle(&batch, self.index);
                }
                Err(reason) => match batch.halves() {
                    Some((first, second)) => batches.extend([second, first]),
                    None => self.reject(&batch, &reason).await,
                },
            }
        }
    }

    /// Tries until the output has said yes, or no with a reason.
    async fn settle(&mut self, batch: &Batch) -> Result<(), String> {
        loop {
            let start = Instant::now();
            let attempt = self.output.deliver(batch).await;
            self.ledger.of(self.index).seconds.observe(start.elapsed().as_secs_f64());
            let (reason, asked_for) = match attempt {
                Attempt::Delivered => {
                    self.retry.reset();
                    if self.complaint.settle() {
                        tracing::info!(output = self.label, "delivers again");
                    }
                    return Ok(());
                }
                Attempt::Refused(reason) => return Err(reason),
                Attempt::Again { reason, after } => (reason, after),
            };
            self.ledger.of(self.index).retries.inc();
            if self.complaint.is_due(&reason, Instant::now()) {
                tracing::warn!(output = self.label, reason, "cannot deliver; it is tried until it succeeds");
            }
            self.pause(asked_for).await;
        }
    }

    /// A line that is refused alone
    async fn reject(&mut self, batch: &Batch, reason: &str) {
        loop {
            match self.dead_letters.bury(batch, &self.label, reason) {
                Ok(()) => break,
                Err(error) => {
                    let reason = format!("cannot write the dead letter: {error}");
                    if self.complaint.is_due(&reason, Instant::now()) {
                        tracing::error!(output = self.label, reason, "cannot deliver; it is tried until it succeeds");
                    }
                    self.pause(None).await;
                }
            }
        }
        self.ledger.of(self.index).rejected(batch);
        lock(&self.catalog).settle(batch, self.index);
    }

    /// Waits; a stop ends it at once.
    async fn pause(&mut self, asked_for: Option<std::time::Duration>) {
        let stopping = self.signal.borrow().stopping;
        let pause = self.retry.pause(asked_for, stopping, fastrand::f64());
        let mut signal = self.signal.clone();
        tokio::select! {
            () = time::sleep(pause) => {}
            _ = signal.wait_for(|signal| signal.stopping), if !stopping => {}
        }
    }
}
