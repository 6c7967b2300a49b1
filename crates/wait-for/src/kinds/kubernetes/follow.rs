//! The objects of a target from one attempt to the next: a list, then a watch that tells each change.
//!
//! Every step leaves a state from which the next attempt goes on, because an attempt is dropped at its
//! deadline: pages of a list, and events of a watch.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::FutureExt;
use hyper::StatusCode;
use tokio::time::Instant;

use super::{
    api::{Api, Refusal},
    events::Event,
    objects::{List, Object},
    resource::Resource,
    seen::{Seen, judge, look},
    watch::Watch,
};
use crate::{
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    web::{self, Answer},
};

/// Objects of one page of a list, and the bytes of a page
const PAGE: &str = "25";
const PAGE_LIMIT: usize = 4 * 1024 * 1024;
/// Objects of a target; of each, a name and a reason are kept.
const MOST_OBJECTS: usize = 10_000;
/// An API server that has just started may not know all Roles yet. So a right that was there before is
/// lost only after this time.
const ROLES_LOAD: Duration = Duration::from_secs(10);

/// What is known of the objects, and the watch on them
#[derive(Debug, Default)]
pub(super) struct Followed {
    namespace: String,
    objects: BTreeMap<String, Seen>,
    stage: Stage,
    watch: Option<Watch>,
    /// The last verdict, unless the way to the API server was lost since
    told: Option<Verdict>,
    /// The verbs that were granted
    granted: BTreeSet<&'static str>,
    /// The first refusal in a row of what was granted before
    refused_since: Option<Instant>,
    /// The version was forgotten, and no event has come since
    has_expired: bool,
}

#[derive(Debug)]
enum Stage {
    /// The token of the next page
    List(Option<String>),
    /// The version that the objects have
    Watch(String),
}

impl Default for Stage {
    fn default() -> Self {
        Self::List(None)
    }
}

impl Followed {
    /// The next verdict that differs from the last one; a verdict that the objects are ready comes at once.
    pub(super) async fn next_verdict(&mut self, api: &Api, resource: &Resource, network: &Network) -> Verdict {
        let verdict = self.follow(api, resource, network).await;
        let told = match verdict {
            Ok(verdict) => verdict,
            Err(refusal) => self.refused(resource, refusal),
        };
        if self.watch.is_some() {
            self.told = Some(told.clone());
        }
        told
    }

    /// The verdict that still holds when an attempt ends without another one.
    pub(super) fn at_deadline(&mut self) -> Option<NotReady> {
        if self.watch.is_none() {
            self.told = None;
        }
        self.told.clone()?.err()
    }

    async fn follow(&mut self, api: &Api, resource: &Resource, network: &Network) -> Result<Verdict, Refusal> {
        if self.namespace.is_empty() {
            self.namespace = api.namespace().await?;
        }
        loop {
            let is_fresh = matches!(self.stage, Stage::List(_));
            while let Stage::List(page) = &self.stage {
                let page = page.clone();
                self.list(api, resource, network, page).await?;
            }
            let verdict = judge(resource, &self.objects, &self.namespace);
            // A Job that is complete needs no watch.
            if is_fresh && verdict.is_ok() {
                return Ok(verdict);
            }
            if self.watch.is_none() {
                self.open(api, resource, network).await?;
            }
            // All that has arrived comes before the verdict.
            while self.watch.is_some()
                && let Some(event) = self.event().now_or_never()
            {
                self.apply(resource, event?)?;
            }
            if self.watch.is_none() {
                continue;
            }
            let verdict = judge(resource, &self.objects, &self.namespace);
            if verdict.is_ok() || self.told.as_ref() != Some(&verdict) {
                return Ok(verdict);
            }
            // From here on the attempt waits for a change, which may be hours away: it does not hang.
            network.progress.end();
            let event = self.event().await?;
            self.apply(resource, event)?;
        }
    }

