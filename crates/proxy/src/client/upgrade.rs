//! A request for another protocol: the exchange with the upstream, and the tunnel that follows it.

use std::{rc::Rc, time::Instant};

use http::{Request, Response, request, response};
use hyper::{body::Bytes, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task,
};

use crate::{
    client::{answer_body::Lease, drain::Drain, exchange, record::Record, standing::Standing},
    context::Context,
    head::{
        hop_by_hop::seen::Seen,
        upgrade::{Changed, Upgrade},
    },
    refusal::{Refusal, fault::Fault},
    request_body::{BodyFate, RequestBody},
    rewrite,
    route::{
        Route,
        upstream_url::{UpstreamUrl, Versions},
    },
    telemetry::{Limit, attempt::Attempt},
    tunnel::{self, Ended, Side, Terms},
    upstream::{Upstream, dedicated::Answer, incoming::Incoming, upstream_io::UpstreamIo},
};

/// The answer to a request for another protocol
pub(super) enum Asked {
    Changed(response::Parts, Changed, Opening),
    /// The same as to any other request
    Other(Response<Incoming>, Box<Lease>, Seen),
}

/// The same as the client gets it
pub(super) enum Told {
    Tunnel(response::Parts, Opening),
    Answer(response::Parts, Incoming, Box<Lease>),
}

/// The upstream's side of a tunnel whose client has not been told yet
pub(super) struct Opening {
    upstream: Box<UpstreamIo>,
    early: Bytes,
    is_websocket: bool,
}

/// A tunnel that opens when the client has been told
pub(crate) struct Opened {
    opening: Opening,
    context: Rc<Context>,
    drain: Drain,
    standing: Standing,
    record: Record,
}

/// The wish for another protocol: this one of a CONNECT, or that of a request over HTTP/1.1. Nothing if the request is a plain one to this
/// upstream.
pub(crate) fn wish(
    connect: Option<Upgrade>,
    head: &request::Parts,
    seen: Seen,
    has_body: bool,
    upstream: &UpstreamUrl,
) -> Result<Option<Upgrade>, Refusal> {
    let wish = match connect {
        None => Upgrade::of(head, seen, has_body)?,
        connect => connect,
    };
    // An upstream that speaks only HTTP/2 has no way to change the protocol. A server may ignore a wish, but to a CONNECT there is no
    // other answer.
    match wish {
        Some(wish) if upstream.versions == Versions::Http2 && wish.is_connect() => Err(Refusal::UnknownProtocol),
        _ if upstream.versions == Versions::Http2 => Ok(None),
        wish => Ok(wish),
    }
}

/// Asks the upstream for another protocol. A second attempt would be over a fresh connection too, so there is none.
pub(super) async fn ask(
    upstream: &Rc<Upstream>,
    head: request::Parts,
    upgrade: &Upgrade,
    fate: &Rc<BodyFate>,
    now: Instant,
) -> Result<Asked, Refusal> {
    upstream.budget.borrow_mut().request(now);
    let mut counted = Attempt::begin(upstream.counts.durations.clone(), head.method.clone(), now);
    let asked = upstream.ask(Request::from_parts(head, RequestBody::Empty)).await;
    let answer = asked.inspect_err(|refusal| counted.failed(*refusal))?;
    match answer {
        Answer::Changed(head, io, early) => {
            upstream.has_answered(true);
            counted.answered(head.status);
            let changed = upgrade.judge(&head).inspect_err(|refusal| counted.failed(*refusal))?;
            // The rest lasts for as long as both sides like.
            counted.ended(Instant::now());
            let opening = Opening { upstream: io, early, is_websocket: changed.is_websocket };
            Ok(Asked::Changed(head, changed, opening))
        }
        Answer::Other(response, connection) => {
            let (response, mut lease, seen) =
                exchange::judged_unchanged(response, connection, upstream, fate, counted)?;
            lease.is_last = true;
            // A tunnel is no answer that the client could mistake for another one.
            if upgrade.is_connect() && response.status().is_success() {
                lease.counted.failed(Refusal::UpstreamBroken);
                return Err(Refusal::UpstreamBroken);
            }
            Ok(Asked::Other(response, Box::new(lease), seen))
        }
    }
}

/// Random bytes that cannot be foreseen
pub(super) fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    // The kernel has them once it has started, so a failure is one of the whole machine.
    SystemRandom::new().fill(&mut bytes).expect("the system has random bytes");
    bytes
}

impl Asked {
    /// Makes the head the one that the client gets.
    pub(super) fn told(self, wish: &Upgrade, route: &Route, is_draining: bool) -> Told {
        match self {
            Self::Changed(mut head, changed, opening) => {
                let seen = Seen::of(&head.headers);
                rewrite::to_client(&mut head, route, false, seen);
                wish.tell(changed, &mut head);
                Told::Tunnel(head, opening)
            }
            Self::Other(response, lease, seen) => {
                let (mut head, body) = response.into_parts();
                rewrite::to_client(&mut head, route, is_draining, seen);
                Told::Answer(head, body, lease)
            }
        }
    }
}

impl Opened {
    pub(super) fn new(
        opening: Opening,
        context: Rc<Context>,
        drain: Drain,
        standing: Standing,
        record: Record,
    ) -> Self {
        Self { opening, context, drain, standing, record }
    }

    /// Runs the tunnel on a stream of HTTP/2, as soon as the client has been told.
    pub(super) fn run_on(self, stream: OnUpgrade) {
        task::spawn_local(async move {
            // The client may be gone.
            if let Ok(upgraded) = stream.await {
                self.run(TokioIo::new(upgraded), Bytes::new()).await;
            }
        });
    }

    /// Runs the tunnel to its end, with what the client has sent already.
    pub(super) async fn run<C>(mut self, client: C, early: Bytes) -> Ended
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let (telemetry, limits) = (&self.context.telemetry, &self.context.limits);
        let Opening { upstream, early: upstream_early, is_websocket } = self.opening;
        let client = Side { stream: client, early, counter: telemetry.tunnels.sent.clone() };
        let upstream = Side { stream: upstream, early: upstream_early, counter: telemetry.tunnels.received.clone() };
        let terms = Terms { idle_timeout: limits.tunnel_timeout, websocket_mask: is_websocket.then(random) };
        telemetry.tunnels.open.inc();
        let (drain, standing) = (self.drain, self.standing);
        let turn = drain.clone().turn(standing.clone().lost());
        let cut = async {
            tokio::select! {
                () = drain.clone().deadline() => Ended::Deadline,
                // A WebSocket has its turn instead.
                () = drain.clone().soon_after(standing.lost()), if !is_websocket => Ended::SentAway,
            }
        };
        let (ended, sent) = tunnel::run(client, upstream, terms, turn, cut).await;
        telemetry.tunnels.open.dec();
        self.record.sent(usize::try_from(sent).unwrap_or(usize::MAX));
        match ended {
            Ended::Both => self.record.closed(),
            Ended::ClientGone => self.record.cut(Fault::ClientGone),
            Ended::UpstreamGone => self.record.cut(Fault::AnswerCut),
            Ended::Deadline => self.record.cut(Fault::DrainDeadline),
            Ended::SentAway => self.record.cut(Fault::SentAway),
            Ended::Idle => {
                telemetry.met(Limit::TunnelTimeout);
                self.record.cut(Fault::TunnelIdle);
            }
        }
        ended
    }
}
