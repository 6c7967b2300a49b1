//! `run()`: starts the workers, gives them the plan and each new one, and ends when all of them have drained.

mod certificates;
mod followed;
mod logins;

use std::sync::Arc;

use anyhow::Context as _;
use endpoint::{ServerTls, TlsClient};
use lifecycle::{End, Exit, Lifecycle, reload};
use tokio::sync::Mutex;

use self::{certificates::Certificates, logins::Logins};
use crate::{
    access_log::AccessLog,
    args::Args,
    config::Config,
    limits::{descriptors::Descriptors, memory::Memory},
    listener::probe_pass::{self, ProbePass},
    listener_address::ListenerAddress,
    plan::{ListenerPlan, Plan},
    route::upstream_url::UpstreamUrl,
    telemetry::Metrics,
    upstream::{app::Apps, hold_start},
    workers::{self, Workers, worker::Settings},
};

/// Serves as the arguments say.
pub async fn run(args: Args, life: Lifecycle) -> anyhow::Result<End> {
    let (config, opened) = match &args.config {
        Some(path) => {
            let (config, opened) = reload::open::<Config>(path, args.clone(), &life).await?;
            (Some(config), Some(opened))
        }
        None => (None, None),
    };
    let metrics = Metrics::new(&life).context("cannot count")?;
    let access_log = AccessLog::start(args.access_log.clone(), metrics.dropped_log_lines.clone(), &life)?;
    let settings = Settings {
        limits: args.limits.clone(),
        apps: Apps::new(args.app.clone(), life.clone()),
        memory: Memory::watch()?,
        descriptors: Descriptors::of_process(&args.limits, args.workers as usize),
        metrics,
        access_log,
        begin_trace: args.begin_trace,
        pending: life.pending("requests"),
        life: life.clone(),
    };
    if let Some(exit) = hold_start(&args, config.as_ref(), &life).await? {
        return Ok(exit.into());
    }
    let workers = Workers::start(args.workers, &settings)?;
    let hangups = followed::hear_hangups(&life);
    let logins = Logins::new(&life, hangups.clone()).context("cannot count")?;
    let certificates = Certificates::new(&life, hangups).context("cannot count")?;
    let mut service = Service { args, workers, logins, certificates, served: Vec::new(), probe_pass: Arc::default() };
    service.serve(config.as_ref()).await?;
    // Its logins are followed for as long as a plan holds them.
    drop(config);
    service.pass_probes()?;
    life.started();
    if let Some(opened) = opened {
        let service = Arc::new(Mutex::new(service));
        opened.follow(&life, move |config| {
            let service = service.clone();
            async move { service.lock().await.serve(Some(&config)).await }
        });
    }
    // The workers drain on their own, and the helper ends after the last one.
    Ok(life.stop_requested().await.into())
}

/// Warns of each upstream that any server on the way to it can pose as.
fn warn_of_unverified(plan: &Plan) {
    let is_insecure = |upstream: &&UpstreamUrl| upstream.tls.as_ref().is_some_and(TlsClient::is_insecure);
    for upstream in plan.upstreams.iter().filter(is_insecure) {
        tracing::warn!(
            %upstream,
            "the certificate of an upstream is not verified, because of the option insecure: \
             name its authority with ca=PATH instead"
        );
    }
}

/// Waits as --hold-start says; gives the exit that a stop asks for, if that comes first.
async fn hold_start(args: &Args, config: Option<&Config>, life: &Lifecycle) -> anyhow::Result<Option<Exit>> {
    if !args.hold_start {
        return Ok(None);
    }
    let plan = Config::plan(args, config)?;
    // The plan was judged to have one.
    let Some(upstream) = plan.first_outbound() else { return Ok(None) };
    Ok(hold_start::wait_for(upstream.clone(), life).await)
}

/// The proxy through all of its configurations
struct Service {
    args: Args,
    workers: Workers,
    logins: Logins,
    certificates: Certificates,
    /// The TLS of each listener that is served
    served: Vec<(ListenerAddress, Option<Arc<ServerTls>>)>,
    probe_pass: Arc<ProbePass>,
}

impl Service {
    /// Serves as the arguments and this content of the file say. Where that fails, nothing has changed.
    async fn serve(&mut self, config: Option<&Config>) -> anyhow::Result<()> {
        let mut plan = Config::plan(&self.args, config)?;
        certificates::judge(&plan, &self.served).await?;
        // All sockets first: an address that cannot be bound is known before anything is served.
        let sockets = self.workers.bind(&plan).await?;
        let probed: Vec<_> = self.args.probe_pass.iter().flat_map(|lines| lines.0.clone()).collect();
        if !probed.is_empty()
            && let Err(reason) = self.probe_pass.aim(&probed, &plan)
        {
            workers::close(sockets).await;
            return Err(Exit::Usage.because(reason));
        }
        self.logins.adopt(&mut plan).await;
        self.certificates.adopt(&mut plan).await;
        let of = |listener: &ListenerPlan| (listener.address.clone(), listener.tls.clone());
        self.served = plan.listeners.iter().map(of).collect();
        warn_of_unverified(&plan);
        self.workers.serve(plan, sockets).await
    }

    /// Serves the listener of --probe-pass beside the workers, until the process ends.
    fn pass_probes(&self) -> anyhow::Result<()> {
        if self.args.probe_pass.is_empty() {
            return Ok(());
        }
        let listener = lifecycle::bind_shared(self.args.probe_addr, "--probe-addr")?;
        let address = listener.local_addr().context("a socket without an address")?;
        tracing::info!(%address, "probe listener is up");
        tokio::spawn(probe_pass::serve(listener, self.probe_pass.clone()));
        Ok(())
    }
}
