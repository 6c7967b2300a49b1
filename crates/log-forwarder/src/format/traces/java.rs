//! Exceptions as `printStackTrace()` and loggers print them, and the two lines of
//! java.util.logging.

use memchr::memchr;

use super::{LONGEST_MESSAGE, State, Verdict, begins_apart, begins_as_logged, is_indented, starts_with_any};

/// The next exception of the same trace
const CAUSES: [&[u8]; 5] = [b"Caused by: ", b"Caused By: ", b"Suppressed: ", b"Wrapped by: ", b"Rethrown as: "];
/// Lines among the frames, of Reactor and of .NET
const WITHIN: [&[u8]; 7] = [
    b"Error has been observed ",
    b"Original Stack Trace:",
    b"Stack trace:",
    b"Assembly trace from producer ",
    b"Assembly site of producer ",
    b"|_",
    b"--- End of ",
];
const UNCAUGHT: &[u8] = b"Exception in thread ";

/// The line of an exception
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exception {
    /// `java.io.IOException: closed`
    Certain,
    /// `com.example.Orders$Failed: closed`: so says a log line, too.
    Possible,
    None,
}

/// An exception belongs to the line that a logger wrote before it; behind the frames of a trace it
/// is the next record. A message may have several lines, if frames stand behind them.
pub(super) fn judge(state: &mut State, line: &[u8]) -> Verdict {
    if is_indented(line) {
        if *state != State::Frames && is_frame(line.trim_ascii_start()) {
            *state = State::Frames;
        }
        return Verdict::GoesOn;
    }
    if is_half(line) {
        *state = State::Half;
        return Verdict::Begins;
    }
    if *state == State::Half {
        *state = State::Plain;
        return Verdict::GoesOn;
    }
    // Most lines of loggers, of which nothing further needs to be asked
    if begins_apart(line) {
        *state = State::Plain;
        return Verdict::Begins;
    }
    if starts_with_any(line, &CAUSES) {
        *state = State::Message;
        return Verdict::GoesOn;
    }
    if is_bare_frame(line) || starts_with_any(line, &WITHIN) {
        *state = State::Frames;
        return Verdict::GoesOn;
    }
    match (*state, exception(line)) {
        (State::Plain, Exception::Possible) => return Verdict::Depends(1),
        (before, Exception::Certain) => {
            *state = State::Message;
            return if before == State::Plain { Verdict::GoesOn } else { Verdict::Begins };
        }
        (State::Message, _) if !begins_record(line) => return Verdict::Depends(LONGEST_MESSAGE),
        _ => {}
    }
    *state = if line.starts_with(UNCAUGHT) { State::Message } else { State::Plain };
    Verdict::Begins
}

/// Behind a message, frames or what stands among them show that it is one.
pub(super) fn shows_trace(line: &[u8]) -> Option<bool> {
    if is_indented(line) {
        return is_frame(line.trim_ascii_start()).then_some(true);
    }
    if is_bare_frame(line) || starts_with_any(line, &CAUSES) || starts_with_any(line, &WITHIN) {
        return Some(true);
    }
    (begins_record(line) || is_half(line) || exception(line) == Exception::Certain).then_some(false)
}

fn begins_record(line: &[u8]) -> bool {
    begins_as_logged(line) || line.starts_with(UNCAUGHT)
}

/// `at a.B.c(B.java:5)` or `... 12 more`
fn is_frame(text: &[u8]) -> bool {
    text.starts_with(b"at ") || text.starts_with(b"... ")
}

/// A frame that has lost its tab on the way
fn is_bare_frame(line: &[u8]) -> bool {
    line.starts_with(b"at ") && line.contains(&b'(') && line.contains(&b')')
}

fn exception(line: &[u8]) -> Exception {
    const ENDS: [&[u8]; 3] = [b"Exception", b"Error", b"Throwable"];
    let is_in_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$') || !byte.is_ascii();
    let length = line.iter().take_while(|byte| is_in_name(byte)).count();
    let (name, rest) = line.split_at(length);
    if !matches!(rest, [] | [b':', ..]) || name.first().is_none_or(u8::is_ascii_digit) {
        return Exception::None;
    }
    let (is_usual, has_package) = (ENDS.iter().any(|end| name.ends_with(end)), name.contains(&b'.'));
    match () {
        () if is_usual && has_package => Exception::Certain,
        () if is_usual || has_package || name.contains(&b'$') => Exception::Possible,
        () => Exception::None,
    }
}

/// `Nov 24, 2026 9:58:45 AM com.example.Main main`, the first of two lines of java.util.logging;
/// months have names of many languages.
fn is_half(line: &[u8]) -> bool {
    const LONGEST_MONTH: usize = 16;
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(month) = memchr(b' ', &line[..line.len().min(LONGEST_MONTH)]) else { return false };
    let date = &line[month + 1..];
    let Some(year) = date[digits(date)..].strip_prefix(b", ") else { return false };
    let Some(time) = year[digits(year)..].strip_prefix(b" ") else { return false };
    digits(date) > 0 && digits(year) == 4 && digits(time) > 0 && time.get(digits(time)) == Some(&b':')
}

#[cfg(test)]
mod tests;
