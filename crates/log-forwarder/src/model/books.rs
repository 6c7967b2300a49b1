//! The books of one forwarder, kept a second time: each byte that was seen is in one account, or still to be read.

use std::collections::BTreeMap;

use crate::{
    files::{
        known::{FileState, Key, KnownFile, OutputId},
        set::FileSet,
    },
    state::checkpoint::Checkpoint,
};

pub(super) const OUTPUTS: [OutputId; 2] = [OutputId(0), OutputId(1)];

/// The sizes of all files since the start
#[derive(Default)]
pub(super) struct Books {
    /// The greatest size with which each file was seen
    seen: BTreeMap<Key, u64>,
    /// Where each output has begun in each file: behind bytes that a former run has accounted for, or that are passed over
    began: BTreeMap<(OutputId, Key), u64>,
    /// Bytes that the last run had seen, and that are not in the copies which were found at the start
    cut: u64,
}

impl Books {
    /// Those of a set that was made of a checkpoint. A file without a head was never read, and nothing tells its content from
    /// another one.
    pub(super) fn of(set: &FileSet, checkpoint: Option<&Checkpoint>) -> Self {
        let saved = checkpoint.iter().flat_map(|checkpoint| &checkpoint.files.0);
        let saved: u64 = saved.filter(|entry| entry.head.length > 0).map(|entry| entry.seen).sum();
        let known: u64 = set.iter().filter(|(_, file)| file.head.length > 0).map(|(_, file)| file.seen).sum();
        let mut books = Self { cut: saved - known, ..Self::default() };
        books.begin(set);
        books
    }

    /// Notes where reading begins in the files that are known now. In those that come later it begins at their head.
    pub(super) fn begin(&mut self, set: &FileSet) {
        for (key, file) in set.iter() {
            for output in OUTPUTS {
                self.began.entry((output, key)).or_insert(file.cursors[output.0].position);
            }
        }
        self.note_sizes(set);
    }

    fn note_sizes(&mut self, set: &FileSet) {
        for (key, file) in set.iter() {
            let seen = self.seen.entry(key).or_default();
            *seen = (*seen).max(file.seen);
        }
    }

    /// Compares them with the ledger, while each output has this number of bytes in flight.
    pub(super) fn check(&mut self, set: &FileSet, in_flight: [u64; 2]) {
        self.note_sizes(set);
        let seen = self.cut + self.seen.values().sum::<u64>();
        for (output, in_flight) in OUTPUTS.into_iter().zip(in_flight) {
            let sums = set.ledger().of(output).sums();
            let accounts = sums.delivered + sums.rejected + sums.dropped + sums.lost + sums.in_flight;
            assert_eq!(sums.read, accounts, "{sums:?}");
            assert_eq!(sums.in_flight, in_flight, "in flight");
            let of_output = self.began.iter().filter(|((of, _), _)| *of == output);
            let began: u64 = of_output.map(|(_, position)| position).sum();
            let unread: u64 = set.iter().map(|(_, file)| unread(file, output)).sum();
            assert_eq!(began + sums.read + unread, seen, "some bytes have no account: {sums:?}, {:#?}", describe(set));
        }
        let behind: u64 = set.iter().flat_map(|(_, file)| OUTPUTS.map(|output| file.behind(output))).sum();
        assert_eq!(behind, set.behind(), "the sum of what is behind");
    }
}

/// Bytes that an output has not got yet, and will get
fn unread(file: &KnownFile, output: OutputId) -> u64 {
    match file.state {
        FileState::Lost => 0,
        _ => file.seen.saturating_sub(file.cursors[output.0].in_flight_end),
    }
}

/// The files, for a test that fails
pub(super) fn describe(set: &FileSet) -> Vec<String> {
    let one = |(key, file): (Key, &KnownFile)| {
        let positions: Vec<_> = file.cursors.iter().map(|cursor| (cursor.position, cursor.in_flight_end)).collect();
        let access = if file.is_open() {
            "open"
        } else if file.is_parked() {
            "parked"
        } else {
            "closed"
        };
        let (path, state, seen, inode) = (file.path().display(), file.state, file.seen, file.inode.inode);
        format!("{key} {path} {state:?} {access} inode {inode} ended {} seen {seen} at {positions:?}", file.ended)
    };
    set.iter().map(one).collect()
}
