//! Name lookups by getaddrinfo, as the app itself does them: hosts file, search list, ndots.
//!
//! getaddrinfo blocks and can't be cancelled, so each lookup has a thread for as long as it lasts. A lookup that comes while
//! another one of the same name is under way joins it. A resolver that never answers therefore costs one thread a name.
//! Only fresh lookups count towards the small bound: a lookup that has hung for [`FRESH`] gives its place to the next name,
//! so that silent names do not starve a healthy one. The large bound, [`THREAD_LIMIT`], holds for all of them. Addresses that come
//! when no attempt waits are kept for the next one: a resolver that repeats a lost question after 5 s is later than many an attempt.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::{sync::Semaphore, task, time};

use crate::failure::Failure;

/// Fresh lookups at once; a DNS server gets no more new questions than that at a time.
const FRESH_LIMIT: usize = 8;
/// How long a lookup is fresh. A DNS server that works answers in a tenth of that, search list included.
const FRESH: Duration = Duration::from_secs(1);
/// Lookups at once, those that hang included; each has a thread, most of whose stack is never touched.
const THREAD_LIMIT: usize = 64;

/// How long addresses are kept that came while no attempt waited: longer than the pause after an attempt
const KEPT: Duration = Duration::from_secs(35);

/// All lookups of the process
static LOOKUPS: LazyLock<Arc<Lookups>> = LazyLock::new(|| Arc::new(Lookups::new(FRESH_LIMIT, FRESH)));

type Addresses = Result<Vec<IpAddr>, Failure>;

/// Looks names up for one server. All values share the process's lookups.
#[derive(Debug)]
pub struct Names {
    lookups: Arc<Lookups>,
    /// The lookup that the current attempt waits for
    awaited: Mutex<Option<(String, Arc<AtomicBool>)>>,
}

#[derive(Debug)]
struct Lookups {
    /// By name: lookups that have not ended, and addresses that no attempt has used
    known: Mutex<HashMap<String, Lookup>>,
    fresh: Arc<Semaphore>,
    fresh_for: Duration,
    threads: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
struct Lookup {
    answer: Shared<BoxFuture<'static, Addresses>>,
    /// Whether it has a thread
    asked: Arc<AtomicBool>,
    /// When it has found addresses
    found: Arc<OnceLock<Instant>>,
}

impl Default for Names {
    fn default() -> Self {
        Self::with(LOOKUPS.clone())
    }
}

impl Names {
    fn with(lookups: Arc<Lookups>) -> Self {
        Self { lookups, awaited: Mutex::default() }
    }

    /// All addresses of a name, at least one, in the order of RFC 6724; an IP address is its own.
    pub async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        if let Ok(ip) = host.parse() {
            return Ok(vec![ip]);
        }
        let Lookup { answer, asked, found } = self.lookups.join(host);
        *lock(&self.awaited) = Some((host.to_owned(), asked));
        let addresses = answer.await;
        lock(&self.awaited).take();
        self.lookups.take(host, &found);
        addresses
    }

    /// Why the last lookup has no answer, when its caller gave up waiting for it.
    pub fn unanswered(&self) -> Option<Failure> {
        let (name, asked) = lock(&self.awaited).take()?;
        Some(if asked.load(Relaxed) { Failure::NoDnsAnswer(name) } else { Failure::NotAskedYet(name) })
    }
}

impl Lookups {
    fn new(fresh: usize, fresh_for: Duration) -> Self {
        Self {
            known: Mutex::default(),
            fresh: Semaphore::new(fresh).into(),
            fresh_for,
            threads: Semaphore::new(THREAD_LIMIT).into(),
        }
    }

    /// The lookup of this name that is under way or has just found addresses, or a new one.
    fn join(self: &Arc<Self>, name: &str) -> Lookup {
        let mut known = lock(&self.known);
        known.retain(|_, lookup| lookup.found.get().is_none_or(|at| at.elapsed() < KEPT));
        if let Some(lookup) = known.get(name) {
            return lookup.clone();
        }
        let lookup = self.start(name, ask);
        known.insert(name.to_owned(), lookup.clone());
        lookup
    }

    /// Forgets a lookup whose addresses an attempt uses, so that the next attempt asks the resolver again.
    fn take(&self, name: &str, found: &Arc<OnceLock<Instant>>) {
        let mut known = lock(&self.known);
        if known.get(name).is_some_and(|lookup| Arc::ptr_eq(&lookup.found, found)) {
            known.remove(name);
        }
    }

    fn start(self: &Arc<Self>, name: &str, ask: impl FnOnce(&str) -> Addresses + Send + 'static) -> Lookup {
        let (asked, found) = (Arc::new(AtomicBool::new(false)), Arc::<OnceLock<Instant>>::default());
        let entry = Entry { lookups: self.clone(), name: name.to_owned(), found: found.clone() };
        let (lookups, has_thread) = (self.clone(), asked.clone());
        let work = async move {
            let thread = lookups.threads.clone().acquire_owned().await;
            let fresh = lookups.fresh.clone().acquire_owned().await;
            has_thread.store(true, Relaxed);
            // The thread itself ends the entry and frees its place, so that both happen even when no attempt waits.
            let mut answer = task::spawn_blocking(move || {
                let addresses = ask(&entry.name);
                if addresses.is_ok() {
                    let _ = entry.found.set(Instant::now());
                }
                drop(entry);
                drop(thread);
                addresses
            });
            let in_time = time::timeout(lookups.fresh_for, &mut answer).await;
            drop(fresh);
            match in_time {
                Ok(answer) => answer,
                Err(_) => answer.await,
            }
        };
        // A task, so that the lookup goes on when the attempt that began it has given up.
        let task = task::spawn(work);
        let name = name.to_owned();
        let answer = async move {
            let broken = |error: task::JoinError| Failure::Lookup { name, reason: error.to_string() };
            task.await.and_then(|answer| answer).unwrap_or_else(|error| Err(broken(error)))
        };
        Lookup { answer: answer.boxed().shared(), asked, found }
    }
}

