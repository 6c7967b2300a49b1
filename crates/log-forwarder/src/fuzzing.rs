//! The door for fuzz targets, which are a crate of their own: one function for each reader of bytes that others wrote.
#![expect(clippy::missing_panics_doc, reason = "a panic is how a fuzz target fails")]

use clap::Parser;

use crate::{
    content::measure,
    format::{FormatFlags, TimeFlags, soundness::assert_sound},
    model::{Setup, Step, play},
    outputs::{elasticsearch, forward, loki, otlp},
    records::{
        framing::{Frame, frame},
        soundness::assert_hidden,
    },
    state::checkpoint::Checkpoint,
};

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    reading: FormatFlags,
}

/// Reads the whole lines of a text as these flags say. The records must be sound, and a secret must be in none of them.
pub fn format(flags: &[&str], text: &[u8]) {
    let Ok(flags) = Flags::try_parse_from(["log-forwarder"].iter().chain(flags)) else { return };
    let Ok(format) = flags.reading.format(None, None, None, &TimeFlags::default()) else { return };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    assert_sound(&format, &text[..whole]);
    assert_hidden(format, &text[..whole]);
}

/// Frames any bytes, with lines up to this length.
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

/// Reads any bytes as a compressed file. What can be unpacked once can be read.
pub fn compressed(bytes: &[u8]) {
    measure::assert_sound(bytes);
}

/// Plays a history of logs and their rotation, of which each byte is a step. The books must balance, and no line may be missing.
pub fn history(steps: &[u8], is_narrow: bool) {
    let steps: Vec<Step> = steps.iter().map(|byte| Step::of(*byte)).collect();
    let others = u8::try_from(steps.len() % 8).unwrap_or_default();
    play(&steps, Setup::of(u8::from(is_narrow) + 2 * others));
}

/// Reads any text as a checkpoint. One that can be read is written as it was.
pub fn checkpoint(text: &str) {
    Checkpoint::assert_stable(text);
}

/// Reads any bytes as the reply to a bulk request of this number of documents.
pub fn reply_elasticsearch(reply: &[u8], count: u8) {
    elasticsearch::reply::assert_sound(reply, count.into());
}

/// Reads any text as Loki's answer to a push of a record a second.
pub fn reply_loki(answer: &str, count: u8) {
    /// 2026-11-27T16:34:42Z, in nanoseconds
    const FIRST: i64 = 1_795_797_282_000_000_000;
    let stamps: Vec<i64> = (0..count).map(|second| FIRST + i64::from(second) * 1_000_000_000).collect();
    loki::late::assert_sound(answer, &stamps);
}

/// Reads any bytes as a message of a server of the forward protocol. No part of a message is one.
pub fn reply_forward(bytes: &[u8]) {
    if let Ok((_, length)) = forward::reply::read(bytes) {
        assert!((1..=bytes.len()).contains(&length));
        assert_eq!(forward::reply::read(&bytes[..length - 1]), Err(forward::reply::Fault::Short));
    }
}

/// Reads any bytes as an answer of OTLP, good or bad.
pub fn reply_otlp(bytes: &[u8]) {
    otlp::reply::judge(bytes, "application/x-protobuf");
    otlp::reply::judge(bytes, "application/json");
    otlp::reply::reason(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_takes_what_it_is_for_and_what_it_is_not() {
        for text in [&b"{\"a\": 1}\nb=2\n2026-01-01T00:00:00Z stdout F c\n"[..], b"{\xff\n", b""] {
            for flags in [
                ["--format", "json"],
                ["--format", "cri"],
                ["--format", "docker"],
                ["--multiline", "java"],
                ["--encoding", "gb18030"],
            ] {
                format(&flags, text);
            }
            for longest in [0, 4, 200] {
                framing(text, longest, false, true);
                framing(text, longest, true, false);
            }
            compressed(text);
            compressed(&zstd::encode_all(text, 1).unwrap());
            history(text, true);
            checkpoint(&String::from_utf8_lossy(text));
            reply_elasticsearch(text, 2);
            reply_forward(text);
            reply_loki(&String::from_utf8_lossy(text), 3);
            reply_otlp(text);
        }
        checkpoint(r#"{"version": 1, "files": []}"#);
        reply_elasticsearch(br#"{"errors": false, "items": [{"create": {"status": 201}}]}"#, 1);
        // {"ack": "a"} of MessagePack
        reply_forward(b"\x81\xa3ack\xa1a");
    }
}
