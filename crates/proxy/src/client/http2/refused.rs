//! The heads that h2 has refused. It reports none of them, so the frames that it sends have to show
//! them.

use std::mem;

use h2::Reason;

use crate::{
    frames::{Frame, Kind},
    refusal::Refusal,
};

/// Bytes of a block that has a status alone: an index, or the index of the name and three digits
const STATUS: u32 = 8;

/// The refusals of a connection
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// Streams that the client has opened, and of which no refusal has been told
    opened: u64,
    /// The stream of the last answer that was a short head alone
    last_short_head: u32,
    /// Streams that h2 has reset since the last look; nothing stands for a stream too many
    resets: Vec<Option<Refusal>>,
    /// Answers since then that were a short head alone
    short_heads: usize,
}

impl Refused {
    /// The client has opened a stream.
    pub(super) fn opened(&mut self) {
        self.opened += 1;
    }

    /// A frame goes to the client.
    pub(super) fn sent(&mut self, frame: Frame) {
        let code = Reason::from(frame.code);
        match frame.kind {
            // h2's own 431 has nothing but the status, and a reset may follow.
            Kind::Headers if frame.has(Frame::END_STREAM) && frame.length <= STATUS => {
                self.last_short_head = frame.stream;
                self.short_heads += 1;
            }
            Kind::Reset if code == Reason::PROTOCOL_ERROR && self.last_short_head != frame.stream => {
                self.resets.push(Some(Refusal::BadHead));
            }
            Kind::Reset if code == Reason::REFUSED_STREAM => self.resets.push(None),
            _ => (),
        }
    }

    /// Whether h2 has neither given the proxy, which has seen this number of requests, nor refused
    /// a stream
    pub(super) fn has_unseen(&self, requests: u64) -> bool {
        self.opened > requests
    }

    /// The heads that h2 has refused since the last time, where the proxy has seen this number of
    /// requests. Those that it has seen may have short heads as answers too, and resets for their
    /// bodies, but these are rare.
    pub(super) fn take(&mut self, requests: u64) -> Vec<Refusal> {
        let short_heads = mem::take(&mut self.short_heads);
        if short_heads == 0 && self.resets.is_empty() {
            return Vec::new();
        }
        let unseen = usize::try_from(self.opened.saturating_sub(requests)).unwrap_or(usize::MAX);
        let mut refused = mem::take(&mut self.resets);
        refused.resize(refused.len() + short_heads, Some(Refusal::HeadTooLarge));
        refused.truncate(unseen);
        self.opened -= refused.len() as u64;
        refused.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(requests: u64, opened: u64, sent: &[(Kind, u32, u32)]) -> Vec<Refusal> {
        let mut refused = Refused::default();
        (0..opened).for_each(|_| refused.opened());
        for (kind, stream, code) in sent {
            let length = if *kind == Kind::Reset { 4 } else { 3 };
            refused.sent(Frame { kind: *kind, flags: Frame::END_STREAM, stream: *stream, length, code: *code });
        }
        let taken = refused.take(requests);
        assert!(!refused.has_unseen(requests) && refused.take(requests).is_empty());
        taken
    }

    #[test]
    fn a_short_answer_hides_no_reset() {
        const RESET: Kind = Kind::Reset;
        const SHORT: Kind = Kind::Headers;
        let (malformed, too_many) = (1, 7);
        assert_eq!(refused(1, 1, &[(SHORT, 1, 0)]), []);
        assert_eq!(refused(1, 2, &[(SHORT, 1, 0), (RESET, 3, malformed)]), [Refusal::BadHead]);
        assert_eq!(refused(1, 2, &[(SHORT, 1, 0), (RESET, 3, too_many)]), []);
        assert_eq!(refused(0, 1, &[(SHORT, 1, 0), (RESET, 1, malformed)]), [Refusal::HeadTooLarge]);
        assert_eq!(refused(1, 3, &[(RESET, 1, too_many), (SHORT, 3, 0), (SHORT, 5, 0)]), [Refusal::HeadTooLarge]);
    }
}
