//! Panics and dumps of goroutines.

use super::{State, Verdict, is_indented, starts_with_any};

const HEADS: [&[u8]; 4] = [b"panic: ", b"fatal error: ", b"SIGQUIT: ", b"SIGABRT: "];
const WITHIN: [&[u8]; 6] =
    [b"created by ", b"[signal ", b"[originating from ", b"...", b"exit status ", b"runtime stack:"];

/// `panic: …` or `fatal error: …`; then goroutines, each with the calls of functions, and a place
/// for each.
pub(super) fn judge(state: &mut State, line: &[u8]) -> Verdict {
    if is_indented(line) {
        return Verdict::GoesOn;
    }
    if starts_with_any(line, &HEADS) {
        *state = State::Frames;
        return Verdict::Begins;
    }
    // The head of a dump that a logger or `debug.PrintStack` wrote.
    let is_goroutine = line.starts_with(b"goroutine ") && line.ends_with(b"]:");
    let is_within = *state == State::Frames && (starts_with_any(line, &WITHIN) || is_call(line) || is_register(line));
    if is_goroutine || is_within {
        *state = State::Frames;
        return Verdict::GoesOn;
    }
    *state = State::Plain;
    Verdict::Begins
}

/// `main.(*server).handle(0xc000012120, {0x1, 0x2})`
fn is_call(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b'(').next().unwrap_or_default();
    !name.is_empty() && name.len() < line.len() && line.ends_with(b")") && !name.contains(&b' ')
}

/// `rax    0x0`, or `PC=0x46a1 m=0 sigcode=0`
fn is_register(line: &[u8]) -> bool {
    let name = line.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let value = line[name..].trim_ascii_start();
    (2..=6).contains(&name) && value.strip_prefix(b"=").unwrap_or(value).starts_with(b"0x")
}

#[cfg(test)]
mod tests {
    use super::super::{Language, heads};

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
}
