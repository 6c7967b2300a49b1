//! The messages of a call as they pass: five bytes in front of each say how long it is.

/// A flag for compression and four bytes of length
const PREFIX: u8 = 5;

/// Follows the messages of one direction, wherever their bytes are split
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// Bytes of the prefix that have come
    prefix: u8,
    /// Before the prefix is whole, the part of the length that has come; behind it, bytes of the message that are still to come
    length: u32,
}

impl Messages {
    /// The next bytes: the length of the longest message whose prefix ends in them, as the prefix says; 0 if none does.
    pub(crate) fn longest(&mut self, mut bytes: &[u8]) -> u32 {
        let mut longest = 0;
        loop {
            if self.prefix == PREFIX {
                let passed = bytes.len().min(self.length as usize);
                bytes = &bytes[passed..];
                self.length -= u32::try_from(passed).unwrap_or(self.length);
                if self.length > 0 {
                    return longest;
                }
                *self = Self::default();
            }
            let [next, rest @ ..] = bytes else { return longest };
            bytes = rest;
            // The flag is shifted out by the length behind it.
            self.length = self.length << 8 | u32::from(*next);
            self.prefix += 1;
            if self.prefix == PREFIX {
                longest = longest.max(self.length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn message(length: usize) -> Vec<u8> {
        let mut message = vec![1];
        message.extend(u32::try_from(length).unwrap().to_be_bytes());
        message.resize(message.len() + length, 0xff);
        message
    }

    #[test]
    fn a_length_counts_before_its_message_comes() {
        let mut messages = Messages::default();
        assert_eq!(messages.longest(&[0, 0xff, 0xff, 0xff]), 0);
        assert_eq!(messages.longest(&[0xff]), u32::MAX);
        assert_eq!(messages.longest(&[0; 100]), 0);
        assert_eq!(Messages::default().longest(&[message(0), message(7), message(3)].concat()), 7);
    }

    proptest! {
        #[test]
        fn the_longest_is_found_wherever_the_bytes_are_split(
            lengths in vec(0usize..600, 0..20),
            cuts in vec(1usize..700, 0..40),
        ) {
            let bytes: Vec<u8> = lengths.iter().flat_map(|length| message(*length)).collect();
            let (mut messages, mut rest, mut longest) = (Messages::default(), &bytes[..], 0);
            for cut in cuts {
                let (part, behind) = rest.split_at(cut.min(rest.len()));
                longest = longest.max(messages.longest(part));
                rest = behind;
            }
            longest = longest.max(messages.longest(rest));
            prop_assert_eq!(longest as usize, lengths.iter().copied().max().unwrap_or(0));
            prop_assert_eq!(messages.longest(&message(1000)), 1000);
        }
    }
}