/// A name's place among the lookups; free again when this is dropped, unless addresses were found
struct Entry {
    lookups: Arc<Lookups>,
    name: String,
    found: Arc<OnceLock<Instant>>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.found.get().is_none() {
            lock(&self.lookups.known).remove(&self.name);
        }
    }
}

fn ask(host: &str) -> Addresses {
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    match getaddrinfo(Some(host), None, Some(hints)) {
        Ok(found) => {
            let sockets = found.filter_map(Result::ok).map(|info| info.sockaddr);
            let addresses: Vec<_> = sockets.map(|address: SocketAddr| address.ip()).collect();
            if addresses.is_empty() { Err(Failure::UnknownName(host.to_owned())) } else { Ok(addresses) }
        }
        Err(error) => Err(match error.kind() {
            LookupErrorKind::NoName | LookupErrorKind::NoData => Failure::UnknownName(host.to_owned()),
            LookupErrorKind::Again => Failure::NoDnsAnswer(host.to_owned()),
            _ => Failure::Lookup { name: host.to_owned(), reason: std::io::Error::from(error).to_string() },
        }),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn an_address_needs_no_lookup_and_localhost_has_one() {
        let names = Names::with(Lookups::new(1, FRESH).into());
        assert_eq!(names.lookup("::1").await.unwrap(), ["::1".parse::<IpAddr>().unwrap()]);
        assert!(names.lookup("localhost").await.unwrap().iter().all(IpAddr::is_loopback));
        assert!(lock(&names.lookups.known).is_empty());
        assert_eq!(names.unanswered(), None);
    }

    /// Lookups with one place, where a lookup is fresh for this long
    fn lookups(fresh_for: Duration) -> Arc<Lookups> {
        Lookups::new(1, fresh_for).into()
    }

    /// Begins a lookup that hangs until the sender is dropped, or has an address to say.
    fn hang(lookups: &Arc<Lookups>, name: &str) -> mpsc::Sender<IpAddr> {
        let (release, hang) = mpsc::channel();
        let answer = move |name: &str| match hang.recv() {
            Ok(address) => Ok(vec![address]),
            Err(_) => Err(Failure::UnknownName(name.to_owned())),
        };
        let lookup = lookups.start(name, answer);
        lock(&lookups.known).insert(name.into(), lookup);
        release
    }

    #[tokio::test]
    async fn addresses_that_come_between_two_attempts_are_those_of_the_second_and_of_no_third() {
        let lookups = lookups(FRESH);
        let release = hang(&lookups, "a.test");
        let names = Names::with(lookups.clone());
        assert!(time::timeout(Duration::from_millis(10), names.lookup("a.test")).await.is_err());
        let address = IpAddr::from([192, 0, 2, 1]);
        release.send(address).unwrap();
        while lock(&lookups.known)["a.test"].found.get().is_none() {
            task::yield_now().await;
        }
        assert_eq!(names.lookup("a.test").await.unwrap(), [address]);
        assert!(lock(&lookups.known).is_empty());
    }

    #[tokio::test]
    async fn a_lookup_that_hangs_gives_its_place_to_the_next_name() {
        let lookups = lookups(Duration::from_millis(20));
        let releases: Vec<_> = ["a.test", "b.test", "c.test"].map(|name| hang(&lookups, name)).into();
        let names = Names::with(lookups.clone());
        assert!(names.lookup("localhost").await.is_ok());
        assert_eq!(lock(&lookups.known).len(), 3);
        drop(releases);
        while !lock(&lookups.known).is_empty() {
            task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_name_that_waits_for_its_turn_says_so() {
        let lookups = lookups(Duration::from_secs(100));
        let _release = hang(&lookups, "a.test");
        let [first, second] = [(); 2].map(|()| Names::with(lookups.clone()));
        let give_up = Duration::from_millis(50);
        assert!(time::timeout(give_up, first.lookup("a.test")).await.is_err());
        assert!(time::timeout(give_up, second.lookup("localhost")).await.is_err());
        assert_eq!(first.unanswered(), Some(Failure::NoDnsAnswer("a.test".into())));
        assert_eq!(second.unanswered(), Some(Failure::NotAskedYet("localhost".into())));
    }

    #[test]
    fn lookups_of_a_runtime_that_has_ended_are_begun_again() {
        let lookups = lookups(FRESH);
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let names = Names::with(lookups);
        // Polled once: the lookup is under way, and no thread has it.
        runtime().block_on(async { assert!(names.lookup("localhost").now_or_never().is_none()) });
        assert!(runtime().block_on(names.lookup("localhost")).is_ok());
    }
}
