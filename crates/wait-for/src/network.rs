//! What all checks share on the way to their targets.

use std::{path::Path, rc::Rc, time::Duration};

use endpoint::{Address, Failure, Names, connect_unix};
use hyper_util::client::proxy::matcher::Matcher;
use tokio::net::{TcpStream, UnixStream};

use crate::stage::{Progress, Stage};

/// What all checks share; each target has its own copy
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) names: Names,
    /// The settings of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, if HTTP goes by them
    pub(crate) proxies: Option<Rc<Matcher>>,
    pub(crate) progress: Rc<Progress>,
}

impl Network {
    /// The same for another target
    pub(crate) fn for_another_target(&self) -> Self {
        Self { names: Names::default(), proxies: self.proxies.clone(), progress: Rc::default() }
    }

    /// The same for another host of a target
    pub(crate) fn for_another_host(&self) -> Self {
        Self { progress: self.progress.clone(), ..self.for_another_target() }
    }

    /// How long the attempt under way has left
    pub(crate) fn time_left(&self) -> Duration {
        self.progress.time_left()
    }

    /// Connects to the first address that accepts.
    pub(crate) async fn dial(&self, address: &Address) -> Result<TcpStream, Failure> {
        self.progress.reach(Stage::Dialing);
        let stream = endpoint::dial(address, &self.names).await?;
        self.progress.reach(Stage::Connected);
        Ok(stream)
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
        let name = self.names.unanswered().filter(|_| stage <= Stage::Dialing);
        Some(name.map_or_else(|| stage.words().to_owned(), |failure| failure.to_string()))
    }
}
