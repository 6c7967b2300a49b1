//! Several hosts in one URL, such as `kafka://h1,h2:9092`: one that is ready is enough.
//!
//! Each host has a port of its own or the default one, as in the URLs of `MongoDB` and of libpq. As
//! in libpq, a refused login is the end for all hosts.

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use endpoint::{one_line, url_label};
use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use lifecycle::Exit;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
};

/// Hosts of one URL; a replica set of `MongoDB` has at most 50 members.
const HOST_LIMIT: usize = 50;
/// The next host is asked after this long without an answer of the one before, or when that one has
/// failed. Many hosts are asked faster, so that each has at least a half of the attempt.
const STAGGER: Duration = Duration::from_millis(250);

/// A host that is not ready is asked again after this time, and then each time after the longer
/// one, while others have not answered.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(1));
/// The least time for each host between two rounds of questions
const SHARE: Duration = Duration::from_millis(100);

/// A URL at the places where its hosts begin and end
struct Parts<'a> {
    /// Scheme and login
    before: &'a str,
    hosts: &'a str,
    path: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Self {
        let start = url.find("://").map_or(0, |at| at + 3);
        let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
        let start = url[start..end].rfind('@').map_or(start, |at| start + at + 1);
        Self { before: &url[..start], hosts: &url[start..end], path: &url[end..] }
    }
}

/// The URLs of all hosts of a URL, one each
pub(crate) fn urls(url: &str) -> Result<Vec<String>, String> {
    let Parts { before, hosts, path } = Parts::of(url);
    let urls: Vec<_> = hosts.split(',').map(|host| format!("{before}{host}{path}")).collect();
    if urls.len() > HOST_LIMIT {
        return Err(format!("at most {HOST_LIMIT} hosts of one URL"));
    }
    if urls.len() > 1 && hosts.split(',').any(|host| host.is_empty() || host.starts_with(':')) {
        return Err("a host between two commas is missing".into());
    }
    Ok(urls)
}

/// What may be printed of a text that should be a URL with one host or several. An `@` or a blank
/// behind the hosts: a password with a slash, a `#` or a blank in it was torn apart, and half of it
/// stands in front.
pub(crate) fn label(text: &str) -> String {
    let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
    let Parts { before, hosts, path } = Parts::of(url);
    let is_torn = path.contains('@') || fragment.contains('@') || url.contains(char::is_whitespace);
    match before.split_once("://") {
        // A password whose host is missing
        Some((scheme, _)) if hosts.contains(',') && !hosts.split(',').all(is_host) => {
            one_line(&format!("{scheme}://…"))
        }
        Some((scheme, _)) if hosts.contains(',') && !is_torn => {
            one_line(&format!("{scheme}://{hosts}{}", path.split('?').next().unwrap_or_default()))
        }
        _ => url_label(text),
    }
}

/// Whether a text is a host with a port or without
fn is_host(text: &str) -> bool {
    let bare = text.rsplit_once(']').map_or(text, |(_, port)| port);
    bare.split_once(':').is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A check of all hosts
pub(crate) fn any_of(url: &str, mut checks: Vec<Arc<dyn Check>>) -> Arc<dyn Check> {
    if checks.len() == 1 {
        return checks.remove(0);
    }
    let names = Parts::of(url).hosts.split(',').map(one_line);
    Arc::new(AnyHost(names.zip(checks).collect()))
}

/// Hosts by name and port, and the check of each
#[derive(Debug)]
struct AnyHost(Vec<(String, Arc<dyn Check>)>);

impl Check for AnyHost {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let networks = network.for_hosts(self.0.len());
            let mut failures: Vec<Option<NotReady>> = vec![None; self.0.len()];
            let proof = self.ask(network, &networks, &mut failures).await;
            if let Some(proof) = proof {
                return Ok(proof);
            }
            for (failure, network) in failures.iter_mut().zip(&networks) {
                *failure = failure.take().or_else(|| network.unanswered().map(NotReady::from));
            }
            Err(self.summary(failures))
        }
        .boxed_local()
    }
}

