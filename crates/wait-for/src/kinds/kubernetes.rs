//! `kubernetes://jobs/NAME`, `pods?selector=…`, `services/NAME` and workloads: as the API server
//! has them, by the pod's service account.
//!
//! A list, and then one watch: the API server tells each change, so nothing is polled. The watch
//! stays open from one attempt to the next. API:
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/>.

mod api;
pub(crate) mod events;
mod follow;
mod objects;
mod resource;
mod rollouts;
mod seen;
mod trouble;
mod watch;

use std::sync::Arc;

use endpoint::Options;
use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::sync::Mutex;
use url::Url;

use self::{api::Api, follow::Followed, resource::Resource};
use crate::{
    check::Check,
    network::Network,
    not_ready::{NotReady, Verdict},
};

pub(crate) const OPTIONS: [&str; 3] = ["namespace=NAME", "count=2", "server=URL"];
pub(crate) const LOGIN: [&str; 2] = ["token-file=PATH", "token-env=NAME"];

#[derive(Debug)]
struct Kubernetes {
    api: Api,
    resource: Resource,
    /// Attempts come one after the other, so no attempt ever waits for it.
    followed: Mutex<Followed>,
}

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    let resource = Resource::parse(url, options)?;
    let api = Api::from_options(options)?;
    Ok(Arc::new(Kubernetes { api, resource, followed: Mutex::default() }))
}

impl Check for Kubernetes {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async { self.followed.lock().await.next_verdict(&self.api, &self.resource, network).await }.boxed_local()
    }

    fn at_deadline(&self) -> Option<NotReady> {
        self.followed.try_lock().ok()?.at_deadline()
    }
}
