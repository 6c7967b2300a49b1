//! Accepts the connections of one listener in one worker, from the start to the end of its drain.

mod accept_queue;

use std::{
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

use crate::{client, context::Context, direction::Direction};

/// The pause after a failed accept, whose usual cause is a lack of descriptors: trying again at once would not free any
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often the listener looks whether it may take connections again, or whether the last client has gone
const LOOK: Duration = Duration::from_millis(20);

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
    let mut end = Box::pin(drained(context.clone(), life));
    let mut throttle = LogThrottle::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut end => break,
            Some(_) = clients.join_next() => continue,
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
    while clients.join_next().await.is_some() {}
}

/// Closes a listener without a reset: it begins no more handshakes, and those that it has begun are accepted. The connections may
/// be more than --max-connections, by the length of the queue.
async fn empty(context: &Context, listener: TcpListener, mut admit: impl FnMut(TcpStream, SocketAddr)) {
    if let Err(error) = accept_queue::begin_no_more(&listener) {
        tracing::debug!(%error, listener = context.plan.name, "cannot end handshakes before the listener closes");
    }
    let mut over = pin!(time::sleep(accept_queue::HANDSHAKES));
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
        Self(context)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.update(|count| count - 1);
        self.0.telemetry.connections.dec();
    }
}

/// Resolves when no new connection is to be accepted. Inbound that is --drain-delay after the stop; outbound, when the app has
/// had no connection for that long, because until then it may need its upstream.
async fn drained(context: Rc<Context>, life: Lifecycle) {
    life.refuse_new_work().await;
    if context.plan.direction == Direction::Outbound {
        let mut quiet_since = time::Instant::now();
        while quiet_since.elapsed() < QUIET {
            time::sleep(LOOK).await;
            if context.connections.get() > 0 {
                quiet_since = time::Instant::now();
            }
        }
    }
}

/// Errors that concern the connection that was accepted (accept(2)), and not the listener
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// An app that has had no connection for this time has gone, or needs its upstream no more.
const QUIET: Duration = Duration::from_secs(1);
