//! The fate of a known file: what becomes of it after a look.

use super::{growth::Growth, known::FileState, loss::LossReason};
use crate::content::{Content, copies::Copy, fingerprint::Anchors, measure::Packed, volume::Stat};

/// The fate of a known file
#[derive(Debug)]
pub(crate) enum Fate {
    /// Read on as before.
    KeepReading,
    /// Read on: the file has grown, or was written.
    Grow(Growth),
    /// Read on: a name of an input leads to the file again, or does not any more, or the file has no name any more.
    SetState(FileState),
    /// Read nothing for a while, and take no other head for another content.
    Mistrust,
    /// Read on until a read finds nothing, because the system contradicts itself about the file. Its path and its inode may lead to
    /// it still, or are known to lead to another content.
    ReadOut { is_displaced: bool },
    /// Finish: no more bytes will come, and a last line without a newline is complete.
    End,
    /// Finish the last record, because no line that continues it has come for a while.
    FinishRecord,
    /// Close the file, and remember it under its inode.
    Close,
    /// Close the file until it gets a descriptor again: when another one gives its own back, or when it grows.
    Park,
    /// Read on in the file, which is open again, behind these bytes.
    Reopen(Content, Anchors),
    /// Read on through another descriptor, because a mount may keep old bytes for the first one.
    Refresh(Content),
    /// Keep the file in mind for a while, because the mount may not tell its new name yet.
    AwaitName,
    /// Close the file, whose descriptor leads to another one now. A scan finds it by its inode.
    Detach,
    /// Read on in a copy of the content.
    ContinueInCopy(Box<Copy>),
    /// Read on in a compressed copy of the content.
    ContinueInPacked(Box<Packed>),
    /// Unpack the compressed file again, or for the first time, to know its length. `stat` is of the file as it is now, if that is
    /// known.
    Measure { stat: Option<Stat>, was_cut: bool },
    /// Count the content of a compressed file as read, because outputs get it from another file.
    TakeAsRead(Box<Packed>),
    /// Look for the content among compressed files. If it is not there, it is lost for this reason.
    SearchPacked(LossReason),
    /// The bytes that an output has not read are lost; those in flight are still delivered.
    Lose(LossReason),
    /// Every output has everything, and the file will not come back.
    Forget,
}
