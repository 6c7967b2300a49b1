//! The wanted owner: numbers, or the names that this container's `/etc/passwd` and `/etc/group`
//! have.

use std::{fmt, str::FromStr};

use files::accounts::{group, login_group, user};

use crate::paths;

/// `UID`, `UID:GID`, `:GID` or `UID:`, each a number or a name; a missing part leaves that owner as
/// it is
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: Option<u32>,
    pub(crate) group: Option<u32>,
}

impl FromStr for Owner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A variable from a Secret often ends with a line end.
        let text = text.trim_end_matches(['\r', '\n']);
        if paths::is_in(text) {
            return Err(paths::NOT_REPLACED.into());
        }
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
        assert_eq!("$(UID):$(GID)".parse::<Owner>(), Err(paths::NOT_REPLACED.into()));
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
}
