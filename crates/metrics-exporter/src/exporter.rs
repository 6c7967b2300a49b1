//! The exporter: answers requests, and keeps the state that lasts from one page to the next.

use std::{
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, VARY},
};
use lifecycle::Lifecycle;
use prometheus::{IntCounterVec, Opts, Registry, TextEncoder};
use tokio::{
    task,
    time::{Instant, timeout},
};

use crate::{
    args::Args,
    collect::{self, Collectors, roots::Roots},
    config::Config,
    debug,
    exposition::{negotiation::Answer, page_format::PageFormat},
    fetch::{chain::Pseudonym, scrape_limit::scrape_limit},
    merge::{MergeMemory, Rule},
    own_metrics::FORMAT_LEFT_OUT,
    page_memory::PageMemory,
    render::{Rendered, Rules, render, report::PageReport},
    round::Rounds,
    source_log::SourceLog,
};

/// The limit of the first reading of all collectors, before the first scrape
const FIRST_ROUND: Duration = Duration::from_secs(3);
/// The least time that a scrape waits until other scrapers have read their pages
const LEAST_WAIT: Duration = Duration::from_millis(100);
/// The time for the rules of one page: what the scraper has left, but enough for usual rules when sources were slow, and less than
/// the bound of the job's heartbeat.
const RULE_TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(8);

/// Answers scrapes
pub(crate) struct Exporter {
    args: Args,
    pseudonym: Pseudonym,
    registry: Registry,
    collectors: Arc<Collectors>,
    memory: PageMemory,
    left_out: IntCounterVec,
    plan: Mutex<Arc<InForce>>,
    last_page: Mutex<Option<PageReport>>,
    /// Held while a page is made
    turn: tokio::sync::Mutex<()>,
}

/// The configuration in force, with the state that belongs to its sources
struct InForce {
    rounds: Rounds,
    /// The rules for textfiles: those of the file for all sources
    rules: Vec<Rule>,
    log: SourceLog,
    /// The memory of these sources. It belongs to the configuration, because a page that is still being made for the old sources
    /// must not add their duplicates to the new memory.
    memory: Arc<Mutex<MergeMemory>>,
}

impl Exporter {
    pub(crate) fn new(args: Args, config: &Config, life: &Lifecycle) -> anyhow::Result<Self> {
        let registry = life.metrics().clone();
        let about = Opts::new(FORMAT_LEFT_OUT.name, FORMAT_LEFT_OUT.help);
        let left_out = IntCounterVec::new(about, FORMAT_LEFT_OUT.labels).context("cannot count")?;
        registry.register(Box::new(left_out.clone())).context("cannot count")?;
        let roots = Roots::under(&args.root);
        let memory = PageMemory::of(args.max_memory);
        let collectors = Collectors::new(&args.collect.0, &roots, &args.textfile_directories(), memory.page());
        let collectors = Arc::new(collectors);
        let plan = Mutex::new(Arc::new(InForce::of(&args, config, &collectors, &memory)?));
        let pseudonym = Pseudonym::random();
        Ok(Self {
            args,
            pseudonym,
            registry,
            collectors,
            memory,
            left_out,
            plan,
            last_page: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// Puts a new configuration in force. Pages that are being made keep the old one.
    pub(crate) fn reconfigure(&self, config: &Config) -> anyhow::Result<()> {
        let mut new = InForce::of(&self.args, config, &self.collectors, &self.memory)?;
        let mut plan = lock(&self.plan);
        if new.names().eq(plan.names()) {
            new.memory = plan.memory.clone();
        }
        *plan = Arc::new(new);
        Ok(())
    }

    /// Lets all collectors read once, so that the first scrape finds them ready.
    pub(crate) async fn collect_once(&self) {
        let collected = self.collectors.collect(Instant::now() + FIRST_ROUND).await;
        collect::warn_of_failures(&collected);
    }

    /// The answer to one request of the health listener.
    pub(crate) async fn answer(&self, request: Request<()>) -> Response<Vec<u8>> {
        match request.uri().path() {
            "/metrics" => self.page(&request).await,
            "/debug/merge" => text(StatusCode::OK, debug::merge(lock(&self.last_page).as_ref())),
            "/debug/cardinality" => text(StatusCode::OK, debug::cardinality(lock(&self.last_page).as_ref())),
            _ => text(StatusCode::NOT_FOUND, "try /metrics, /debug/merge or /debug/cardinality\n".into()),
        }
    }

    async fn page(&self, request: &Request<()>) -> Response<Vec<u8>> {
        let Some(chain) = self.pseudonym.follow(request.headers()) else {
            return text(StatusCode::LOOP_DETECTED, "this exporter asks itself, maybe through others\n".into());
        };
        let asked = Answer::to(request.headers());
        let plan = lock(&self.plan).clone();
        let wants_native = asked.format == PageFormat::Protobuf;
        let (begin, limit) = (Instant::now(), scrape_limit(request.headers()));
        let round = plan.rounds.run(wants_native, &chain, limit).await;
        // A page may take seconds, so let heartbeats and stops of this thread come between two pages.
        let _turn = self.turn.lock().await;
        task::yield_now().await;
        let left = limit.saturating_sub(begin.elapsed()).max(LEAST_WAIT);
        if timeout(left, self.memory.room_for_answer()).await.is_err() {
            let fault = "scrapers have not read their pages yet, and there is no memory for another one\n";
            return text(StatusCode::SERVICE_UNAVAILABLE, fault.into());
        }
        let rule_time = limit.saturating_sub(begin.elapsed()).clamp(*RULE_TIME.start(), *RULE_TIME.end());
        let registry = match TextEncoder::new().encode_to_string(&self.registry.gather()) {
            Ok(registry) => registry,
            Err(error) => return text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        };
        let settings = self.args.merge_settings(rule_time);
        let memory = self.memory.page();
        let rules = Rules { sources: &plan.rounds.sources, of_all: &plan.rules, settings: &settings, memory };
        let rendered = render(&round, registry.as_bytes(), &rules, &mut lock(&plan.memory), asked);
        drop(round);
        let Rendered { bytes, answer, report } = rendered;
        plan.log.write(&report.outcomes);
        for note in &report.left_out {
            let labels = [answer.format.name(), note.reason];
            self.left_out.with_label_values(&labels).inc_by(note.series as u64);
        }
        *lock(&self.last_page) = Some(report);
        let memory = self.memory.answer(bytes.len());
        let mut response = Response::new(bytes);
        response.extensions_mut().insert(memory);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.format.content_type()));
        headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        if let Some(encoding) = answer.encoding.name() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

impl InForce {
    fn of(args: &Args, config: &Config, collectors: &Arc<Collectors>, memory: &PageMemory) -> anyhow::Result<Self> {
        // Cannot fail: the check of the configuration has called the same function.
        let sources = config.sources(args).map_err(|_| anyhow::anyhow!("the sources do not fit together"))?;
        let rounds = Rounds::new(sources, collectors.clone(), args.max_source_size, memory.clone());
        Ok(Self { rounds, rules: config.rules.clone(), log: SourceLog::default(), memory: Arc::default() })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.rounds.sources.iter().map(|source| &*source.name)
    }
}

/// An answer for people
pub(crate) fn text(status: StatusCode, body: String) -> Response<Vec<u8>> {
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Ignores poison, because a panic leaves none of the values behind these locks inconsistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
