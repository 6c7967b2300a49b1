//! Keeps the logins of the plan in force as their files are.

use std::{sync::Arc, time::Instant};

use endpoint::Failure;
use lifecycle::{Lifecycle, LogThrottle};
use prometheus::IntCounter;
use tokio::sync::watch;

use super::followed::{Followed, Looks};
use crate::{plan::Plan, route::upstream_url::login::Login};

/// All logins that are followed
#[derive(Clone)]
pub(super) struct Logins(Arc<Shared>);

struct Shared {
    followed: Followed<Login>,
    faults: IntCounter,
}

impl Logins {
    pub(super) fn new(life: &Lifecycle, hangups: watch::Receiver<()>) -> prometheus::Result<Self> {
        let faults = IntCounter::new(
            "sidekit_proxy_login_faults_total",
            "Times that the file of a login became unusable; a former content stays in use unless the file is gone",
        )?;
        life.metrics().register(Box::new(faults.clone()))?;
        let followed = Followed::new(Login::is_there, life.hold("login"), hangups);
        Ok(Self(Arc::new(Shared { followed, faults })))
    }

    /// Follows the logins of the plan from now on. Returns after the first look at each.
    pub(super) async fn adopt(&self, plan: &mut Plan) {
        let routes = plan.listeners.iter_mut().flat_map(|listener| listener.routes.all_mut());
        let logins = routes.filter_map(|route| route.login.as_mut());
        let follow = |looks| drop(tokio::spawn(self.clone().follow(looks)));
        self.0.followed.adopt(logins, follow).await;
    }

    async fn follow(self, mut looks: Looks<Login>) {
        let mut last = None;
        let mut throttle = LogThrottle::default();
        while let Some(login) = looks.next().await {
            let was_there = login.is_there();
            let fault = login.look().await;
            if fault != last && fault.is_some() {
                self.0.faults.inc();
            }
            self.log(&login, was_there, fault.as_ref(), &mut throttle);
            last = fault;
        }
        self.0.followed.settle();
    }

    /// Logs what endpoint does not, because it knows no requests: that a login is not there yet or
    /// no longer, and that it has come.
    fn log(&self, login: &Login, was_there: bool, fault: Option<&Failure>, throttle: &mut LogThrottle) {
        match fault {
            Some(fault) if !login.is_there() => {
                let reason = fault.to_string();
                if throttle.is_due(&reason, Instant::now()) {
                    tracing::warn!(reason, "a login is not there: its requests are answered with 503");
                }
                self.0.followed.wait_because(reason);
            }
            None => {
                if !was_there {
                    let file = login.files().next().map(|path| path.display().to_string());
                    tracing::info!(file, "a login is there");
                }
                throttle.settle();
                self.0.followed.settle();
            }
            Some(_) => (),
        }
    }
}
