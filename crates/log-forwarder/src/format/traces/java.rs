//! Exceptions as `printStackTrace()` and loggers print them, and the two lines of java.util.logging.

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

/// An exception belongs to the line that a logger wrote before it; behind the frames of a trace it is the next record. A
/// message may have several lines, if frames stand behind them.
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

/// `Nov 24, 2026 9:58:45 AM com.example.Main main`, the first of two lines of java.util.logging; months have names of many languages.
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
mod tests {
    use super::super::{Language, heads};

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
    fn traces_in_a_row() {
        let trace = "java.lang.RuntimeException: boom\n\tat a.B.c(B.java:5)\n\t... 3 more\n";
        let head = "java.lang.RuntimeException: boom";
        assert_eq!(heads(Language::Java, &trace.repeat(3)), [head; 3]);
        // Without frames, as a virtual machine prints those that are thrown often
        let text = "WARN a\njava.lang.NullPointerException\nWARN b\njava.lang.NullPointerException\nINFO c";
        assert_eq!(heads(Language::Java, text), ["WARN a", "WARN b", "INFO c"]);
    }

    #[test]
    fn messages_of_several_lines() {
        let text = "\
2022-01-12T16:21:01,947Z ERROR [http-nio-8080-exec-4] c.v.RestController: cannot parse
java.sql.SQLException: Failed to parse query; SQL statement:
failing10 [42001-197]

and so on
\tat org.apache.ignite.Thin.sendRequest(Thin.java:1009)
Caused by: org.example.Failed: first
second
\tat org.apache.ignite.Thin.sendRequest(Thin.java:1009)
java.lang.IllegalStateException: alone
started
stopped";
        assert_eq!(
            heads(Language::Java, text),
            [
                "2022-01-12T16:21:01,947Z ERROR [http-nio-8080-exec-4] c.v.RestController: cannot parse",
                "java.lang.IllegalStateException: alone",
                "started",
                "stopped",
            ]
        );
    }

    #[test]
    fn names_without_exception_in_them() {
        let text = "\
ERROR one
java.lang.Throwable
\tat a.B.c(B.java:5)
ERROR two
com.example.Orders$Failed: closed
at a.B.c(B.java:5)
com.example.Orders$Failed: again
\tat a.B.c(B.java:5)
INFO three
com.example.Orders: started
Error: no such file";
        assert_eq!(
            heads(Language::Java, text),
            [
                "ERROR one",
                "ERROR two",
                "com.example.Orders$Failed: again",
                "INFO three",
                "com.example.Orders: started",
                "Error: no such file",
            ]
        );
    }

    #[test]
    fn reactor() {
        let text = "\
2024-10-08 14:49:32.672 ERROR 18105 --- [ctor-http-nio-2] c.e.Advice : failed

java.lang.RuntimeException: error
\tat com.example.TestController.get(TestController.java:29)
\tSuppressed: reactor.core.publisher.FluxOnAssembly$OnAssemblyException: 
Assembly trace from producer [reactor.core.publisher.MonoError] :
\treactor.core.publisher.Mono.error(Mono.java:299)
Error has been observed at the following site(s):
\t*__checkpoint \u{21e2} HTTP GET \"/status\" [ExceptionHandlingWebHandler]
Original Stack Trace:
\t\tat com.example.TestController.get(TestController.java:29)
\t\tat reactor.core.publisher.Mono.subscribe(Mono.java:4400)
Suppressed: reactor.core.publisher.FluxOnAssembly$OnAssemblyException: 
Error has been observed by the following operator(s):
|_\tMono.error(Mono.java:299)
Stack trace:
\tat com.example.TestController.get(TestController.java:29)
Stack trace:";
        let found = heads(Language::Java, text);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn dot_net() {
        let trace = "\
System.InvalidOperationException: outer
 ---> System.Collections.Generic.KeyNotFoundException: inner
   at Example.Orders.Find(Int32 id) in /src/Orders.cs:line 9
   --- End of inner exception stack trace ---
   at Example.Orders.Place() in /src/Orders.cs:line 12
--- End of stack trace from previous location ---
   at Example.Program.Main() in /src/Program.cs:line 3
";
        assert_eq!(heads(Language::Java, &trace.repeat(2)), ["System.InvalidOperationException: outer"; 2]);
    }

    #[test]
    fn a_logger_that_is_named_like_an_exception() {
        let text = "\
Jul 09, 2026 3:23:29 PM com.example.Feeder: RuntimeException: one
  at com.example.Feeder.run(Feeder.java:50)
com.example.Feeder: RuntimeException: two
  at com.example.Feeder.run(Feeder.java:50)
javax.servlet.ServletException: three
    at com.example.Filter.doFilter(Filter.java:60)";
        let begin: Vec<&str> = heads(Language::Java, text).iter().map(|head| &head[..7]).collect();
        assert_eq!(begin, ["Jul 09,", "com.exa", "javax.s"]);
    }

    #[test]
    fn two_lines_of_java_util_logging() {
        let text = "\
Nov 24, 2026 9:58:45 AM com.example.Main main
INFO: started
Nov 24, 2026 9:58:46\u{202f}AM com.example.Main main
SEVERE: failed
java.io.IOException: closed
\tat com.example.Main.main(Main.java:7)

nov. 24, 2026 9:58:47 AM com.example.Main main
INFOS: fin
WARNING: alone
Nov 24, 2026 was a day";
        assert_eq!(
            heads(Language::Java, text),
            [
                "Nov 24, 2026 9:58:45 AM com.example.Main main",
                "Nov 24, 2026 9:58:46\u{202f}AM com.example.Main main",
                "nov. 24, 2026 9:58:47 AM com.example.Main main",
                "WARNING: alone",
                "Nov 24, 2026 was a day",
            ]
        );
    }
}
