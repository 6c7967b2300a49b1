//! Frames are found however the bytes are split.

use proptest::prelude::*;

use super::*;

fn frame(kind: Kind, flags: u8, stream: u32, length: u32) -> Frame {
    Frame { kind, flags, stream, length, code: 0 }
}

/// The bytes of a frame, whose payload looks like frames
fn written(frame: Frame) -> Vec<u8> {
    let [_, length @ ..] = frame.length.to_be_bytes();
    let mut bytes = length.to_vec();
    bytes.extend([frame.kind.number(), frame.flags]);
    bytes.extend(frame.stream.to_be_bytes());
    let payload = [frame.code.to_be_bytes().as_slice(), &[0, 0, 1, 6, 0, 0, 0, 0, 0].repeat(30)].concat();
    bytes.extend(&payload[..frame.length as usize]);
    bytes
}

fn found(frames: &mut Frames, bytes: &[u8], piece: usize) -> Vec<Frame> {
    let mut found = Vec::new();
    for bytes in bytes.chunks(piece) {
        frames.pass(bytes, |frame| found.push(frame));
    }
    found
}

#[test]
fn a_head_is_open_until_its_last_frame_has_come() {
    let mut frames = Frames::of_client();
    assert!(frames.head_under_way().is_none() && !frames.is_between());
    let mut pass = |bytes: &[u8]| {
        frames.pass(bytes, |_| ());
        (frames.head_under_way(), frames.is_between())
    };
    assert_eq!(pass(&PREFACE[..5]), (Some(0), false));
    assert_eq!(pass(&PREFACE[5..]), (None, true));
    assert_eq!(pass(&[0, 0]), (Some(0), false));
    assert_eq!(pass(&[3, 1, 0, 0, 0, 0, 1, b'a', b'b']), (Some(1), false));
    // The frame has ended, but its block has not.
    assert_eq!(pass(b"c"), (Some(1), true));
    assert_eq!(pass(&[0, 0, 1, 9, 4, 0, 0, 0, 1]), (Some(1), false));
    assert_eq!(pass(b"d"), (None, true));
    // A body has a time of its own.
    assert_eq!(pass(&[0, 0, 2, 0, 0, 0, 0, 0, 1, b'e']), (None, false));
    assert_eq!(pass(&[b'f', 0]), (Some(2), false));
}

#[test]
fn a_head_is_as_long_as_its_frames() {
    let mut frames = Frames::of_server();
    let mut pass = |bytes: &[u8]| {
        frames.pass(bytes, |_| ());
        frames.head_length()
    };
    assert_eq!(pass(&[0, 0, 3, 1, 0, 0, 0, 0, 1, b'a']), 3);
    assert_eq!(pass(b"bc"), 3);
    assert_eq!(pass(&[0, 0, 1, 9, 4, 0, 0, 0, 1]), 4);
    assert_eq!(pass(b"d"), 0);
    assert_eq!(pass(&[0, 0, 2, 1, 4, 0, 0, 0, 3, b'a']), 2);
    assert_eq!(pass(b"b"), 0);
}

#[test]
fn a_reset_has_its_code_unless_it_is_too_short_for_one() {
    let mut frames = Frames::of_server();
    let reset = Frame { code: 0xb, ..frame(Kind::Reset, 0, 7, 4) };
    assert_eq!(found(&mut frames, &written(reset), 5), [reset]);
    let short = frame(Kind::Reset, 0, 7, 3);
    assert_eq!(found(&mut frames, &[written(short), written(reset)].concat(), 2), [short, reset]);
}

#[test]
fn the_reserved_bit_and_unknown_types_are_ignored() {
    let mut frames = Frames::of_server();
    let bytes = [0, 0, 0, 0x77, 0xff, 0x80, 0, 0, 9];
    assert_eq!(found(&mut frames, &bytes, 9), [frame(Kind::Other, 0xff, 9, 0)]);
    assert!(frames.is_between());
}

proptest! {
    /// However the bytes are split, the same frames are found in them.
    #[test]
    fn each_frame_is_found_once(
        sent in proptest::collection::vec((0..11u8, any::<u8>(), 0..9u32, 0..200u32, any::<u32>()), 0..12),
        piece in 1..60usize,
    ) {
        let sent: Vec<_> = sent
            .into_iter()
            .map(|(kind, flags, stream, length, code)| {
                let kind = Kind::of(kind);
                let code = if kind == Kind::Reset && length >= 4 { code } else { 0 };
                Frame { kind, flags, stream, length, code }
            })
            .collect();
        let bytes = [PREFACE.to_vec(), sent.iter().copied().flat_map(written).collect()].concat();
        let mut frames = Frames::of_client();
        prop_assert_eq!(found(&mut frames, &bytes, piece), sent);
        prop_assert!(frames.is_between());
    }
}
