//! All generations, in the order in which they began, and the one that each output reads next.
//!
//! Long because it has the state that all steps of a look share.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    iter,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use lifecycle::LogThrottle;
use tokio::sync::Notify;

use crate::{
    content::identity::Inode,
    files::{
        bystander::Bystander,
        cursor::Cursor,
        descriptors::Descriptors,
        generation::{Generation, Place},
        ledger::Ledger,
        policy::Settings,
        reading::Reading,
        search::Search,
        unmatched::Unmatched,
    },
    own_files::OwnFiles,
    records::{batch::Batch, pool::Pool},
    state::saver::MOST_SETTLED,
};

/// An output, as the catalog knows it: by its number. Numbers are not given again, so one that is gone keeps its place.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) label: String,
    pub(crate) closed: bool,
}

/// The first position in a generation, for each output
pub(crate) fn fresh_cursors(outlets: &[Outlet]) -> Vec<Cursor> {
    outlets.iter().map(|outlet| if outlet.closed { Cursor::closed() } else { Cursor::default() }).collect()
}

/// All generations
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) settings: Settings,
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) generations: BTreeMap<u64, Generation>,
    /// The key of the open or closed generation that an inode holds now
    pub(crate) by_inode: BTreeMap<Inode, u64>,
    /// How many contents an inode has had, where that is known from before
    pub(crate) ordinals: BTreeMap<Inode, u32>,
    /// Names that files of the inputs got when they were rotated, and the path they had as inputs
    pub(crate) rotated_names: HashMap<PathBuf, RotatedName>,
    pub(crate) ledger: Ledger,
    pub(crate) pool: Pool,
    pub(crate) own_files: OwnFiles,
    /// Files that can't be opened or read
    pub(crate) throttles: HashMap<PathBuf, LogThrottle>,
    pub(crate) unmatched: Unmatched,
    /// Paths that inputs lead to; files that are rotated away from them are read
    pub(crate) watched: BTreeSet<PathBuf>,
    /// Those of them that the scan of now has found first
    pub(crate) newly_watched: BTreeSet<PathBuf>,
    /// Files with names of rotated ones that never were an input's
    pub(crate) bystanders: BTreeMap<Inode, Bystander>,
    /// Since when there are files whose owner is not known yet
    pub(crate) undecided: BTreeMap<Inode, Instant>,
    /// Paths of inputs that were rotated unseen since the last scan: a copy of the file that they led to may exist
    pub(crate) rotated: BTreeSet<PathBuf>,
    /// Looks for a content among compressed files; one at a time
    pub(crate) search: Option<Search>,
    /// When the stop signal came
    pub(crate) stopping: Option<Instant>,
    /// A generation has come or gone, and the checkpoint must hold that soon
    pub(crate) changed: bool,
    /// Something may be a copy, or was truncated: names are to be looked at again soon
    pub(crate) unsure: bool,
    /// Bytes that were settled since the last checkpoint
    pub(crate) settled: u64,
    /// Told when these are many
    pub(crate) is_due: Arc<Notify>,
    pub(crate) descriptors: Descriptors,
    next_key: u64,
    /// For each output the key from which it looks on, so that no file keeps another waiting
    turns: Vec<u64>,
}

/// A name that a file of an input got by a rename that was seen
#[derive(Clone, Debug)]
pub(crate) struct RotatedName {
    /// The path that the file had as an input
    pub(crate) origin: PathBuf,
    /// The file that was found there first. Another one is put there by a rename that is seen later, or by another process.
    pub(crate) inode: Option<Inode>,
    /// Since when there is no file with the name. The next rename may be done already and not yet be seen.
    pub(crate) missing: Option<Instant>,
}

/// Shared by the tail and the couriers; no lock is held while something is waited for
pub(crate) type Shared = Arc<Mutex<Catalog>>;

