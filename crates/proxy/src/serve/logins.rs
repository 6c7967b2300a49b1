//! Keeps the logins of the plan in force as their files are.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use endpoint::Failure;
use lifecycle::{Hold, Lifecycle, LogThrottle};
use prometheus::IntCounter;
use tokio::{
    sync::{Notify, mpsc},
    time,
};

use crate::{plan::Plan, route::upstream_url::login::Login};

/// How often the files are looked at
const INTERVAL: Duration = Duration::from_secs(1);

/// All logins that are followed
#[derive(Clone)]
pub(crate) struct Logins(Arc<Shared>);

struct Shared {
    followed: Mutex<Vec<Weak<Login>>>,
    /// Until the logins of the first plan are there; a reload takes no proxy out of service
    hold: Mutex<Option<Hold>>,
    faults: IntCounter,
    read_again: Notify,
}

impl Logins {
    /// To be made before the start is over, because `/readyz` waits for the logins of the first plan.
    pub(crate) fn new(life: &Lifecycle) -> prometheus::Result<Self> {
        let faults = IntCounter::new(
            "sidekit_proxy_login_faults_total",
            "Times that the file of a login became unusable; a former content stays in use unless the file is gone",
        )?;
        life.metrics().register(Box::new(faults.clone()))?;
        let followed = Mutex::default();
        let logins = Self(Arc::new(Shared {
            followed,
            hold: Mutex::new(Some(life.hold("login"))),
            faults,
            read_again: Notify::new(),
        }));
        // Beside the job's tasks, so that a token that is renewed during a drain is used.
        tokio::spawn(logins.clone().hear_hangups(life.clone()));
        Ok(logins)
    }

    /// Lets the plan share the logins that are followed already, and follows the others from now on. Returns after the first
    /// look at each.
    pub(crate) async fn adopt(&self, plan: &mut Plan) {
        let (looked, mut all_looked) = mpsc::channel(1);
        {
            let mut followed = self.0.followed();
            followed.retain(|login| login.strong_count() > 0);
            let routes = plan.listeners.iter_mut().flat_map(|listener| listener.routes.all_mut());
            for login in routes.filter_map(|route| route.login.as_mut()) {
                if let Some(known) = followed.iter().filter_map(Weak::upgrade).find(|known| known == login) {
                    *login = known;
                } else {
                    followed.push(Arc::downgrade(login));
                    tokio::spawn(self.clone().follow(Arc::downgrade(login), looked.clone()));
                }
            }
        }
        drop(looked);
        while all_looked.recv().await.is_some() {}
        self.0.settle();
    }

    /// Looks at the files of a login, until no plan has it any more.
    async fn follow(self, login: Weak<Login>, looked: mpsc::Sender<()>) {
        let mut looked = Some(looked);
        let mut last = None;
        let mut throttle = LogThrottle::default();
        loop {
            // A reload may have taken away the only login that was not there.
            let Some(login) = login.upgrade() else { return self.0.settle() };
            let was_there = login.is_there();
            let fault = login.look().await;
            if fault != last && fault.is_some() {
                self.0.faults.inc();
            }
            self.tell(&login, was_there && last.is_none(), fault.as_ref(), &mut throttle);
            last = fault;
            drop((login, looked.take()));
            tokio::select! {
                () = time::sleep(INTERVAL) => (),
                () = self.0.read_again.notified() => (),
            }
        }
    }

    /// Logs what endpoint does not, because it knows no requests: that a login is not there yet or no longer, and that it has come.
    fn tell(&self, login: &Login, was_well: bool, fault: Option<&Failure>, throttle: &mut LogThrottle) {
        match fault {
            Some(fault) if !login.is_there() => {
                let reason = fault.to_string();
                if throttle.is_due(&reason, Instant::now()) {
                    tracing::warn!(reason, "a login is not there: its requests are answered with 503");
                }
                if let Some(hold) = &*self.0.hold() {
                    hold.because(reason);
                }
            }
            None if !was_well => {
                let file = login.files().next().map(|path| path.display().to_string());
                tracing::info!(file, "a login is there");
                throttle.settle();
                self.0.settle();
            }
            _ => (),
        }
    }

    /// SIGHUP asks for a new reading.
    async fn hear_hangups(self, life: Lifecycle) {
        let mut hangups = life.hangups();
        while hangups.changed().await.is_ok() {
            endpoint::read_files_again();
            self.0.read_again.notify_waiters();
        }
    }
}

impl Shared {
    fn followed(&self) -> MutexGuard<'_, Vec<Weak<Login>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self) -> MutexGuard<'_, Option<Hold>> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Releases the hold once all logins are there.
    fn settle(&self) {
        if self.followed().iter().filter_map(Weak::upgrade).all(|login| login.is_there()) {
            self.hold().take().iter().for_each(Hold::release);
        }
    }
}
