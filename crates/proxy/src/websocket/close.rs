//! The one frame that the proxy writes itself: Close with 1001, "going away" (RFC 6455, sections 5.5.1 and 7.4.1).

/// FIN and the opcode of Close
const HEAD: u8 = 0x88;
/// The length of the body, which is only the status
const LENGTH: u8 = 2;
const MASKED: u8 = 0x80;
const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();

/// As a server writes it to a client
pub(crate) const TO_CLIENT: [u8; 4] = [HEAD, LENGTH, GOING_AWAY[0], GOING_AWAY[1]];

/// As a client writes it to a server: masked with this key, which must be unpredictable (RFC 6455, section 5.3).
pub(crate) fn to_upstream(mask: [u8; 4]) -> [u8; 8] {
    let [a, b, c, d] = mask;
    [HEAD, MASKED | LENGTH, a, b, c, d, GOING_AWAY[0] ^ a, GOING_AWAY[1] ^ b]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::frames::{Frames, Place, Sender};

    #[test]
    fn both_are_a_whole_close_of_their_sender() {
        assert_eq!(TO_CLIENT, [0x88, 2, 3, 0xe9]);
        assert_eq!(to_upstream([1, 2, 3, 4]), [0x88, 0x82, 1, 2, 3, 4, 3 ^ 1, 0xe9 ^ 2]);
        for (sender, frame) in [(Sender::Server, &TO_CLIENT[..]), (Sender::Client, &to_upstream([7, 0, 9, 255]))] {
            let mut frames = Frames::of(sender);
            assert_eq!((frames.pass(frame), frames.place()), (frame.len(), Place::BehindClose));
        }
    }
}
