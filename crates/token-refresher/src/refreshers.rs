//! The loops of all secrets: those that a configuration names, and their replacements when it changes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lifecycle::{Lifecycle, LogThrottle};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    adopt::StateDirectory,
    config::Config,
    output::OutputError,
    refresher::store::{Store, Stores},
    refresher::{Base, Left, Refresher, Wake},
    report::Report,
    report::board::Board,
    report::telemetry::Metrics,
    schedule::Schedule,
    schedule::clock::Clock,
    schedule::write_state::WriteState,
    secret_entry::SecretEntry,
    tell::{Tell, metrics::TellMetrics, way::Way},
    value::input::{Inputs, Published},
};

/// A loop that has not moved on for this long hangs: a call, and writes to volumes that do not answer, take less.
const BOUND: Duration = Duration::from_secs(150);

/// All loops, and what they share
pub(crate) struct Refreshers {
    life: Lifecycle,
    clock: Clock,
    board: Board,
    metrics: Metrics,
    tell_metrics: TellMetrics,
    published: watch::Sender<u64>,
    state: Option<StateDirectory>,
    stores: Stores,
    /// The newest value of each secret, kept while its loop is replaced
    values: HashMap<String, Published>,
    running: BTreeMap<String, Running>,
}

/// The loop of one secret
struct Running {
    entry: String,
    /// Ends the loop when it is dropped
    stop: watch::Sender<()>,
    left: Arc<Mutex<Option<Left>>>,
}

impl Refreshers {
    pub(crate) fn new(
        life: &Lifecycle,
        clock: Clock,
        board: Board,
        state: Option<StateDirectory>,
    ) -> prometheus::Result<Self> {
        Ok(Self {
            life: life.clone(),
            clock,
            board,
            metrics: Metrics::new(life)?,
            tell_metrics: TellMetrics::new(life)?,
            published: watch::Sender::new(0),
            state,
            stores: Stores::default(),
            values: HashMap::new(),
            running: BTreeMap::new(),
        })
    }

    /// Writes each secret of the configuration once. The first result that no other try changes ends it.
    pub(crate) async fn write_once(&mut self, config: &Config) -> anyhow::Result<()> {
        check_targets(config).await?;
        warn_of_unused(config);
        let inputs = self.inputs(config);
        let (mut refreshers, mut tasks) = (Vec::new(), JoinSet::new());
        for entry in &config.secrets {
            // No app runs yet that could be told.
            let entry = SecretEntry { tell: Vec::new(), ..entry.clone() };
            refreshers.push(self.refresher(entry, config, &inputs)?);
        }
        adopt(&mut refreshers).await;
        for mut refresher in refreshers {
            tasks.spawn(async move {
                refresher.watch().await;
                while !refresher.writes.is_written() {
                    match refresher.step().await {
                        Err(fault) if fault.is_final => return Err(fault.error),
                        _ => {}
                    }
                }
                // Those that build on it may still have to be written.
                Ok(refresher)
            });
        }
        let mut finished = Vec::new();
        while let Some(result) = tasks.join_next().await {
            finished.push(result??);
        }
        tracing::info!(secrets = finished.len(), "all secrets are written");
        Ok(())
    }

