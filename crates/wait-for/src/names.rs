//! Name lookups by getaddrinfo, as the app itself will do them: hosts file, search list, ndots.
//!
//! getaddrinfo blocks and can't be cancelled. So lookups run on a few threads, and an attempt that comes while the lookup
//! of an earlier one still hangs joins it: a resolver that never answers costs one thread a name, and no more than
//! [`LOOKUP_LIMIT`] in all.

use std::{
    cell::RefCell,
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::{sync::Semaphore, task};

use crate::check::{Cause, NotReady};

/// Lookups under way at once, each on a thread of its own
const LOOKUP_LIMIT: usize = 8;

type Addresses = Result<Vec<IpAddr>, NotReady>;
type UnderWay = HashMap<String, Shared<BoxFuture<'static, Addresses>>>;

/// Looks names up for one target
#[derive(Debug)]
pub(crate) struct Names {
    under_way: Arc<Mutex<UnderWay>>,
    permits: Arc<Semaphore>,
    /// The name that the target's attempt waits for
    awaited: RefCell<Option<String>>,
}

impl Default for Names {
    fn default() -> Self {
        Self { under_way: Arc::default(), permits: Semaphore::new(LOOKUP_LIMIT).into(), awaited: RefCell::default() }
    }
}

impl Names {
    /// The same lookups, for another target
    pub(crate) fn for_another_target(&self) -> Self {
        Self { under_way: self.under_way.clone(), permits: self.permits.clone(), awaited: RefCell::default() }
    }

    /// The name that an attempt which was given up was still waiting for
    pub(crate) fn unanswered(&self) -> Option<String> {
        self.awaited.take()
    }

    /// All addresses of a name, in the order of RFC 6724; an IP address is its own.
    pub(crate) async fn lookup(&self, host: &str) -> Addresses {
        if let Ok(ip) = host.parse() {
            return Ok(vec![ip]);
        }
        let lookup = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.entry(host.to_owned()).or_insert_with(|| self.start(host.to_owned()).shared()).clone()
        };
        self.awaited.replace(Some(host.to_owned()));
        let addresses = lookup.await;
        self.awaited.take();
        addresses
    }

    fn start(&self, host: String) -> BoxFuture<'static, Addresses> {
        let (under_way, permits) = (self.under_way.clone(), self.permits.clone());
        let work = async move {
            let _permit = permits.acquire_owned().await;
            let blocking = task::spawn_blocking(move || {
                let addresses = ask(&host);
                // From the thread itself, so that it happens even when every attempt has given up waiting.
                under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&host);
                addresses
            });
            blocking.await.unwrap_or_else(|error| Err(NotReady::new(Cause::NoResolver, error.to_string())))
        };
        // A task of its own holds the permit for as long as the thread is busy, whoever waits.
        let task = task::spawn(work);
        async { task.await.unwrap_or_else(|error| Err(NotReady::new(Cause::NoResolver, error.to_string()))) }.boxed()
    }
}

fn ask(host: &str) -> Addresses {
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    match getaddrinfo(Some(host), None, Some(hints)) {
        Ok(found) => {
            Ok(found.filter_map(Result::ok).map(|info| info.sockaddr).map(|address: SocketAddr| address.ip()).collect())
        }
        Err(error) => Err(match error.kind() {
            LookupErrorKind::NoName | LookupErrorKind::NoData => {
                NotReady::new(Cause::UnknownName, format!("unknown name {host}"))
            }
            LookupErrorKind::Again => NotReady::no_dns_answer(host),
            _ => NotReady::new(Cause::NoResolver, format!("cannot look up {host}: {}", std::io::Error::from(error))),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_needs_no_lookup_and_localhost_has_one() {
        let names = Names::default();
        assert_eq!(names.lookup("::1").await.unwrap(), ["::1".parse::<IpAddr>().unwrap()]);
        assert!(names.lookup("localhost").await.unwrap().iter().all(IpAddr::is_loopback));
        assert!(names.under_way.lock().unwrap().is_empty());
    }
}
