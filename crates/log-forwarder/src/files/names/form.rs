//! The form of name that a rotation gives: of two files that are rotated together, the name of one
//! tells that of the other.

use std::path::{Path, PathBuf};

/// The part that a name has in addition, and the end that stands behind it
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    added: String,
    end: String,
}

impl Form {
    /// The form of a name that the file of a path has got in the same directory
    pub(crate) fn of(path: &Path, origin: &Path) -> Option<Self> {
        let (name, former) = (path.file_name()?.to_str()?, origin.file_name()?.to_str()?);
        let mut pairs = former.char_indices().zip(name.chars());
        let differs = pairs.find(|((_, one), other)| one != other).map(|((at, _), _)| at);
        let (begin, end) = former.split_at(differs.unwrap_or(former.len().min(name.len())));
        let added = name.strip_prefix(begin)?.strip_suffix(end)?;
        let is_beside = path.parent() == origin.parent() && !added.is_empty();
        is_beside.then(|| Self { added: added.into(), end: end.into() })
    }

    /// The path that the file of a path gets
    pub(crate) fn name_of(&self, path: &Path) -> Option<PathBuf> {
        let begin = path.file_name()?.to_str()?.strip_suffix(&self.end)?;
        Some(path.with_file_name(format!("{begin}{}{}", self.added, self.end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_one_rotated_file_tells_that_of_another() {
        let of = |name: &str, origin: &str, other: &str| {
            let form = Form::of(&Path::new("/logs").join(name), &Path::new("/logs").join(origin))?;
            Some(form.name_of(&Path::new("/logs").join(other))?.file_name()?.to_str()?.to_owned())
        };
        for (name, origin, expected) in [
            ("app.log.1", "app.log", "web.log.1"),
            ("app.log-20261127", "app.log", "web.log-20261127"),
            ("app-20261127.log", "app.log", "web-20261127.log"),
            ("äpp-1.log", "äpp.log", "web-1.log"),
        ] {
            assert_eq!(of(name, origin, "web.log").as_deref(), Some(expected));
        }
        assert_eq!(of("app-1.log", "app.log", "web.txt"), None);
        for name in ["app.log", "app", "web.log.1", "ap"] {
            assert_eq!(of(name, "app.log", "web.log"), None, "{name}");
        }
    }
}
