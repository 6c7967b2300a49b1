//! The door for fuzz targets, which are a crate of their own: one function for each reader of bytes that others wrote.

use crate::{
    checkpoint::Checkpoint,
    framing::{Frame, frame},
};

/// Frames any bytes, with lines that may be so long.
pub fn framing(bytes: &[u8], longest: u8, skipping: bool, last: bool) {
    let longest = usize::from(longest).max(4);
    match frame(bytes, longest, skipping, last) {
        Frame::Lines(length) => {
            assert!(!skipping && bytes[..length].ends_with(b"\n"));
            assert!(bytes[..length].split(|byte| *byte == b'\n').all(|line| line.len() <= longest));
        }
        Frame::Cut(length) => assert!(!skipping && (1..=longest).contains(&length) && bytes.len() > longest),
        Frame::Unfinished(length) => assert!(!skipping && last && length == bytes.len()),
        Frame::Skip { length, ended } => {
            assert!(skipping && (1..=bytes.len()).contains(&length));
            assert_eq!(ended, bytes[length - 1] == b'\n');
        }
        Frame::Partial => assert!(bytes.is_empty() || !bytes.contains(&b'\n')),
    }
}

/// Reads any text as a checkpoint. One that can be read is written as it was.
pub fn checkpoint(text: &str) {
    Checkpoint::assert_stable(text);
}
