//! Accepts the connections of one listener in one worker, from the start to the end of its drain.

mod accept_queue;
pub(crate) mod probe_pass;

use std::{
    cell::Cell,
    io,
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
};

use lifecycle::{Lifecycle, LogThrottle};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{self, JoinSet},
    time,
};

use crate::{client, context::Context, direction::Direction, telemetry::Limit};

/// The pause after a failed accept, whose usual cause is a lack of descriptors: trying again at once would not free any
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often the listener looks whether it may take connections again, or whether the last client has gone
const LOOK: Duration = Duration::from_millis(20);
/// An app that has had no connection for this time has gone, or needs its upstream no more. Where something looks for the app's end,
/// that end counts instead.
const QUIET: Duration = Duration::from_secs(1);

/// Serves until the drain is over and the last request has been answered.
pub(crate) async fn serve(context: Rc<Context>, listener: TcpListener, life: Lifecycle) {
    let (close, closing) = watch::channel(false);
    let mut clients = JoinSet::new();
    let draining = {
        let (context, life) = (context.clone(), life.clone());
        task::spawn_local(async move {
            life.drain_requested().await;
            context.is_draining.set(context.plan.direction == Direction::Inbound);
        })
    };
    // When a client went last
    let last_end = Rc::new(Cell::new(time::Instant::now()));
    let mut end = Box::pin(drained(context.clone(), last_end.clone(), life.clone()));
    let mut throttle = LogThrottle::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut end => break,
            Some(_) = clients.join_next() => {
                last_end.set(time::Instant::now());
                continue;
            }
            accepted = listener.accept(), if context.connections.get() < context.limits.max_connections => accepted,
            () = time::sleep(LOOK), if context.connections.get() >= context.limits.max_connections => continue,
        };
        match accepted {
            Ok((stream, peer)) => admit(&context, &mut clients, stream, peer, &closing),
            Err(error) if is_of_one_connection(&error) => (),
            Err(error) => {
                if throttle.is_due(&error.to_string(), Instant::now()) {
                    tracing::warn!(%error, "cannot accept connections");
                }
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    draining.abort();
    empty(&context, listener, |stream, peer| admit(&context, &mut clients, stream, peer, &closing)).await;
    close.send_replace(true);
    tokio::select! {
        () = async { while clients.join_next().await.is_some() {} } => (),
        () = nothing_is_left_at_the_deadline(&context, &life) => (),
    }
}

/// Closes a listener without a reset: it begins no more handshakes, and those that it has begun are accepted. The connections may
/// be more than --max-connections, by the length of the queue.
async fn empty(context: &Context, listener: TcpListener, mut admit: impl FnMut(TcpStream, SocketAddr)) {
    if let Err(error) = accept_queue::begin_no_more(&listener) {
        tracing::debug!(%error, listener = context.plan.name, "cannot end handshakes before the listener closes");
    }
    // The handshakes of an app in the same pod take no time, and its listener closes shortly before the deadline.
    let is_near = context.plan.direction == Direction::Outbound;
    let mut over = pin!(time::sleep(if is_near { Duration::ZERO } else { accept_queue::HANDSHAKES }));
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            () = &mut over => break,
        };
        match accepted {
            Ok((stream, peer)) => admit(stream, peer),
            Err(error) if is_of_one_connection(&error) => (),
            Err(_) => time::sleep(ACCEPT_PAUSE).await,
        }
    }
    // The runtime may not know yet of the last ones.
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, peer)) = listener.accept() {
            if let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
                admit(stream, peer);
            }
        }
    }
}

fn admit(
    context: &Rc<Context>,
    clients: &mut JoinSet<()>,
    stream: TcpStream,
    peer: SocketAddr,
    closing: &watch::Receiver<bool>,
) {
    let open = Open::new(context.clone());
    let (context, closing) = (context.clone(), closing.clone());
    clients.spawn_local(async move {
        let _open = open;
        client::serve(context, stream, peer.ip(), closing).await;
    });
}

/// A connection that counts; also when its task panics
struct Open(Rc<Context>);

impl Open {
    fn new(context: Rc<Context>) -> Self {
        context.connections.update(|count| count + 1);
        context.telemetry.connections.inc();
        context.telemetry.accepted.inc();
        if context.connections.get() == context.limits.max_connections {
            context.telemetry.met(Limit::Connections);
        }
        Self(context)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.update(|count| count - 1);
        self.0.telemetry.connections.dec();
    }
}

/// Resolves when no new connection is to be accepted. Inbound that is --drain-delay after the stop; outbound, when the app has gone,
/// because until then it may need its upstream, or shortly before the deadline.
async fn drained(context: Rc<Context>, last_end: Rc<Cell<time::Instant>>, life: Lifecycle) {
    if context.plan.direction == Direction::Inbound {
        life.refuse_new_work().await;
        return;
    }
    life.stop_requested().await;
    let is_unused = async {
        life.refuse_new_work().await;
        quiet(&context, &last_end).await;
    };
    tokio::select! {
        () = life.app_gone() => (),
        () = is_unused, if !life.watches_app() => (),
        () = life.deadline_near() => (),
    }
}

/// Resolves when there has been no connection for a while.
async fn quiet(context: &Context, last_end: &Cell<time::Instant>) {
    let start = time::Instant::now();
    // Most connections are shorter than a look, so their ends count too.
    while context.connections.get() > 0 || start.max(last_end.get()).elapsed() < QUIET {
        time::sleep(LOOK).await;
    }
}

/// Resolves when the deadline is near and no request is in flight: what is left are connections that nothing was asked over.
async fn nothing_is_left_at_the_deadline(context: &Context, life: &Lifecycle) {
    life.deadline_near().await;
    while context.in_flight.get() > 0 {
        time::sleep(LOOK).await;
    }
}

/// Errors that concern the connection that was accepted (accept(2)), and not the listener
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
