//! The wanted state of an entry, and the change that leads to it. Pure.

pub(crate) mod acl;
pub(crate) mod label;
pub(crate) mod mode;

use self::{acl::DefaultAcl, label::Label, mode::Rule};
use crate::stat::{Kind, Stat};

pub(crate) const SET_USER_ID: u16 = 0o4000;
pub(crate) const SET_GROUP_ID: u16 = 0o2000;
const GROUP_EXECUTES: u16 = 0o010;
const GROUP_AND_OTHERS: u16 = 0o077;

/// The wanted state of every entry of a tree
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) user: Option<u32>,
    pub(crate) group: Option<u32>,
    pub(crate) modes: Modes,
    /// Entries that give nothing to group and others never give more
    pub(crate) private: bool,
    /// Symbolic links are re-owned too
    pub(crate) links: bool,
    pub(crate) acl: Option<DefaultAcl>,
    pub(crate) label: Option<Label>,
    pub(crate) umask: u16,
}

/// How modes are wanted
#[derive(Clone, Debug)]
pub(crate) enum Modes {
    /// As chmod(1) would: one rule for directories, one for all others
    Rules { directory: Option<Rule>, file: Option<Rule> },
    /// As the kubelet does for `fsGroup` (`pkg/volume/volume_linux.go`): bits are only added, the
    /// set-ID bits that a change of the group takes away included
    FsGroup { read_only: bool },
}

/// A change of an entry
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) user: Option<u32>,
    pub(crate) group: Option<u32>,
    pub(crate) mode: Option<u16>,
    /// The SELinux label differs, which a look at the entry's attributes tells
    pub(crate) label: bool,
}

impl Wanted {
    /// The change that an entry needs. Its mode depends on the bits that the change of the owner
    /// leaves.
    pub(crate) fn change(&self, stat: &Stat) -> Change {
        if stat.kind == Kind::Link && !self.links {
            return Change::default();
        }
        let user = self.user.filter(|user| *user != stat.user);
        let group = self.group.filter(|group| *group != stat.group);
        let change = Change { user, group, ..Change::default() };
        let left = if change.owner() { left_by_chown(stat) } else { stat.mode };
        Change { mode: self.mode(stat, left), ..change }
    }

    /// The mode that an entry which was `stat`, and has the mode `now`, must still be given.
    pub(crate) fn mode(&self, stat: &Stat, now: u16) -> Option<u16> {
        if stat.kind == Kind::Link {
            return None;
        }
        let is_directory = stat.is_directory();
        let mut mode = match &self.modes {
            Modes::Rules { directory, file } => {
                let rule = if is_directory { directory } else { file };
                rule.as_ref()?.apply(now, is_directory, self.umask)
            }
            Modes::FsGroup { read_only } => stat.mode | fs_group_bits(is_directory, *read_only),
        };
        if self.private && stat.mode & GROUP_AND_OTHERS == 0 {
            mode &= !GROUP_AND_OTHERS;
        }
        (mode != now).then_some(mode)
    }

    /// The default ACL that a directory must have; a private one stays without.
    pub(crate) fn default_acl(&self, stat: &Stat) -> Option<&DefaultAcl> {
        let is_private = self.private && stat.mode & GROUP_AND_OTHERS == 0;
        self.acl.as_ref().filter(|_| stat.is_directory() && !is_private)
    }

    /// Whether the wanted owner can already read and write the entry, and enter it if it is a
    /// directory, by its mode.
    pub(crate) fn is_accessible(&self, stat: &Stat) -> bool {
        let class = match (self.user, self.group) {
            (Some(user), _) if user == stat.user => stat.mode >> 6,
            (_, Some(group)) if group == stat.group => stat.mode >> 3,
            _ => stat.mode,
        };
        let read_only = matches!(self.modes, Modes::FsGroup { read_only: true });
        let needed = if read_only { 4 } else { 6 } | u16::from(stat.is_directory());
        stat.kind == Kind::Link || class & needed == needed
    }

    /// Whether a set-group-ID bit may be among what is wanted.
    pub(crate) fn may_set_group_id(&self) -> bool {
        let sets = |rule: &Option<Rule>, is_directory| {
            rule.as_ref().is_some_and(|rule| rule.apply(0, is_directory, self.umask) & SET_GROUP_ID != 0)
        };
        match &self.modes {
            Modes::Rules { directory, file } => sets(directory, true) || sets(file, false),
            Modes::FsGroup { .. } => true,
        }
    }

    /// The mode that the rule gives even to an open directory, if its owner or group can then read
    /// it and not enter it.
    pub(crate) fn closed_directory_mode(&self) -> Option<u16> {
        let Modes::Rules { directory: Some(rule), .. } = &self.modes else { return None };
        let mode = rule.apply(0o777, true, self.umask);
        let is_closed = |class: u16| class & 6 != 0 && class & 1 == 0;
        (is_closed(mode >> 6) || is_closed(mode >> 3)).then_some(mode)
    }

    /// Whether a mode of directories is wanted.
    pub(crate) fn has_directory_mode(&self) -> bool {
        !matches!(&self.modes, Modes::Rules { directory: None, .. })
    }

    /// Whether more is wanted that only the owner of an entry may change: its mode, its ACL or its
    /// label.
    pub(crate) fn has_more_than_owners(&self) -> bool {
        let has_modes = !matches!(&self.modes, Modes::Rules { directory: None, file: None });
        has_modes || self.acl.is_some() || self.label.is_some()
    }
}

fn fs_group_bits(is_directory: bool, read_only: bool) -> u16 {
    match (is_directory, read_only) {
        (false, false) => 0o660,
        (false, true) => 0o440,
        (true, false) => SET_GROUP_ID | 0o770,
        (true, true) => SET_GROUP_ID | 0o550,
    }
}

