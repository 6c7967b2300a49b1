//! The meaning of a look at a known file: a pure function of the known file and of the system's answer.

use super::{
    growth::Growth,
    known::{FileState, KnownFile},
    trust::{MOST_REWRITES, Trust},
};
use crate::content::{fingerprint::Head, volume::Stat};

/// The system's answer about a known file at one moment
#[derive(Clone, Debug)]
pub(crate) enum Sighting {
    /// Of the open file itself. The size is that of its text, behind which it has this number of NULs.
    Open { stat: Stat, zeros: u64, marks: Marks },
    /// The same of the path that should lead to a file which is not open, with as much of its head as is there
    Closed { stat: Stat, zeros: u64, head: Head },
    /// An open file that the system contradicts itself about: its path and its inode lead to another content.
    Displaced,
    /// A file that is not open: nothing has its inode.
    Absent,
    /// A file that is not open: its inode holds another content, or nothing has its inode and a file beside it may be its copy.
    Other,
    /// The names of all files were read: one of an input leads to this file, or none does.
    Named(bool),
    /// The descriptor of an open file leads to nothing any more.
    Strayed,
    /// The system gives an error instead of an answer.
    Failed(String),
}

/// The content of an open file, as far as it was compared
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Nothing suggests a change, and nothing was read.
    Unread,
    /// It begins as before, and has the same bytes before the foremost cursor.
    Same(Head),
    Other,
    /// It begins otherwise than before, and has the same bytes before all cursors.
    Rewritten(Head),
    /// Two reads at once have found different bytes.
    Unsteady,
    /// Twice the system stated a size that is less than what a read between the two returned.
    Contradictory,
}

/// The meaning of a look at a known file
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Observation {
    Same,
    /// More bytes, or bytes that were written without a change of size
    Grew(Growth),
    /// As long as before, or longer, and another content
    Replaced,
    /// It begins otherwise once more, and the rest is what it was: reading it from its head again would never end.
    Rewritten(Growth),
    /// Shorter than before
    Truncated,
    /// A name of an input leads to it again, or none does any more.
    Renamed(FileState),
    /// It has no name any more.
    Deleted,
    /// Its descriptor leads to another file, as on mounts that find an open file by its path: that file was renamed elsewhere.
    Astray,
    /// An error, and nothing about the file is known
    Unreadable(String),
    /// Its bytes change from one read to the next, so that nothing can be said about them now.
    Unsteady,
    /// The system's answers about the file contradict each other, as on mounts whose files are renamed elsewhere.
    Inconsistent,
}

/// The meaning of a sighting
pub(crate) fn observe(file: &KnownFile, sighting: &Sighting) -> Observation {
    match sighting {
        // Its content is not anywhere, or is looked for: no file says anything about it.
        _ if matches!(file.state, FileState::Lost | FileState::Sought(_) | FileState::Unmeasured { .. }) => {
            Observation::Same
        }
        Sighting::Absent if file.state == FileState::Aside => Observation::Deleted,
        _ if file.state == FileState::Aside => Observation::Same,
        // An inode or a name leads to it again.
        Sighting::Closed { .. } if file.state == FileState::Missing => Observation::Renamed(FileState::Rotated),
        Sighting::Strayed => Observation::Astray,
        Sighting::Failed(error) => Observation::Unreadable(error.clone()),
        Sighting::Absent => Observation::Deleted,
        Sighting::Other => Observation::Replaced,
        Sighting::Displaced => Observation::Inconsistent,
        Sighting::Named(is_live) => match (file.state, is_live) {
            (FileState::Live, false) => Observation::Renamed(FileState::Rotated),
            (FileState::Rotated | FileState::Missing, true) => Observation::Renamed(FileState::Live),
            _ => Observation::Same,
        },
        Sighting::Open { stat, zeros, marks } => observe_open(file, stat, *zeros, *marks),
        Sighting::Closed { stat, zeros, head } => observe_closed(file, stat, *zeros, *head),
    }
}

fn observe_open(file: &KnownFile, stat: &Stat, zeros: u64, marks: Marks) -> Observation {
    let growth = |head| Growth { size: stat.size, zeros, modified: stat.modified, born: stat.born, head };
    match marks {
        _ if stat.inode != file.inode => Observation::Astray,
        _ if stat.links == 0 && file.state != FileState::Deleted => Observation::Deleted,
        _ if file.packed_size.is_some() => Observation::Same,
        // Its size is as much as reads have found.
        Marks::Same(head) if file.trust == Trust::None && stat.size > file.seen => Observation::Grew(growth(head)),
        _ if file.trust == Trust::None => Observation::Same,
        Marks::Contradictory => Observation::Inconsistent,
        _ if stat.size < file.seen => Observation::Truncated,
        Marks::Unsteady => Observation::Unsteady,
        Marks::Other => Observation::Replaced,
        Marks::Rewritten(_) if file.rewrites < MOST_REWRITES => Observation::Replaced,
        Marks::Rewritten(head) if growth(head) != known(file) => Observation::Rewritten(growth(head)),
        Marks::Same(head) if growth(head) != known(file) => Observation::Grew(growth(head)),
        Marks::Unread | Marks::Same(_) | Marks::Rewritten(_) => Observation::Same,
    }
}

fn observe_closed(file: &KnownFile, stat: &Stat, zeros: u64, head: Head) -> Observation {
    let growth = Growth { size: stat.size, zeros, modified: stat.modified, born: stat.born, head };
    match () {
        () if !stat.is_of(file.inode, file.born) => Observation::Replaced,
        () if stat.size < file.seen => Observation::Truncated,
        () if growth != known(file) => Observation::Grew(growth),
        () => Observation::Same,
    }
}

fn known(file: &KnownFile) -> Growth {
    let KnownFile { seen: size, zeros, modified, born, head, .. } = *file;
    Growth { size, zeros, modified, born, head }
}

#[cfg(test)]
mod tests;
