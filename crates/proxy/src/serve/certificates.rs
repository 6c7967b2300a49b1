//! Keeps the certificates of the plan in force as their files are.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::bail;
use endpoint::{Certificate, Failure, ServerTls};
use lifecycle::{Hold, Lifecycle, LogThrottle};
use prometheus::{IntCounter, IntGaugeVec, Opts};
use tokio::{
    sync::{Notify, mpsc},
    time,
};

use crate::{listener_address::ListenerAddress, plan::Plan};

/// How often the files are looked at
const INTERVAL: Duration = Duration::from_secs(1);

/// All certificates that are followed
#[derive(Clone)]
pub(super) struct Certificates(Arc<Shared>);

struct Shared {
    followed: Mutex<Vec<Weak<ServerTls>>>,
    /// Until the certificates of the first plan are there; a reload takes no proxy out of service
    hold: Mutex<Option<Hold>>,
    faults: IntCounter,
    not_after: IntGaugeVec,
    /// Those that have a series of `not_after`, by name and fingerprint
    shown: Mutex<BTreeMap<(String, String), i64>>,
    read_again: Notify,
}

/// The state of one listener that the log has told
#[derive(Default)]
struct Told {
    faults: Vec<Failure>,
    /// Fingerprints of the certificates in force, and of those of them that have expired
    in_force: Vec<String>,
    expired: Vec<String>,
    throttle: LogThrottle,
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
    /// To be made before the start is over, because `/readyz` waits for the certificates of the first plan.
    pub(super) fn new(life: &Lifecycle) -> prometheus::Result<Self> {
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
        let certificates = Self(Arc::new(Shared {
            followed: Mutex::default(),
            hold: Mutex::new(Some(life.hold("certificate"))),
            faults,
            not_after,
            shown: Mutex::default(),
            read_again: Notify::new(),
        }));
        // Beside the job's tasks, so that a certificate that is renewed during a drain is used.
        tokio::spawn(certificates.clone().hear_hangups(life.clone()));
        Ok(certificates)
    }

    /// Lets the plan share what is followed already, and follows the rest from now on. Returns after the first look at each.
    pub(super) async fn adopt(&self, plan: &mut Plan) {
        let (looked, mut all_looked) = mpsc::channel(1);
        {
            let mut followed = self.0.followed();
            followed.retain(|tls| tls.strong_count() > 0);
            for tls in plan.listeners.iter_mut().filter_map(|listener| listener.tls.as_mut()) {
                if let Some(known) = followed.iter().filter_map(Weak::upgrade).find(|known| known == tls) {
                    *tls = known;
                } else {
                    followed.push(Arc::downgrade(tls));
                    tokio::spawn(self.clone().follow(Arc::downgrade(tls), looked.clone()));
                }
            }
        }
        drop(looked);
        while all_looked.recv().await.is_some() {}
        self.0.settle();
    }

    /// Looks at the files of a listener, until no plan has it any more.
    async fn follow(self, tls: Weak<ServerTls>, looked: mpsc::Sender<()>) {
        let mut looked = Some(looked);
        let mut told = Told::default();
        while let Some(tls) = tls.upgrade() {
            let faults = tls.look().await;
            let fresh = faults.iter().filter(|fault| !told.faults.contains(fault)).count();
            self.0.faults.inc_by(fresh as u64);
            told.faults = faults;
            self.tell_faults(&tls, &mut told);
            told.tell_certificates(&tls.certificates());
            self.0.show();
            drop((tls, looked.take()));
            tokio::select! {
                () = time::sleep(INTERVAL) => (),
                () = self.0.read_again.notified() => (),
            }
        }
        // A reload may have taken away the only certificate that was not there.
        self.0.settle();
        self.0.show();
    }

    /// Logs what endpoint does not, because it has no former content to keep in use: that a file is not there yet.
    fn tell_faults(&self, tls: &ServerTls, told: &mut Told) {
        if tls.is_whole() {
            told.throttle.settle();
            return self.0.settle();
        }
        let reasons: Vec<_> = told.faults.iter().map(ToString::to_string).collect();
        let reason = reasons.join("; ");
        if told.throttle.is_due(&reason, Instant::now()) {
            let message = match tls.config() {
                None => "the certificates of a listener are not there: its connections are refused",
                Some(_) => "a certificate of a listener is not there: its clients get another one",
            };
            tracing::warn!(reason, message);
        }
        if let Some(hold) = &*self.0.hold() {
            hold.because(reason);
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

impl Told {
    /// Logs certificates that came into force, and those that have expired there.
    fn tell_certificates(&mut self, certificates: &[Arc<Certificate>]) {
        let now = SystemTime::now();
        let is_in = |list: &[String], certificate: &Certificate| list.contains(&certificate.fingerprint);
        for certificate in certificates {
            let fingerprint = &certificate.fingerprint;
            let (name, not_after) = (certificate.display_name(), date(certificate.not_after));
            if !is_in(&self.in_force, certificate) {
                tracing::info!(name, fingerprint, not_after, "a certificate is in force");
            }
            if certificate.invalid_at(now).is_some() && !is_in(&self.expired, certificate) {
                tracing::warn!(
                    name,
                    fingerprint,
                    not_after,
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
    fn followed(&self) -> MutexGuard<'_, Vec<Weak<ServerTls>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self) -> MutexGuard<'_, Option<Hold>> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Releases the hold once all files are there.
    fn settle(&self) {
        if self.followed().iter().filter_map(Weak::upgrade).all(|tls| tls.is_whole()) {
            self.hold().take().iter().for_each(Hold::release);
        }
    }

    /// Brings the metric up to date: a series for each certificate that some listener shows.
    fn show(&self) {
        let followed: Vec<_> = self.followed().iter().filter_map(Weak::upgrade).collect();
        let certificates = followed.iter().flat_map(|tls| tls.certificates());
        let of = |certificate: Arc<Certificate>| {
            ((certificate.display_name(), certificate.fingerprint.clone()), certificate.not_after)
        };
        let now: BTreeMap<_, _> = certificates.map(of).collect();
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

/// `2026-11-24T09:58:45Z` of seconds since 1970, from the fixed columns of an HTTP date (RFC 9110, section 5.6.7); earlier is 1970.
fn date(seconds: i64) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default()));
    let month = MONTHS.find(&date[8..11]).map_or(0, |at| at / 3 + 1);
    format!("{}-{month:02}-{}T{}Z", &date[12..16], &date[5..7], &date[17..25])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        // As `date -u -d @SECONDS` says; a certificate has none later than the last.
        for (seconds, text) in [
            (-1, "1970-01-01T00:00:00Z"),
            (951_825_600, "2000-02-29T12:00:00Z"),
            (1_795_514_325, "2026-11-24T09:58:45Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(date(seconds), text);
        }
    }
}
