//! The workers as the main thread sees them: it binds sockets for them, and hands every new plan to all of them.

mod memory;
pub(crate) mod worker;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::sync::mpsc;

use self::worker::{Change, Settings, Worker};
use crate::{
    listener::{listening::Unserved, unix_socket::UnixSocket},
    listener_address::{ListenerAddress, UnixAddress},
    plan::Plan,
};

/// How long a worker may be silent before `/livez` tells. It never waits for anything but its sockets.
const SILENCE: Duration = Duration::from_secs(10);

/// All workers
pub(crate) struct Workers {
    /// Plans come seldom, and a worker takes each within a turn of its loop.
    changes: Vec<mpsc::UnboundedSender<Change>>,
    /// The addresses that are served
    addresses: Vec<ListenerAddress>,
    /// Those of them that are Unix sockets
    unix_sockets: Vec<UnixSocket>,
}

/// The sockets of new addresses, for each worker
pub(crate) type Sockets = Vec<Vec<(ListenerAddress, Unserved)>>;

impl Workers {
    /// Starts this many, which serve nothing yet.
    pub(crate) fn start(count: u32, settings: &Settings) -> anyhow::Result<Self> {
        let mut workers = Self { changes: Vec::new(), addresses: Vec::new(), unix_sockets: Vec::new() };
        for _ in 0..count {
            let (sender, changes) = mpsc::unbounded_channel();
            let settings = settings.clone();
            let life = settings.life.clone();
            life.worker("worker", SILENCE, |heartbeat| Worker::new(settings).run(changes, heartbeat))?;
            workers.changes.push(sender);
        }
        Ok(workers)
    }

    /// The sockets of all addresses that are new with this plan, for each worker. Nothing has changed if one cannot be bound.
    pub(crate) async fn bind(&self, plan: &Plan) -> anyhow::Result<Sockets> {
        let mut sockets: Sockets = self.changes.iter().map(|_| Vec::new()).collect();
        for listener in &plan.listeners {
            let address = &listener.address;
            if self.addresses.iter().any(|known| known.is_same(address)) {
                continue;
            }
            let bound = match Unserved::bind(address, sockets.len()).await {
                Ok(bound) => bound,
                Err(error) => {
                    close(sockets).await;
                    return Err(error);
                }
            };
            for (sockets, socket) in sockets.iter_mut().zip(bound) {
                sockets.push((address.clone(), socket));
            }
        }
        Ok(sockets)
    }

    /// Puts a plan in force, with the sockets that were bound for it, and waits until all workers serve it.
    pub(crate) async fn serve(&mut self, plan: Plan, sockets: Sockets) -> anyhow::Result<()> {
        let mut new = Vec::new();
        for (address, socket) in sockets.first().into_iter().flatten() {
            new.push((address.clone(), socket.place().context("a socket without an address")?.to_string()));
            self.unix_sockets.extend(socket.unix().cloned());
        }
        let plan = Arc::new(plan);
        let (applied, mut all_applied) = mpsc::channel(1);
        for (sender, sockets) in self.changes.iter().zip(sockets) {
            // A worker that is gone has ended the process, or a stop has come.
            let _ = sender.send(Change { plan: plan.clone(), sockets, _applied: applied.clone() });
        }
        drop(applied);
        while all_applied.recv().await.is_some() {}
        // Said once it is true, because a stop may come right after it.
        self.log(&plan, &new);
        self.addresses = plan.listeners.iter().map(|listener| listener.address.clone()).collect();
        self.settle_modes().await;
        Ok(())
    }

    /// Forgets Unix sockets that have gone, and gives the others the modes that their addresses have now.
    async fn settle_modes(&mut self) {
        let addresses = &self.addresses;
        let address_of = |socket: &UnixSocket| {
            addresses.iter().find_map(|address| match address {
                ListenerAddress::Unix(address) if address.path == socket.path() => Some(address),
                _ => None,
            })
        };
        self.unix_sockets.retain(|socket| address_of(socket).is_some());
        for socket in &self.unix_sockets {
            if let Some(UnixAddress { mode, .. }) = address_of(socket)
                && let Err(error) = socket.set_mode(*mode).await
            {
                tracing::warn!("{error:#}");
            }
        }
    }

    /// Logs which listeners have come, with the addresses that they are bound to, and which have gone.
    fn log(&self, plan: &Plan, new: &[(ListenerAddress, String)]) {
        for listener in &plan.listeners {
            let is_it = |(address, _): &&(ListenerAddress, String)| address.is_same(&listener.address);
            if let Some((_, address)) = new.iter().find(is_it) {
                let direction = format!("{:?}", listener.direction).to_lowercase();
                tracing::info!(listener = listener.name, address, direction, "listening");
            }
        }
        let is_served =
            |address: &ListenerAddress| plan.listeners.iter().any(|listener| listener.address.is_same(address));
        for address in self.addresses.iter().filter(|address| !is_served(address)) {
            tracing::info!(%address, "no longer listening");
        }
    }
}

/// Closes sockets that were bound for a plan that does not come into force.
pub(crate) async fn close(sockets: Sockets) {
    for (_, socket) in sockets.into_iter().flatten() {
        socket.close().await;
    }
}
