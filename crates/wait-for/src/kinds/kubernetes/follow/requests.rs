//! The requests for the objects of a target, and what becomes of their refusals.

use std::time::Duration;

use hyper::StatusCode;
use tokio::time::Instant;

use super::{
    super::{
        api::{Api, Refusal},
        objects::List,
        resource::Resource,
        watch::{SECONDS, Watch},
    },
    FORGETS, Followed, MOST_OBJECTS, Position, too_many,
};
use crate::{
    network::Network,
    not_ready::{Cause, NotReady},
    web::{self, Answer},
};

/// Objects of one page of a list, and the bytes of a page
const PAGE: usize = 25;
const PAGE_LIMIT: usize = 4 * 1024 * 1024;
/// Pages of one list. An API server fills all but the last.
const MOST_PAGES: usize = MOST_OBJECTS / PAGE + 1;
/// An API server that has just started may not know all Roles yet. So a right that was there before
/// is lost only after this time.
const ROLES_LOAD: Duration = Duration::from_secs(10);

impl Followed {
    /// Reads one page of the list.
    pub(super) async fn list(&mut self, api: &Api, resource: &Resource, network: &Network) -> Result<(), Refusal> {
        let Position::List { page, pages_before } = &self.position else { return Ok(()) };
        let page = page.clone();
        let pages = pages_before + 1;
        if pages > MOST_PAGES {
            return Err(too_many().into());
        }
        let limit = PAGE.to_string();
        let mut parameters = vec![("limit", limit.as_str())];
        match &page {
            Some(page) => parameters.push(("continue", page)),
            None => self.objects.clear(),
        }
        let mut answer = match self.get(api, resource, network, &parameters).await {
            Err(Refusal { status: Some(StatusCode::GONE), .. }) if page.is_some() => {
                self.start_again();
                let is_again = self.expires_again();
                return if is_again { Err(NotReady::full(FORGETS).into()) } else { Ok(()) };
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
        self.position = match list.metadata.next.filter(|next| !next.is_empty()) {
            Some(next) => Position::List { page: Some(next), pages_before: pages },
            None => Position::Watch { version: list.metadata.resource_version },
        };
        Ok(())
    }

    pub(super) async fn open(&mut self, api: &Api, resource: &Resource, network: &Network) -> Result<(), Refusal> {
        let Position::Watch { version } = &self.position else { return Ok(()) };
        let version = version.clone();
        let seconds = SECONDS.to_string();
        let parameters = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", &seconds),
            ("resourceVersion", &*version),
        ];
        match self.get(api, resource, network, &parameters).await {
            Ok(answer) => {
                self.watch = Some(Watch::new(answer));
                Ok(())
            }
            Err(Refusal { status: Some(StatusCode::GONE), .. }) => {
                self.expire();
                Ok(())
            }
            // The list may say more, for example that the version is of a time that is no more.
            Err(Refusal { status: Some(status), reason, .. }) if reason.rest.is_none() && !is_of_login(status) => {
                let words = format!("the API server refuses the watch: {status}");
                self.fail(if status == StatusCode::NOT_FOUND { words } else { reason.reason });
                Ok(())
            }
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
        self.last_verdict = None;
        let (answer, sent) = api.get(network, &path).await?;
        self.sent = sent;
        self.granted.insert(self.verb());
        self.refused_since = None;
        Ok(answer)
    }

    /// The verdict on a request that failed.
    pub(super) fn refused(&mut self, resource: &Resource, refusal: Refusal) -> NotReady {
        let mut reason = refusal.reason;
        if refusal.lacks_right {
            reason = NotReady::denied(resource.missing_right(self.verb(), &self.namespace, &reason.reason));
        }
        let was_granted = match refusal.status {
            Some(StatusCode::FORBIDDEN) => self.granted.contains(self.verb()),
            Some(StatusCode::UNAUTHORIZED) => !self.granted.is_empty(),
            _ => false,
        };
        // Another failure shows that the API server has started once more.
        if !refusal.status.is_some_and(is_of_login) {
            self.refused_since = None;
        }
        if was_granted && self.refused_since.get_or_insert_with(Instant::now).elapsed() < ROLES_LOAD {
            reason.cause = Cause::Busy;
        }
        reason
    }

    /// The verb of the next request, as RBAC names it
    fn verb(&self) -> &'static str {
        if matches!(self.position, Position::List { .. }) { "list" } else { "watch" }
    }
}

/// Whether a refusal is about the login or its rights
fn is_of_login(status: StatusCode) -> bool {
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status)
}

fn odd(reason: impl Into<String>) -> NotReady {
    NotReady::new(Cause::Odd, reason)
}
