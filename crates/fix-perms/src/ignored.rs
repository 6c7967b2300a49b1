//! Changes that the kernel accepts and a file system ignores: the faults that remain, and the
//! remedy. Pure.
//!
//! SMB without Unix extensions and many FUSE file systems (blobfuse, for example) invent owner and
//! mode from their mount options. For them chown(2) and chmod(2) succeed and do nothing. Some of
//! them keep one and ignore the other.

use crate::{
    capabilities::Action,
    difference::Difference,
    stat::Stat,
    wanted::{Change, Wanted},
};

/// The bits of a mode that are no permissions: set-user-ID, set-group-ID and sticky
const SPECIAL: u16 = 0o7000;

/// The faults of an entry after a change that the kernel accepted
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ignored {
    left: Change,
    now: Stat,
}

impl Ignored {
    /// `now` is the entry as it is after its change; `None` if it is as wanted.
    pub(crate) fn find(wanted: &Wanted, now: &Stat) -> Option<Self> {
        let left = wanted.change(now);
        (!left.is_nothing()).then_some(Self { left, now: *now })
    }

    /// The change that was ignored, the owner first.
    pub(crate) fn action(self) -> Action {
        if self.left.owner() { Action::ChangeOwner } else { Action::ChangeMode }
    }

    /// What is wrong, and the mount options that mend it.
    pub(crate) fn describe(self) -> String {
        let Self { left, now } = self;
        if let Some(mode) = left.mode.filter(|mode| !left.owner() && (mode ^ now.mode) & !SPECIAL == 0) {
            return format!(
                "mode {mode:04o} became {:04o}: the kernel or the file system dropped special bits without an error; \
                 ask for a mode without them, or use another file system",
                now.mode
            );
        }
        let mode_option = if now.is_directory() { "dir_mode" } else { "file_mode" };
        let options = [
            left.user.map(|user| format!("uid={user}")),
            left.group.map(|group| format!("gid={group}")),
            left.mode.map(|mode| format!("{mode_option}={mode:04o}")),
        ];
        let options: Vec<_> = options.into_iter().flatten().collect();
        format!(
            "the file system accepted the change and did not make it ({}), as SMB and some FUSE mounts do: \
             mount the volume with the options {}",
            Difference::of(&now, left),
            options.join(",")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        stat::{Id, Kind},
        wanted::Modes,
    };

    fn wanted(modes: Modes) -> Wanted {
        Wanted {
            user: Some(1000),
            group: Some(2000),
            modes,
            private: false,
            links: true,
            acl: None,
            label: None,
            umask: 0o022,
        }
    }

    fn rules(mode: &str) -> Modes {
        Modes::Rules { directory: Some(mode.parse().unwrap()), file: Some(mode.parse().unwrap()) }
    }

    fn stat(kind: Kind, user: u32, group: u32, mode: u16) -> Stat {
        Stat {
            kind,
            mode,
            user,
            group,
            links: 1,
            id: Id { device: (0, 0), inode: 1 },
            mount: 0,
            file_system: (0, 0),
            changed: None,
        }
    }

    #[track_caller]
    fn assert_told(modes: Modes, now: &Stat, words: &str) {
        let told = Ignored::find(&wanted(modes), now).map(Ignored::describe).unwrap_or_default();
        assert!(told.contains(words) && told.is_empty() == words.is_empty(), "{told:?}");
    }

    #[test]
    fn the_mount_options_are_those_of_what_was_ignored() {
        let file = |user, group, mode| stat(Kind::Regular, user, group, mode);
        assert_told(rules("0640"), &file(1000, 2000, 0o640), "");
        assert_told(rules("0640"), &file(0, 0, 0o755), "(owner 0:0 → 1000:2000, mode 0755 → 0640)");
        assert_told(rules("0640"), &file(0, 0, 0o755), "with the options uid=1000,gid=2000,file_mode=0640");
        assert_told(rules("0640"), &file(1000, 0, 0o640), "with the options gid=2000");
        assert_told(rules("0640"), &file(1000, 2000, 0o755), "with the options file_mode=0640");
        assert_told(rules("0750"), &stat(Kind::Directory, 0, 2000, 0o755), "with the options uid=1000,dir_mode=0750");
        assert_told(rules("0750"), &stat(Kind::Link, 0, 0, 0o777), "with the options uid=1000,gid=2000");
    }

    #[test]
    fn special_bits_count_only_where_they_are_asked_for() {
        let fs_group = || Modes::FsGroup { read_only: false };
        let directory = stat(Kind::Directory, 1000, 2000, 0o770);
        assert_told(fs_group(), &directory, "mode 2770 became 0770");
        assert_told(rules("g+s"), &directory, "mode 2770 became 0770");
        // Some kernels take the bit of a directory away with its owner; chmod(1) leaves it to them
        // too.
        assert_told(rules("u=rwX,g=rwX,o="), &directory, "");
        assert_told(fs_group(), &stat(Kind::Directory, 1000, 2000, 0o700), "dir_mode=2770");
    }
}
