//! Users and groups by name, as this container's `/etc/passwd` and `/etc/group` have them.
//!
//! The files are read here and not by getpwnam(3), which a static binary can't do without the libraries of the system.

use std::{
    fs::File,
    io::{self, Read},
};

/// Bytes; an image's passwd and group have a few thousand
const FILE_LIMIT: u64 = 4 * 1024 * 1024;
const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// A user's number, written as it is or as a name.
pub fn user(name: &str) -> Result<u32, String> {
    id(name, "user", USERS)
}

/// A group's number, written as it is or as a name.
pub fn group(name: &str) -> Result<u32, String> {
    id(name, "group", GROUPS)
}

/// The group that a user's row in passwd names; without a row it is not known.
pub fn login_group(user: &str) -> Result<u32, String> {
    let by_number = user.parse::<u32>().is_ok();
    let rows = read(USERS).unwrap_or_default();
    find(&rows, if by_number { 2 } else { 0 }, user, 3)
        .ok_or_else(|| format!("{USERS} does not know the group of this user: name it, as in 1000:1000"))
}

fn id(name: &str, what: &str, file: &str) -> Result<u32, String> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        // The highest number means "leave it" to chown(2).
        let number = name.parse().ok().filter(|number| *number != u32::MAX);
        return number.ok_or_else(|| format!("{what} {name} is too high: the highest is {}", u32::MAX - 1));
    }
    let rows = read(file).map_err(|error| format!("cannot look up the {what} in {file}: {error}; write its number"))?;
    find(&rows, 0, name, 2).ok_or_else(|| format!("{file} does not know this {what}: write its number"))
}

fn read(path: &str) -> io::Result<String> {
    let mut rows = String::new();
    File::open(path)?.take(FILE_LIMIT).read_to_string(&mut rows)?;
    Ok(rows)
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
    fn rows_that_are_odd_are_passed_over() {
        let rows = "\nbad\napp:x:1000:2000::/:/bin/sh\nbig:x:99999999999:1\n";
        assert_eq!(find(rows, 0, "app", 2), Some(1000));
        assert_eq!(find(rows, 2, "1000", 3), Some(2000));
        assert_eq!(find(rows, 0, "bad", 2), None);
        assert_eq!(find(rows, 0, "big", 2), None);
    }

    #[test]
    fn names_and_numbers() {
        assert_eq!((user("root"), group("root"), login_group("root")), (Ok(0), Ok(0), Ok(0)));
        assert_eq!((user("1000"), group("4294967294")), (Ok(1000), Ok(4_294_967_294)));
        assert_eq!(user("nobody-here").unwrap_err(), "/etc/passwd does not know this user: write its number");
    }
}