    /// Keeps the secrets of this configuration fresh from here on. A secret whose entry has not changed goes on as it is.
    pub(crate) async fn keep(&mut self, config: &Config) -> anyhow::Result<()> {
        check_targets(config).await?;
        warn_of_unused(config);
        let inputs = self.inputs(config);
        let is_kept = |name: &String, running: &Running| {
            let entry = config.secrets.iter().find(|entry| entry.name == *name);
            entry.is_some_and(|entry| running.entry == format!("{entry:?}"))
        };
        let ended: Vec<_> = self
            .running
            .iter()
            .filter(|(name, running)| !is_kept(name, running))
            .map(|(name, _)| name.clone())
            .collect();
        let mut left = HashMap::new();
        for name in ended {
            if let Some(running) = self.running.remove(&name) {
                // The loop holds the receiver, and with it the locks of its files.
                running.stop.send_replace(());
                running.stop.closed().await;
                if let Some(value) = running.left.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    left.insert(name, value);
                }
            }
        }
        self.values.retain(|name, _| config.secrets.iter().any(|entry| entry.name == *name));
        let mut refreshers = Vec::new();
        for entry in config.secrets.iter().filter(|entry| !self.running.contains_key(&entry.name)) {
            let mut refresher = self.refresher(entry.clone(), config, &inputs)?;
            if let Some(left) = left.remove(&entry.name) {
                refresher.take_over(left);
            }
            refreshers.push(refresher);
        }
        adopt(&mut refreshers).await;
        for refresher in refreshers {
            self.start(refresher);
        }
        Ok(())
    }

    fn start(&mut self, mut refresher: Refresher) {
        let (stop, mut stopped) = watch::channel(());
        let left = Arc::new(Mutex::new(None));
        let running = Running { entry: format!("{:?}", refresher.entry), stop, left: left.clone() };
        self.running.insert(refresher.entry.name.clone(), running);
        let life = self.life.clone();
        let name = format!("secret {}", refresher.entry.name);
        self.life.vital(name, BOUND, |heartbeat| async move {
            let keeping = async {
                refresher.watch().await;
                loop {
                    heartbeat.beat();
                    // The step has noted its failure, and the next one is a retry.
                    let _ = refresher.step().await;
                }
            };
            tokio::select! {
                _ = life.stop_requested() => return Ok(()),
                _ = stopped.changed() => {}
                () = keeping => {}
            }
            heartbeat.retire();
            let (report, value) = refresher.leave();
            report.retire();
            *left.lock().unwrap_or_else(PoisonError::into_inner) = value;
            Ok(())
        });
    }

    fn refresher(&self, entry: SecretEntry, config: &Config, inputs: &Inputs) -> anyhow::Result<Refresher> {
        let now = self.clock.now();
        let name = entry.name.clone();
        let ways: Result<Vec<_>, _> = entry.tell.iter().map(Way::of).collect();
        let ways = ways.map_err(anyhow::Error::msg)?;
        let tell = (!ways.is_empty()).then(|| Tell::start(&name, ways, &self.tell_metrics, &self.life));
        let telemetry = self.metrics.of(&name);
        let hold = self.life.hold(name.clone());
        let report = Report::new(&name, entry.on_expired, self.board.clone(), telemetry, hold);
        let bases = entry.source.depends_on().into_iter();
        let bases = bases.filter_map(|base| Some(Base { name: base.to_owned(), value: inputs.of(base)? })).collect();
        let Published { newest, doubt } = self.values.get(&name).cloned().unwrap_or_default();
        let store = entry.source.origin().map(|origin| self.stores.of(&origin));
        let wake = Wake {
            published: self.published.subscribe(),
            hangups: self.life.hangups(),
            doubt,
            returns: store.as_ref().map(Store::returns),
            file: None,
        };
        Ok(Refresher {
            schedule: Schedule::new(entry.rules(), &now),
            writes: WriteState::new(&now),
            fetched: None,
            unsaved: None,
            state: self.state.clone(),
            is_base: config.secrets.iter().any(|other| other.source.depends_on().contains(&name.as_str())),
            value: newest,
            inputs: inputs.clone(),
            bases,
            published: self.published.clone(),
            tell,
            report,
            clock: self.clock.clone(),
            wake,
            throttle: LogThrottle::default(),
            store,
            place: fastrand::f64(),
            entry,
        })
    }

    /// The newest values by name. A secret keeps its channel, so that those that build on it need not be replaced with it.
    fn inputs(&mut self, config: &Config) -> Inputs {
        for entry in &config.secrets {
            self.values.entry(entry.name.clone()).or_default();
        }
        Inputs::new(self.values.clone())
    }
}

/// Uses values of an earlier process: all of them before any loop runs, so that none is asked for because of another one.
async fn adopt(refreshers: &mut [Refresher]) {
    for refresher in &mut *refreshers {
        refresher.adopt().await;
    }
    for refresher in refreshers {
        refresher.know_bases();
    }
}

/// Refuses places that are none for a secret. A volume that fails now may work later.
async fn check_targets(config: &Config) -> anyhow::Result<()> {
    for entry in &config.secrets {
        for output in &entry.outputs {
            // The write meets any other fault as well, and is retried.
            if let Err(error @ OutputError::Place(_)) = output.check_target().await {
                let reason = format!("secret {}: {error}", entry.name);
                return Err(error.exit().because(reason));
            }
        }
    }
    Ok(())
}

/// A secret that leads nowhere is fetched all the same: a login is kept alive so. More often, its outputs were forgotten.
fn warn_of_unused(config: &Config) {
    for entry in &config.secrets {
        let is_base = config.secrets.iter().any(|other| other.source.depends_on().contains(&entry.name.as_str()));
        if entry.outputs.is_empty() && entry.tell.is_empty() && !is_base {
            tracing::warn!(secret = entry.name, "the secret has no outputs, so it is written to no file");
        }
    }
}

#[cfg(test)]
mod tests;
