//! The default ACL of a directory: whether it is as wanted, and its change.

use rustix::{
    fs::{XattrFlags, fgetxattr, fsetxattr},
    io::{self, Errno},
};

use super::Fixer;
use crate::{
    capabilities::Action,
    directory::Directory,
    ledger::{Cause, Text},
    refusal::Refusal,
    stat::Stat,
    wanted::acl,
};

/// Bytes of an ACL that can be equal to a wanted one; a longer one differs
const ACL_LIMIT: usize = 4096;

impl Fixer<'_> {
    /// The default ACL that a directory must be given; an error is reported when the ACL is set.
    pub(super) fn missing_acl(&self, directory: &Directory, stat: &Stat) -> Option<Vec<u8>> {
        let acl = self.wanted.default_acl(stat)?;
        let mode = self.wanted.change(stat).mode.unwrap_or(stat.mode);
        let wanted = acl.attribute(mode, acl_of(directory, acl::ACCESS).ok().flatten().as_deref());
        (acl_of(directory, acl::DEFAULT).ok().flatten().as_ref() != Some(&wanted)).then_some(wanted)
    }

    /// Sets the default ACL, if it is wrong; whether it is another one now.
    pub(super) fn set_acl(&self, directory: &Directory, stat: &Stat, path: Text) -> bool {
        let Some(wanted) = self.missing_acl(directory, stat) else { return false };
        self.stamps.end();
        match fsetxattr(directory, acl::DEFAULT, &wanted, XattrFlags::empty()) {
            Ok(()) if acl_of(directory, acl::DEFAULT).ok().flatten().as_ref() != Some(&wanted) => {
                let reason =
                    "the file system accepted the default ACL and keeps another, or none: leave --default-acl out";
                self.stays_wrong(false, path, Cause::Ignored { action: Action::SetAcl }, &|| reason.into());
                false
            }
            Ok(()) => {
                self.mounts.accepted(stat);
                true
            }
            Err(error) => {
                self.refused(Refusal { action: Action::SetAcl, error }, Some(stat), path);
                false
            }
        }
    }
}

/// The ACL that an attribute of a directory holds, if it has one
fn acl_of(directory: &Directory, attribute: &str) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = [0; ACL_LIMIT];
    match fgetxattr(directory, attribute, &mut bytes) {
        Ok(length) => Ok(Some(bytes[..length].to_vec())),
        Err(Errno::NODATA) => Ok(None),
        Err(error) => Err(error),
    }
}
