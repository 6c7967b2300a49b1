//! `dns://name`: resolves to enough addresses.
//!
//! A headless Service has no address until a pod is ready. Addresses come from getaddrinfo, as the
//! app will see them; SRV records, which getaddrinfo does not know, by a query of our own.

use std::{net::IpAddr, sync::Arc};

use endpoint::{Options, check_name};
use futures_util::{FutureExt, future::LocalBoxFuture};
use url::Url;

use super::shape;
use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    srv,
};

#[derive(Debug)]
struct Dns {
    name: String,
    records: Records,
    min: usize,
}

#[derive(Clone, Copy, Debug)]
enum Records {
    Addresses,
    A,
    Aaaa,
    Srv,
}

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "min=3")?;
    shape::no_login(url)?;
    let name = url.host_str().filter(|name| !name.is_empty()).ok_or("the name is missing: write dns://NAME")?;
    if url.port().is_some() || !matches!(url.path(), "" | "/") {
        return Err("a DNS target is a name alone: write dns://NAME".into());
    }
    if is_address(name) {
        return Err("an IP address needs no lookup: give a name, or wait for it by tcp://".into());
    }
    check_name(name)?;
    let records = options.parsed("type", |text| match text {
        "A" => Ok(Records::A),
        "AAAA" => Ok(Records::Aaaa),
        "SRV" => Ok(Records::Srv),
        _ => Err("this is neither A, AAAA nor SRV".into()),
    })?;
    let min = options.number("min")?.unwrap_or(1);
    if min == 0 {
        return Err("option min: at least 1; to wait for a name to go, write #not".into());
    }
    Ok(Arc::new(Dns { name: name.to_owned(), records: records.unwrap_or(Records::Addresses), min }))
}

/// Whether getaddrinfo takes this for an address, the old forms such as `127.1` included; no domain
/// at the top is a number.
fn is_address(name: &str) -> bool {
    let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    name.starts_with('[') || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Check for Dns {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let found = match self.records {
                Records::Srv => srv::count(&self.name).await?,
                _ => network.names.lookup(&self.name).await?.into_iter().filter(|ip| self.counts(*ip)).count(),
            };
            let found_words = format!("{found} {}", self.records.unit(found));
            match found {
                0 => Err(NotReady::new(Cause::UnknownName, format!("no {}", self.records.unit(0)))),
                _ if found < self.min => Err(NotReady::new(Cause::Contrary, format!("{found_words} of {}", self.min))),
                _ => Ok(found_words),
            }
        }
        .boxed_local()
    }
}

impl Dns {
    fn counts(&self, ip: IpAddr) -> bool {
        match self.records {
            Records::A => ip.is_ipv4(),
            Records::Aaaa => ip.is_ipv6(),
            Records::Addresses | Records::Srv => true,
        }
    }
}

impl Records {
    fn unit(self, count: usize) -> &'static str {
        match (self, count) {
            (Self::Addresses, 1) => "address",
            (Self::Addresses, _) => "addresses",
            (Self::A, 1) => "A record",
            (Self::A, _) => "A records",
            (Self::Aaaa, 1) => "AAAA record",
            (Self::Aaaa, _) => "AAAA records",
            (Self::Srv, 1) => "SRV record",
            (Self::Srv, _) => "SRV records",
        }
    }
}
