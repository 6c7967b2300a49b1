//! How many frames a client may send that are of no use to a request.
//!
//! h2 0.4.20 bounds a part of what a client can flood a server with; the allowance bounds the rest. A frame that h2 answers or ignores
//! costs 1, an acknowledgement of a PING that was never sent costs 100, because h2 logs it. A client has 1000, gets 4 for each HEADERS
//! and DATA frame that the proxy writes, because it may answer them (`WINDOW_UPDATE`, `PING`), and 100 for each second.
//!
//! | flood | bound by | at | end |
//! |---|---|---|---|
//! | streams at once | h2, `SETTINGS_MAX_CONCURRENT_STREAMS` | 100 | RST_STREAM REFUSED_STREAM |
//! | streams that are reset before they are read (rapid reset in one packet) | h2, `max_pending_accept_reset_streams` | 20 in one read | GOAWAY ENHANCE_YOUR_CALM |
//! | streams that are reset later | the allowance | 1000, and 100 a second | GOAWAY ENHANCE_YOUR_CALM |
//! | malformed and refused streams, frames on closed streams | h2, `max_local_error_reset_streams` | 1024 in a connection's life | GOAWAY ENHANCE_YOUR_CALM |
//! | CONTINUATION | h2 | 5 in one head; 10 with `--max-header-size 64KiB` | GOAWAY ENHANCE_YOUR_CALM |
//! | fields by size, also those of an HPACK bomb | h2, `max_header_list_size` | its limit; four times that | 431; GOAWAY ENHANCE_YOUR_CALM |
//! | heads that h2 has read, and no task has judged | `HEADS_AT_ONCE` of a connection, and its room in memory | 8 KiB, and one read | they wait; REFUSED_STREAM |
//! | a head in several frames that does not end | the room in memory, as for HTTP/1 | 16 KiB, while half of it is taken | GOAWAY ENHANCE_YOUR_CALM |
//! | DATA without payload | h2 | 100 in a connection's life | GOAWAY ENHANCE_YOUR_CALM |
//! | DATA of less than 256 bytes that wait in a buffer | h2, `data_frame_budget` | half of the connection's window in bytes that they lack | GOAWAY ENHANCE_YOUR_CALM |
//! | DATA of less than 256 bytes that are read at once | `--min-body-rate` | | |
//! | PING, SETTINGS: unwritten answers | h2: it reads nothing before they are written | 1 | |
//! | PING, SETTINGS, PRIORITY, WINDOW_UPDATE, GOAWAY, unknown types: their number | the allowance | 1000, and 100 a second | GOAWAY ENHANCE_YOUR_CALM |

use std::time::Duration;

use super::{Frame, Kind};

/// The most that a client may have, and has at first: connections begin with some frames, and browsers with dozens
const MOST: u32 = 1000;
/// The gain for each frame that it may answer
const FOR_ANSWER: u32 = 4;
/// The gain in a second
const EACH_SECOND: f64 = 100.0;
/// The cost of an acknowledgement of nothing
const NEEDLESS_ACK: u32 = 100;

/// The frames that a client has left
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    left: u32,
    /// When it last got something for the time, since the beginning
    filled: Duration,
}

impl Allowance {
    pub(crate) fn new() -> Self {
        Self { left: MOST, filled: Duration::ZERO }
    }

    /// The client has sent this frame: `false` if it has sent too many. The clock, which counts from the connection's beginning, is
    /// looked at only where nothing is left.
    pub(crate) fn received(&mut self, frame: Frame, clock: impl FnOnce() -> Duration) -> bool {
        let cost = cost(frame);
        if cost > self.left {
            self.fill(clock());
        }
        let is_enough = cost <= self.left;
        self.left = self.left.saturating_sub(cost);
        is_enough
    }

    /// The proxy has written this frame.
    pub(crate) fn wrote(&mut self, frame: Frame) {
        let earned = match frame.kind {
            Kind::Data | Kind::Headers => FOR_ANSWER,
            Kind::Ping if !frame.has(Frame::ACK) => NEEDLESS_ACK,
            _ => 0,
        };
        self.left = (self.left + earned).min(MOST);
    }

    fn fill(&mut self, now: Duration) {
        let earned = now.saturating_sub(self.filled).as_secs_f64() * EACH_SECOND;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast saturates, and a time is positive"
        )]
        let earned = earned as u32;
        // A part of one is not lost.
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(MOST);
            self.filled = now;
        }
    }
}

fn cost(frame: Frame) -> u32 {
    match frame.kind {
        // Heads are requests, and bodies have a pace. h2 counts the frames that continue a head.
        Kind::Headers | Kind::Continuation => 0,
        Kind::Data => u32::from(frame.length == 0 && !frame.has(Frame::END_STREAM)),
        Kind::Ping if frame.has(Frame::ACK) => NEEDLESS_ACK,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: Kind, flags: u8, length: u32) -> Frame {
        Frame { kind, flags, stream: 1, length, code: 0 }
    }

    /// How many of these frames a new client may send at once
    fn most(frame: Frame) -> usize {
        let mut allowance = Allowance::new();
        (0..).take_while(|_| allowance.received(frame, || Duration::ZERO)).take(5000).count()
    }

    #[test]
    fn frames_of_no_use_are_bounded() {
        for kind in
            [Kind::Ping, Kind::Settings, Kind::Priority, Kind::WindowUpdate, Kind::Reset, Kind::GoAway, Kind::Other]
        {
            assert_eq!(most(frame(kind, 0, 4)), 1000, "{kind:?}");
        }
        assert_eq!(most(frame(Kind::Ping, Frame::ACK, 8)), 10);
        assert_eq!(most(frame(Kind::Data, 0, 0)), 1000);
        for frame in [frame(Kind::Data, 0, 1), frame(Kind::Data, Frame::END_STREAM, 0), frame(Kind::Headers, 0, 9)] {
            assert_eq!(most(frame), 5000, "{frame:?}");
        }
    }

    #[test]
    fn a_client_that_is_served_may_answer() {
        let mut allowance = Allowance::new();
        for _ in 0..10_000 {
            allowance.wrote(frame(Kind::Data, 0, 9000));
            for _ in 0..4 {
                assert!(allowance.received(frame(Kind::WindowUpdate, 0, 4), || Duration::ZERO));
            }
        }
        // Nothing more than at first, but for the last four
        assert!((0..MOST - 4).all(|_| allowance.received(frame(Kind::Ping, 0, 8), || Duration::ZERO)));
        assert!(!allowance.received(frame(Kind::Ping, 0, 8), || Duration::ZERO));
    }

    #[test]
    fn time_gives_a_hundred_a_second() {
        let mut allowance = Allowance::new();
        let ping = frame(Kind::Ping, 0, 8);
        let mut sent = 0;
        for millisecond in 0..3000 {
            while allowance.received(ping, || Duration::from_millis(millisecond)) {
                sent += 1;
            }
        }
        assert_eq!(sent, 1000 + 299);
    }
}
