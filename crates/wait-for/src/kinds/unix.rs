//! `unix:///path`: a socket that accepts.

use std::{path::PathBuf, sync::Arc};

use endpoint::Options;
use futures_util::{FutureExt, future::LocalBoxFuture};
use url::Url;

use super::shape;
use crate::{check::Check, network::Network, not_ready::Verdict, socket, wire::decode};

#[derive(Debug)]
struct Unix(PathBuf);

pub(crate) fn parse(url: &Url, _: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "stable=3")?;
    shape::no_login(url)?;
    Ok(Arc::new(Unix(socket_path(path_of(url)?)?)))
}

/// A path that a socket can have (unix(7)).
pub(crate) fn socket_path(path: PathBuf) -> Result<PathBuf, String> {
    const LIMIT: usize = 108;
    if path.as_os_str().len() < LIMIT {
        Ok(path)
    } else {
        Err(format!("a socket's path is shorter than {LIMIT} bytes"))
    }
}

/// The absolute path of a URL that has no host.
pub(crate) fn path_of(url: &Url) -> Result<PathBuf, String> {
    match url.host_str() {
        None | Some("") if url.path().len() > 1 => Ok(decode(url.path())?.into()),
        _ => Err(format!("the path must be absolute: write {}:///PATH", url.scheme())),
    }
}

impl Check for Unix {
    fn check<'a>(&'a self, _: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            socket::connect(&self.0).await?;
            Ok("connected".into())
        }
        .boxed_local()
    }
}
