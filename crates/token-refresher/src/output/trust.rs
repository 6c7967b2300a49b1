//! Whether a directory is one that only this process's user can change, pure.

use std::path::Path;

const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o022;

/// An open directory's owner and mode
#[derive(Clone, Copy, Debug)]
pub(super) struct Owned {
    pub(super) user: u32,
    pub(super) mode: u32,
}

/// What is written to the directory
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use<'a> {
    /// The file of this name
    File(&'a str),
    /// A set, whose links lie in the directory
    Set,
}

/// Why a secret is not written to this directory, with the remedy.
///
/// Whoever may write to a directory can put another file in place of the secret. In a sticky one only the owner of a file can,
/// and the owner of the directory. Links in it are not followed for other users (`fs.protected_symlinks`), so a set is none for
/// it.
pub(super) fn refusal(directory: Owned, path: &Path, used: Use, own_user: u32) -> Option<String> {
    let name = match used {
        Use::File(name) => name,
        Use::Set => "db",
    };
    let remedy = || {
        let inner = match used {
            Use::File(name) => path.join("app").join(name),
            Use::Set => path.join(name),
        };
        format!(
            "name a sub-directory, such as {}, which is made so that only this helper writes to it",
            inner.display()
        )
    };
    let path = path.display();
    if directory.user != own_user && directory.user != 0 {
        return Some(format!(
            "{path} belongs to user {}, who could replace what is in it: {}",
            directory.user,
            remedy()
        ));
    }
    if directory.mode & OTHERS_WRITE == 0 {
        return None;
    }
    match used {
        Use::File(_) if directory.mode & STICKY != 0 => None,
        Use::File(_) => Some(format!("other users may write to {path} and replace the file: {}", remedy())),
        Use::Set => {
            Some(format!("other users may write to {path}, and the links of a set do not work there: {}", remedy()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_directory_of_ours_is_one_for_secrets() {
        let path = Path::new("/run/tokens");
        let refused = |user, mode, used| refusal(Owned { user, mode }, path, used, 1000);
        for used in [Use::File("api"), Use::Set] {
            for (user, mode) in [(1000, 0o755), (1000, 0o700), (0, 0o755), (0, 0o1755)] {
                assert_eq!(refused(user, mode, used), None, "{user} {mode:o}");
            }
            for (user, mode) in [(0, 0o777), (0, 0o2777), (1000, 0o775), (2000, 0o700), (2000, 0o1777)] {
                assert!(refused(user, mode, used).is_some(), "{user} {mode:o}");
            }
        }
        assert_eq!(refused(0, 0o1777, Use::File("api")), None);
        assert_eq!(
            refused(0, 0o777, Use::File("api")).unwrap(),
            "other users may write to /run/tokens and replace the file: name a sub-directory, such as /run/tokens/app/api, which \
             is made so that only this helper writes to it"
        );
        assert!(refused(0, 0o1777, Use::Set).unwrap().contains("such as /run/tokens/db"));
        assert!(refused(2000, 0o755, Use::Set).unwrap().starts_with("/run/tokens belongs to user 2000"));
    }
}
