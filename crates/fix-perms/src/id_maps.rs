//! The users and groups that the user namespace of this process has (`user_namespaces(7)`).

use std::{fs, ops::RangeInclusive};

/// The number that stands for every user or group that a namespace does not have
/// (`/proc/sys/kernel/overflowuid`)
pub(crate) const OVERFLOW: u32 = 65534;
/// Ranges that a message names
const TOLD_LIMIT: usize = 3;

/// The users and groups of a user namespace; everything, where that is not known
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IdMaps {
    users: Option<Ids>,
    groups: Option<Ids>,
}

type Ids = Vec<RangeInclusive<u32>>;

impl IdMaps {
    pub(crate) fn of_this_process() -> Self {
        let read = |path| fs::read_to_string(path).ok().as_deref().and_then(parse);
        Self { users: read("/proc/self/uid_map"), groups: read("/proc/self/gid_map") }
    }

    /// The user or group that the namespace lacks, and those that it has: `user 70000 is not …`.
    pub(crate) fn lacks(&self, user: Option<u32>, group: Option<u32>) -> Option<String> {
        let lacks = |kind: &str, ids: &Option<Ids>, id: Option<u32>| {
            let (ids, id) = (ids.as_ref()?, id?);
            let is_missing = !ids.iter().any(|range| range.contains(&id));
            is_missing.then(|| format!("the user namespace of the pod has {}, and not {kind} {id}", told(kind, ids)))
        };
        lacks("user", &self.users, user).or_else(|| lacks("group", &self.groups, group))
    }

    /// Whether an entry of this user and group may belong to one that the namespace does not have.
    pub(crate) fn may_hide(&self, user: Option<u32>, group: Option<u32>) -> bool {
        let may_hide = |ids: &Option<Ids>, id| {
            let has_all =
                |ids: &Ids| matches!(&ids[..], [range] if (*range.start(), *range.end()) == (0, u32::MAX - 1));
            id == Some(OVERFLOW) && ids.as_ref().is_some_and(|ids| !has_all(ids))
        };
        may_hide(&self.users, user) || may_hide(&self.groups, group)
    }
}

/// A line a range: the first number inside, the first number outside, and the length.
fn parse(map: &str) -> Option<Ids> {
    let range = |line: &str| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<u32>().ok());
        let (first, _, length) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(first..=first.checked_add(length.checked_sub(1)?)?)
    };
    map.lines().map(range).collect()
}

/// `users 0 to 65535`
fn told(kind: &str, ids: &Ids) -> String {
    let range = |range: &RangeInclusive<u32>| match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first} to {last}"),
    };
    let others = if ids.len() > TOLD_LIMIT { ", …" } else { "" };
    match &ids.iter().take(TOLD_LIMIT).map(range).collect::<Vec<_>>()[..] {
        [] => format!("no {kind}s"),
        [one] if !one.contains(' ') => format!("{kind} {one} only"),
        ranges => format!("{kind}s {}{others}", ranges.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps(users: &str, groups: &str) -> IdMaps {
        IdMaps { users: parse(users), groups: parse(groups) }
    }

    #[test]
    fn a_user_or_group_outside_the_maps_is_lacking() {
        let pod = maps("         0 1048576      65536\n", "0 1048576 65536\n");
        assert_eq!(pod.lacks(Some(65535), Some(0)), None);
        assert_eq!(pod.lacks(None, None), None);
        let words = "the user namespace of the pod has users 0 to 65535, and not user 70000";
        assert_eq!(pod.lacks(Some(70000), None).as_deref(), Some(words));
        let words = "the user namespace of the pod has groups 0 to 65535, and not group 65536";
        assert_eq!(pod.lacks(Some(1), Some(65536)).as_deref(), Some(words));
        let words = "the user namespace of the pod has user 0 only, and not user 1";
        assert_eq!(maps("0 1000 1", "0 1000 1").lacks(Some(1), None).as_deref(), Some(words));
        let podman = maps("0 1000 1\n1 100000 65536\n70000 1 2\n80000 2 1", "");
        let words = "the user namespace of the pod has users 0, 1 to 65536, 70000 to 70001, …, and not user 9999999";
        assert_eq!(podman.lacks(Some(9_999_999), None).as_deref(), Some(words));
    }

    #[test]
    fn the_overflow_number_hides_an_owner_only_in_a_namespace_of_its_own() {
        let pod = maps("0 1048576 65536", "0 1048576 65536");
        assert!(pod.may_hide(Some(OVERFLOW), Some(0)) && pod.may_hide(Some(0), Some(OVERFLOW)));
        assert!(!pod.may_hide(Some(0), None));
        assert!(!maps("0 0 4294967295", "0 0 4294967295").may_hide(Some(OVERFLOW), Some(OVERFLOW)));
    }

    #[test]
    fn the_whole_range_and_unreadable_maps_lack_nothing() {
        assert_eq!(maps("0 0 4294967295", "0 0 4294967295").lacks(Some(u32::MAX - 1), Some(0)), None);
        assert_eq!(maps("x", "0 0").lacks(Some(1), Some(1)), None);
        assert_eq!(IdMaps::default().lacks(Some(1), Some(1)), None);
    }
}
