//! The objects of a target from one attempt to the next: a list, then a watch that tells each
//! change.
//!
//! Every step leaves a state from which the next attempt goes on, because an attempt is dropped at
//! its deadline: pages of a list, and events of a watch.

mod requests;

use std::collections::{BTreeMap, BTreeSet};

use endpoint::{one_line, without_secrets};
use futures_util::FutureExt;
use hyper::HeaderMap;
use tokio::time::{Instant, timeout_at};

use super::{
    api::{Api, Refusal},
    events::Event,
    objects::Object,
    resource::Resource,
    seen::{Seen, judge, look},
    trouble::{LASTING, Trouble},
    watch::Watch,
};
use crate::{
    network::Network,
    not_ready::{NotReady, Verdict},
};

/// Objects of a target; of each, a name and a reason are kept.
const MOST_OBJECTS: usize = 10_000;
/// The words about a version that is forgotten at once, time after time
const FORGETS: &str = "the API server forgets the list at once (410 Gone)";

/// What is known of the objects, and the watch on them
#[derive(Debug, Default)]
pub(super) struct Followed {
    namespace: String,
    objects: BTreeMap<String, Seen>,
    stage: Stage,
    watch: Option<Watch>,
    trouble: Trouble,
    /// The last verdict, unless a request was sent since
    told: Option<Verdict>,
    /// The headers of the last request, which an answer may repeat
    sent: HeaderMap,
    /// The verbs that were granted
    granted: BTreeSet<&'static str>,
    /// The first refusal in a row of what was granted before
    refused_since: Option<Instant>,
    /// When the API server has last forgotten the version
    expired: Option<Instant>,
}

#[derive(Debug)]
enum Stage {
    /// The token of the next page, and the number of pages before it
    List(Option<String>, usize),
    /// The version that the objects have
    Watch(String),
}

impl Default for Stage {
    fn default() -> Self {
        Self::List(None, 0)
    }
}

impl Followed {
    /// The next verdict that differs from the last one; a verdict that the objects are ready comes
    /// at once.
    pub(super) async fn next_verdict(&mut self, api: &Api, resource: &Resource, network: &Network) -> Verdict {
        match self.follow(api, resource, network).await {
            Ok(verdict) => {
                self.told = Some(verdict.clone());
                verdict
            }
            Err(refusal) => Err(self.refused(resource, refusal)),
        }
    }

    /// The verdict that still holds when an attempt ends without another one.
    pub(super) fn at_deadline(&self) -> Option<NotReady> {
        self.told.clone()?.err()
    }

    async fn follow(&mut self, api: &Api, resource: &Resource, network: &Network) -> Result<Verdict, Refusal> {
        if self.namespace.is_empty() {
            self.namespace = api.namespace().await?;
        }
        loop {
            if self.trouble.is_pausing() {
                return Ok(self.pause(resource, network).await);
            }
            let is_fresh = matches!(self.stage, Stage::List(..));
            while let Stage::List(page, before) = &self.stage {
                let (page, before) = (page.clone(), *before);
                self.list(api, resource, network, page, before).await?;
            }
            let verdict = self.verdict(resource);
            // A Job that has ended needs no watch.
            if is_fresh && !matches!(&verdict, Err(refusal) if refusal.never_exit().is_none()) {
                return Ok(verdict);
            }
            if self.watch.is_none() {
                self.open(api, resource, network).await?;
            }
            // All that has arrived comes before the verdict.
            while self.watch.is_some()
                && let Some(event) = self.event().now_or_never()
            {
                self.apply(resource, event)?;
            }
            let Some(opened) = self.watch.as_ref().map(|watch| watch.opened) else { continue };
            let verdict = self.verdict(resource);
            if verdict.is_ok() || self.told.as_ref() != Some(&verdict) {
                return Ok(verdict);
            }
            // From here on the attempt waits for a change, which may be hours away: it does not
            // hang.
            network.progress.end();
            let event = match self.trouble.over(opened) {
                None => Some(self.event().await),
                Some(over) => timeout_at(over, self.event()).await.ok(),
            };
            match event {
                Some(event) => self.apply(resource, event)?,
                None => self.trouble.end(),
            }
        }
    }

