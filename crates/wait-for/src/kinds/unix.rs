//! `unix:///path`: a socket that accepts.

use std::{path::PathBuf, sync::Arc};

use endpoint::{Options, path_without_host, socket_path};
use futures_util::{FutureExt, future::LocalBoxFuture};
use url::Url;

use super::shape;
use crate::{check::Check, network::Network, not_ready::Verdict};

#[derive(Debug)]
struct Unix(PathBuf);

pub(crate) fn parse(url: &Url, _: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "stable=3")?;
    shape::no_login(url)?;
    Ok(Arc::new(Unix(socket_path(path_without_host(url)?)?)))
}

impl Check for Unix {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            network.dial_unix(&self.0).await?;
            Ok("connected".into())
        }
        .boxed_local()
    }
}
