//! Measures the compressed files of inputs that read such files: one at a time, on a thread of its
//! own.

use std::{
    io,
    task::Poll,
    time::{Duration, Instant},
};

use super::Looker;
use crate::{
    content::{
        Content,
        fingerprint::{Anchor, HEAD_LIMIT},
        measure::{Packed, Unmeasured, Verdict},
        search::Search,
    },
    files::{
        fate::Fate,
        known::{FileState, Key, KnownFile},
        loss::LossReason,
        names::Names,
        observe::Sighting,
        set::{Change, FileSet},
    },
};

/// Compressed files that are read at once. For each of them a decoder of zstd may need 8 MiB.
const MOST_OPEN: usize = 4;
/// A file is measured when it was not written for this long, because a tool that compresses sets
/// the time of its file and deletes the original last.
const SETTLED: Duration = Duration::from_secs(1);
/// A file without an end that is not written for this long stays without one.
const UNFINISHED: Duration = Duration::from_secs(5);
/// Compressing tools keep the time of a file, some of them without its fraction.
const SECOND: u64 = 1_000_000_000;

/// Why a file without an end is not read, and what helps
const WITHOUT_END: &str = "its end is missing: it is looked at again when it is written, or compress it once more";

/// The result for a file: `None` if it is not there any more
pub(super) type Measured = io::Result<Option<Verdict>>;

impl Looker {
    /// Takes the result for one file, or begins with the next. True if an output may go on.
    pub(super) fn measure(&mut self, set: &mut FileSet, names: &mut Names, now: Instant) -> bool {
        // One of the compressed files may be the content that is looked for.
        let mut waiting = set.restless().iter().filter_map(|key| set.get(*key));
        if waiting.any(|file| matches!(file.state, FileState::Sought(_))) {
            return false;
        }
        if let Some(measuring) = &self.measuring {
            let Poll::Ready(measured) = measuring.answer() else { return false };
            let key = measuring.key;
            self.measuring = None;
            let Some(measured) = measured else { return false };
            return self.take_measured(set, names, key, measured, now);
        }
        let is_due = |file: &KnownFile| match file.state {
            FileState::Unmeasured { was_cut } => file.is_still(None, if was_cut { UNFINISHED } else { SETTLED }, now),
            _ => false,
        };
        let due: Vec<Key> = set.restless().iter().copied().filter(|key| set.get(*key).is_some_and(is_due)).collect();
        if due.is_empty() {
            return false;
        }
        // Later files of a log wait for one that was compressed since: an output that keeps others
        // open must not delay it.
        let has_room = set.iter().filter(|(_, file)| file.is_packed()).count() < MOST_OPEN;
        let next = due.into_iter().find(|key| has_room || set.get(*key).is_some_and(KnownFile::is_awaited));
        if let Some(key) = next {
            self.begin_to_measure(set, key, now);
        }
        false
    }

    fn begin_to_measure(&mut self, set: &mut FileSet, key: Key, now: Instant) {
        let Some(file) = set.get(key) else { return };
        if let Ok(stat) = self.volume.stat(file.path())
            && stat.inode == file.inode
            && !file.is_unchanged(&stat)
        {
            set.apply(Change::Meet(key, Fate::Measure { stat: Some(stat), was_cut: false }), now);
            return;
        }
        let KnownFile { inode, born, .. } = *file;
        let unmeasured = Unmeasured { home: file.home.clone(), inode, born, content: file.fingerprint() };
        let volume = self.volume.clone();
        match Search::start(key, move || unmeasured.measure(volume.as_ref())) {
            Ok(measuring) => self.measuring = Some(measuring),
            Err(error) => self.complaints.warn(file.path(), "cannot unpack", error, now),
        }
    }

