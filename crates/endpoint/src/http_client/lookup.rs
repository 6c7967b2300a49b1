//! The library's name lookups, by ours.

use std::{net::SocketAddr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::names::Names;

/// Looks names up, and the server's real name where TLS asks for another one
pub(super) struct Lookup {
    names: Arc<Names>,
    /// The name that TLS asks for, and the one to look up for it
    renamed: Option<(String, String)>,
}

impl Lookup {
    pub(super) fn new(names: Arc<Names>, asked_for: Option<&str>, real: Option<String>) -> Self {
        let bare = |host: String| host.trim_matches(['[', ']']).to_owned();
        Self { names, renamed: asked_for.map(str::to_owned).zip(real.map(bare)) }
    }
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let host = match &self.renamed {
            Some((asked_for, real)) if asked_for == name.as_str() => real.clone(),
            _ => name.as_str().to_owned(),
        };
        let names = self.names.clone();
        Box::pin(async move {
            let found = names.lookup(&host).await?;
            // The library puts the port in.
            let addresses: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}
