//! One round: all sources and all collectors side by side, within the scraper's time.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::join_all};
use tokio::time::{Instant, timeout_at};

use crate::{
    collect::{Collectors, collected::Collected},
    fetch::{Fetched, chain::Chain, fetch},
    page_memory::{PageMemory, Reserve},
    source::Source,
    together::Together,
};

/// The longest time for the collectors. They read the kernel's files, so a volume that has not answered by then hangs.
const COLLECT_LIMIT: Duration = Duration::from_secs(3);

/// Collectors keep their deadline themselves, and then need this time to report the late ones. It is part of the margin.
const REPORT_TIME: Duration = Duration::from_millis(20);

/// The sources and the collectors, and the fetches and readings that run now
pub(crate) struct Rounds {
    pub(crate) sources: Vec<Arc<Source>>,
    collectors: Arc<Collectors>,
    source_size_limit: usize,
    memory: PageMemory,
    /// In the order of the sources
    reserves: Vec<Reserve>,
    /// For each source, the fetch without and the fetch with native histograms
    fetches: Vec<[Together<Arc<Fetched>>; 2]>,
    collections: Together<Arc<Collected>>,
}

/// The sources' answers and the collectors' series for one scrape
pub(crate) struct Round {
    /// In the order of the sources
    pub(crate) fetched: Vec<Arc<Fetched>>,
    pub(crate) collected: Arc<Collected>,
}

impl Rounds {
    pub(crate) fn new(
        sources: Vec<Source>,
        collectors: Arc<Collectors>,
        source_size_limit: usize,
        memory: PageMemory,
    ) -> Self {
        let sources: Vec<_> = sources.into_iter().map(Arc::new).collect();
        let fetches = sources.iter().map(|_| Default::default()).collect();
        let reserves = sources.iter().map(|_| Reserve::default()).collect();
        Self { sources, collectors, source_size_limit, memory, reserves, fetches, collections: Together::default() }
    }

    /// Fetches all sources and runs all collectors, or joins the work that runs for another scrape. A source without an answer by
    /// the deadline is late for this round; its request continues only while another round waits for it.
    pub(crate) async fn run(&self, wants_native: bool, chain: &Chain, limit: Duration) -> Round {
        let begin = Instant::now();
        let deadline = begin + limit;
        let sources = self.sources.iter().zip(&self.reserves).zip(&self.fetches);
        let fetched = sources.map(|((source, reserve), slots)| {
            let begin_fetch = || {
                let (source, via) = (source.clone(), chain.via.clone());
                let memory = self.memory.body(self.sources.len(), self.source_size_limit, reserve);
                async move { Arc::new(fetch(&source, wants_native, Some(&via), limit, memory).await) }.boxed()
            };
            // A scrape that comes through another exporter shares nothing: that exporter may wait for the very fetch that it
            // would join.
            let is_shared = chain.is_first;
            let slot = &slots[usize::from(wants_native)];
            let fetch = if is_shared { slot.join(limit, begin_fetch) } else { begin_fetch().shared() };
            async move {
                let fetched = timeout_at(deadline, fetch).await;
                fetched.unwrap_or_else(|_| Arc::new(Fetched::late(begin.elapsed())))
            }
        });
        let collect_limit = limit.min(COLLECT_LIMIT);
        let collected = self.collections.join(collect_limit, || {
            let collectors = self.collectors.clone();
            let deadline = begin + collect_limit;
            async move { Arc::new(collectors.collect(deadline).await) }.boxed()
        });
        let collected = timeout_at(deadline + REPORT_TIME, collected);
        let (fetched, collected) = tokio::join!(join_all(fetched), collected);
        Round { fetched, collected: collected.unwrap_or_else(|_| Arc::new(self.collectors.late(begin.elapsed()))) }
    }
}