pub(crate) fn lock(catalog: &Shared) -> MutexGuard<'_, Catalog> {
    catalog.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Catalog {
    pub(crate) fn new(settings: Settings, ledger: Ledger, descriptors: Descriptors) -> Self {
        Self {
            turns: Vec::new(),
            settings,
            outlets: Vec::new(),
            generations: BTreeMap::new(),
            by_inode: BTreeMap::new(),
            ordinals: BTreeMap::new(),
            rotated_names: HashMap::new(),
            ledger,
            pool: Pool::default(),
            own_files: OwnFiles::default(),
            throttles: HashMap::new(),
            unmatched: Unmatched::default(),
            watched: BTreeSet::new(),
            newly_watched: BTreeSet::new(),
            bystanders: BTreeMap::new(),
            undecided: BTreeMap::new(),
            rotated: BTreeSet::new(),
            search: None,
            stopping: None,
            changed: false,
            unsure: false,
            settled: 0,
            is_due: Arc::default(),
            descriptors,
            next_key: 0,
        }
    }

    /// Adds an output, which gets all existing lines; returns its number.
    pub(crate) fn open_outlet(&mut self, label: String) -> usize {
        self.ledger.open(&label);
        self.outlets.push(Outlet { label, closed: false });
        self.turns.push(0);
        for generation in self.generations.values_mut() {
            generation.cursors.push(Cursor::default());
        }
        self.changed = true;
        self.outlets.len() - 1
    }

    /// Forgets how far an output has come.
    pub(crate) fn close_outlet(&mut self, output: usize) {
        self.outlets[output].closed = true;
        for generation in self.generations.values_mut() {
            generation.cursors[output] = Cursor::closed();
        }
        self.changed = true;
    }

    /// Adds a generation, behind the last one of the same path.
    pub(crate) fn add(&mut self, mut generation: Generation) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        let before = self.generations.iter().rev().find(|(_, other)| other.has_path(&generation.source.path));
        generation.predecessor = before.map(|(key, _)| *key);
        self.by_inode.insert(generation.inode, key);
        self.generations.insert(key, generation);
        self.changed = true;
        key
    }

    pub(crate) fn remove(&mut self, key: u64) {
        if let Some(generation) = self.generations.remove(&key) {
            for successor in self.generations.values_mut().filter(|other| other.predecessor == Some(key)) {
                successor.predecessor = generation.predecessor;
            }
            if self.by_inode.get(&generation.inode) == Some(&key) {
                self.by_inode.remove(&generation.inode);
            }
            self.changed = true;
        }
    }

    /// The next batch for an output: file by file in turn, and of one path the older generation first.
    pub(crate) fn next(&mut self, output: usize) -> Option<Batch> {
        let turn = self.turns[output];
        let keys: Vec<u64> = {
            let readable = |(key, generation): (&u64, &Generation)| {
                (generation.is_readable(output) && !self.must_wait(generation, output)).then_some(*key)
            };
            let (from, before) = (self.generations.range(turn..), self.generations.range(..turn));
            from.chain(before).filter_map(readable).collect()
        };
        let batch = keys.into_iter().find_map(|key| self.read(key, output).inspect(|_| self.turns[output] = key + 1));
        if batch.is_none() && self.descriptors.waiting > 0 {
            self.descriptors.asked.notify_one();
        }
        batch
    }

    /// Whether there is something to do for an output in one that began before, not only in the one just before: that may be empty.
    pub(crate) fn must_wait(&self, generation: &Generation, output: usize) -> bool {
        let before = |generation: &Generation| self.generations.get(&generation.predecessor?);
        let mut all = iter::successors(before(generation), |generation| before(generation));
        all.any(|before| {
            let is_readable = (before.file.is_some() || before.parked) && before.wants(output);
            is_readable || !before.cursors[output].is_idle()
        })
    }

    fn read(&mut self, key: u64, output: usize) -> Option<Batch> {
        loop {
            let Self { settings, pool, generations, .. } = self;
            let generation = generations.get_mut(&key)?;
            match generation.read(key, output, settings.bounds, pool) {
                Ok(Reading::Batch(batch)) => {
                    self.ledger.of(output).read(batch.amount());
                    return Some(batch);
                }
                Ok(Reading::Lost(bytes, reason)) => self.ledger.of(output).lost(bytes, reason),
                Ok(Reading::Hole(bytes)) => {
                    tracing::info!(file = %generation.source.path.display(), bytes, "a hole at the head is skipped");
                }
                Ok(Reading::Replaced) => {
                    self.replaced(key);
                    return None;
                }
                Ok(Reading::Nothing) => return None,
                Err(error) => {
                    let path = generation.source.path.clone();
                    self.complain(path, "cannot read", &error);
                    return None;
                }
            }
        }
    }

    /// A batch, or the beginning of the one that was handed out, is delivered or rejected.
    pub(crate) fn settle(&mut self, batch: &Batch, output: usize) {
        let before = self.settled;
        self.settled += batch.length();
        if before < MOST_SETTLED && self.settled >= MOST_SETTLED {
            self.is_due.notify_one();
        }
        let generation = self.generations.get_mut(&batch.key);
        if let Some(cursor) =
            generation.map(|generation| &mut generation.cursors[output]).filter(|cursor| !cursor.closed)
        {
            cursor.settle(batch);
        }
    }

    /// Bytes that some output has not settled yet
    pub(crate) fn behind(&self) -> u64 {
        let of = |generation: &Generation| -> u64 {
            (0..generation.cursors.len()).map(|output| generation.behind(output)).sum()
        };
        self.generations.values().map(of).sum()
    }

    /// Whether after a stop nothing is left to do.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let period = self.settings.quiet_period;
        self.stopping.is_some_and(|at| {
            now.saturating_duration_since(at) >= period
                && self.generations.values().all(|generation| {
                    generation.is_all_settled()
                        && (generation.place == Place::Gone || generation.is_quiet(Some(at), period, now))
                })
        })
    }

    /// Sets the metrics of the files.
    pub(crate) fn tell(&self) {
        self.ledger.lag.reset();
        self.ledger.lag_seconds.reset();
        let now = Instant::now();
        let mut open = 0;
        for generation in self.generations.values() {
            open += i64::from(generation.file.is_some());
            for (output, Outlet { label, closed }) in self.outlets.iter().enumerate() {
                let lag = generation.behind(output);
                if !closed && (generation.place == Place::Live || lag > 0) {
                    let file = generation.source.path.display().to_string();
                    let names = [label.as_str(), &file];
                    self.ledger.lag.with_label_values(&names).add(lag.cast_signed());
                    // Of several generations of one path, the oldest tells.
                    let seconds = self.ledger.lag_seconds.with_label_values(&names);
                    seconds.set(seconds.get().max(generation.age(output, now).as_secs_f64()));
                }
            }
        }
        self.ledger.generations.set(open);
    }

    /// Inodes of all generations, open or closed
    pub(crate) fn knows(&self, inode: Inode) -> bool {
        self.by_inode.contains_key(&inode)
    }

    /// The paths that inputs lead to or have led to
    pub(crate) fn paths(&self) -> BTreeSet<PathBuf> {
        self.generations.values().map(|generation| generation.source.path.clone()).collect()
    }

    pub(crate) fn complain(&mut self, path: PathBuf, what: &str, error: &std::io::Error) {
        let file = path.display().to_string();
        if self.throttles.entry(path).or_default().is_due(&error.to_string(), Instant::now()) {
            tracing::warn!(file, %error, "{what}; it is tried again");
        }
    }
}
