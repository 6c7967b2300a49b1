//! The body of a request that may be made a second time: all of it, as long as it has few bytes.

use std::cell::RefCell;

use hyper::body::Bytes;

/// Bytes that are kept of a body. Most calls of one message have fewer, and the memory that a request counts has room for them.
const LIMIT: usize = 16 * 1024;

/// Bytes that have gone on; nothing if they are not kept, or were too many
#[derive(Debug, Default)]
pub(crate) struct Kept(RefCell<Option<Vec<u8>>>);

impl Kept {
    /// Bytes are kept from now on.
    pub(crate) fn begin(&self) {
        self.0.replace(Some(Vec::new()));
    }

    /// These bytes go on.
    pub(crate) fn note(&self, bytes: &[u8]) {
        let mut kept = self.0.borrow_mut();
        match &mut *kept {
            Some(kept) if kept.len() + bytes.len() <= LIMIT => kept.extend_from_slice(bytes),
            _ => *kept = None,
        }
    }

    /// The request is not made again.
    pub(crate) fn give_up(&self) {
        self.0.replace(None);
    }

    /// All bytes so far, if they were few
    pub(crate) fn take(&self) -> Option<Bytes> {
        self.0.take().map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_bytes_are_kept_whole_and_many_not_at_all() {
        let kept = Kept::default();
        kept.note(b"before");
        assert_eq!(kept.take(), None);
        kept.begin();
        kept.note(b"one");
        kept.note(b" two");
        assert_eq!(kept.take().as_deref(), Some(&b"one two"[..]));
        kept.begin();
        kept.note(&[7; LIMIT]);
        assert_eq!(kept.0.borrow().as_ref().map(Vec::len), Some(LIMIT));
        kept.note(b"x");
        kept.note(b"more");
        assert_eq!(kept.take(), None);
        kept.begin();
        kept.give_up();
        assert_eq!(kept.take(), None);
    }
}
