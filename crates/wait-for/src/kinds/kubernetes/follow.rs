//! The objects of a target from one attempt to the next: a list, then a watch that tells each
//! change.
//!
//! Every step leaves a state from which the next attempt goes on, because an attempt is dropped at
//! its deadline: pages of a list, and events of a watch.

mod changes;
mod requests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::FutureExt;
use hyper::HeaderMap;
use tokio::time::{Instant, timeout_at};

use super::{
    api::{Api, Refusal},
    resource::Resource,
    seen::{Seen, judge},
    trouble::Trouble,
    watch::Watch,
};
use crate::{
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
};

/// Objects of a target; of each, a name and a reason are kept.
const MOST_OBJECTS: usize = 10_000;
/// Events that wait for a watch come within this time.
const SETTLING: Duration = Duration::from_millis(200);
/// The words about a version that is forgotten at once, time after time
const FORGETS: &str = "the API server forgets the list at once (410 Gone)";

/// The state of the objects as the API server told it, and the watch on them
#[derive(Debug, Default)]
pub(super) struct Followed {
    namespace: String,
    objects: BTreeMap<String, Seen>,
    position: Position,
    watch: Option<Watch>,
    trouble: Trouble,
    /// The last verdict, unless a request was sent since
    last_verdict: Option<Verdict>,
    /// The reason of the last verdict, also where a request was sent since
    last_reason: Option<String>,
    /// The headers of the last request, which its answer may repeat
    sent: HeaderMap,
    /// The verbs that were granted
    granted: BTreeSet<&'static str>,
    /// The first refusal in a row of what was granted before
    refused_since: Option<Instant>,
    /// When the API server has last forgotten the version
    expired: Option<Instant>,
    /// The last watch broke off and brought nothing
    was_barren: bool,
}

/// How far the API server's answers were read
#[derive(Debug)]
enum Position {
    /// The token of the next page
    List { page: Option<String>, pages_before: usize },
    /// The version that the objects have
    Watch { version: String },
}

impl Default for Position {
    fn default() -> Self {
        Self::List { page: None, pages_before: 0 }
    }
}

impl Followed {
    /// The next verdict that differs from the last one; a verdict that the objects are ready comes
    /// at once.
    pub(super) async fn next_verdict(&mut self, api: &Api, resource: &Resource, network: &Network) -> Verdict {
        let verdict = match self.follow(api, resource, network).await {
            Ok(verdict) => {
                self.last_verdict = Some(verdict.clone());
                verdict
            }
            Err(refusal) => Err(self.refused(resource, refusal)),
        };
        self.last_reason = verdict.as_ref().err().map(|refusal| refusal.reason.clone());
        verdict
    }

    /// The verdict that still holds when an attempt ends without another one.
    pub(super) fn at_deadline(&self) -> Option<NotReady> {
        self.last_verdict.clone()?.err()
    }

    async fn follow(&mut self, api: &Api, resource: &Resource, network: &Network) -> Result<Verdict, Refusal> {
        if self.namespace.is_empty() {
            self.namespace = api.namespace().await?;
        }
        loop {
            if self.trouble.is_pausing() {
                match self.verdict(resource) {
                    // From memory, so it proves nothing gone.
                    Err(refusal) => {
                        let refusal = NotReady { cause: Cause::Busy, ..refusal };
                        if self.last_reason.as_ref() != Some(&refusal.reason) {
                            return Ok(Err(refusal));
                        }
                        self.last_verdict = Some(Err(refusal));
                    }
                    ready => self.last_verdict = Some(ready),
                }
                network.progress.end();
                self.trouble.pause().await;
            }
            let is_fresh = matches!(self.position, Position::List { .. });
            while matches!(self.position, Position::List { .. }) {
                self.list(api, resource, network).await?;
            }
            let verdict = self.verdict(resource);
            // A Job that has ended needs no watch. A failed Job can be replaced by a new one.
            if is_fresh && is_final(&verdict) {
                if verdict.is_err() {
                    self.start_again();
                }
                return Ok(verdict);
            }
            // While watches fail, each list is news.
            if is_fresh && self.trouble.is_on() {
                return Ok(verdict);
            }
            if self.watch.is_none() {
                self.open(api, resource, network).await?;
            }
            // All that has arrived comes before the verdict.
            if let Some(verdict) = self.read_arrived(resource)? {
                return Ok(verdict);
            }
            let Some(opened) = self.watch.as_ref().map(|watch| watch.opened) else { continue };
            let verdict = self.verdict(resource);
            // Several successes in a row are several looks: what has changed before the watch was
            // opened comes a moment later.
            if verdict.is_ok() && opened.elapsed() < SETTLING {
                let patience = SETTLING.min(network.time_left() / 2);
                let end = (opened + SETTLING).min(Instant::now() + patience);
                if let Ok(event) = timeout_at(end, self.event()).await {
                    self.apply(resource, event)?;
                    continue;
                }
            }
            if verdict.is_ok() || self.last_verdict.as_ref() != Some(&verdict) {
                return Ok(verdict);
            }
            // From here on the attempt waits for a change, which may be hours away: it does not
            // hang.
            network.progress.end();
            self.wait_for_event(resource, opened).await?;
            // A Job that has just completed may be deleted by the next event.
            let changed = self.verdict(resource);
            if is_final(&changed) {
                return Ok(changed);
            }
            // The next watch is opened by an attempt of its own, which has all its time.
            if self.watch.is_none() && !self.trouble.is_pausing() {
                return Ok(verdict);
            }
        }
    }

    fn verdict(&self, resource: &Resource) -> Verdict {
        self.trouble.append_to(judge(resource, &self.objects, &self.namespace))
    }

    /// Applies all events that have arrived, up to one that decides: a Job that has just completed
    /// may be deleted by the next.
    fn read_arrived(&mut self, resource: &Resource) -> Result<Option<Verdict>, NotReady> {
        let was_final = is_final(&self.verdict(resource));
        while self.watch.is_some()
            && let Some(event) = self.event().now_or_never()
        {
            self.apply(resource, event)?;
            let verdict = self.verdict(resource);
            if is_final(&verdict) && !was_final {
                return Ok(Some(verdict));
            }
        }
        Ok(None)
    }

    /// Applies the next event, or ends the trouble where the watch lasts without one.
    async fn wait_for_event(&mut self, resource: &Resource, opened: Instant) -> Result<(), NotReady> {
        let event = match self.trouble.ends_at(opened) {
            None => Some(self.event().await),
            Some(end) => timeout_at(end, self.event()).await.ok(),
        };
        if let Some(event) = event {
            return self.apply(resource, event);
        }
        self.trouble.end();
        Ok(())
    }
}

/// Whether a verdict stays as it is, whatever comes
fn is_final(verdict: &Verdict) -> bool {
    !matches!(verdict, Err(refusal) if refusal.never_exit().is_none())
}

fn too_many() -> NotReady {
    NotReady::never(format!("more than {MOST_OBJECTS} objects: choose fewer of them"))
}
