//! The body of a request that may be made a second time: all of it, as long as it has few bytes.

use std::cell::RefCell;

use hyper::body::Bytes;

/// Bytes that are kept of a body. Most calls of one message have fewer, and the memory that a request counts has room for them.
const LIMIT: usize = 16 * 1024;

/// Bytes that have gone on
#[derive(Debug, Default)]
pub(crate) struct Kept(RefCell<State>);

#[derive(Debug, Default)]
enum State {
    /// They are not kept, or were too many
    #[default]
    Nothing,
    Part(Vec<u8>),
    /// They have been asked for, and there are no more of them
    All(Bytes),
}

impl Kept {
    /// Bytes are kept from now on.
    pub(crate) fn begin(&self) {
        self.0.replace(State::Part(Vec::new()));
    }

    /// These bytes go on.
    pub(crate) fn note(&self, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        match &mut *state {
            State::Part(kept) if kept.len() + bytes.len() <= LIMIT => kept.extend_from_slice(bytes),
            _ => *state = State::Nothing,
        }
    }

    /// The request is not made again.
    pub(crate) fn give_up(&self) {
        self.0.take();
    }

    /// All bytes of a body that has ended, if they were few. They stay for one more attempt.
    pub(crate) fn all(&self) -> Option<Bytes> {
        let all = match self.0.take() {
            State::Nothing => return None,
            State::Part(kept) => Bytes::from(kept),
            State::All(all) => all,
        };
        self.0.replace(State::All(all.clone()));
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_bytes_are_kept_whole_and_many_not_at_all() {
        let kept = Kept::default();
        kept.note(b"before");
        assert_eq!(kept.all(), None);
        kept.begin();
        kept.note(b"one");
        kept.note(b" two");
        for _ in 0..2 {
            assert_eq!(kept.all().as_deref(), Some(&b"one two"[..]));
        }
        kept.begin();
        kept.note(&[7; LIMIT]);
        assert_eq!(kept.all().map(|all| all.len()), Some(LIMIT));
        kept.begin();
        kept.note(&[7; LIMIT]);
        kept.note(b"x");
        kept.note(b"more");
        assert_eq!(kept.all(), None);
        kept.begin();
        kept.give_up();
        assert_eq!(kept.all(), None);
    }
}
