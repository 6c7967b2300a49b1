//! A thread's way down a tree: the directories from where it began to where it is.
//!
//! Only those nearest to the end are kept open. The others are closed, since trees are deeper than
//! processes have descriptors, and are opened again on the way back.

use std::{iter, sync::Arc};

use rustix::io;

use super::frame::{Frame, Place};
use crate::{
    capabilities::{Action, error_text},
    directory::Directory,
    ledger::Cause,
    refusal::Refusal,
    trail::Trail,
};

/// The frames of one thread, the deepest last
#[derive(Debug)]
pub(crate) struct Way {
    frames: Vec<Frame>,
    /// The largest number of open frames, without the first one
    open_limit: usize,
    /// Frames to be closed once no other thread is in them
    to_close: Vec<usize>,
}

/// A directory that there was no way back into
pub(crate) struct Lost {
    pub(crate) trail: Arc<Trail>,
    pub(crate) cause: Cause,
    pub(crate) reason: String,
}

impl Way {
    pub(crate) fn new(open_limit: usize) -> Self {
        Self { frames: Vec::new(), open_limit, to_close: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.frames.clear();
        self.to_close.clear();
    }

    pub(crate) fn deepest(&mut self) -> Option<&mut Frame> {
        self.frames.last_mut()
    }

    /// Goes one down, and closes what is too far above now.
    pub(crate) fn push(&mut self, frame: Frame) {
        self.frames.push(frame);
        self.to_close.extend(self.frames.len().checked_sub(self.open_limit).filter(|far| *far > 0));
        let frames = &mut self.frames;
        self.to_close.retain(|far| !frames[*far].close());
    }

    /// Goes one up. The directory above is opened again if it was closed: by `..` from the one
    /// below, or else by its name. Where both fail it is lost.
    pub(crate) fn pop(&mut self) -> (Option<Frame>, Option<Lost>) {
        let below = self.frames.pop();
        let length = self.frames.len();
        self.to_close.retain(|far| *far < length);
        let lost = self.reopen_deepest(below.as_ref().and_then(Frame::open));
        (below, lost)
    }

    fn reopen_deepest(&mut self, below: Option<&Arc<Directory>>) -> Option<Lost> {
        let Some(Frame { place: Place::Closed(closed), .. }) = self.frames.last() else { return None };
        let trail = closed.about.trail.clone();
        let lost = |cause, reason| Some(Lost { trail, cause, reason });
        let reopened = match below.map(|below| closed.reopen_above(below)) {
            Some(Ok(Some(directory))) => Ok(Some(directory)),
            _ => self.descend_again(),
        };
        let (place, lost) = match reopened {
            Ok(Some(directory)) => (Place::Open(directory.into()), None),
            Ok(None) => (Place::Lost, lost(Cause::Moved, "it was moved while it was looked at: run again".to_owned())),
            Err(error) => (
                Place::Lost,
                lost(
                    Cause::Refused(Refusal { action: Action::Look, error }),
                    format!("{} on the way back", error_text(error)),
                ),
            ),
        };
        if let Some(frame) = self.frames.last_mut() {
            frame.place = place;
        }
        lost
    }

    /// Opens the deepest directory by way of all closed ones, from the last one above it that is
    /// open.
    fn descend_again(&self) -> io::Result<Option<Directory>> {
        let open = self.frames.iter().enumerate().rev().find_map(|(at, frame)| Some((at, frame.open()?)));
        let Some((open, start)) = open else { return Ok(None) };
        let mut reached: Option<Directory> = None;
        for frame in &self.frames[open + 1..] {
            let Place::Closed(closed) = &frame.place else { return Ok(None) };
            let above = reached.as_ref().unwrap_or(start);
            let Some(directory) = closed.reopen_below(above)? else { return Ok(None) };
            reached = Some(directory);
        }
        Ok(reached)
    }

    /// Half of the uppermost directories that have not been begun. The last one is not given away:
    /// it is what this thread itself does next.
    pub(crate) fn split(&mut self) -> Option<Frame> {
        let deepest = self.frames.len().checked_sub(1)?;
        // Those between are closed, and may be very many.
        let open = self.frames.len().saturating_sub(self.open_limit).max(1);
        iter::once(0).chain(open..=deepest).find_map(|at| {
            let frame = &mut self.frames[at];
            let is_enough = frame.directories.len() > usize::from(at == deepest);
            let directory = frame.open().filter(|_| is_enough)?.clone();
            Some(Frame { directories: frame.directories.split(), ..Frame::new(directory, false) })
        })
    }
}
