//! Users and groups: numbers, or the names that this container's `/etc/passwd` and `/etc/group` have.
//!
//! The files are read here and not by getpwnam(3), which a static binary can't do without the libraries of the system.

use std::{fmt, path::Path, str::FromStr};

/// Bytes; an image's passwd and group have a few thousand
const FILE_LIMIT: u64 = 4 * 1024 * 1024;
const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// `UID`, `UID:GID`, `:GID` or `UID:`, each a number or a name; a missing part leaves that owner as it is
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: Option<u32>,
    pub(crate) group: Option<u32>,
}

impl FromStr for Owner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let owner = match text.split_once(':') {
            None => Self { user: Some(user(text)?), group: None },
            Some(("", "")) => {
                return Err("this names no user and no group: write it as 1000, 1000:1000 or :1000".into());
            }
            Some(("", group_name)) => Self { user: None, group: Some(group(group_name)?) },
            Some((name, "")) => Self { user: Some(user(name)?), group: Some(login_group(name)?) },
            Some((name, group_name)) => Self { user: Some(user(name)?), group: Some(group(group_name)?) },
        };
        Ok(owner)
    }
}

/// As chown(1) reads it
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let number = |id: Option<u32>| id.map(|id| id.to_string()).unwrap_or_default();
        write!(f, "{}:{}", number(self.user), number(self.group))
    }
}

/// A user's number
pub(crate) fn user(name: &str) -> Result<u32, String> {
    id(name, "user", USERS, 2)
}

/// A group's number
pub(crate) fn group(name: &str) -> Result<u32, String> {
    id(name, "group", GROUPS, 2)
}

/// The group that a user's row in passwd names; without a row it is not known.
fn login_group(name: &str) -> Result<u32, String> {
    let by_number = name.parse::<u32>().is_ok();
    let rows = lifecycle::read_text(Path::new(USERS), FILE_LIMIT).unwrap_or_default();
    find(&rows, if by_number { 2 } else { 0 }, name, 3)
        .ok_or_else(|| format!("{USERS} does not know the group of this user: name it, as in 1000:1000"))
}

fn id(name: &str, what: &str, file: &str, column: usize) -> Result<u32, String> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        // The highest number means "leave it" to chown(2).
        let number = name.parse().ok().filter(|number| *number != u32::MAX);
        return number.ok_or_else(|| format!("{what} {name} is too high: the highest is {}", u32::MAX - 1));
    }
    let rows = lifecycle::read_text(Path::new(file), FILE_LIMIT)
        .map_err(|error| format!("cannot look up the {what} in {file}: {error}; write its number"))?;
    find(&rows, 0, name, column).ok_or_else(|| format!("{file} does not know this {what}: write its number"))
}

/// The number in `column` of the first row that has `key` in `key_column` (passwd(5), group(5))
fn find(rows: &str, key_column: usize, key: &str, column: usize) -> Option<u32> {
    let mut rows = rows.lines().map(|row| row.split(':').collect::<Vec<_>>());
    rows.find(|row| row.get(key_column) == Some(&key))?.get(column)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners() {
        let owner = |user, group| Ok(Owner { user, group });
        assert_eq!("1000".parse(), owner(Some(1000), None));
        assert_eq!("1000:2000".parse(), owner(Some(1000), Some(2000)));
        assert_eq!(":2000".parse(), owner(None, Some(2000)));
        assert_eq!("root:root".parse(), owner(Some(0), Some(0)));
        assert_eq!("root:".parse(), owner(Some(0), Some(0)));
        assert_eq!("0:".parse(), owner(Some(0), Some(0)));
    }

    #[test]
    fn an_unknown_account_is_refused() {
        let error = |text: &str| text.parse::<Owner>().unwrap_err();
        assert_eq!(error("nobody-here"), "/etc/passwd does not know this user: write its number");
        assert_eq!(error(":no-group"), "/etc/group does not know this group: write its number");
        assert_eq!(error("4294967295"), "user 4294967295 is too high: the highest is 4294967294");
        assert_eq!(error(":"), "this names no user and no group: write it as 1000, 1000:1000 or :1000");
        assert!(error("4294967294:").ends_with("does not know the group of this user: name it, as in 1000:1000"));
        for text in ["", "1000:1000:1000", "-1", "1000 "] {
            assert!(text.parse::<Owner>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn rows_that_are_odd_are_passed_over() {
        let rows = "\nbad\napp:x:1000:2000::/:/bin/sh\nbig:x:99999999999:1\n";
        assert_eq!(find(rows, 0, "app", 2), Some(1000));
        assert_eq!(find(rows, 2, "1000", 3), Some(2000));
        assert_eq!(find(rows, 0, "bad", 2), None);
        assert_eq!(find(rows, 0, "big", 2), None);
    }
}