    fn take_measured(
        &mut self,
        set: &mut FileSet,
        names: &mut Names,
        key: Key,
        measured: Measured,
        now: Instant,
    ) -> bool {
        // A known file may have more by now than it was seen with.
        if let Ok(Some(Verdict::Same(_))) = &measured {
            self.look_at_neighbours(set, names, key, now);
        }
        let Some(file) = set.get(key) else { return false };
        let FileState::Unmeasured { was_cut } = file.state else { return false };
        let fate = match measured {
            Ok(Some(Verdict::Same(packed))) if is_read_already(set, key, &packed) => {
                tracing::info!(file = %packed.path.display(), "its lines were read before it was compressed");
                Fate::TakeAsRead(packed)
            }
            Ok(Some(Verdict::Same(packed))) => Fate::ContinueInPacked(packed),
            Ok(Some(Verdict::Unfinished(stat))) if was_cut && file.is_unchanged(&stat) => {
                self.complaints.leave(file.path(), &stat, WITHOUT_END);
                Fate::Lose(LossReason::GoneUnread)
            }
            Ok(Some(Verdict::Unfinished(stat))) => Fate::Measure { stat: Some(stat), was_cut: true },
            Ok(Some(Verdict::Unfit(stat, reason))) => {
                self.complaints.leave(file.path(), &stat, reason);
                Fate::Lose(LossReason::GoneUnread)
            }
            Ok(Some(Verdict::Other)) => return self.find_elsewhere(set, names, key, &Sighting::Other, now),
            Ok(None) => return self.find_elsewhere(set, names, key, &Sighting::Absent, now),
            Err(error) => {
                self.complaints.warn(file.path(), "cannot unpack", error, now);
                Fate::Measure { stat: None, was_cut: true }
            }
        };
        set.apply(Change::Meet(key, fate), now)
    }

    fn look_at_neighbours(&mut self, set: &mut FileSet, names: &mut Names, key: Key, now: Instant) {
        let Some(home) = set.get(key).map(|file| &file.home) else { return };
        let neighbours = set.iter().filter(|(_, file)| file.is_open() && file.home == *home);
        for neighbour in neighbours.map(|(key, _)| key).collect::<Vec<_>>() {
            self.look_at(set, names, neighbour, now);
        }
    }

    /// The content is not in its file any more: it goes on in another one, or is lost.
    fn find_elsewhere(
        &mut self,
        set: &mut FileSet,
        names: &mut Names,
        key: Key,
        sighting: &Sighting,
        now: Instant,
    ) -> bool {
        set.apply(Change::Meet(key, Fate::SetState(FileState::Rotated)), now);
        names.doubt();
        self.examine(set, names, key, sighting, now)
    }
}

/// Whether a known file that is not compressed has the content of one that is, and the outputs get
/// it from there: the original, which a rotating tool has just compressed. Of contents that may be
/// alike, because they are short or lie in different directories, the time must be the same too.
fn is_read_already(set: &FileSet, key: Key, packed: &Packed) -> bool {
    let Some(home) = set.get(key).filter(|file| file.seen == 0).map(|file| &file.home) else { return false };
    let is_at_end = |file: &KnownFile| match file.content() {
        Some(content @ Content::Plain(_)) => Anchor::read(content, packed.length).is_ok_and(|end| end == packed.end),
        _ => file
            .foremost()
            .is_some_and(|cursor| cursor.position == packed.length && cursor.anchor.hash() == packed.end.hash()),
    };
    let has_content = |file: &KnownFile| {
        let is_certain = packed.length >= HEAD_LIMIT as u64 && file.home == *home;
        file.packed_size.is_none()
            && file.seen == packed.length
            && file.head == packed.head
            && (is_certain || file.modified.abs_diff(packed.stat.modified) < SECOND)
            && (file.is_open() || file.is_parked() || file.is_all_settled())
            && is_at_end(file)
    };
    let mut others = set.iter().filter(|(other, file)| *other != key && file.state != FileState::Lost);
    others.any(|(_, file)| has_content(file))
}
