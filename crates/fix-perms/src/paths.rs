//! PATHs: one an argument, byte for byte, and one a line in the variable.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use clap::{
    Arg, Command,
    builder::{PathBufValueParser, TypedValueParser},
    error::Result,
    parser::ValueSource,
};
use lifecycle::Lines;

/// Reads PATHs. Only the variable is split at line ends: an argument with a line end in its name is
/// one PATH, because half of a name may be another tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathsParser;

impl TypedValueParser for PathsParser {
    type Value = Lines<PathBuf>;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<Self::Value> {
        self.parse_ref_(command, argument, value, ValueSource::CommandLine)
    }

    fn parse_ref_(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<Self::Value> {
        if source == ValueSource::CommandLine {
            return Ok(Lines(vec![PathBufValueParser::new().parse_ref(command, argument, value)?]));
        }
        let lines = value.as_bytes().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let path = |line: &[u8]| PathBuf::from(OsString::from_vec(line.to_vec()));
        Ok(Lines(lines.filter(|line| !line.is_empty()).map(path).collect()))
    }
}

/// The remedy for a PATH that names a variable
pub(crate) const NOT_REPLACED: &str = "a variable was not replaced: in a manifest, $(NAME) needs NAME under env: of the \
                                       same container, and no shell replaces $NAME";

/// Whether a PATH has a variable as manifests or shells write it.
pub(crate) fn has_variable(path: &Path) -> bool {
    is_in(&path.to_string_lossy())
}

/// Whether a text has such a variable.
pub(crate) fn is_in(text: &str) -> bool {
    let is_closed = |(open, close): &(&str, char)| text.split_once(open).is_some_and(|(_, rest)| rest.contains(*close));
    let is_name = |rest: &str| rest.starts_with(|first: char| first.is_ascii_uppercase());
    [("$(", ')'), ("${", '}')].iter().any(is_closed) || text.split('$').skip(1).any(is_name)
}

/// The likely cause of a PATH that does not exist.
pub(crate) fn missing(path: &Path) -> &'static str {
    let text = path.to_string_lossy();
    if has_variable(path) {
        return NOT_REPLACED;
    }
    let is_number = |byte: u8| byte.is_ascii_digit() || byte == b':';
    if !text.is_empty() && text.bytes().all(is_number) {
        return "an owner is written as --owner 1000:1000, and a mode as --mode 0640";
    }
    if text.contains('=') {
        return "is it a part of --mode? its parts are joined by commas, as in u=rwX,g=rX";
    }
    if text.contains(char::is_whitespace) {
        return "are these several PATHs? each is an argument, or a line of the variable";
    }
    if !text.contains('/') {
        return "is the volume mounted there? --create makes a missing directory; a command stands behind --";
    }
    "is the volume mounted there? --create makes a missing directory"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_known_by_their_shape() {
        assert!(["$(DATA)/a", "${DATA}", "$DATA/a", "/data/$NAME:1"].into_iter().all(is_in));
        assert!(!["/data/a$", "/data/$1", "/c$/d", "/data/$(x"].into_iter().any(is_in));
    }

    #[test]
    fn the_variable_has_a_path_a_line_and_an_argument_is_one_path() {
        let read = |bytes: &[u8], source| {
            let paths = PathsParser.parse_ref_(&Command::new("x"), None, OsStr::from_bytes(bytes), source).unwrap();
            paths.0.into_iter().map(|path| path.into_os_string().into_vec()).collect::<Vec<_>>()
        };
        let variable = b" /data\r\n\n  \n/two words\n/latin\xe9\n";
        assert_eq!(read(variable, ValueSource::EnvVariable), [&b"/data"[..], b"/two words", b"/latin\xe9"]);
        assert_eq!(read(b" a\nb ", ValueSource::CommandLine), [b" a\nb "]);
    }
}
