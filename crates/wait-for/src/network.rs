//! What all checks share on the way to their targets.

use std::rc::Rc;

use endpoint::{Address, Failure, Names};
use hyper_util::client::proxy::matcher::Matcher;
use tokio::net::TcpStream;

/// What all checks share; each target has its own copy
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) names: Names,
    /// The settings of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, if HTTP goes by them
    pub(crate) proxies: Option<Rc<Matcher>>,
}

impl Network {
    /// The same for another target
    pub(crate) fn for_another_target(&self) -> Self {
        Self { names: Names::default(), proxies: self.proxies.clone() }
    }

    /// Connects to the first address that accepts.
    pub(crate) async fn dial(&self, address: &Address) -> Result<TcpStream, Failure> {
        endpoint::dial(address, &self.names).await
    }
}
