//! Files to which no input leads any more. They are known until they are gone, so that an input
//! that comes back, after a change of the configuration was taken back, goes on where it was.

use std::{sync::Arc, time::Instant};

use super::{
    fate::Fate,
    known::{FileState, Key},
    set::{Change, FileSet},
};
use crate::records::{span::Source, treatment::Treatment};

/// No input leads to a file any more. One that could not be found again is forgotten.
pub(super) fn set_aside(set: &mut FileSet, key: Key, now: Instant) {
    let Some(file) = set.get(key) else { return };
    match file.state {
        FileState::Aside => {}
        FileState::Live | FileState::Rotated => {
            set.apply(Change::Meet(key, Fate::SetState(FileState::Aside)), now);
            set.apply(Change::Meet(key, Fate::Close), now);
        }
        _ => drop(set.apply(Change::Unfollow(key), now)),
    }
}

/// An input leads to a file, maybe again, and says how its lines are read. The next scan finds
/// where the file is now.
pub(super) fn take_up(set: &mut FileSet, key: Key, treatment: Arc<Treatment>, now: Instant) {
    let Some(file) = set.get(key) else { return };
    let (path, generation) = (file.source.path.clone(), file.source.generation.clone());
    if file.state == FileState::Aside {
        set.apply(Change::Meet(key, Fate::SetState(FileState::Rotated)), now);
        set.apply(Change::Meet(key, Fate::Park), now);
    }
    set.apply(Change::Treat(key, Source { path, generation, treatment }.into()), now);
}
