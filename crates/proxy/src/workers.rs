//! The workers as the main thread sees them: it binds sockets for them, and hands every new plan to all of them.

mod memory;
pub(crate) mod worker;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

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
        let mut new = Vec::new();
        for (address, socket) in sockets.first().into_iter().flatten() {
            new.push((*address, socket.local_addr().context("a socket without an address")?));
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
        self.tell(&plan, &new);
        self.addresses = plan.listeners.iter().map(|listener| listener.address).collect();
        Ok(())
    }

    /// Logs which listeners have come, with the addresses that they are bound to, and which have gone.
    fn tell(&self, plan: &Plan, new: &[(ListenAddress, SocketAddr)]) {
        for listener in &plan.listeners {
            let is_it = |(address, _): &&(ListenAddress, SocketAddr)| *address == listener.address;
            if let Some((_, address)) = new.iter().find(is_it) {
                let direction = format!("{:?}", listener.direction).to_lowercase();
                tracing::info!(listener = listener.name, %address, direction, "listening");
            }
        }
        let is_served = |address: &ListenAddress| plan.listeners.iter().any(|listener| listener.address == *address);
        for address in self.addresses.iter().filter(|address| !is_served(address)) {
            tracing::info!(%address, "no longer listening");
        }
    }
}
