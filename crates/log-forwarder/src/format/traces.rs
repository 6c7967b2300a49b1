//! The stack traces of some languages, by the form of the lines that their runtimes print.
//!
//! In all of them a line that is blank or begins with a blank goes on with the record before it.

/// Whose traces are to be joined
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Java,
    Python,
    Go,
    Rust,
}

impl Language {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Python => "python",
            Self::Go => "go",
            Self::Rust => "rust",
        }
    }
}

/// The lines that the line before allows
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing
    #[default]
    Plain,
    /// Within the frames of a trace
    Trace,
    /// A line with the message of the panic
    Message,
}

impl State {
    /// Whether a line, without its newline, begins a record. What it leads to depends on nothing else, if it does.
    pub(super) fn begins(&mut self, language: Language, line: &[u8]) -> bool {
        let is_indented = matches!(line.first(), None | Some(b' ' | b'\t'));
        if is_indented && *self != Self::Message {
            return false;
        }
        match language {
            Language::Java => !java_goes_on(line),
            Language::Python => self.python_begins(line),
            Language::Go => self.go_begins(line),
            Language::Rust => self.rust_begins(line),
        }
    }

    /// `Traceback (most recent call last):`, behind the line that a logger wrote for it; frames with a blank first; then the
    /// error, and perhaps another trace that it led to.
    fn python_begins(&mut self, line: &[u8]) -> bool {
        const LINKS: [&[u8]; 2] =
            [b"During handling of the above exception", b"The above exception was the direct cause of"];
        let is_head = line.starts_with(b"Traceback (most recent call last)");
        let is_error = *self == Self::Trace;
        *self = if is_head { Self::Trace } else { Self::Plain };
        !is_head && !is_error && !LINKS.iter().any(|link| line.starts_with(link))
    }

    /// `panic: …` or `fatal error: …`; then goroutines, each with the calls of functions, and a place for each.
    fn go_begins(&mut self, line: &[u8]) -> bool {
        const HEADS: [&[u8]; 3] = [b"panic: ", b"fatal error: ", b"SIGQUIT: "];
        const WITHIN: [&[u8]; 6] =
            [b"created by ", b"[signal ", b"[originating from ", b"...", b"exit status ", b"runtime stack:"];
        if HEADS.iter().any(|head| line.starts_with(head)) {
            *self = Self::Trace;
            return true;
        }
        // The head of a dump that a logger or `debug.PrintStack` wrote.
        let is_goroutine = line.starts_with(b"goroutine ") && line.ends_with(b"]:");
        let goes_on = is_goroutine
            || (*self == Self::Trace
                && (WITHIN.iter().any(|start| line.starts_with(start)) || is_go_call(line) || is_go_register(line)));
        *self = if goes_on { Self::Trace } else { Self::Plain };
        !goes_on
    }

    /// `thread 'main' panicked at src/main.rs:2:5:`, in the next line the message, in those with a blank first more of it; and
    /// the chains of errors that anyhow and eyre print.
    fn rust_begins(&mut self, line: &[u8]) -> bool {
        const WITHIN: [&[u8]; 6] = [
            b"stack backtrace:",
            b"Stack backtrace:",
            b"note: ",
            b"Caused by:",
            b"Location:",
            b"query stack during panic",
        ];
        let is_message = std::mem::take(self) == Self::Message;
        if line.starts_with(b"thread '") && memchr::memmem::find(line, b"panicked at ").is_some() {
            // Before 1.73 the message was in this line, in quotes, and the place behind it.
            let place_alone = line.ends_with(b":");
            *self = if place_alone { Self::Message } else { Self::Plain };
            return true;
        }
        !is_message && !WITHIN.iter().any(|start| line.starts_with(start))
    }
}

/// `Caused by: …`, or the exception itself, which a logger prints behind its own line
fn java_goes_on(line: &[u8]) -> bool {
    const CAUSES: [&[u8]; 3] = [b"Caused by: ", b"Suppressed: ", b"Wrapped by: "];
    const ENDS: [&[u8]; 3] = [b"Exception", b"Error", b"Throwable"];
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    let is_name =
        name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$') || !byte.is_ascii());
    CAUSES.iter().any(|cause| line.starts_with(cause))
        || (is_name && name.contains(&b'.') && ENDS.iter().any(|end| name.ends_with(end)))
}

