//! Which lines belong to the one before, as those of a stack trace do.

use std::{fmt, str::FromStr};

use super::{Charset, extent::line, pattern::Pattern, traces};

/// `--multiline`: tells of each line whether it begins a record
#[derive(Clone, Debug)]
pub(crate) enum Multiline {
    /// The traces of a language
    Language(traces::Language),
    /// A record begins where this is found.
    Start(Pattern),
}

impl FromStr for Multiline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        use traces::Language::{Go, Java, Python, Rust};
        Ok(match text {
            "java" => Self::Language(Java),
            "python" => Self::Language(Python),
            "go" => Self::Language(Go),
            "rust" => Self::Language(Rust),
            // Most likely a language, and as a pattern it would join all lines that lack the word.
            _ if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                return Err(
                    "this is none of java, python, go and rust; the pattern of a first line begins with ^".into()
                );
            }
            _ => Self::Start(Pattern::new(text)?),
        })
    }
}

impl fmt::Display for Multiline {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Language(language) => f.write_str(language.name()),
            Self::Start(pattern) => pattern.fmt(f),
        }
    }
}

impl Multiline {
    pub(super) fn reader(&self, charset: Charset) -> Reader<'_> {
        Reader { multiline: self, charset, traces: traces::State::default(), is_judged: false }
    }

    /// Where the last record begins, which may go on.
    pub(super) fn extent(&self, bytes: &[u8], charset: Charset) -> usize {
        let (mut reader, mut start) = (self.reader(charset), 0);
        while let Some((end, _)) = reader.record_end(bytes, start).filter(|(end, _)| *end < bytes.len()) {
            start = end;
        }
        start
    }
}

/// Finds where records end, one after the other
pub(super) struct Reader<'a> {
    multiline: &'a Multiline,
    charset: Charset,
    traces: traces::State,
    /// The next record's first line was looked at when the end of the one before was found.
    is_judged: bool,
}

impl Reader<'_> {
    /// Where the record ends that begins at `from`: before the next one's first line. And how many lines it has.
    pub(super) fn record_end(&mut self, bytes: &[u8], from: usize) -> Option<(usize, u64)> {
        let first = line(bytes, from)?;
        if !self.is_judged {
            self.begins(&bytes[first.clone()]);
        }
        let (mut end, mut lines) = (first.end, 1);
        while let Some(next) = line(bytes, end) {
            self.is_judged = self.begins(&bytes[next.clone()]);
            if self.is_judged {
                break;
            }
            (end, lines) = (next.end, lines + 1);
        }
        Some((end, lines))
    }

    fn begins(&mut self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.multiline {
            Multiline::Language(language) => self.traces.begins(*language, line),
            Multiline::Start(pattern) => pattern.is_in(&self.charset.decode(line).0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records<'a>(multiline: &str, text: &'a str) -> Vec<&'a str> {
        let multiline: Multiline = multiline.parse().unwrap();
        let (mut reader, mut from, mut found) = (multiline.reader(Charset::default()), 0, Vec::new());
        while let Some((end, lines)) = reader.record_end(text.as_bytes(), from) {
            assert_eq!(lines, text[from..end].matches('\n').count() as u64);
            found.push(&text[from..end]);
            from = end;
        }
        found
    }

    #[test]
    fn a_pattern_begins_records() {
        let text = "rest\n[1] a\n b\n\n[2] c\r\n[3] ü\n";
        assert_eq!(records(r"^\[\d+\]", text), ["rest\n", "[1] a\n b\n\n", "[2] c\r\n", "[3] ü\n"]);
        assert_eq!(records("c$|ü", text), ["rest\n[1] a\n b\n\n", "[2] c\r\n", "[3] ü\n"]);
    }

    #[test]
    fn the_last_record_may_go_on() {
        let multiline: Multiline = r"^\[".parse().unwrap();
        let extent = |text: &str| multiline.extent(text.as_bytes(), Charset::default());
        assert_eq!((extent(""), extent("[1\n"), extent("[1\n 2\n")), (0, 0, 0));
        assert_eq!(extent("[1\n 2\n[3\n4\n"), 6);
    }

    #[test]
    fn what_is_no_pattern() {
        let error = |text: &str| text.parse::<Multiline>().unwrap_err();
        assert_eq!(
            error("jva"),
            "this is none of java, python, go and rust; the pattern of a first line begins with ^"
        );
        assert!(error("").starts_with("this is none of"));
        assert!(error("^[").starts_with("this is no regular expression"));
    }

    proptest! {
        #[test]
        fn records_are_all_lines(
            lines in proptest::collection::vec(prop_oneof![
                "[ \\[a]{0,3}\r?", Just("panic: x".into()), Just("Traceback (most recent call last):".into()),
                Just("goroutine 1 [running]:".into()), Just("thread 'a' panicked at a:1:".into()), Just("Caused by: x".into()),
            ], 0..20),
            kind in prop_oneof![Just(r"^\["), Just("java"), Just("python"), Just("go"), Just("rust")],
        ) {
            let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
            let found = records(kind, &text);
            prop_assert_eq!(found.concat(), &*text);
            let multiline: Multiline = kind.parse().unwrap();
            let extent = multiline.extent(text.as_bytes(), Charset::default());
            prop_assert_eq!(text.len() - extent, found.last().map_or(0, |last| last.len()));
            // A reader that starts at the beginning of a record finds the same records.
            for nth in 0..found.len() {
                let rest = found[nth..].concat();
                prop_assert_eq!(records(kind, &rest), &found[nth..]);
            }
        }
    }
}
