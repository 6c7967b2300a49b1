//! The names that rotation gives to files.

use std::path::Path;

/// Digits of the shortest date, `20261124`
const DATE_DIGITS: usize = 8;

/// A form of names: the text before the number or the date, and the text behind
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    before: String,
    after: String,
    /// Rotation makes such a name, and hardly anything else does: `app.log.1`, `app-20261124.log`, but not `app-1.log`, which
    /// is also the log of a second process.
    pub(super) is_usual: bool,
}

/// The name that a file had before it was rotated, and the form of its new one: that of `access.log.1`, `access.log-20261124`,
/// `access-20261124.log` or `access1.log` was `access.log`.
pub(super) fn parse(name: &str, is_watched: impl Fn(&str) -> bool) -> Option<(String, Series)> {
    origins(name).find(|(origin, _)| is_watched(origin))
}

/// All names that a file can have had before it was rotated, each with the form of the new one
pub(super) fn origins(name: &str) -> impl Iterator<Item = (String, Series)> {
    let separators = name.match_indices(['.', '-', '_']).map(|(at, _)| at).filter(|at| *at > 0);
    separators.flat_map(|at| [marked(name, at), dated(name, at)]).chain([numbered(name)]).flatten()
}

/// The name with the mark of a rotation behind this separator
fn marked(name: &str, at: usize) -> Option<(String, Series)> {
    let series = || Series { before: name[..=at].to_owned(), after: String::new(), is_usual: true };
    is_mark(&name[at + 1..]).then(|| (name[..at].to_owned(), series()))
}

/// The same with the mark before the extension
fn dated(name: &str, at: usize) -> Option<(String, Series)> {
    let (mark, extension) = name[at + 1..].rsplit_once('.').filter(|(mark, _)| is_mark(mark))?;
    let is_usual = mark.bytes().filter(u8::is_ascii_digit).count() >= DATE_DIGITS;
    let series = Series { before: name[..=at].to_owned(), after: format!(".{extension}"), is_usual };
    Some((format!("{}.{extension}", &name[..at]), series))
}

/// The same of a name with a number before its extension and nothing between, as winston's `tailable` gives it
fn numbered(name: &str) -> Option<(String, Series)> {
    let (stem, extension) = name.rsplit_once('.')?;
    let before = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    let series = Series { before: before.into(), after: format!(".{extension}"), is_usual: false };
    let has_number = !before.is_empty() && before.len() < stem.len();
    has_number.then(|| (format!("{before}.{extension}"), series))
}

/// The number in which a rotated name ends; a date is none, and sorts as it is.
pub(super) fn number(path: &Path) -> Option<u16> {
    path.extension()?.to_str()?.parse().ok()
}

/// A number, a date, a time, or both
fn is_mark(text: &str) -> bool {
    matches!(text, "old" | "prev")
        || (text.contains(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || "-_.:TZ".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_files() {
        let of = |name: &str| {
            let (origin, series) = parse(name, |name| name == "access.log")?;
            Some((origin, series.is_usual))
        };
        for (name, is_usual) in [
            ("access.log.1", true),
            ("access.log-20261124", true),
            ("access-20261124.log", true),
            ("access-2026-11-24T10:00.log", true),
            ("access.log.old", true),
            ("access.1.log", false),
            ("access-1.log", false),
            ("access12.log", false),
        ] {
            assert_eq!(of(name), Some(("access.log".into(), is_usual)), "{name}");
        }
        for name in [
            "access.log",
            "access1",
            "access1.log.gz",
            "access1x.log",
            "1.log",
            "access.log.1.gz",
            "access.log.audit",
            "access-error.log",
            "access.logs",
            "x.log.1",
        ] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
