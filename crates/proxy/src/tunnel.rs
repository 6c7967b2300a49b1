//! An open tunnel: bytes both ways, until both sides have ended, a side has gone, nothing has
//! passed for too long, or the proxy ends it.
//!
//! In its turn a WebSocket gets Close with 1001 behind a whole message, or behind a frame of one
//! that lasts (RFC 6455, sections 5.4, 7.1 and 7.4.1). The client answers with its own Close, which
//! goes on to the upstream like all that the client has sent before, and the upstream ends the
//! connection. Any other protocol is unknown, so its tunnel is cut.

mod flow;

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use hyper::body::Bytes;
use prometheus::IntCounter;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep, sleep},
};

use self::flow::{Broken, Flow};
use crate::websocket::{
    close,
    frames::{Frames, Place, Sender},
};

/// How long a message under way may last in a drain, before the Close stands between two of its frames
const MESSAGE_TIME: Duration = Duration::from_secs(1);
/// How long both sides have for the rest of the closing handshake
const CLOSE_TIME: Duration = Duration::from_secs(5);
/// How long a side has to take the last bytes
const LAST_TIME: Duration = Duration::from_secs(1);

/// The same where a tunnel is cut: the deadline of a stop leaves half a second for all
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A side of a tunnel, and the bytes of it that were read before the tunnel opened
pub(crate) struct Side<T> {
    pub(crate) stream: T,
    pub(crate) early: Bytes,
    /// Counts the bytes that go to it
    pub(crate) counter: IntCounter,
}

/// The limits of a tunnel
pub(crate) struct Terms {
    /// How long no byte may pass
    pub(crate) idle_timeout: Duration,
    /// The key for a Close to the upstream, if the protocol is WebSocket
    pub(crate) websocket_mask: Option<[u8; 4]>,
}

/// Why a tunnel has ended
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Both sides have ended, or the proxy has ended a WebSocket
    Both,
    ClientGone,
    UpstreamGone,
    Idle,
    /// The drain's deadline has come
    Deadline,
    /// A new client would have to prove something else
    SentAway,
}

/// The end of a WebSocket whose turn has come
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    NotDue,
    /// The client gets the Close at the end of a message until this time, and at the end of a frame
    /// after it
    Due(Instant),
    /// The client has the Close, or a side has sent one itself; both have this time
    Told(Instant),
    /// The upstream too; both have this time to take it
    Last(Instant),
}

struct Tunnel<C, U> {
    client: C,
    upstream: U,
    to_client: Flow,
    to_upstream: Flow,
    terms: Terms,
    farewell: Farewell,
    last_passed: Instant,
    timer: Pin<Box<Sleep>>,
}

/// Runs a tunnel to its end; also the number of bytes that went to the client. A WebSocket is
/// closed when `turn` has come, and every tunnel when `cut` gives the reason.
pub(crate) async fn run<C, U>(
    client: Side<C>,
    upstream: Side<U>,
    terms: Terms,
    turn: impl Future<Output = ()>,
    cut: impl Future<Output = Ended>,
) -> (Ended, u64)
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let frames = |sender| terms.websocket_mask.map(|_| Frames::of(sender));
    let mut tunnel = Tunnel {
        to_client: Flow::new(&upstream.early, frames(Sender::Server), client.counter),
        to_upstream: Flow::new(&client.early, frames(Sender::Client), upstream.counter),
        client: client.stream,
        upstream: upstream.stream,
        farewell: Farewell::NotDue,
        last_passed: Instant::now(),
        timer: Box::pin(sleep(terms.idle_timeout)),
        terms,
    };
    let (mut turn, mut cut) = (pin!(turn), pin!(cut));
    let mut is_due = tunnel.terms.websocket_mask.is_none();
    let mut cut_for = None;
    let ended = poll_fn(|context| {
        if !is_due && turn.as_mut().poll(context).is_ready() {
            is_due = true;
            tunnel.farewell = Farewell::Due(Instant::now() + MESSAGE_TIME);
        }
        if cut_for.is_none()
            && let Poll::Ready(reason) = cut.as_mut().poll(context)
        {
            cut_for = Some(reason);
            tunnel.finish(LAST_WORDS);
        }
        tunnel.poll(context)
    })
    .await;
    let ended = cut_for.unwrap_or(ended);
    (ended, tunnel.to_client.passed)
}

impl<C, U> Tunnel<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    fn poll(&mut self, context: &mut Context) -> Poll<Ended> {
        loop {
            let before = self.to_client.passed + self.to_upstream.passed;
            let to_client = self.to_client.poll(context, &mut self.upstream, &mut self.client);
            let to_upstream = self.to_upstream.poll(context, &mut self.client, &mut self.upstream);
            match (to_client, to_upstream) {
                (Poll::Ready(Err(Broken::Reader)), _) | (_, Poll::Ready(Err(Broken::Writer))) => {
                    return Poll::Ready(Ended::UpstreamGone);
                }
                (Poll::Ready(Err(Broken::Writer)), _) | (_, Poll::Ready(Err(Broken::Reader))) => {
                    return Poll::Ready(Ended::ClientGone);
                }
                (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(Ended::Both),
                _ => (),
            }
            let now = Instant::now();
            if self.to_client.passed + self.to_upstream.passed > before {
                self.last_passed = now;
            }
            if self.step(now) {
                // There may be more to write.
                continue;
            }
            let idle_at = self.last_passed + self.terms.idle_timeout;
            match self.farewell {
                Farewell::Last(until) if until <= now => return Poll::Ready(Ended::Both),
                _ if idle_at <= now => return Poll::Ready(Ended::Idle),
                _ => (),
            }
            let next = self.farewell.until(now).map_or(idle_at, |until| until.min(idle_at));
            // A timer that ends too early costs less than a new time for each read.
            if next < self.timer.deadline() || self.timer.is_elapsed() {
                self.timer.as_mut().reset(next);
            }
            if self.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Goes on with the farewell; `true` if it has.
    fn step(&mut self, now: Instant) -> bool {
        let is_closed = |flow: &Flow| flow.place() == Place::BehindClose;
        let next = match self.farewell {
            Farewell::Due(until) => {
                let is_told = is_closed(&self.to_client)
                    || is_closed(&self.to_upstream)
                    || self.to_client.end_with(&close::TO_CLIENT, until <= now);
                if is_told { Farewell::Told(now + CLOSE_TIME) } else { Farewell::Due(until) }
            }
            Farewell::Told(until) if until <= now => {
                self.finish(LAST_TIME);
                return true;
            }
            same => same,
        };
        std::mem::replace(&mut self.farewell, next) != next
    }

    /// Tells both sides the end, with a Close where the protocol has one and none has been said, and leaves them this time to take it.
    fn finish(&mut self, time: Duration) {
        let frame = self.terms.websocket_mask.map(close::to_upstream);
        self.to_upstream.finish(frame.as_ref().map_or(&[], |frame| &frame[..]));
        self.to_client.finish(if frame.is_some() { &close::TO_CLIENT } else { &[] });
        self.farewell = Farewell::Last(Instant::now() + time);
    }
}

impl Farewell {
    /// When the next step is due, if it does not wait for bytes alone
    fn until(self, now: Instant) -> Option<Instant> {
        match self {
            Self::NotDue => None,
            Self::Due(until) | Self::Told(until) | Self::Last(until) => Some(until).filter(|until| *until > now),
        }
    }
}

#[cfg(test)]
mod tests;
