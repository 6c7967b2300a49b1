//! The workers as the main thread sees them: it binds sockets for them, and hands every new plan to all of them.

pub(crate) mod worker;

use std::{net::TcpListener, sync::Arc, time::Duration};

use anyhow::Context as _;
use lifecycle::ListenAddress;
use tokio::sync::mpsc;

use self::worker::{Change, Settings, Worker};
use crate::plan::{ListenerPlan, Plan};

/// How long a worker may be silent before `/livez` tells. It never waits for anything but its sockets.
const SILENCE: Duration = Duration::from_secs(10);

/// All workers
pub(crate) struct Workers {
    /// Plans come seldom, and a worker takes each within a turn of its loop.
    changes: Vec<mpsc::UnboundedSender<Change>>,
    /// The addresses that are served
    addresses: Vec<ListenAddress>,
}

impl Workers {
    /// Starts this many, which serve nothing yet.
    pub(crate) fn start(count: u32, settings: &Settings) -> anyhow::Result<Self> {
        let mut workers = Self { changes: Vec::new(), addresses: Vec::new() };
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
    pub(crate) fn bind(&self, plan: &Plan) -> anyhow::Result<Vec<Vec<(ListenAddress, TcpListener)>>> {
        let is_new = |listener: &&ListenerPlan| !self.addresses.contains(&listener.address);
        let mut sockets: Vec<_> = self.changes.iter().map(|_| Vec::new()).collect();
        for listener in plan.listeners.iter().filter(is_new) {
            let mut address = listener.address;
            for sockets in &mut sockets {
                let socket = lifecycle::bind_shared(address, "--listen")?;
                // Of port 0, the system chose one for the first worker.
                address.port = socket.local_addr().context("a socket without an address")?.port();
                sockets.push((listener.address, socket));
            }
        }
        Ok(sockets)
    }

    /// Puts a plan in force, with the sockets that were bound for it, and waits until all workers serve it.
    pub(crate) async fn serve(
        &mut self,
        plan: Plan,
        sockets: Vec<Vec<(ListenAddress, TcpListener)>>,
    ) -> anyhow::Result<()> {
        for (address, socket) in sockets.first().into_iter().flatten() {
            let Some(listener) = plan.listeners.iter().find(|listener| listener.address == *address) else { continue };
            let address = socket.local_addr().context("a socket without an address")?;
            let direction = format!("{:?}", listener.direction).to_lowercase();
            tracing::info!(listener = listener.name, %address, direction, "listening");
        }
        let addresses: Vec<_> = plan.listeners.iter().map(|listener| listener.address).collect();
        for address in self.addresses.iter().filter(|address| !addresses.contains(address)) {
            tracing::info!(%address, "no longer listening");
        }
        self.addresses = addresses;
        let plan = Arc::new(plan);
        let (applied, mut all_applied) = mpsc::channel(1);
        for (sender, sockets) in self.changes.iter().zip(sockets) {
            // A worker that is gone has ended the process, or a stop has come.
            let _ = sender.send(Change { plan: plan.clone(), sockets, _applied: applied.clone() });
        }
        drop(applied);
        while all_applied.recv().await.is_some() {}
        Ok(())
    }
}
