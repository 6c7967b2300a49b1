//! The state that all checks share on the way to their targets.

use std::{cell::RefCell, path::Path, rc::Rc, time::Duration};

use endpoint::{Address, Failure, Names, connect_unix};
use hyper_util::client::proxy::matcher::Matcher;
use tokio::net::{TcpStream, UnixStream};

use crate::{
    not_ready::{Cause, NotReady},
    stage::{Progress, Stage},
};

/// How long a server may take for its part of a goodbye, or of a handshake whose result does not
/// matter any more
const COURTESY: Duration = Duration::from_secs(1);

/// The state that all checks share; each target has its own copy
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) names: Rc<Names>,
    /// The names of the hosts, where a target has several
    hosts: RefCell<Vec<Rc<Names>>>,
    /// The settings of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, if HTTP goes by them
    pub(crate) proxies: Option<Rc<Matcher>>,
    pub(crate) progress: Rc<Progress>,
}

impl Network {
    pub(crate) fn new(proxies: Option<Rc<Matcher>>) -> Self {
        Self { proxies, ..Self::default() }
    }

    /// The same for another target
    pub(crate) fn for_another_target(&self) -> Self {
        Self::new(self.proxies.clone())
    }

    /// The same for each of a target's several hosts
    pub(crate) fn for_hosts(&self, count: usize) -> Vec<Self> {
        let for_host = |_| Self { progress: self.progress.clone(), ..self.for_another_target() };
        let networks: Vec<_> = (0..count).map(for_host).collect();
        *self.hosts.borrow_mut() = networks.iter().map(|network| network.names.clone()).collect();
        networks
    }

    /// Why a lookup of the attempt under way has no answer yet: of the target's name, or of the
    /// first of its hosts
    pub(crate) fn unanswered(&self) -> Option<Failure> {
        let hosts = self.hosts.borrow();
        self.names.unanswered().or_else(|| hosts.iter().find_map(|names| names.unanswered()))
    }

    /// How long the attempt under way has left
    pub(crate) fn time_left(&self) -> Duration {
        self.progress.time_left()
    }

    /// The same without a moment at the end, because nothing can be told once the attempt is over
    pub(crate) fn time_for_answer(&self) -> Duration {
        self.time_left() / 20 * 19
    }

    /// How long the attempt may still wait for the server when its verdict is known: enough time
    /// is left to give the verdict.
    pub(crate) fn courtesy(&self) -> Duration {
        COURTESY.min(self.time_left() / 2)
    }

    /// How long the attempt under way may take, in words
    pub(crate) fn limit(&self) -> String {
        lifecycle::format_duration(self.progress.limit())
    }

    /// Why the attempt under way runs out of time. The resolver's own timeout can be longer or
    /// shorter than ours; the reason is the same.
    pub(crate) fn out_of_time(&self) -> NotReady {
        match self.unanswered() {
            Some(failure) => failure.into(),
            None => NotReady::new(Cause::Silent, format!("no answer within {}", self.limit())),
        }
    }

    /// Connects to the first address that accepts.
    pub(crate) async fn dial(&self, address: &Address) -> Result<TcpStream, Failure> {
        self.progress.reach(Stage::Dialing);
        let dialed = endpoint::dial(address, &self.names).await;
        // A reset comes after the server has accepted, and timing decides whether dialing sees it.
        if matches!(dialed, Ok(_) | Err(Failure::Reset)) {
            self.progress.reach(Stage::Connected);
        }
        dialed
    }

    /// Connects to a Unix socket.
    pub(crate) async fn dial_unix(&self, path: &Path) -> Result<UnixStream, Failure> {
        self.progress.reach(Stage::Dialing);
        let stream = connect_unix(path).await?;
        self.progress.reach(Stage::Connected);
        Ok(stream)
    }

    /// How far the attempt under way has come, in words; `None` when none is.
    pub(crate) fn so_far(&self) -> Option<String> {
        let stage = self.progress.stage()?;
        if let Some(heard) = self.progress.heard() {
            return Some(heard);
        }
        let name = self.unanswered().filter(|_| stage <= Stage::Dialing);
        Some(name.map_or_else(|| stage.words().to_owned(), |failure| failure.to_string()))
    }
}
