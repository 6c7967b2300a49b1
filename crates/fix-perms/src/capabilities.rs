//! The capabilities that the work needs (capabilities(7)), and the remedy for a missing one.

use rustix::{
    io::Errno,
    process::{Gid, Uid, getegid, geteuid, getgid, getgroups, getuid},
    thread::{CapabilitySet, capabilities},
};

use serde::Serialize;

use crate::{
    id_maps::{IdMaps, OVERFLOW},
    wanted::{SET_GROUP_ID, Wanted},
};

/// The rights of this process
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capabilities {
    held: CapabilitySet,
    is_root: bool,
}

/// The action that was refused
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    ChangeOwner,
    ChangeMode,
    SetGroupId,
    SetAcl,
    SetLabel,
    Look,
    Create,
}

#[cfg(test)]
impl Capabilities {
    pub(crate) fn none_of_root() -> Self {
        Self { held: CapabilitySet::empty(), is_root: true }
    }

    pub(crate) fn all_of_root() -> Self {
        Self { held: CapabilitySet::all(), is_root: true }
    }
}

impl Capabilities {
    /// Of this process; one that can't be told is taken to have none.
    pub(crate) fn of_this_process() -> Self {
        let held = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        Self { held, is_root: geteuid().is_root() }
    }

    /// The capabilities that the work as a whole lacks, before it starts: a warning, since all may
    /// be right already, or be ours. Names without their `CAP_`, as manifests have them.
    pub(crate) fn missing(self, wanted: &Wanted) -> Vec<&'static str> {
        let mut needed = Vec::new();
        if wanted.user.is_some() || wanted.group.is_some() {
            needed.push(Action::ChangeOwner);
        }
        if wanted.has_more_than_owners() {
            needed.push(Action::ChangeMode);
        }
        if wanted.may_set_group_id() {
            needed.push(Action::SetGroupId);
        }
        needed.push(Action::Look);
        needed.into_iter().filter_map(|action| self.missing_for(action)).collect()
    }

    /// The capability whose lack forbids an action to this process.
    pub(crate) fn missing_for(self, action: Action) -> Option<&'static str> {
        let (needed, name) = match action {
            Action::ChangeOwner => (CapabilitySet::CHOWN, "CHOWN"),
            Action::ChangeMode | Action::SetAcl | Action::SetLabel => (CapabilitySet::FOWNER, "FOWNER"),
            Action::SetGroupId => (CapabilitySet::FSETID, "FSETID"),
            // Either is enough for looking. Pod Security's baseline lets only this one be added.
            Action::Look => (CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH, "DAC_OVERRIDE"),
            Action::Create => (CapabilitySet::DAC_OVERRIDE, "DAC_OVERRIDE"),
        };
        (!self.held.intersects(needed)).then_some(name)
    }

    /// Whether this process may give any owner to anything.
    pub(crate) fn may_own(self) -> bool {
        self.missing_for(Action::ChangeOwner).is_none()
    }

    /// Whether a file of this process that has this group can get it back once it has another. In a
    /// user namespace, one number stands for all groups that it lacks.
    pub(crate) fn may_give_back(self, group: u32) -> bool {
        (self.may_own() || is_ours(group)) && !is_hidden(group)
    }

    /// Whether chmod(2) to this mode would drop the set-group-ID bit of a file of this group.
    pub(crate) fn lose_bit_of(self, group: u32, mode: u16) -> bool {
        mode & SET_GROUP_ID != 0 && self.lose_group_id_of(group)
    }

    /// Whether a directory of this group can have one of this process for a moment.
    pub(crate) fn may_lend(self, group: u32) -> bool {
        self.may_own() && self.may_give_back(group)
    }

    /// Whether chmod(2) would drop the set-group-ID bit of a file of this group, and say nothing.
    pub(crate) fn lose_group_id_of(self, group: u32) -> bool {
        // A capability of a user namespace does not hold for a group that it lacks.
        (self.missing_for(Action::SetGroupId).is_some() || is_hidden(group)) && !is_ours(group)
    }

    /// The capabilities whose lack forbids this process to become this user with this group and no
    /// other group.
    pub(crate) fn missing_to_become(self, user: u32, group: u32) -> Vec<&'static str> {
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
        // setuid(2) and setgid(2) give a process without a capability its own numbers again.
        let is_user = getuid() == user || geteuid() == user;
        let has_other_group = || getgroups().is_ok_and(|all| all.iter().any(|other| *other != group));
        let is_group = (getgid() == group || getegid() == group) && !has_other_group();
        let lacks = |capability| !self.held.contains(capability);
        let needed = [
            ("SETUID", !is_user && lacks(CapabilitySet::SETUID)),
            ("SETGID", !is_group && lacks(CapabilitySet::SETGID)),
        ];
        needed.into_iter().filter_map(|(name, is_missing)| is_missing.then_some(name)).collect()
    }

    /// The lines for the manifest
    pub(crate) fn remedy(self, missing: &[&str]) -> String {
        let names = missing.join(", ");
        let user = if self.is_root { "" } else { "runAsNonRoot: false, runAsUser: 0, " };
        format!("give the container securityContext: {{{user}capabilities: {{add: [{names}]}}}}")
    }
}

/// Whether the number may stand for groups that the user namespace lacks
fn is_hidden(group: u32) -> bool {
    group == OVERFLOW && IdMaps::of_this_process().may_hide(None, Some(group))
}

fn is_ours(group: u32) -> bool {
    getegid().as_raw() == group || getgroups().is_ok_and(|all| all.contains(&Gid::from_raw(group)))
}

/// An error without its number
pub(crate) fn error_text(error: Errno) -> String {
    let text = std::io::Error::from(error).to_string();
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_of_an_ordinary_user_is_to_be_root_too() {
        let user = Capabilities { is_root: false, ..Capabilities::none_of_root() };
        let words = "{runAsNonRoot: false, runAsUser: 0, capabilities: {add: [FOWNER]}}";
        assert!(user.remedy(&["FOWNER"]).contains(words));
    }

    #[test]
    fn reading_is_enough_to_look() {
        let reader = Capabilities { held: CapabilitySet::DAC_READ_SEARCH, is_root: true };
        assert_eq!(reader.missing_for(Action::Look), None);
        assert_eq!(reader.missing_for(Action::Create), Some("DAC_OVERRIDE"));
    }
}
