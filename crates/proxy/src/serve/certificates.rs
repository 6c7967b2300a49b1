//! Keeps the certificates of the plan in force as their files are.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime},
};

use anyhow::bail;
use endpoint::{Certificate, Failure, ServerTls, date_text};
use lifecycle::{Lifecycle, LogThrottle};
use prometheus::{IntCounter, IntGaugeVec, Opts};
use tokio::sync::watch;

use super::followed::{Followed, Looks};
use crate::{listener_address::ListenerAddress, plan::Plan};

/// Authorities of one file that the log names
const AUTHORITIES_NAMED: usize = 5;

/// All certificates that are followed
#[derive(Clone)]
pub(super) struct Certificates(Arc<Shared>);

struct Shared {
    followed: Followed<ServerTls>,
    faults: IntCounter,
    not_after: IntGaugeVec,
    /// Those that have a series of `not_after`, by name and fingerprint
    shown: Mutex<BTreeMap<(String, String), i64>>,
    /// The authorities that the log has, by their file
    authorities: Mutex<BTreeMap<PathBuf, Arc<[Certificate]>>>,
}

/// The state of one listener that the log has
#[derive(Default)]
struct Logged {
    faults: Vec<Failure>,
    /// Fingerprints of the certificates in force
    in_force: Vec<String>,
    /// Fingerprints of certificates in force that have expired
    expired: Vec<String>,
    throttle: LogThrottle,
    /// The authorities for clients in force
    authorities: Option<Arc<[Certificate]>>,
}

/// Refuses a plan whose files would make a listener refuse clients that it serves now, for example because the Secret comes later
/// than the configuration.
pub(super) async fn judge(plan: &Plan, served: &[(ListenerAddress, Option<Arc<ServerTls>>)]) -> anyhow::Result<()> {
    for listener in &plan.listeners {
        let former = served.iter().find(|(address, _)| address.is_same(&listener.address));
        let (Some((_, former)), Some(tls)) = (former, &listener.tls) else { continue };
        let is_working = former.as_ref().is_none_or(|former| former.config().is_some());
        if !is_working || former.as_ref() == Some(tls) {
            continue;
        }
        let shared = served.iter().filter_map(|(_, known)| known.as_ref()).find(|known| *known == tls);
        let tls = shared.unwrap_or(tls);
        let faults: Vec<_> = tls.look().await.iter().map(ToString::to_string).collect();
        if !tls.is_whole() {
            bail!("listener {}: {}", listener.name, faults.join("; "));
        }
    }
    Ok(())
}

impl Certificates {
    pub(super) fn new(life: &Lifecycle, hangups: watch::Receiver<()>) -> prometheus::Result<Self> {
        let faults = IntCounter::new(
            "sidekit_proxy_certificate_faults_total",
            "Times that a file of a listener's TLS became unusable; a former content stays in use",
        )?;
        let not_after = Opts::new(
            "sidekit_proxy_certificate_not_after_timestamp_seconds",
            "The end of the life of each certificate that a listener shows",
        );
        let not_after = IntGaugeVec::new(not_after, &["name", "fingerprint"])?;
        life.metrics().register(Box::new(faults.clone()))?;
        life.metrics().register(Box::new(not_after.clone()))?;
        let followed = Followed::new(ServerTls::is_whole, life.hold("certificate"), hangups);
        Ok(Self(Arc::new(Shared {
            followed,
            faults,
            not_after,
            shown: Mutex::default(),
            authorities: Mutex::default(),
        })))
    }

    /// Follows the certificates of the plan from now on. Returns after the first look at each.
    pub(super) async fn adopt(&self, plan: &mut Plan) {
        let certificates = plan.listeners.iter_mut().filter_map(|listener| listener.tls.as_mut());
        let follow = |looks| drop(tokio::spawn(self.clone().follow(looks)));
        self.0.followed.adopt(certificates, follow).await;
    }

    async fn follow(self, mut looks: Looks<ServerTls>) {
        let mut logged = Logged::default();
        while let Some(tls) = looks.next().await {
            let faults = tls.look().await;
            let fresh = faults.iter().filter(|fault| !logged.faults.contains(fault)).count();
            self.0.faults.inc_by(fresh as u64);
            logged.faults = faults;
            self.log_faults(&tls, &mut logged);
            logged.log_certificates(&tls.certificates(), |certificate| self.0.shows(certificate));
            self.0.log_authorities(&tls, &mut logged);
            self.0.show();
        }
        self.0.followed.settle();
        self.0.show();
    }