/// The bits that chown(2) leaves of a mode: a user who runs a program must not become its new
/// owner. Directories keep all.
pub(crate) fn left_by_chown(stat: &Stat) -> u16 {
    let lost = match stat.mode & GROUP_EXECUTES {
        _ if stat.is_directory() => 0,
        0 => SET_USER_ID,
        _ => SET_USER_ID | SET_GROUP_ID,
    };
    stat.mode & !lost
}

impl Change {
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// Whether the owner, the group or both change
    pub(crate) fn owner(self) -> bool {
        self.user.is_some() || self.group.is_some()
    }

    /// Whether anything but the label changes
    pub(crate) fn owner_or_mode(self) -> bool {
        self.owner() || self.mode.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stat::Id;

    fn stat(kind: Kind, mode: u16) -> Stat {
        Stat {
            kind,
            mode,
            user: 0,
            group: 0,
            links: 1,
            id: Id { device: (0, 0), inode: 1 },
            mount: 0,
            file_system: (0, 0),
            changed: None,
        }
    }

    fn rules(mode: &str) -> Modes {
        let rule: Option<Rule> = Some(mode.parse().unwrap());
        Modes::Rules { directory: rule.clone(), file: rule }
    }

    fn wanted(modes: Modes) -> Wanted {
        Wanted {
            user: Some(1000),
            group: Some(1000),
            modes,
            private: false,
            links: false,
            acl: None,
            label: None,
            umask: 0o022,
        }
    }

    fn mode(wanted: &Wanted, kind: Kind, before: u16) -> u16 {
        wanted.change(&stat(kind, before)).mode.unwrap_or(before)
    }

    #[test]
    fn what_is_right_is_left_alone() {
        let wanted = wanted(rules("0640"));
        let right = Stat { user: 1000, group: 1000, ..stat(Kind::Regular, 0o640) };
        assert!(wanted.change(&right).is_nothing());
        let change = wanted.change(&Stat { group: 7, ..right });
        assert_eq!(change, Change { group: Some(1000), ..Change::default() });
    }

    #[test]
    fn set_id_bits_survive_a_new_owner_only_as_asked() {
        assert_eq!(wanted(rules("u+rw")).change(&stat(Kind::Regular, 0o4755)).mode, None);
        assert_eq!(wanted(rules("4755")).change(&stat(Kind::Regular, 0o4755)).mode, Some(0o4755));
        assert_eq!(mode(&wanted(rules("u+rw")), Kind::Directory, 0o6755), 0o6755);
    }

    #[test]
    fn the_kubelets_bits_for_fs_group() {
        let writable = wanted(Modes::FsGroup { read_only: false });
        let read_only = wanted(Modes::FsGroup { read_only: true });
        assert_eq!(mode(&writable, Kind::Regular, 0o4600), 0o4660);
        assert_eq!(mode(&writable, Kind::Directory, 0o1700), 0o3770);
        assert_eq!(mode(&read_only, Kind::Regular, 0o600), 0o640);
        assert_eq!(mode(&read_only, Kind::Directory, 0o700), 0o2750);
        assert_eq!(writable.change(&stat(Kind::Link, 0o777)).mode, None);
    }

    #[test]
    fn private_entries_are_never_widened() {
        for modes in [rules("0664"), rules("a+rwX"), Modes::FsGroup { read_only: false }] {
            let private = Wanted { private: true, ..wanted(modes) };
            assert_eq!(mode(&private, Kind::Regular, 0o600) & 0o077, 0);
            assert_eq!(mode(&private, Kind::Directory, 0o700) & 0o077, 0);
            assert_ne!(mode(&private, Kind::Regular, 0o640) & 0o077, 0o040);
        }
    }

    #[test]
    fn links_are_re_owned_when_asked_and_have_no_mode() {
        let link = stat(Kind::Link, 0o777);
        assert!(wanted(rules("0640")).change(&link).is_nothing());
        let change = Wanted { links: true, ..wanted(rules("0640")) }.change(&link);
        assert_eq!((change.user, change.mode), (Some(1000), None));
    }

    #[test]
    fn who_can_already_read_and_write() {
        let wanted = wanted(rules("0640"));
        let owned = |user, group, kind, mode| Stat { user, group, ..stat(kind, mode) };
        assert!(wanted.is_accessible(&owned(1000, 0, Kind::Regular, 0o600)));
        assert!(!wanted.is_accessible(&owned(1000, 0, Kind::Regular, 0o066)));
        assert!(wanted.is_accessible(&owned(0, 1000, Kind::Regular, 0o060)));
        assert!(!wanted.is_accessible(&owned(0, 1000, Kind::Directory, 0o767)));
        assert!(wanted.is_accessible(&owned(0, 0, Kind::Directory, 0o007)));
        assert!(!wanted.is_accessible(&owned(0, 0, Kind::Regular, 0o004)));
    }

    #[test]
    fn a_mode_for_files_that_would_close_directories_is_noticed() {
        for (mode, closed) in [("640", Some(0o640)), ("a-x", Some(0o666)), ("0740", Some(0o740)), ("u=rw", Some(0o677))]
        {
            assert_eq!(wanted(rules(mode)).closed_directory_mode(), closed, "{mode}");
        }
        for mode in ["u=rwX,g=rX,o=", "0750", "0700", "g+w", "0000"] {
            assert_eq!(wanted(rules(mode)).closed_directory_mode(), None, "{mode}");
        }
        assert_eq!(wanted(Modes::FsGroup { read_only: false }).closed_directory_mode(), None);
    }
}
