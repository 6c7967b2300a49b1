//! The formats of container runtimes, which put words around each line of an app.

use std::{borrow::Cow, ops::Range};

use super::{
    cri, docker,
    escapes::unescaped,
    syntax::{Part, Syntax},
};
use crate::format::record::Wrapped;

/// The runtime that has written a file
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapper {
    Cri,
    Docker,
}

impl Wrapper {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "cri" => Some(Self::Cri),
            "docker" => Some(Self::Docker),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cri => "cri",
            Self::Docker => "docker",
        }
    }

    /// How lines are read that can be parts of a record
    pub(super) fn syntax(self) -> Syntax {
        match self {
            Self::Cri => cri::SYNTAX,
            Self::Docker => docker::SYNTAX,
        }
    }

    /// Reads a record, whose parts are joined; nothing if it has another form.
    pub(super) fn read(self, line: &str) -> Option<Wrapped<'_>> {
        match self {
            Self::Cri => cri::read(line),
            Self::Docker => docker::read(line),
        }
    }

    /// A line without its time and without the text of the app, or a part of it. A text that is
    /// known is left out only where it is, because Docker's lines can have two of them.
    pub(super) fn around(self, line: &str, text: Option<&str>) -> String {
        let (bytes, syntax) = (line.as_bytes(), self.syntax());
        let content = (syntax.part)(bytes).map(|part| part.content);
        let is_text = |content: &Range<usize>| text.is_none_or(|text| self.is_text(&bytes[content.clone()], text));
        let time = syntax.time(bytes).and_then(|_| (syntax.time_place)(bytes));
        let mut gaps: Vec<_> = content.filter(is_text).into_iter().chain(time).collect();
        gaps.sort_by_key(|gap| gap.start);
        let (mut around, mut at) = (String::new(), 0);
        for gap in gaps {
            around.push_str(line.get(at..gap.start).unwrap_or_default());
            at = gap.end;
        }
        around + line.get(at..).unwrap_or_default()
    }

    /// Whether the content of a line is this text of the app, whose line ends are its own
    fn is_text(self, content: &[u8], text: &str) -> bool {
        let content = self.unescaped(content);
        let content = content.strip_suffix(b"\n").unwrap_or(&content).iter();
        let is_no_return = |byte: &&u8| **byte != b'\r';
        content.filter(is_no_return).eq(text.as_bytes().iter().filter(is_no_return))
    }

    /// The text of the app in the content of a line
    pub(super) fn unescaped(self, content: &[u8]) -> Cow<'_, [u8]> {
        match (self, str::from_utf8(content).map(unescaped)) {
            (Self::Docker, Ok(Cow::Owned(text))) => text.into_bytes().into(),
            _ => content.into(),
        }
    }

    /// The line with another text
    pub(super) fn rewrap(self, line: &str, text: &str) -> Option<String> {
        let Part { content, is_partial, .. } = (self.syntax().part)(line.as_bytes())?;
        let (before, after) = (line.get(..content.start)?, line.get(content.end..)?);
        Some(match self {
            Self::Cri => format!("{before}{text}{after}"),
            Self::Docker => {
                let end = if is_partial { "" } else { "\n" };
                let quoted = serde_json::to_string(&format!("{text}{end}")).ok()?;
                format!("{before}{}{after}", &quoted[1..quoted.len() - 1])
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn around_a_text_is_the_rest_of_its_line() {
        let docker =
            |log: &str| format!(r#"{{"log":"{log}","stream":"stdout","log":"b","time":"2026-11-24T09:58:45Z"}}"#);
        let around = |log: &str, text| Wrapper::Docker.around(&docker(log), text);
        let rest = r#"{"log":"","stream":"stdout","log":"b","time":""}"#;
        assert_eq!(around(r"\u0061\r\n", Some("a")), rest);
        assert_eq!(around("a", None), rest);
        // The text is that of the second one.
        assert_eq!(around("a", Some("b")), r#"{"log":"a","stream":"stdout","log":"b","time":""}"#);
        assert_eq!(Wrapper::Cri.around("2026-11-24T09:58:45Z stdout F:x a b", Some("a b")), " stdout F:x ");
        assert_eq!(Wrapper::Cri.around("a", None), "a");
    }

    #[test]
    fn a_line_of_docker_keeps_its_newline_or_lacks_it_still() {
        for (log, expected) in [(r"a\n", r"*\n"), (r"a\r\n", r"*\n"), ("a", "*"), (r"C:\\n", "*"), (r"C:\\\n", r"*\n")]
        {
            let line = |log: &str| format!(r#"{{"log":"{log}","stream":"stdout","time":"2026-11-24T09:58:45Z"}}"#);
            assert_eq!(Wrapper::Docker.rewrap(&line(log), "*"), Some(line(expected)), "{log}");
        }
    }
}
