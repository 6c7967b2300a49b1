//! Panics, and the chains of errors that anyhow and eyre print.

use memchr::memmem;

use super::{LONGEST_MESSAGE, State, Verdict, begins_as_logged, is_indented, starts_with_any};

const WITHIN: [&[u8]; 7] = [
    b"stack backtrace:",
    b"Stack backtrace:",
    b"note: ",
    b"Caused by:",
    b"Location:",
    b"query stack during panic",
    b"fatal runtime error: ",
];

/// `thread 'main' panicked at src/main.rs:2:5:`, in the next lines the message, then a note or the
/// backtrace.
pub(super) fn judge(state: &mut State, line: &[u8]) -> Verdict {
    if *state == State::Half {
        *state = State::Message;
        return Verdict::GoesOn;
    }
    if is_indented(line) {
        return Verdict::GoesOn;
    }
    if is_panic(line) {
        // Before 1.73 the message was in this line, in quotes, and the place behind it.
        let place_alone = line.ends_with(b":");
        *state = if place_alone { State::Half } else { State::Plain };
        return Verdict::Begins;
    }
    if starts_with_any(line, &WITHIN) {
        *state = State::Plain;
        return Verdict::GoesOn;
    }
    if *state == State::Message && !begins_as_logged(line) {
        return Verdict::Depends(LONGEST_MESSAGE);
    }
    *state = State::Plain;
    Verdict::Begins
}

/// Behind a message stands a note about backtraces, or the backtrace.
pub(super) fn shows_trace(line: &[u8]) -> Option<bool> {
    let is_end = starts_with_any(line, &WITHIN);
    (is_end || is_panic(line) || begins_as_logged(line)).then_some(is_end)
}

fn is_panic(line: &[u8]) -> bool {
    const ENDS: [&[u8]; 2] = [b"panicked at ", b"has overflowed its stack"];
    line.starts_with(b"thread '") && ENDS.iter().any(|end| memmem::find(line, end).is_some())
}

#[cfg(test)]
mod tests {
    use super::super::{Language, heads};

    #[test]
    fn rust() {
        let text = "\
INFO starting

thread 'main' (4711) panicked at src/main.rs:2:5:
assertion `left == right` failed: sizes
  left: 1
 right: 2
stack backtrace:
   0: __rustc::rust_begin_unwind
             at /rustc/0123/library/std/src/panicking.rs:697:5
   1: core::panicking::panic_fmt
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
INFO next
thread 'tokio-runtime-worker' panicked at src/main.rs:2:5:

note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
thread '<unnamed>' panicked at 'old', src/main.rs:2:5
INFO one
Error: cannot start

Caused by:
    0: cannot read /etc/app.yaml
    1: No such file or directory (os error 2)

Location:
    src/main.rs:9:5
Stack backtrace:
   0: anyhow::error::new
INFO last";
        assert_eq!(
            heads(Language::Rust, text),
            [
                "INFO starting",
                "thread 'main' (4711) panicked at src/main.rs:2:5:",
                "INFO next",
                "thread 'tokio-runtime-worker' panicked at src/main.rs:2:5:",
                "thread '<unnamed>' panicked at 'old', src/main.rs:2:5",
                "INFO one",
                "Error: cannot start",
                "INFO last",
            ]
        );
    }

    #[test]
    fn a_message_of_several_lines() {
        let text = "\
thread 'main' panicked at src/main.rs:2:5:
two errors:
first
second
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
thread 'main' panicked at src/main.rs:2:5:
alone
listening
thread 'main' has overflowed its stack
fatal runtime error: stack overflow, aborting";
        let panic = "thread 'main' panicked at src/main.rs:2:5:";
        assert_eq!(heads(Language::Rust, text), [panic, panic, "listening", "thread 'main' has overflowed its stack"]);
    }
}
