//! `tcp://host:port`: connected, and still open a moment later.
//!
//! Docker's and other port proxies accept before the app listens, and close or reset the connection
//! once they find no listener behind (moby/moby#16976). Therefore the connection must outlive a
//! short hold.

use std::{sync::Arc, time::Duration};

use endpoint::{Address, Failure, Options};
use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::{io::AsyncReadExt, net::TcpStream, time};
use url::Url;

use super::shape;
use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    stage::Stage,
};

const HOLD: Duration = Duration::from_millis(100);
/// For targets without an `attempt-timeout` of their own; an attempt has 5 seconds by default.
const HOLD_LIMIT: Duration = Duration::from_secs(4);

#[derive(Debug)]
struct Tcp {
    address: Address,
    hold: Duration,
}

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "hold=100ms")?;
    shape::no_login(url)?;
    shape::no_path(url)?;
    Ok(Arc::new(Tcp { address: Address::of(url, None)?, hold: hold(options)? }))
}

/// How long a connection must last: less than an attempt may, or no attempt would ever succeed.
fn hold(options: &mut Options) -> Result<Duration, String> {
    let Some(hold) = options.parsed("hold", lifecycle::duration)? else { return Ok(HOLD) };
    // Only looked at: every kind has this option, and it is taken with those of every kind.
    let given = options.all("attempt-timeout");
    let attempt = given.first().and_then(|text| lifecycle::duration(text).ok());
    for text in given {
        options.push("attempt-timeout".into(), text);
    }
    match attempt {
        Some(attempt) if hold >= attempt => Err("option hold: it must be shorter than attempt-timeout".into()),
        None if hold > HOLD_LIMIT => Err(format!(
            "option hold: at most {}, or give the target an attempt-timeout that is longer",
            lifecycle::format_duration(HOLD_LIMIT)
        )),
        _ => Ok(hold),
    }
}

fn closed() -> NotReady {
    NotReady::new(Cause::Absent, "accepted, then closed")
}

/// A reset is a close that comes earlier.
fn or_closed(failure: Failure) -> NotReady {
    if matches!(failure, Failure::Reset) { closed() } else { failure.into() }
}

impl Check for Tcp {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let mut stream = network.dial(&self.address).await.map_err(or_closed)?;
            if self.hold.is_zero() {
                return Ok("connected".into());
            }
            network.progress.reach(Stage::Held);
            match time::timeout(self.hold, end(&mut stream)).await {
                Err(_) => Ok("connected and held".into()),
                Ok(Ok(())) => Err(closed()),
                Ok(Err(error)) => Err(or_closed(Failure::from(error))),
            }
        }
        .boxed_local()
    }
}

/// Reads and drops everything from the server until it closes.
async fn end(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut heard = [0; 1024];
    while stream.read(&mut heard).await? > 0 {}
    Ok(())
}