    /// Logs what endpoint does not, because it has no former content to keep in use: that a file is not there yet.
    fn log_faults(&self, tls: &ServerTls, logged: &mut Logged) {
        if tls.is_whole() {
            logged.throttle.settle();
            return self.0.followed.settle();
        }
        let reasons: Vec<_> = logged.faults.iter().map(ToString::to_string).collect();
        let reason = reasons.join("; ");
        if logged.throttle.is_due(&reason, Instant::now()) {
            let message = match tls.config() {
                None => "the certificates of a listener are not there: its connections are refused",
                Some(_) => "a certificate of a listener is not there: its clients get another one",
            };
            tracing::warn!(reason, message);
        }
        self.0.followed.wait_because(reason);
    }
}

impl Logged {
    /// Logs certificates that came into force, unless a listener shows them already, and those that have expired there.
    fn log_certificates(&mut self, certificates: &[Arc<Certificate>], is_shown: impl Fn(&Certificate) -> bool) {
        let now = SystemTime::now();
        let is_in = |list: &[String], certificate: &Certificate| list.contains(&certificate.fingerprint);
        for certificate in certificates {
            let fingerprint = &certificate.fingerprint;
            let (name, not_after) = (certificate.display_name(), date_text(certificate.not_after));
            if !is_in(&self.in_force, certificate) && !is_shown(certificate) {
                tracing::info!(name, fingerprint, "not-after" = not_after, "a certificate is in force");
            }
            if certificate.invalid_at(now).is_some() && !is_in(&self.expired, certificate) {
                tracing::warn!(
                    name,
                    fingerprint,
                    "not-after" = not_after,
                    "a certificate in force has expired: its files hold no newer one"
                );
                self.expired.push(fingerprint.clone());
            }
        }
        self.in_force = certificates.iter().map(|certificate| certificate.fingerprint.clone()).collect();
        self.expired.retain(|fingerprint| self.in_force.contains(fingerprint));
    }
}

impl Shared {
    /// Whether some listener shows this certificate already.
    fn shows(&self, certificate: &Certificate) -> bool {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.contains_key(&(certificate.display_name(), certificate.fingerprint.clone()))
    }

    /// Logs the authorities for clients when those of a file change: once for all listeners that
    /// have the file, also where one of them still has the former content.
    fn log_authorities(&self, tls: &ServerTls, last: &mut Logged) {
        let (Some(file), Some(authorities)) = (&tls.settings().client_ca, tls.authorities()) else { return };
        if last.authorities.replace(authorities.clone()).as_ref() == Some(&authorities) {
            return;
        }
        let mut logged = self.authorities.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.get(file) == Some(&authorities) {
            return;
        }
        let names: Vec<_> = authorities.iter().take(AUTHORITIES_NAMED).map(Certificate::display_name).collect();
        let (names, count) = (names.join(", "), authorities.len());
        tracing::info!(file = %file.display(), count, names, "authorities for clients are in force");
        logged.insert(file.clone(), authorities);
    }

    /// Brings the metric up to date: a series for each certificate that some listener shows.
    fn show(&self) {
        let followed = self.followed.current();
        let certificates = followed.iter().flat_map(|tls| tls.certificates());
        let of = |certificate: Arc<Certificate>| {
            ((certificate.display_name(), certificate.fingerprint.clone()), certificate.not_after)
        };
        let now: BTreeMap<_, _> = certificates.map(of).collect();
        let files: Vec<_> = followed.iter().filter_map(|tls| tls.settings().client_ca.as_ref()).collect();
        self.authorities.lock().unwrap_or_else(PoisonError::into_inner).retain(|file, _| files.contains(&file));
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, fingerprint) in shown.keys().filter(|key| !now.contains_key(key)) {
            // It was there: an error would say that it is gone already.
            let _ = self.not_after.remove_label_values(&[name, fingerprint]);
        }
        for ((name, fingerprint), not_after) in &now {
            self.not_after.with_label_values(&[name, fingerprint]).set(*not_after);
        }
        *shown = now;
    }
}
