//! `--hold-start`: the wait for the first upstream, so that `/startupz` holds back the containers that need it.

use std::time::{Duration, Instant};

use endpoint::{Failure, Names};
use lifecycle::{Backoff, Exit, Heartbeat, Lifecycle, LogThrottle, elapsed};
use tokio::{sync::oneshot, time};

use crate::{route::upstream_url::UpstreamUrl, upstream::reach::dial};

/// Delays between two attempts to connect
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// The time that an attempt has, with its TLS handshake
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the wait may be silent before `/livez` tells: it beats before each attempt.
const SILENCE: Duration = Duration::from_secs(15);

/// Waits until the upstream accepts a connection, and speaks TLS over it where its URL says so.
/// Gives the exit that a stop asks for, if that comes first.
pub(crate) async fn wait_for(upstream: UpstreamUrl, life: &Lifecycle) -> Option<Exit> {
    let (done, waiting) = oneshot::channel();
    let stopping = life.clone();
    // A vital loop, because the start itself has less time than an upstream may need.
    life.vital("hold-start", SILENCE, |heartbeat| async move {
        let stopped = tokio::select! {
            exit = stopping.stop_requested() => Some(exit),
            () = until_accepted(&upstream, &heartbeat) => None,
        };
        heartbeat.retire();
        let _ = done.send(stopped);
        Ok(())
    });
    // Without an answer the loop has panicked, which ends the helper.
    waiting.await.unwrap_or(None)
}

async fn until_accepted(upstream: &UpstreamUrl, heartbeat: &Heartbeat) {
    let (names, started) = (Names::default(), Instant::now());
    let mut backoff = Backoff::new(FIRST_DELAY, LONGEST_DELAY);
    let mut throttle = LogThrottle::default();
    let what = upstream.address.authority();
    loop {
        heartbeat.beat();
        let failure = match time::timeout(DIAL_TIMEOUT, attempt(upstream, &names)).await {
            Ok(Ok(())) => {
                let after = elapsed(started.elapsed());
                return tracing::info!(upstream = what, after, "the first upstream accepts connections");
            }
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "no connection in time".to_owned(),
        };
        if throttle.is_due(&failure, Instant::now()) {
            tracing::warn!(upstream = what, last = failure, "waiting for the first upstream");
        }
        time::sleep(backoff.next(fastrand::f64())).await;
    }
}

async fn attempt(upstream: &UpstreamUrl, names: &Names) -> Result<(), Failure> {
    let socket = dial(&upstream.address, names).await?;
    upstream.secure(socket, upstream.versions).await?;
    Ok(())
}
