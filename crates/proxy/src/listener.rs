//! Accepts the connections of one listener in one worker, from the start to the end of its drain.

mod accept_queue;
mod open;
pub(crate) mod probe_pass;

use std::{
    cell::Cell,
    io,
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
};

use lifecycle::{Lifecycle, ListenAddress, LogThrottle};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{self, JoinSet},
    time,
};

use self::open::Open;
use crate::{
    client,
    context::{Context, Current},
    direction::Direction,
    upstream::app::State,
};

/// The pause after a failed accept, whose usual cause is a lack of descriptors: trying again at once would not free any
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The pause after an attempt to open a listener again that failed, because another process has its address
const BIND_PAUSE: Duration = Duration::from_secs(1);
/// How often the listener looks whether it may take connections again, or whether the last client has gone
const LOOK: Duration = Duration::from_millis(20);
/// An app that has had no connection for this time has gone, or needs its upstream no more. Where something looks for the app's end,
/// that end counts instead.
const QUIET: Duration = Duration::from_secs(1);

/// Why a listener closes
enum Closing {
    /// A stop, or a configuration without it
    ForGood,
    /// Until its app accepts connections again
    AppDown,
}

/// The connections of a listener
struct Clients {
    current: Rc<Current>,
    tasks: JoinSet<()>,
    closing: watch::Receiver<bool>,
    /// When a client went last
    last_end: Rc<Cell<time::Instant>>,
}

/// Serves until the drain is over and the last request has been answered. A listener that is gone from the configuration, as the
/// sender of `gone` says, drains at once.
pub(crate) async fn serve(
    current: Rc<Current>,
    listener: TcpListener,
    mut gone: watch::Receiver<bool>,
    life: Lifecycle,
) {
    let (close, closing) = watch::channel(false);
    let last_end = Rc::new(Cell::new(time::Instant::now()));
    let mut clients = Clients { current: current.clone(), tasks: JoinSet::new(), closing, last_end: last_end.clone() };
    let is_draining = current.get().is_draining.clone();
    // Whether answers end their connections also while the listener is open
    let must_drain = Rc::new(Cell::new(false));
    let draining = {
        let (current, life, must_drain) = (current.clone(), life.clone(), must_drain.clone());
        task::spawn_local(async move {
            life.drain_requested().await;
            // A reload may turn the listener round later.
            let mut changes = current.get().apps.changes();
            while current.get().plan.direction == Direction::Outbound && changes.changed().await.is_ok() {}
            must_drain.set(true);
            current.get().is_draining.set(true);
        })
    };
    let mut end = Box::pin(drained(current.clone(), last_end, life.clone()));
    let mut opened = Some(listener);
    // Of port 0, the system chose one.
    let port = opened.as_ref().and_then(|listener| listener.local_addr().ok()).map(|address| address.port());
    while let Some(listener) = opened.take() {
        let why = async {
            tokio::select! {
                biased;
                () = &mut end => Closing::ForGood,
                Ok(_) = gone.wait_for(|is_gone| *is_gone) => Closing::ForGood,
                () = current.until_apps(|state| state == State::Down) => Closing::AppDown,
            }
        };
        let why = clients.accept(&listener, why).await;
        is_draining.set(true);
        empty(&current.get(), listener, |stream, peer| clients.admit(stream, peer)).await;
        if let Closing::AppDown = why {
            tokio::select! {
                biased;
                _ = life.stop_requested() => (),
                Ok(_) = gone.wait_for(|is_gone| *is_gone) => (),
                reopened = reopen(&current, port) => {
                    is_draining.set(must_drain.get());
                    opened = Some(reopened);
                }
            }
        }
    }
    draining.abort();
    close.send_replace(true);
    tokio::select! {
        () = clients.ended() => (),
        () = nothing_is_left_at_the_deadline(&current, &life) => (),
    }
}

/// A new listener at the same address, once the app accepts connections again.
async fn reopen(current: &Current, port: Option<u16>) -> TcpListener {
    let address = current.get().plan.address;
    let address = ListenAddress { port: port.unwrap_or(address.port), ..address };
    current.until_apps(|state| state == State::Up).await;
    let mut throttle = LogThrottle::default();
    loop {
        match lifecycle::bind_shared(address, "--listen").and_then(|listener| Ok(TcpListener::from_std(listener)?)) {
            Ok(listener) => return listener,
            Err(error) if throttle.is_due(&error.to_string(), Instant::now()) => {
                tracing::warn!(%error, "cannot open a listener again");
            }
            Err(_) => (),
        }
        time::sleep(BIND_PAUSE).await;
    }
}

impl Clients {
    /// Accepts connections until there is a reason to close.
    async fn accept(&mut self, listener: &TcpListener, why: impl Future<Output = Closing>) -> Closing {
        let mut why = pin!(why);
        let current = self.current.clone();
        tokio::select! {
            biased;
            // Whether an app is down is not known yet: until then, connections wait in the queue.
            () = current.until_apps(|state| state != State::Unknown) => (),
            why = &mut why => return why,
        }
        // These are the listener's, whatever its configuration is.
        let (connections, most, memory, descriptors) = {
            let context = current.get();
            let (memory, descriptors) = (context.memory.clone(), context.descriptors.clone());
            (context.connections.clone(), context.limits.max_connections, memory, descriptors)
        };
        // Where memory is short, one connection at a time may still show that it no longer is.
        let is_short = || memory.is_near() || !memory.room.has_connection();
        let has_room = || connections.get() < if is_short() { 1 } else { most } && !descriptors.is_full();
        let mut throttle = LogThrottle::default();
        loop {
            let accepted = tokio::select! {
                biased;
                why = &mut why => return why,
                Some(_) = self.tasks.join_next() => {
                    self.last_end.set(time::Instant::now());
                    continue;
                }
                accepted = listener.accept(), if has_room() => accepted,
                () = time::sleep(LOOK), if !has_room() => continue,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) if is_of_one_connection(&error) => (),
                Err(error) => {
                    if throttle.is_due(&error.to_string(), Instant::now()) {
                        tracing::warn!(%error, "cannot accept connections");
                    }
                    time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let open = Open::new(&self.current.get());
        let (current, closing) = (self.current.clone(), self.closing.clone());
        self.tasks.spawn_local(client::serve(open, current, stream, peer.ip(), closing));
    }

    /// Resolves when all have ended.
    async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
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
            // Descriptors may be lacking until the end of idle clients, which comes only after this.
            Err(_) => tokio::select! {
                () = &mut over => break,
                () = time::sleep(ACCEPT_PAUSE) => (),
            },
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
