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
use prometheus::IntGauge;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{self, JoinSet},
    time,
};

use crate::{
    client,
    context::{Context, Current},
    direction::Direction,
    telemetry::Limit,
};

/// The pause after a failed accept, whose usual cause is a lack of descriptors: trying again at once would not free any
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often the listener looks whether it may take connections again, or whether the last client has gone
const LOOK: Duration = Duration::from_millis(20);
/// An app that has had no connection for this time has gone, or needs its upstream no more. Where something looks for the app's end,
/// that end counts instead.
const QUIET: Duration = Duration::from_secs(1);

/// Serves until the drain is over and the last request has been answered. A listener that is gone from the configuration, as the
/// sender of `gone` says, drains at once.
pub(crate) async fn serve(
    current: Rc<Current>,
    listener: TcpListener,
    mut gone: watch::Receiver<bool>,
    life: Lifecycle,
) {
    let (close, closing) = watch::channel(false);
    let mut clients = JoinSet::new();
    let draining = {
        let (current, life) = (current.clone(), life.clone());
        task::spawn_local(async move {
            life.drain_requested().await;
            let context = current.get();
            context.is_draining.set(context.plan.direction == Direction::Inbound);
        })
    };
    // When a client went last
    let last_end = Rc::new(Cell::new(time::Instant::now()));
    let mut end = Box::pin(drained(current.clone(), last_end.clone(), life.clone()));
    // These are the listener's, whatever its configuration is.
    let (connections, is_draining, most) = {
        let context = current.get();
        (context.connections.clone(), context.is_draining.clone(), context.limits.max_connections)
    };
    let mut throttle = LogThrottle::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut end => break,
            Ok(_) = gone.wait_for(|is_gone| *is_gone) => {
                is_draining.set(true);
                break;
            }
            Some(_) = clients.join_next() => {
                last_end.set(time::Instant::now());
                continue;
            }
            accepted = listener.accept(), if connections.get() < most => accepted,
            () = time::sleep(LOOK), if connections.get() >= most => continue,
        };
        match accepted {
            Ok((stream, peer)) => admit(&current, &mut clients, stream, peer, &closing),
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
    empty(&current.get(), listener, |stream, peer| admit(&current, &mut clients, stream, peer, &closing)).await;
    close.send_replace(true);
    tokio::select! {
        () = async { while clients.join_next().await.is_some() {} } => (),
        () = nothing_is_left_at_the_deadline(&current, &life) => (),
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
    current: &Rc<Current>,
    clients: &mut JoinSet<()>,
    stream: TcpStream,
    peer: SocketAddr,
    closing: &watch::Receiver<bool>,
) {
    let open = Open::new(&current.get());
    let (current, closing) = (current.clone(), closing.clone());
    clients.spawn_local(async move {
        let _open = open;
        client::serve(current, stream, peer.ip(), closing).await;
    });
}

/// A connection that counts; also when its task panics
struct Open {
    count: Rc<Cell<u32>>,
    /// Of the name that the listener had then
    gauge: IntGauge,
}

impl Open {
    fn new(context: &Context) -> Self {
        let open = Self { count: context.connections.clone(), gauge: context.telemetry.connections.clone() };
        open.count.update(|count| count + 1);
        open.gauge.inc();
        context.telemetry.accepted.inc();
        if open.count.get() == context.limits.max_connections {
            context.telemetry.met(Limit::Connections);
        }
        open
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.update(|count| count - 1);
        self.gauge.dec();
    }
}

/// Resolves when no new connection is to be accepted. Inbound that is --drain-delay after the stop; outbound, when the app has gone,
/// because until then it may need its upstream, or shortly before the deadline.
async fn drained(current: Rc<Current>, last_end: Rc<Cell<time::Instant>>, life: Lifecycle) {
    life.stop_requested().await;
    // A reload before the stop may have changed the direction.
    let context = current.get();
    if context.plan.direction == Direction::Inbound {
        life.refuse_new_work().await;
        return;
    }
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
async fn nothing_is_left_at_the_deadline(current: &Current, life: &Lifecycle) {
    life.deadline_near().await;
    while current.get().in_flight.get() > 0 {
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