/// `main.(*server).handle(0xc000012120, {0x1, 0x2})`
fn is_go_call(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b'(').next().unwrap_or_default();
    !name.is_empty() && name.len() < line.len() && line.ends_with(b")") && !name.contains(&b' ')
}

/// `rax    0x0`, or `PC=0x46a1 m=0 sigcode=0`
fn is_go_register(line: &[u8]) -> bool {
    let name = line.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let value = line[name..].trim_ascii_start();
    (2..=6).contains(&name) && value.strip_prefix(b"=").unwrap_or(value).starts_with(b"0x")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first lines of records
    fn heads(language: Language, text: &str) -> Vec<&str> {
        let mut state = State::default();
        text.lines().filter(|line| state.begins(language, line.as_bytes())).collect()
    }

    #[test]
    fn java() {
        let text = "\
2026-11-24 09:58:45 ERROR c.e.Orders - order failed
java.lang.IllegalStateException: cannot place
\tat com.example.Orders.place(Orders.java:42) ~[app.jar:1.0]
\tat java.base/java.lang.Thread.run(Thread.java:1583)
\tSuppressed: java.io.IOException: close
\t\tat com.example.Orders.close(Orders.java:50)
Caused by: java.sql.SQLException: gone
\tat com.example.Db.query(Db.java:7)
\t... 12 common frames omitted

2026-11-24 09:58:46 INFO c.e.Orders - next
Exception in thread \"main\" java.lang.NullPointerException: Cannot invoke \"String.length()\"
\tat Main.main(Main.java:3)
Error: no such file
see com.example.Exception for more";
        assert_eq!(
            heads(Language::Java, text),
            [
                "2026-11-24 09:58:45 ERROR c.e.Orders - order failed",
                "2026-11-24 09:58:46 INFO c.e.Orders - next",
                "Exception in thread \"main\" java.lang.NullPointerException: Cannot invoke \"String.length()\"",
                "Error: no such file",
                "see com.example.Exception for more",
            ]
        );
    }

    #[test]
    fn python() {
        let text = "\
ERROR:root:cannot place
Traceback (most recent call last):
  File \"/app/a.py\", line 3, in place
    db[\"x\"]
    ~~^^^^^
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/app/a.py\", line 5, in <module>
    raise ValueError(1)
  [Previous line repeated 996 more times]
ValueError: 1

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File \"/app/a.py\", line 9, in <module>
app.errors.Failed
INFO:root:next
  + Exception Group Traceback (most recent call last):
  |   File \"<stdin>\", line 1, in <module>
  +-+---------------- 1 ----------------
    | ValueError: 1
    +------------------------------------
INFO:root:last";
        assert_eq!(heads(Language::Python, text), ["ERROR:root:cannot place", "INFO:root:next", "INFO:root:last"]);
    }

    #[test]
    fn go() {
        let text = "\
2026/11/24 09:58:45 starting
panic: runtime error: invalid memory address or nil pointer dereference [recovered]
\tpanic: again
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48f2a5]

goroutine 1 [running]:
panic({0x4b2f60?, 0x54d2c0?})
\t/usr/lib/go/src/runtime/panic.go:785 +0x132
main.(*server).handle(0x0, {0xc000012120, 0x2, 0x2})
\t/app/main.go:8 +0x1d
net/http.HandlerFunc.ServeHTTP(...)
\t/usr/lib/go/src/net/http/server.go:2220
...additional frames elided...
created by main.main in goroutine 1
\t/app/main.go:4 +0x25
exit status 2
2026/11/24 09:58:46 http: panic serving 127.0.0.1:40420: boom
goroutine 19 [running]:
net/http.(*conn).serve.func1()
\t/usr/lib/go/src/net/http/server.go:1947 +0xb0
2026/11/24 09:58:47 calls f(x)
main.f(1)
fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive, 5 minutes]:
main.main()
\t/app/main.go:5 +0x29
rax    0x0
rip    0x46a1f3
done";
        assert_eq!(
            heads(Language::Go, text),
            [
                "2026/11/24 09:58:45 starting",
                "panic: runtime error: invalid memory address or nil pointer dereference [recovered]",
                "2026/11/24 09:58:46 http: panic serving 127.0.0.1:40420: boom",
                "2026/11/24 09:58:47 calls f(x)",
                "main.f(1)",
                "fatal error: all goroutines are asleep - deadlock!",
                "done",
            ]
        );
    }

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
}
