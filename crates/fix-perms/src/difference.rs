//! How an entry differs from what is wanted: fields for programs, words for people.

use std::fmt;

use serde::Serialize;

use crate::{stat::Stat, wanted::Change};

/// What is wrong with an entry
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Wrong<Owner>>,
    /// Four octal digits
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Wrong<String>>,
    /// An SELinux label; `null` stands for none
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Wrong<Option<String>>>,
    /// A directory has another default ACL
    #[serde(skip_serializing_if = "is_false")]
    default_acl: bool,
    /// The entry itself is missing
    #[serde(skip_serializing_if = "is_false")]
    missing: bool,
}

/// A value, and the one that is wanted
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Wrong<T> {
    now: T,
    wanted: T,
}

/// The numbers of a user and a group
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Owner {
    user: u32,
    group: u32,
}

impl Difference {
    /// The owner and the mode that an entry has, and those that it should have
    pub(crate) fn of(stat: &Stat, change: Change) -> Self {
        let now = Owner { user: stat.user, group: stat.group };
        let wanted = Owner { user: change.user.unwrap_or(now.user), group: change.group.unwrap_or(now.group) };
        Self {
            owner: change.owner().then_some(Wrong { now, wanted }),
            // One that the new owner takes and the change gives back is none.
            mode: change
                .mode
                .filter(|mode| *mode != stat.mode)
                .map(|wanted| Wrong { now: format!("{:04o}", stat.mode), wanted: format!("{wanted:04o}") }),
            ..Self::default()
        }
    }

    pub(crate) fn with_label(self, now: Option<String>, wanted: String) -> Self {
        Self { label: Some(Wrong { now, wanted: Some(wanted) }), ..self }
    }

    pub(crate) fn with_default_acl(self, default_acl: bool) -> Self {
        Self { default_acl, ..self }
    }

    pub(crate) fn missing() -> Self {
        Self { missing: true, ..Self::default() }
    }
}

/// `owner 0:0 → 1000:0, mode 0644 → 0640`
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let text = |label: &Option<String>| label.as_deref().unwrap_or("none").to_owned();
        let parts = [
            self.owner.as_ref().map(|Wrong { now, wanted }| {
                format!("owner {}:{} → {}:{}", now.user, now.group, wanted.user, wanted.group)
            }),
            self.mode.as_ref().map(|Wrong { now, wanted }| format!("mode {now} → {wanted}")),
            self.label.as_ref().map(|Wrong { now, wanted }| format!("label {} → {}", text(now), text(wanted))),
            self.default_acl.then(|| "another default ACL".to_owned()),
            self.missing.then(|| "does not exist → is made".to_owned()),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stat::{Id, Kind};

    #[test]
    fn a_difference_has_fields_and_words() {
        let id = Id { device: (0, 0), inode: 1 };
        let stat = Stat {
            kind: Kind::Regular,
            mode: 0o4755,
            user: 0,
            group: 0,
            links: 1,
            id,
            mount: 0,
            file_system: (0, 0),
            changed: None,
        };
        let change = Change { user: Some(1000), mode: Some(0o640), ..Change::default() };
        let difference = Difference::of(&stat, change).with_label(None, "u:r:t:s0".into());
        assert_eq!(difference.to_string(), "owner 0:0 → 1000:0, mode 4755 → 0640, label none → u:r:t:s0");
        let fields = json!({
            "owner": {"now": {"user": 0, "group": 0}, "wanted": {"user": 1000, "group": 0}},
            "mode": {"now": "4755", "wanted": "0640"},
            "label": {"now": null, "wanted": "u:r:t:s0"},
        });
        assert_eq!(serde_json::to_value(&difference).unwrap(), fields);
        assert_eq!(serde_json::to_value(Difference::missing()).unwrap(), json!({"missing": true}));
    }
}
