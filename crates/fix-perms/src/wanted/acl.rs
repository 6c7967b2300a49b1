//! Default ACLs of directories (acl(5)): the permissions of files that are made there later.

use std::str::FromStr;

/// The extended attributes that hold a directory's ACLs
pub(crate) const DEFAULT: &str = "system.posix_acl_default";
pub(crate) const ACCESS: &str = "system.posix_acl_access";

/// Version of the attribute's format (`linux/posix_acl_xattr.h`)
const VERSION: u32 = 2;
/// The ID in an entry that names no user or group
const NO_ID: u32 = u32::MAX;
/// Bytes of an attribute (`XATTR_SIZE_MAX`) would take thousands of entries, more than a reader can
/// check
const ENTRY_LIMIT: usize = 100;

const USER_OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OWNER: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// The entries that a default ACL must have. Those of owner, group and others that it leaves out
/// come from the directory's own ACL and mode, as with setfacl(1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DefaultAcl(Vec<Entry>);

/// In the order that the kernel asks for: by tag, then by ID
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    tag: u16,
    id: u32,
    permissions: u16,
}

impl DefaultAcl {
    /// The attribute's bytes for a directory with this mode and, if it has one, this access ACL.
    pub(crate) fn attribute(&self, mode: u16, access: Option<&[u8]>) -> Vec<u8> {
        let mut entries = self.0.clone();
        // With an access ACL, the mode's group bits are its mask.
        let group = access.and_then(owning_group).unwrap_or(mode >> 3);
        for (tag, permissions) in [(USER_OWNER, mode >> 6), (GROUP_OWNER, group), (OTHER, mode)] {
            if !entries.iter().any(|entry| entry.tag == tag) {
                entries.push(Entry { tag, id: NO_ID, permissions: permissions & 7 });
            }
        }
        if entries.iter().any(|entry| matches!(entry.tag, USER | GROUP))
            && !entries.iter().any(|entry| entry.tag == MASK)
        {
            let of_group_class = entries.iter().filter(|entry| matches!(entry.tag, USER | GROUP | GROUP_OWNER));
            let permissions = of_group_class.fold(0, |sum, entry| sum | entry.permissions);
            entries.push(Entry { tag: MASK, id: NO_ID, permissions });
        }
        entries.sort_unstable();
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for Entry { tag, id, permissions } in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }
}

impl FromStr for DefaultAcl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut entries = text.split(',').map(entry).collect::<Result<Vec<_>, _>>()?;
        entries.sort_unstable();
        if entries.windows(2).any(|pair| (pair[0].tag, pair[0].id) == (pair[1].tag, pair[1].id)) {
            return Err("this has an entry twice: leave one of them out".into());
        }
        if entries.len() > ENTRY_LIMIT {
            return Err(format!("an ACL of more than {ENTRY_LIMIT} entries"));
        }
        Ok(Self(entries))
    }
}

/// The permissions that an ACL attribute gives to the group that owns the file.
fn owning_group(attribute: &[u8]) -> Option<u16> {
    let mut entries = attribute.get(size_of::<u32>()..)?.chunks_exact(8);
    let entry = entries.find(|entry| entry[..2] == GROUP_OWNER.to_le_bytes())?;
    Some(u16::from_le_bytes([entry[2], entry[3]]))
}

/// `user:1000:rwx`, `g:app:rX`, `u::rwx`, `mask::rwx`, `o::---`; letters as setfacl(1) reads them.
/// `X` is `x`: these are directories.
fn entry(text: &str) -> Result<Entry, String> {
    let wrong = || "this is not an ACL entry: write it as u:1000:rwx, g::rx or o::-".to_owned();
    let text = text.strip_prefix("default:").or_else(|| text.strip_prefix("d:")).unwrap_or(text);
    let parts: Vec<_> = text.split(':').collect();
    let (kind, name, letters) = match parts[..] {
        [kind, name, letters] => (kind, name, letters),
        [kind @ ("m" | "mask" | "o" | "other"), letters] => (kind, "", letters),
        _ => return Err(wrong()),
    };
    let (tag, id) = match (kind, name) {
        ("u" | "user", "") => (USER_OWNER, NO_ID),
        ("u" | "user", name) => (USER, files::accounts::user(name)?),
        ("g" | "group", "") => (GROUP_OWNER, NO_ID),
        ("g" | "group", name) => (GROUP, files::accounts::group(name)?),
        ("m" | "mask", "") => (MASK, NO_ID),
        ("o" | "other", "") => (OTHER, NO_ID),
        _ => return Err(wrong()),
    };
    Ok(Entry { tag, id, permissions: permissions(letters).ok_or_else(wrong)? })
}

fn permissions(letters: &str) -> Option<u16> {
    if letters.is_empty() {
        return None;
    }
    letters.chars().try_fold(0, |sum, letter| match letter {
        'r' => Some(sum | 4),
        'w' => Some(sum | 2),
        'x' | 'X' => Some(sum | 1),
        '-' => Some(sum),
        '0'..='7' if letters.len() == 1 => letter.to_digit(8).and_then(|bits| u16::try_from(bits).ok()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries(spec: &str, mode: u16) -> Vec<(u16, u16, u32)> {
        let bytes = spec.parse::<DefaultAcl>().unwrap().attribute(mode, None);
        assert_eq!(bytes[..4], VERSION.to_le_bytes());
        let entry = |bytes: &[u8]| {
            let two = |at| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
            (two(0), two(2), u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]))
        };
        bytes[4..].chunks(8).map(entry).collect()
    }

    #[test]
    fn what_is_left_out_comes_from_the_mode_and_the_mask_covers_all() {
        assert_eq!(
            entries("g:2000:rwx,u:1000:rx", 0o751),
            [
                (USER_OWNER, 7, NO_ID),
                (USER, 5, 1000),
                (GROUP_OWNER, 5, NO_ID),
                (GROUP, 7, 2000),
                (MASK, 7, NO_ID),
                (OTHER, 1, NO_ID)
            ]
        );
        assert_eq!(
            entries("u::rwx,g::rx,o::-", 0),
            [(USER_OWNER, 7, NO_ID), (GROUP_OWNER, 5, NO_ID), (OTHER, 0, NO_ID)]
        );
        assert_eq!(entries("default:user:root:7,m::r,o:0", 0o777)[3], (MASK, 4, NO_ID));
    }

    #[test]
    fn the_owning_group_of_an_access_acl_comes_before_the_mode() {
        let access = "u::rwx,u:5:rwx,g::-,o::-".parse::<DefaultAcl>().unwrap().attribute(0, None);
        let default = "u:1000:rx".parse::<DefaultAcl>().unwrap();
        assert_eq!(owning_group(&default.attribute(0o770, Some(&access))), Some(0));
        assert_eq!(owning_group(&default.attribute(0o770, None)), Some(7));
        assert_eq!(owning_group(&[]), None);
    }

    #[test]
    fn what_is_no_acl_is_refused() {
        for text in ["", "u", "u:1000", "u:1000:", "u:1000:rwz", "x:1:r", "u:1:r,u:1:w", "m:1:r", "o:1:r", "u:1:77"] {
            assert!(text.parse::<DefaultAcl>().is_err(), "{text:?}");
        }
        let error = "u:1000".parse::<DefaultAcl>().unwrap_err();
        assert_eq!(error, "this is not an ACL entry: write it as u:1000:rwx, g::rx or o::-");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[ugmodrwx:,0-9-]{0,16}|\\PC*") {
            let _ = text.parse::<DefaultAcl>();
        }
    }
}
