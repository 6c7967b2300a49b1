//! The app behind an inbound listener: whether its port accepts connections, and what requests meet while it does not.
//!
//! A port that refuses has got nothing of the request, so the request may wait, or go to another pod. Any other failure may have
//! done something, and is none of this file's.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use clap::ValueEnum;
use endpoint::Names;
use lifecycle::{Hold, Lifecycle, LogThrottle, elapsed};
use tokio::{sync::watch, time};

use crate::{route::upstream_address::UpstreamAddress, upstream::reach::dial};

/// Between two attempts to connect to an app that is down: short, because each adds to the time for which the app seems to be down
const DIAL_INTERVAL: Duration = Duration::from_millis(100);
/// The time that such an attempt has
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings for the time while the app's port refuses connections
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "App")]
#[expect(clippy::struct_field_names, reason = "the flags have these names")]
pub(crate) struct AppSettings {
    /// The answer of an inbound listener while the app's port refuses connections
    #[arg(long, value_enum, default_value_t = AppDown::Answer)]
    pub(crate) app_down: AppDown,
    /// With `--app-down queue`: requests that wait at once; more are answered with 503
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) app_down_queue: u32,
    /// With `--app-down queue`: the time that a request waits before it is answered with 503
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = lifecycle::duration)]
    pub(crate) app_down_wait: Duration,
}

/// The answer of an inbound listener while the app's port refuses connections
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AppDown {
    /// Close the listener and be unready, so that clients and load balancers go to another pod
    Refuse,
    /// Answer 503 with Retry-After
    #[value(name = "503")]
    Answer,
    /// Let requests wait for the app, up to --app-down-queue and --app-down-wait
    Queue,
}

/// The apps of all workers
pub(crate) struct Apps {
    pub(crate) settings: AppSettings,
    life: Lifecycle,
    /// Holds `/readyz` with `--app-down refuse`
    hold: Option<Hold>,
    known: Mutex<Vec<Weak<App>>>,
    /// Tells of each change of an app
    changes: watch::Sender<()>,
}

/// An app
pub(crate) struct App {
    address: UpstreamAddress,
    state: watch::Sender<State>,
    /// Requests that wait
    waiting: AtomicU32,
    apps: Arc<Apps>,
}

/// The known state of an app's port, from good to bad
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Up,
    /// Nothing yet
    Unknown,
    Down,
}

/// A place of a request that waits
pub(crate) struct Place {
    app: Arc<App>,
    until: time::Instant,
}

impl Apps {
    pub(crate) fn new(settings: AppSettings, life: Lifecycle) -> Arc<Self> {
        let hold = (settings.app_down == AppDown::Refuse).then(|| life.hold("app"));
        Arc::new(Self { settings, life, hold, known: Mutex::default(), changes: watch::Sender::new(()) })
    }

    /// The app at this address, which is watched from now on.
    pub(crate) fn at(self: &Arc<Self>, address: &UpstreamAddress) -> Arc<App> {
        let mut known = self.lock();
        known.retain(|app| app.strong_count() > 0);
        if let Some(app) = known.iter().filter_map(Weak::upgrade).find(|app| app.address == *address) {
            return app;
        }
        let is_asked_first = self.settings.app_down == AppDown::Refuse;
        let state = watch::Sender::new(if is_asked_first { State::Unknown } else { State::Up });
        let app = Arc::new(App { address: address.clone(), state, waiting: AtomicU32::new(0), apps: self.clone() });
        known.push(Arc::downgrade(&app));
        let (watched, life, apps) = (Arc::downgrade(&app), self.life.clone(), self.clone());
        self.life.spawn(async move {
            tokio::select! {
                // At a stop an app that is down has gone.
                _ = life.stop_requested() => (),
                // No listener leads there any more. It may have been the only one that was down.
                () = watch(watched) => apps.changed(),
            }
        });
        app
    }

    /// Whether listeners close while their app is down
    pub(crate) fn close_listeners(&self) -> bool {
        self.settings.app_down == AppDown::Refuse
    }

    /// Whether an app that is down does not come back
    pub(crate) fn is_stopping(&self) -> bool {
        self.life.is_stopping()
    }

    /// Tells of each change of an app.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// An app or the configuration has changed.
    pub(crate) fn changed(&self) {
        if let Some(hold) = &self.hold {
            let apps: Vec<_> = self.lock().iter().filter_map(Weak::upgrade).collect();
            match apps.iter().max_by_key(|app| app.state()).map(|app| (app.state(), app.address.authority())) {
                Some((State::Down, app)) => hold.because(format!("{app} refuses connections")),
                Some((State::Unknown, app)) => hold.because(format!("{app} was not asked yet")),
                Some((State::Up, _)) | None => hold.release(),
            }
        }
        self.changes.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<App>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    pub(crate) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// The app's port has refused a connection.
    pub(crate) fn has_refused(&self) {
        self.set(State::Down);
    }

    /// A place in the queue of requests; nothing where they do not wait, or where too many do.
    pub(crate) fn enqueue(self: &Arc<Self>) -> Option<Place> {
        let AppSettings { app_down, app_down_queue, app_down_wait } = self.apps.settings;
        if app_down != AppDown::Queue {
            return None;
        }
        let place = Place { app: self.clone(), until: time::Instant::now() + app_down_wait };
        // The place is given back below, if there is none.
        (self.waiting.fetch_add(1, Relaxed) < app_down_queue).then_some(place)
    }

    fn set(&self, state: State) {
        let has_changed = self.state.send_if_modified(|known| std::mem::replace(known, state) != state);
        if has_changed {
            self.apps.changed();
        }
    }
}

impl Place {
    /// Waits for the app; `false` if the time is over, or a stop has come: an app that is down at a stop does not come back.
    pub(crate) async fn wait(&self) -> bool {
        let mut state = self.app.state.subscribe();
        tokio::select! {
            up = state.wait_for(|state| *state == State::Up) => up.is_ok(),
            () = time::sleep_until(self.until) => false,
            _ = self.app.apps.life.stop_requested() => false,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.app.waiting.fetch_sub(1, Relaxed);
    }
}

/// Connects to an app that is down until it accepts, again and again, for as long as someone uses the app.
async fn watch(watched: Weak<App>) {
    let names = Names::default();
    let Some(app) = watched.upgrade() else { return };
    let (address, mut state) = (app.address.clone(), app.state.subscribe());
    let what = address.authority();
    drop(app);
    // An error is the end of the app's last user.
    while state.wait_for(|state| *state != State::Up).await.is_ok() {
        let (since, mut throttle) = (Instant::now(), LogThrottle::default());
        loop {
            let dialled = time::timeout(DIAL_TIMEOUT, dial(&address, &names)).await;
            let Some(app) = watched.upgrade() else { return };
            let failure = match dialled {
                Ok(Ok(_)) => {
                    app.set(State::Up);
                    break;
                }
                Ok(Err(failure)) => failure.to_string(),
                Err(_) => "no connection in time".to_owned(),
            };
            let app_down = app.apps.settings.app_down.to_possible_value();
            if throttle.is_due(&failure, Instant::now()) {
                let app_down = app_down.as_ref().map_or("", |value| value.get_name());
                tracing::warn!(app = what, last = failure, app_down, "the app refuses connections");
            }
            app.set(State::Down);
            drop(app);
            time::sleep(DIAL_INTERVAL).await;
        }
        if throttle.settle() {
            tracing::info!(app = what, after = elapsed(since.elapsed()), "the app accepts connections");
        }
    }
}
