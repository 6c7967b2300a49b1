//! `run()`: binds every listener, starts the workers, and ends when all of them have drained.

use std::{net::TcpListener, sync::Arc, time::Duration};

use anyhow::Context as _;
use lifecycle::{End, Exit, Lifecycle};

use crate::{
    access_log::AccessLog,
    args::Args,
    config::Config,
    listener::probe_pass::{self, ProbePass},
    plan::Plan,
    telemetry::Metrics,
    worker::Worker,
};

/// How long a worker may be silent before `/livez` tells. It never waits for anything but its sockets.
const SILENCE: Duration = Duration::from_secs(10);

/// Serves as the arguments say.
pub async fn run(args: Args, life: Lifecycle) -> anyhow::Result<End> {
    let config = match &args.config {
        Some(path) => Some(lifecycle::config::read::<Config>(path, &args, &life).await?),
        None => None,
    };
    let plan = Plan::of(&args, config.as_ref().map(|config| &config.listeners[..])).map_err(|misfits| {
        let messages: Vec<_> = misfits.into_iter().map(|misfit| misfit.message).collect();
        Exit::Usage.because(messages.join("; "))
    })?;
    let plan = Arc::new(plan);
    let metrics = Metrics::new(&life).context("cannot count")?;
    let access_log = AccessLog::start(args.access_log.clone(), metrics.dropped_log_lines.clone(), &life)?;
    // All sockets first: what cannot be bound is known before anything is served.
    let mut sockets = Vec::new();
    for _ in 0..args.workers {
        sockets.push(bind(&plan, sockets.first())?);
    }
    for (listener, socket) in plan.listeners.iter().zip(&sockets[0]) {
        let address = socket.local_addr().context("a socket without an address")?;
        let direction = format!("{:?}", listener.direction).to_lowercase();
        tracing::info!(listener = listener.name, %address, direction, "listening");
    }
    pass_probes(&args, &plan)?;
    let pending = life.pending("requests");
    for listeners in sockets {
        let (plan, limits) = (plan.clone(), args.limits.clone());
        let (metrics, access_log) = (metrics.clone(), access_log.clone());
        let pending = pending.clone();
        let begin_trace = args.begin_trace;
        let worker = Worker { pending, plan, listeners, limits, metrics, access_log, begin_trace, life: life.clone() };
        life.worker("worker", SILENCE, |heartbeat| worker.run(heartbeat))?;
    }
    life.started();
    // The workers drain on their own, and the helper ends after the last one.
    Ok(life.stop_requested().await.into())
}

/// Serves the listener of --probe-pass beside the workers, until the process ends.
fn pass_probes(args: &Args, plan: &Plan) -> anyhow::Result<()> {
    let paths: Vec<_> = args.probe_pass.iter().flat_map(|lines| lines.0.clone()).collect();
    if paths.is_empty() {
        return Ok(());
    }
    let pass = ProbePass::default();
    pass.aim(&paths, plan).map_err(|reason| Exit::Usage.because(reason))?;
    let listener = lifecycle::bind_shared(args.probe_addr, "--probe-addr")?;
    let address = listener.local_addr().context("a socket without an address")?;
    tracing::info!(%address, "probe listener is up");
    tokio::spawn(probe_pass::serve(listener, pass.into()));
    Ok(())
}

/// The sockets of one worker, shared with the first worker and with a successor that replaces this process
fn bind(plan: &Plan, first: Option<&Vec<TcpListener>>) -> anyhow::Result<Vec<TcpListener>> {
    let mut bound = Vec::new();
    for (nth, listener) in plan.listeners.iter().enumerate() {
        let mut address = listener.address;
        if let Some(first) = first {
            // Of port 0, the system chose one.
            address.port = first[nth].local_addr().context("a socket without an address")?.port();
        }
        let socket = lifecycle::bind_shared(address, "--listen")?;
        bound.push(socket);
    }
    Ok(bound)
}
