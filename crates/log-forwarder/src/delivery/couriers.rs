//! The couriers of all outputs. The configuration says which of them start, change and stop.

use std::{sync::Arc, time::Duration};

use lifecycle::{Lifecycle, LogThrottle};
use tokio::sync::watch;

use crate::{
    delivery::{
        courier::{Courier, Order},
        dead_letters::DeadLetters,
        gatherer::Gatherer,
        in_flight::InFlight,
        retry::Retry,
    },
    files::{
        follower::{Shared, lock},
        known::OutputId,
        set::Change,
    },
    records::growing::Growing,
    settings::destination::Destination,
    watch::signal::Signal,
};

/// The couriers of all outputs
pub(crate) struct Couriers {
    pub(crate) follower: Shared,
    pub(crate) dead_letters: Arc<DeadLetters>,
    pub(crate) signal: watch::Receiver<Signal>,
    pub(crate) life: Lifecycle,
    pub(crate) linger: Duration,
    /// How long a courier may be silent before `/livez` fails
    pub(crate) silence: Duration,
    pub(crate) running: Vec<Running>,
}

/// A courier that runs
pub(crate) struct Running {
    destination: Destination,
    id: OutputId,
    orders: watch::Sender<Order>,
}

impl Couriers {
    /// Starts and stops couriers so that they match these outputs, whose labels are all different.
    /// Outputs that stay the same are not interrupted.
    pub(crate) fn arrange(&mut self, outputs: &[Destination]) {
        let is_wanted = |label: &str| outputs.iter().any(|output| output.label() == label);
        let running = std::mem::take(&mut self.running);
        let (kept, gone): (Vec<_>, Vec<_>) =
            running.into_iter().partition(|running| is_wanted(&running.destination.label()));
        self.running = kept;
        for Running { destination, id, orders } in gone {
            tracing::info!(output = destination.label(), "is no longer delivered to");
            lock(&self.follower).account(Change::RemoveOutput(id));
            orders.send_replace(Order::End);
        }
        for output in outputs {
            let same = self.running.iter_mut().find(|running| running.destination.label() == output.label());
            match same {
                Some(running) if running.destination == *output => {}
                Some(running) => {
                    running.destination = output.clone();
                    running.orders.send_replace(Order::Change(output.clone()));
                }
                None => self.start(output.clone()),
            }
        }
    }

    fn start(&mut self, destination: Destination) {
        let label = destination.label();
        let (id, account, opened) = {
            let follower = &mut *lock(&self.follower);
            // Those of the start are known already: a checkpoint has to be read for them.
            let known = follower.set.output(&label);
            let id = known.unwrap_or_else(|| follower.add_output(label.clone()));
            (id, follower.set.ledger().of(id), destination.open(&follower.pool, follower.own_files()))
        };
        let output = match opened {
            Ok(output) => output,
            Err(fault) => {
                // Its settings were judged when they were read. Its lines wait: the next change of
                // the configuration tries again, because no courier runs for it.
                tracing::error!(output = label, fault, "cannot be opened; its lines wait until --config changes");
                return;
            }
        };
        let (orders, receiver) = watch::channel(Order::Carry);
        let courier = Courier {
            follower: self.follower.clone(),
            account,
            id,
            label,
            output,
            dead_letters: self.dead_letters.clone(),
            signal: self.signal.clone(),
            orders: receiver,
            patience: destination.patience,
            gatherer: Gatherer {
                follower: self.follower.clone(),
                output: id,
                signal: self.signal.clone(),
                linger: self.linger,
                batch: Growing::default(),
            },
            retry: Retry::default(),
            throttle: LogThrottle::default(),
            in_flight: InFlight::default(),
            asked_at: 0,
        };
        self.life.vital("courier", self.silence, |heartbeat| courier.run(heartbeat));
        self.running.push(Running { destination, id, orders });
    }
}
