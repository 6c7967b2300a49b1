//! Parts of plans that are made of files and followed: each is looked at once a second and at
//! SIGHUP, plans share those that are equal, and `/readyz` waits for those of the first plan.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use lifecycle::{Hold, Lifecycle};
use tokio::{
    sync::{mpsc, watch},
    time,
};

/// How often the files are looked at
const INTERVAL: Duration = Duration::from_secs(1);

/// All parts of one kind
pub(super) struct Followed<T> {
    all: Mutex<Vec<Weak<T>>>,
    is_there: fn(&T) -> bool,
    /// Until those of the first plan are there; a reload takes no proxy out of service
    hold: Mutex<Option<Hold>>,
    hangups: watch::Receiver<()>,
}

/// The looks at one part, until no plan has it any more
pub(super) struct Looks<T> {
    part: Weak<T>,
    has_begun: bool,
    /// Dropped after the first look
    first: Option<mpsc::Sender<()>>,
    hangups: watch::Receiver<()>,
}

/// Has the files read again at SIGHUP, and then tells the followers.
pub(super) fn hear_hangups(life: &Lifecycle) -> watch::Receiver<()> {
    let (sender, receiver) = watch::channel(());
    let mut hangups = life.hangups();
    // Beside the job's tasks, so that a file that is renewed during a drain is used.
    tokio::spawn(async move {
        while hangups.changed().await.is_ok() {
            endpoint::read_files_again();
            sender.send_replace(());
        }
    });
    receiver
}

impl<T: PartialEq> Followed<T> {
    /// To be made before the start is over, because `/readyz` waits for the hold.
    pub(super) fn new(is_there: fn(&T) -> bool, hold: Hold, hangups: watch::Receiver<()>) -> Self {
        Self { all: Mutex::default(), is_there, hold: Mutex::new(Some(hold)), hangups }
    }

    /// Lets a plan share the parts that are followed already, and has `follow` look at the others.
    /// Returns after the first look at each.
    pub(super) async fn adopt<'a>(&self, parts: impl Iterator<Item = &'a mut Arc<T>>, follow: impl Fn(Looks<T>))
    where
        T: 'a,
    {
        let (first, mut all_looked) = mpsc::channel(1);
        {
            let mut all = self.all();
            all.retain(|part| part.strong_count() > 0);
            for part in parts {
                if let Some(known) = all.iter().filter_map(Weak::upgrade).find(|known| known == part) {
                    *part = known;
                    continue;
                }
                all.push(Arc::downgrade(part));
                let (part, hangups) = (Arc::downgrade(part), self.hangups.clone());
                follow(Looks { part, has_begun: false, first: Some(first.clone()), hangups });
            }
        }
        drop(first);
        while all_looked.recv().await.is_some() {}
        self.settle();
    }

    /// Those that some plan has
    pub(super) fn current(&self) -> Vec<Arc<T>> {
        self.all().iter().filter_map(Weak::upgrade).collect()
    }

    /// Says at `/readyz` why the start waits, if it does.
    pub(super) fn wait_because(&self, reason: String) {
        if let Some(hold) = &*self.hold() {
            hold.because(reason);
        }
    }

    /// Releases the hold once all parts are there. A reload may have taken away the only one that
    /// was not.
    pub(super) fn settle(&self) {
        if self.current().iter().all(|part| (self.is_there)(part)) {
            self.hold().take().iter().for_each(Hold::release);
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Weak<T>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self) -> MutexGuard<'_, Option<Hold>> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Looks<T> {
    /// The part, when its files are due; nothing once no plan has it.
    pub(super) async fn next(&mut self) -> Option<Arc<T>> {
        if self.has_begun {
            self.first = None;
            tokio::select! {
                () = time::sleep(INTERVAL) => (),
                Ok(()) = self.hangups.changed() => (),
            }
        }
        self.has_begun = true;
        self.part.upgrade()
    }
}