    /// Reads one page of the list.
    async fn list(
        &mut self,
        api: &Api,
        resource: &Resource,
        network: &Network,
        page: Option<String>,
    ) -> Result<(), Refusal> {
        let mut parameters = vec![("limit", PAGE)];
        match &page {
            Some(page) => parameters.push(("continue", page)),
            None => self.objects.clear(),
        }
        let mut answer = match self.get(api, resource, network, &parameters).await {
            Err(Refusal { status: Some(StatusCode::GONE), .. }) if page.is_some() => {
                return Ok(self.expire()?);
            }
            answer => answer?,
        };
        let body = web::read(answer.response.body_mut(), PAGE_LIMIT + 1).await?;
        answer.leave().await;
        if body.len() > PAGE_LIMIT {
            return Err(odd(format!("a list is over {} MiB", PAGE_LIMIT / 1024 / 1024)).into());
        }
        let list: List = serde_json::from_slice(&body).map_err(|_| odd("the list is not what an API server sends"))?;
        for object in list.items.into_iter().flatten() {
            self.keep(resource, &object)?;
        }
        self.stage = match list.metadata.next.filter(|next| !next.is_empty()) {
            Some(next) => Stage::List(Some(next)),
            None => Stage::Watch(list.metadata.resource_version),
        };
        Ok(())
    }

    async fn open(&mut self, api: &Api, resource: &Resource, network: &Network) -> Result<(), Refusal> {
        let Stage::Watch(version) = &self.stage else { return Ok(()) };
        let version = version.clone();
        let parameters = [("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", &*version)];
        match self.get(api, resource, network, &parameters).await {
            Ok(answer) => {
                self.watch = Some(Watch::new(answer));
                Ok(())
            }
            Err(Refusal { status: Some(StatusCode::GONE), .. }) => Ok(self.expire()?),
            Err(refusal) => Err(refusal),
        }
    }

    async fn get(
        &mut self,
        api: &Api,
        resource: &Resource,
        network: &Network,
        parameters: &[(&str, &str)],
    ) -> Result<Answer, Refusal> {
        let path = format!("{}?{}", resource.path(&self.namespace), resource.query(parameters));
        let answer = api.get(network, &path).await?;
        self.granted.insert(self.verb());
        self.refused_since = None;
        Ok(answer)
    }

    async fn event(&mut self) -> Result<Option<Event>, NotReady> {
        let Some(watch) = &mut self.watch else { return Ok(None) };
        let event = watch.next().await;
        if !matches!(event, Ok(Some(_))) {
            self.watch = None;
        }
        event
    }

    fn apply(&mut self, resource: &Resource, event: Option<Event>) -> Result<(), NotReady> {
        let version = match event {
            None | Some(Event::Other) => return Ok(()),
            Some(Event::Expired) => return self.expire(),
            Some(Event::Failed(failure)) => {
                self.start_again();
                let words = endpoint::one_line(&failure.message);
                return Err(NotReady::new(Cause::Busy, format!("the API server ends the watch: {words}")));
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
        self.has_expired = false;
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

    /// The API server has forgotten the version, so all objects are listed again: at once, but not in a loop.
    fn expire(&mut self) -> Result<(), NotReady> {
        self.start_again();
        if std::mem::replace(&mut self.has_expired, true) {
            return Err(NotReady::new(Cause::Busy, "the API server forgets the list at once (410 Gone)"));
        }
        Ok(())
    }

    fn start_again(&mut self) {
        (self.stage, self.watch) = (Stage::List(None), None);
    }

    /// The verdict on a request that failed.
    fn refused(&mut self, resource: &Resource, refusal: Refusal) -> Verdict {
        self.told = None;
        let mut reason = refusal.reason;
        if refusal.status == Some(StatusCode::FORBIDDEN) {
            reason = NotReady::denied(resource.missing_right(self.verb(), &self.namespace, &reason.reason));
        }
        let was_granted = match refusal.status {
            Some(StatusCode::FORBIDDEN) => self.granted.contains(self.verb()),
            Some(StatusCode::UNAUTHORIZED) => !self.granted.is_empty(),
            _ => false,
        };
        if was_granted && self.refused_since.get_or_insert_with(Instant::now).elapsed() < ROLES_LOAD {
            reason.cause = Cause::Busy;
        }
        Err(reason)
    }

    /// The verb of the next request, as RBAC names it
    fn verb(&self) -> &'static str {
        if matches!(self.stage, Stage::List(_)) { "list" } else { "watch" }
    }
}

fn odd(reason: impl Into<String>) -> NotReady {
    NotReady::new(Cause::Odd, reason)
}
