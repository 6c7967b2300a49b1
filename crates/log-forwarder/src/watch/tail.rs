//! The loop that watches the files: looks at them after events, and at intervals, because events get lost.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use lifecycle::{Exit, Heartbeat, Lifecycle, Pending};
use tokio::{sync::watch, time};

use super::{
    directories::{Directories, POLL},
    events::{Events, News},
    signal::Signal,
};
use crate::{
    files::follower::{Shared, lock},
    heap,
};

/// A file that does not grow for this long is looked at after its events, and at each scan.
const IDLE: Duration = Duration::from_secs(5);
/// Wait this many times the scan's duration before the next scan, so that reading gets its share of the thread while thousands
/// of files come at once.
const REST: u32 = 3;
/// Between two looks while a file or the helper ends soon
const RESTLESS: Duration = Duration::from_millis(50);

/// Between two settings of the metrics of each file, which cost more than the looks with a thousand files
const SET_METRICS: Duration = Duration::from_secs(1);

/// Watches the files
pub(crate) struct Tail {
    pub(crate) follower: Shared,
    pub(crate) signal: Arc<watch::Sender<Signal>>,
    pub(crate) pending: Pending,
    pub(crate) events: Events,
    directories: Directories,
    /// Directories may have come that are not watched yet.
    is_unsettled: bool,
    /// Bytes of `pending` that are not settled
    reported_bytes: u64,
    /// When the metrics of files were last set, and whether they have changed since
    metrics_set_at: Option<Instant>,
    are_metrics_stale: bool,
}

impl Tail {
    pub(crate) fn new(follower: Shared, signal: Arc<watch::Sender<Signal>>, pending: Pending) -> Self {
        let events = Events::default();
        let directories = Directories::new(&events);
        Self {
            follower,
            signal,
            pending,
            events,
            directories,
            is_unsettled: false,
            reported_bytes: 0,
            metrics_set_at: None,
            are_metrics_stale: true,
        }
    }

    /// The first look; before it nothing is read.
    pub(crate) fn begin(&mut self) {
        let wanted = lock(&self.follower).directories();
        self.directories.watch(&wanted);
        self.scan(News::default());
    }

    /// Watches until a stop has nothing left to do, or the helper is over.
    pub(crate) async fn run(mut self, life: Lifecycle, heartbeat: Heartbeat) -> anyhow::Result<()> {
        let (mut swept, mut scanned) = (Instant::now(), Instant::now());
        let (mut pending_names, mut cost) = (News::default(), Duration::ZERO);
        let mut stopping: Option<Exit> = None;
        let mut has_looked_last = false;
        let mut over = self.signal.subscribe();
        let asked = lock(&self.follower).descriptors.asked.clone();
        loop {
            heartbeat.beat();
            let mut news = self.events.take();
            self.directories.count(&news.counts);
            let (pause, scan_pause) = self.directories.pauses();
            let sweep = swept.elapsed() >= pause;
            let scan_pause = match lock(&self.follower).names.is_unsure() {
                _ if self.is_unsettled => POLL,
                true => pause,
                false => scan_pause,
            };
            let (written, idle) = (std::mem::take(&mut news.written), if sweep { IDLE } else { Duration::ZERO });
            pending_names.add(news);
            let rest = (cost * REST).saturating_sub(scanned.elapsed());
            if rest.is_zero() && (pending_names.is_urgent() || scanned.elapsed() >= scan_pause) {
                let start = Instant::now();
                self.scan(std::mem::take(&mut pending_names));
                (scanned, cost) = (Instant::now(), start.elapsed());
            }
            self.look(&written, idle);
            if sweep {
                swept = Instant::now();
                let sizes = lock(&self.follower).sizes();
                self.directories.judge(&sizes);
            }
            pending_names.names |= self.directories.has_moved(sweep);
            let is_over = lock(&self.follower).is_over(Instant::now());
            if is_over && has_looked_last {
                self.signal.send_modify(|signal| signal.over = true);
                return Ok(());
            }
            has_looked_last = is_over;
            if is_over {
                // A file may have come without an event, as on a mount that another host writes.
                self.scan(std::mem::take(&mut pending_names));
                continue;
            }
            let pause = if self.is_restless() { RESTLESS } else { pause.saturating_sub(swept.elapsed()) };
            let pause = if pending_names.is_urgent() { pause.min(rest) } else { pause };
            tokio::select! {
                biased;
                exit = life.stop_requested(), if stopping.is_none() => {
                    stopping = Some(exit);
                    lock(&self.follower).stop(Instant::now());
                    // A native sidecar may have started long before its app, and no event may have come.
                    pending_names.names = true;
                    self.signal.send_modify(|signal| signal.stopping = true);
                }
                _ = over.wait_for(|signal| signal.over) => return Ok(()),
                () = self.events.happened() => {}
                () = asked.notified() => {}
                () = time::sleep(pause.min(heartbeat.interval())) => {}
            }
        }
    }

    /// Finds files that have come, and marks those that have gone, until each directory that matters is watched.
    fn scan(&mut self, news: News) {
        let mut follower = lock(&self.follower);
        self.directories.doubt(&news.deletions, news.overflow);
        follower.scan(news.renames, news.overflow, Instant::now());
        self.is_unsettled = !self.directories.follow(&mut follower);
        let files = follower.set.iter().count();
        drop(follower);
        heap::trim(files);
        self.signal.send_modify(|signal| signal.news += 1);
    }

    /// Looks at the files that were written or have grown within this time, and wakes the couriers when an output may go on.
    fn look(&mut self, written: &HashSet<PathBuf>, idle: Duration) {
        let mut follower = lock(&self.follower);
        let now = Instant::now();
        follower.drop_own_files(now);
        let is_whole = follower.stopping().is_some() || self.directories.any_polled();
        let is_news = if is_whole { follower.look_at_all(now) } else { follower.look_at_busy(written, idle, now) };
        let is_news = follower.share(now) || is_news;
        let behind = follower.set.behind();
        self.pending.done(self.reported_bytes.saturating_sub(behind));
        self.pending.add(behind.saturating_sub(self.reported_bytes));
        // Unread bytes grow older, also without events.
        let is_other = is_news || behind > 0 || behind != self.reported_bytes;
        self.are_metrics_stale |= is_other || !follower.set.are_gauges_set();
        if self.are_metrics_stale && self.metrics_set_at.is_none_or(|at| at.elapsed() >= SET_METRICS) {
            self.are_metrics_stale = false;
            self.metrics_set_at = Some(now);
            follower.set.set_metrics(now);
        }
        drop(follower);
        if is_news || behind != self.reported_bytes {
            self.signal.send_modify(|signal| signal.news += 1);
        }
        self.reported_bytes = behind;
    }

    /// Whether a file is to end soon, or all of them, or a directory may go.
    fn is_restless(&self) -> bool {
        let follower = lock(&self.follower);
        self.is_unsettled
            || self.directories.any_checked()
            || follower.stopping().is_some()
            || !follower.set.restless().is_empty()
    }
}