impl AnyHost {
    /// Asks all hosts, one a little after the other, until one is ready. It ends without a proof
    /// when each has failed, or when the time of the attempt is nearly over.
    async fn ask(&self, network: &Network, networks: &[Network], failures: &mut [Option<NotReady>]) -> Option<String> {
        let hosts = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let stagger = STAGGER.min(network.time_left() / 2 / hosts);
        // Before the attempt is over, because nothing could be told then
        let deadline = Instant::now() + network.time_left() / 20 * 19;
        let mut later = 0..self.0.len();
        let mut asked = FuturesUnordered::new();
        let ask = |at: usize| async move { (at, self.0[at].1.check(&networks[at]).await) };
        // Hosts that are asked again a little later
        let mut resting = FuturesUnordered::new();
        let mut rests = vec![ASK_AGAIN.0.max(SHARE * hosts); self.0.len()];
        let proof = loop {
            if let Some(at) = later.next() {
                asked.push(ask(at));
            } else if failures.iter().all(Option::is_some) {
                break None;
            }
            let patience = if later.is_empty() { deadline } else { Instant::now() + stagger };
            let answer = tokio::select! {
                Some(answer) = asked.next() => answer,
                Some(at) = resting.next() => {
                    asked.push(ask(at));
                    continue;
                }
                () = sleep_until(patience) => if later.is_empty() { break None } else { continue },
            };
            let (at, failure) = match answer {
                (at, Ok(proof)) => break Some(format!("{}: {proof}", self.0[at].0)),
                (at, Err(failure)) => (at, failure),
            };
            // A login is one of all hosts.
            let is_final = failure.cause == Cause::Never(Exit::Denied);
            // Others may be silent for the whole attempt, and this one ready a moment later.
            if failure.rest.is_none() && failure.never_exit().is_none() {
                resting.push(sleep(rests[at]).map(move |()| at));
                rests[at] = ASK_AGAIN.1.max(SHARE * hosts);
            }
            failures[at] = Some(failure);
            if is_final {
                break None;
            }
            if failures.iter().flatten().any(|failure| weight(failure.cause) > 0) {
                network.progress.hear(self.summary(failures.to_vec()).reason);
            }
        };
        // Hosts amid a handshake would log that it was broken off.
        let leave = STAGGER.min(network.time_left() / 4);
        let last = async {
            while let Some((at, verdict)) = asked.next().await {
                if let (None, Ok(proof)) = (&proof, verdict) {
                    return Some(format!("{}: {proof}", self.0[at].0));
                }
            }
            None
        };
        let last = timeout(leave, last).await.ok().flatten();
        proof.or(last)
    }

    fn summary(&self, failures: Vec<Option<NotReady>>) -> NotReady {
        let names = self.0.iter().map(|(name, _)| name.as_str());
        summary(&names.zip(failures).collect::<Vec<_>>())
    }
}

/// How much a failure says; of two that say as much, the first host's is taken.
fn weight(cause: Cause) -> u8 {
    match cause {
        Cause::Never(Exit::Denied) => 5,
        Cause::Contrary | Cause::Watched | Cause::Busy => 4,
        Cause::Odd => 3,
        Cause::Never(_) => 2,
        Cause::Silent | Cause::NoResolver => 1,
        Cause::Absent | Cause::UnknownName => 0,
    }
}

/// One failure of those of all hosts; a host without one has not answered.
fn summary(failures: &[(&str, Option<NotReady>)]) -> NotReady {
    let silent = NotReady::new(Cause::Silent, "no answer");
    let all = || failures.iter().map(|(name, failure)| (name, failure.as_ref().unwrap_or(&silent)));
    let heaviest = all().rev().max_by_key(|(_, failure)| weight(failure.cause));
    let Some((name, telling)) = heaviest else { return silent };
    let reason = if all().all(|(_, failure)| failure.reason == telling.reason) {
        format!("all hosts: {}", telling.reason)
    } else {
        format!("{name}: {}", telling.reason)
    };
    let is_no = |cause| matches!(cause, Cause::Absent | Cause::UnknownName | Cause::Contrary);
    let cause = match telling.cause {
        Cause::Never(Exit::Denied) => telling.cause,
        // Another host may still come up and do.
        Cause::Never(_) if !all().all(|(_, failure)| matches!(failure.cause, Cause::Never(_))) => Cause::Odd,
        // The target is gone only where each host proves it.
        Cause::Contrary if !all().all(|(_, failure)| is_no(failure.cause)) => Cause::Busy,
        cause => cause,
    };
    let rest = all().filter_map(|(_, failure)| failure.rest).max();
    NotReady { cause, reason, rest, tls_doubt: telling.tls_doubt }
}
