//! The formats of container runtimes, which put words around each line of an app.

use std::borrow::Cow;

use memchr::memchr;

use super::{
    cri, docker,
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

    /// The text of the app in the content of a line
    pub(super) fn unescaped(self, content: &[u8]) -> Cow<'_, [u8]> {
        if self == Self::Cri || memchr(b'\\', content).is_none() {
            return content.into();
        }
        let quoted = [b"\"", content, b"\""].concat();
        serde_json::from_slice::<String>(&quoted).map_or(content.into(), |text| text.into_bytes().into())
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
    fn a_line_of_docker_keeps_its_newline_or_lacks_it_still() {
        for (log, expected) in [(r"a\n", r"*\n"), (r"a\r\n", r"*\n"), ("a", "*"), (r"C:\\n", "*"), (r"C:\\\n", r"*\n")]
        {
            let line = |log: &str| format!(r#"{{"log":"{log}","stream":"stdout","time":"2026-11-24T09:58:45Z"}}"#);
            assert_eq!(Wrapper::Docker.rewrap(&line(log), "*"), Some(line(expected)), "{log}");
        }
    }
}
