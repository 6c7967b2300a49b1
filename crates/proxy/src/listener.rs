//! Accepts the connections of one listener in one worker, from the start to the end of its drain.

mod accept_queue;
pub(crate) mod listening;
mod open;
pub(crate) mod probe_pass;
pub(crate) mod unix_socket;

use std::{
    cell::Cell,
    io,
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
};

use lifecycle::{Lifecycle, LogThrottle};
use tokio::{
    sync::watch,
    task::{self, JoinSet},
    time,
};

use self::{
    listening::{Listening, Place},
    open::Open,
};
use crate::{
    client::{
        self,
        drain::{Drain, Phase},
    },
    context::{Context, Current},
    direction::Direction,
    peer::Peer,
    transport::socket::Socket,
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
    drain: Drain,
    /// When a client went last
    last_end: Rc<Cell<time::Instant>>,
}

/// Serves until the drain is over and the last request has been answered. A listener that is gone from the configuration, as the
/// sender of `gone` says, drains at once. Its place is where it opens again.
pub(crate) async fn serve(
    current: Rc<Current>,
    listening: Listening,
    place: Place,
    mut gone: watch::Receiver<bool>,
    life: Lifecycle,
) {
    let (phase, follows) = watch::channel(Phase::Open);
    let drain = Drain::new(follows, life.drain_delay());
    let last_end = Rc::new(Cell::new(time::Instant::now()));
    let mut clients = Clients { current: current.clone(), tasks: JoinSet::new(), drain, last_end: last_end.clone() };
    let is_draining = current.get().is_draining.clone();
    // Whether answers end their connections also while the listener is open
    let must_drain = Rc::new(Cell::new(false));
    let draining = {
        let (current, life, must_drain, phase) = (current.clone(), life.clone(), must_drain.clone(), phase.clone());
        task::spawn_local(async move {
            life.drain_requested().await;
            // A reload may turn the listener round later.
            let mut changes = current.get().apps.changes();
            while current.get().plan.direction == Direction::Outbound && changes.changed().await.is_ok() {}
            must_drain.set(true);
            current.get().is_draining.set(true);
            phase.send_replace(Phase::Draining);
        })
    };
    let mut end = Box::pin(drained(current.clone(), last_end, life.clone()));
    let mut opened = Some(listening);
    while let Some(listening) = opened.take() {
        let why = async {
            tokio::select! {
                biased;
                () = &mut end => Closing::ForGood,
                Ok(_) = gone.wait_for(|is_gone| *is_gone) => Closing::ForGood,
                () = current.until_apps(|state| state == State::Down) => Closing::AppDown,
            }
        };
        let why = clients.accept(&listening, why).await;
        is_draining.set(true);
        empty(&current.get(), listening, |socket, peer| clients.admit(socket, peer)).await;
        if let Closing::AppDown = why {
            tokio::select! {
                biased;
                _ = life.stop_requested() => (),
                Ok(_) = gone.wait_for(|is_gone| *is_gone) => (),
                reopened = reopen(&current, &place) => {
                    is_draining.set(must_drain.get());
                    opened = Some(reopened);
                }
            }
        }
    }
    draining.abort();
    phase.send_replace(Phase::Closing);
    let at_the_deadline = async {
        life.deadline_near().await;
        phase.send_replace(Phase::Deadline);
        nothing_is_left(&current).await;
    };
    tokio::select! {
        () = clients.ended() => (),
        () = at_the_deadline => (),
    }
}

/// A new listener at the same address, once the app accepts connections again.
async fn reopen(current: &Current, place: &Place) -> Listening {
    current.until_apps(|state| state == State::Up).await;
    let mut throttle = LogThrottle::default();
    loop {
        match place.listen().await {
            Ok(listening) => return listening,
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
    async fn accept(&mut self, listening: &Listening, why: impl Future<Output = Closing>) -> Closing {
        let mut why = pin!(why);
        let current = self.current.clone();
        tokio::select! {
            biased;
            // Whether an app is down is not known yet: until then, connections wait in the queue.
            () = current.until_apps(|state| state != State::Unknown) => (),
            why = &mut why => return why,
        }
        // These are the listener's, and no reload changes them.
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
                accepted = listening.accept(), if has_room() => accepted,
                () = time::sleep(LOOK), if !has_room() => continue,
            };
            match accepted {
                Ok((socket, peer)) => self.admit(socket, peer),
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

    fn admit(&mut self, socket: Socket, peer: Peer) {
        let open = Open::new(&self.current.get());
        let (current, drain) = (self.current.clone(), self.drain.clone());
        self.tasks.spawn_local(client::serve(open, current, socket, peer, drain));
    }

    /// Resolves when all have ended.
    async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Closes a listener without a reset: it begins no more handshakes, and those that it has begun are accepted. The connections may
/// be more than --max-connections, by the length of the queue.
async fn empty(context: &Context, mut listening: Listening, mut admit: impl FnMut(Socket, Peer)) {
    if let Err(error) = listening.begin_no_more().await {
        tracing::debug!(%error, listener = context.plan.name, "cannot end handshakes before the listener closes");
    }
    // The handshakes of an app in the same pod take no time, and its listener closes shortly before the deadline.
    let is_near = context.plan.direction == Direction::Outbound;
    let mut over = pin!(time::sleep(if is_near { Duration::ZERO } else { listening.handshakes() }));
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listening.accept() => accepted,
            () = &mut over => break,
        };
        match accepted {
            Ok((socket, peer)) => admit(socket, peer),
            Err(error) if is_of_one_connection(&error) => (),
            // Descriptors may be lacking until the end of idle clients, which comes only after this.
            Err(_) => tokio::select! {
                () = &mut over => break,
                () = time::sleep(ACCEPT_PAUSE) => (),
            },
        }
    }
    listening.close(admit);
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

/// Resolves when no request is in flight: what is left are connections that nothing was asked over.
async fn nothing_is_left(current: &Current) {
    // Calls of gRPC end at this moment, and their last words are still to be written.
    time::sleep(LOOK).await;
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
