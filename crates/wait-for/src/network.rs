//! What all checks share on the way to their targets.

use std::{rc::Rc, time::Duration};

use endpoint::{Address, Failure, Names};
use hyper_util::client::proxy::matcher::Matcher;
use tokio::{net::TcpStream, time::Instant};

/// What all checks share; each target has its own copy
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) names: Names,
    /// The settings of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, if HTTP goes by them
    pub(crate) proxies: Option<Rc<Matcher>>,
    /// The end of the attempt under way
    pub(crate) deadline: Option<Instant>,
}

impl Network {
    /// The same for another target
    pub(crate) fn for_another_target(&self) -> Self {
        Self { names: Names::default(), proxies: self.proxies.clone(), deadline: self.deadline }
    }

    /// How long the attempt under way has left
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Connects to the first address that accepts.
    pub(crate) async fn dial(&self, address: &Address) -> Result<TcpStream, Failure> {
        endpoint::dial(address, &self.names).await
    }
}