    /// The verdict while no request is sent: at once where it is news, else once the pause is over.
    async fn pause(&mut self, resource: &Resource, network: &Network) -> Verdict {
        let verdict = self.verdict(resource);
        if self.told.as_ref() == Some(&verdict) {
            network.progress.end();
            self.trouble.pause().await;
        }
        verdict
    }

    fn verdict(&self, resource: &Resource) -> Verdict {
        let verdict = judge(resource, &self.objects, &self.namespace);
        let verdict = self.trouble.added_to(verdict);
        verdict.map_err(|refusal| NotReady { reason: without_secrets(&refusal.reason, &self.sent), ..refusal })
    }

    /// The next event; `None` when the watch has ended.
    async fn event(&mut self) -> Option<Event> {
        let said = self.watch.as_mut()?.next().await;
        if let Ok(Some(event)) = said {
            return Some(event);
        }
        let has_lasted = self.watch.take().is_some_and(|watch| watch.has_lasted());
        if !has_lasted {
            let words = said.err().unwrap_or("the API server ends the watch at once").to_owned();
            // The first time, nothing is lost: the next watch begins where this one has ended.
            if self.trouble.is_on() { self.fail(words) } else { self.trouble.begin(words) }
        }
        None
    }

    fn apply(&mut self, resource: &Resource, event: Option<Event>) -> Result<(), NotReady> {
        let version = match event {
            None | Some(Event::Other) => return Ok(()),
            Some(Event::Expired) => {
                self.expire();
                return Ok(());
            }
            Some(Event::Failed(failure)) => {
                // Without the login here already, because a cut may hide what is left of it.
                let words = one_line(&without_secrets(&failure.message, &self.sent));
                self.fail(format!("the API server ends the watch: {words}"));
                return Ok(());
            }
            Some(Event::Nonsense(words)) => {
                self.fail(words);
                return Ok(());
            }
            Some(Event::Changed(object)) => {
                self.keep(resource, &object)?;
                object.metadata.resource_version
            }
            Some(Event::Deleted(object)) => {
                self.objects.remove(&object.metadata.name);
                object.metadata.resource_version
            }
            Some(Event::Bookmark(object)) => object.metadata.resource_version,
        };
        if !version.is_empty() {
            self.stage = Stage::Watch(version);
        }
        Ok(())
    }

    fn keep(&mut self, resource: &Resource, object: &Object) -> Result<(), NotReady> {
        let name = &object.metadata.name;
        if !resource.has(name) {
            return Ok(());
        }
        if self.objects.len() >= MOST_OBJECTS && !self.objects.contains_key(name) {
            return Err(NotReady::never(format!("more than {MOST_OBJECTS} objects: choose fewer of them")));
        }
        self.objects.insert(name.clone(), look(resource.kind, object));
        Ok(())
    }

    /// The API server has forgotten the version, so all objects are listed again: at once, but not
    /// in a loop.
    fn expire(&mut self) {
        self.start_again();
        if self.expires_again() {
            self.trouble.begin(FORGETS.to_owned());
        }
    }

    /// Notes that the API server has forgotten a version, and tells whether it did so a moment ago.
    fn expires_again(&mut self) -> bool {
        self.expired.replace(Instant::now()).is_some_and(|last| last.elapsed() < LASTING)
    }

    /// The watch can't go on: after a pause, all objects are listed again.
    fn fail(&mut self, words: String) {
        self.trouble.begin(words);
        self.start_again();
    }

    fn start_again(&mut self) {
        (self.stage, self.watch) = (Stage::default(), None);
    }
}
