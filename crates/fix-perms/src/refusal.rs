//! An action that the kernel refused: its reason and its remedy. Pure.

use rustix::io::Errno;
use serde::{Serialize, Serializer};

use crate::{
    capabilities::{Action, Capabilities, error_text},
    filesystem::FileSystem,
    id_maps::IdMaps,
};

/// An action and why the kernel refused it
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Refusal {
    pub(crate) action: Action,
    /// As a number of errno(3)
    #[serde(rename = "errno", serialize_with = "number")]
    pub(crate) error: Errno,
}

/// The facts that explain a refusal
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) capabilities: Capabilities,
    pub(crate) file_system: FileSystem,
    pub(crate) maps: IdMaps,
    /// The user and group of the entry, as far as they are known
    pub(crate) now: (Option<u32>, Option<u32>),
    /// Those that it should have
    pub(crate) wanted: (Option<u32>, Option<u32>),
    /// Whether the entry is on the mount of the PATH itself
    pub(crate) is_on_own_mount: bool,
}

impl Facts {
    /// Where nothing is known of the entry.
    pub(crate) fn unknown(capabilities: Capabilities) -> Self {
        let (file_system, maps) = (FileSystem::Unknown, IdMaps::default());
        Self { capabilities, file_system, maps, now: (None, None), wanted: (None, None), is_on_own_mount: false }
    }
}

impl Refusal {
    /// What was refused, with a reason.
    pub(crate) fn describe(self, reason: &str) -> String {
        let what = match self.action {
            Action::ChangeOwner => "cannot change the owner",
            Action::ChangeMode => "cannot change the mode",
            Action::SetGroupId => "cannot set the set-group-ID bit",
            Action::SetAcl => "cannot set the default ACL",
            Action::SetLabel => "cannot set the SELinux label",
            Action::Look => "cannot look at it",
            Action::Create => "cannot make the directory",
        };
        format!("{what}: {reason}")
    }

    /// Why it was refused, and the remedy.
    pub(crate) fn explain(self, facts: &Facts) -> String {
        match (self.action, self.error) {
            (Action::Create, Errno::ROFS) => "the file system is read-only: mount it writable".into(),
            (_, Errno::ROFS) if facts.is_on_own_mount => {
                "the file system is read-only: mount it writable, or leave this \
                PATH out (--skip-read-only leaves out only what is mounted below a PATH)"
                    .into()
            }
            (_, Errno::ROFS) => {
                "the file system is read-only: mount it writable, or leave it out with --skip-read-only \
                or --exclude"
                    .into()
            }
            (Action::SetLabel, Errno::INVAL) => {
                "the SELinux policy of this machine does not have this label: choose another".into()
            }
            (Action::SetLabel, Errno::OPNOTSUPP) => {
                "the file system keeps no SELinux labels: mount it with the option \
                context= and the label, and leave --selinux-label out"
                    .into()
            }
            (_, error) => format!("{}: {}", error_text(error), self.reason(facts)),
        }
    }

    fn reason(self, facts: &Facts) -> String {
        let Self { action, error } = self;
        let is_denied = matches!(error, Errno::PERM | Errno::ACCESS);
        // chown(2) in a user namespace or on an idmapped mount
        if !is_denied {
            return match facts.maps.lacks(facts.wanted.0, facts.wanted.1) {
                Some(lack) => format!("{lack}: choose another owner, or give the pod hostUsers: true"),
                None => {
                    "the idmapped mount, or the server of the file system, has no such user or group: choose another \
                         owner"
                        .into()
                }
            };
        }
        // The kernel gives no capability over an entry whose owner the namespace does not have.
        if let Some(lack) = facts.maps.lacks(facts.now.0, facts.now.1) {
            return format!("{lack}, to which the entry belongs: set it right from a pod with hostUsers: true");
        }
        if let Some(name) = facts.capabilities.missing_for(action) {
            return format!("CAP_{name} is missing; {}", facts.capabilities.remedy(&[name]));
        }
        if facts.maps.may_hide(facts.now.0, facts.now.1) {
            return "the entry's owner 65534 stands for one that the user namespace of the pod does not have: set it right \
                    from a pod with hostUsers: true"
                .into();
        }
        let reason = match (facts.file_system, error) {
            (_, Errno::ACCESS) if action == Action::SetLabel => {
                "the SELinux policy keeps this container from relabelling; \
                 give it securityContext: {seLinuxOptions: {type: spc_t}}"
            }
            (FileSystem::Nfs, _) => {
                "the NFS server refuses root (root_squash): export the volume with no_root_squash, set it right on the \
                 server, or give --on-denied accessible if the wanted owner can already read and write"
            }
            (FileSystem::Network, _) => {
                "the server of the file system refuses it: set it right there or by mount options (uid=, gid=), or give \
                 --on-denied accessible if the wanted owner can already read and write"
            }
            (FileSystem::Local, Errno::PERM) => {
                "the entry is immutable or append-only (lsattr shows it, chattr -i mends it)"
            }
            (FileSystem::Local, _) => {
                "a security module such as AppArmor or SELinux refuses it: look into the kernel's log"
            }
            (FileSystem::Unknown, Errno::PERM) => {
                "the entry is immutable (lsattr shows it), or its server squashes root"
            }
            (FileSystem::Unknown, _) => "the entry's server squashes root, perhaps",
        };
        reason.into()
    }
}

/// Whether an error is one of a disk, a server or their connection: another try may help.
pub(crate) fn is_of_volume(error: Errno) -> bool {
    matches!(
        error,
        Errno::IO
            | Errno::NOTCONN
            | Errno::TIMEDOUT
            | Errno::HOSTDOWN
            | Errno::REMOTEIO
            | Errno::STALE
            | Errno::DQUOT
            | Errno::NOSPC
            | Errno::UCLEAN
            | Errno::BADMSG
            | Errno::NXIO
            | Errno::NODEV
    )
}

/// The words of an error that is no refusal, and its remedy
pub(crate) fn explained(error: Errno) -> String {
    let remedy = match error {
        Errno::NOTCONN => {
            return "the process behind this mount (FUSE) is gone: mount it again, or leave it out".into();
        }
        Errno::MFILE | Errno::NFILE => return "too many open files: raise the limit, or lower --threads".into(),
        Errno::NOSPC => "; on an overlay, a change copies a file of a lower layer",
        _ => "",
    };
    error_text(error) + remedy
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn number<S: Serializer>(error: &Errno, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i32(error.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(action: Action, error: Errno, facts: &Facts) -> String {
        Refusal { action, error }.explain(facts)
    }

    #[test]
    fn a_refusal_names_what_is_missing_and_the_remedy() {
        let bare = Facts::unknown(Capabilities::none_of_root());
        let words = "operation not permitted: CAP_CHOWN is missing; \
                     give the container securityContext: {capabilities: {add: [CHOWN]}}";
        assert_eq!(explained(Action::ChangeOwner, Errno::PERM, &bare), words);
        let full = Facts::unknown(Capabilities::all_of_root());
        assert!(explained(Action::ChangeMode, Errno::PERM, &full).contains("immutable"));
        assert!(explained(Action::ChangeMode, Errno::ROFS, &full).contains("leave it out with --skip-read-only"));
        let own = Facts { is_on_own_mount: true, ..full.clone() };
        assert!(explained(Action::ChangeMode, Errno::ROFS, &own).contains("leave this PATH out"));
        let policy = "permission denied: the SELinux policy keeps this container from relabelling; \
                      give it securityContext: {seLinuxOptions: {type: spc_t}}";
        assert_eq!(explained(Action::SetLabel, Errno::ACCESS, &full), policy);
        assert!(explained(Action::SetLabel, Errno::INVAL, &full).contains("does not have this label"));
        assert!(explained(Action::ChangeOwner, Errno::INVAL, &full).contains("the idmapped mount, or"));
    }

    #[test]
    fn the_file_system_decides_what_is_behind_a_refusal() {
        let on = |file_system| Facts { file_system, ..Facts::unknown(Capabilities::all_of_root()) };
        for (file_system, error, words) in [
            (
                FileSystem::Nfs,
                Errno::PERM,
                "operation not permitted: the NFS server refuses root (root_squash): export",
            ),
            (FileSystem::Nfs, Errno::ACCESS, "permission denied: the NFS server refuses root (root_squash): export"),
            (FileSystem::Network, Errno::PERM, "operation not permitted: the server of the file system refuses it"),
            (FileSystem::Local, Errno::PERM, "operation not permitted: the entry is immutable or append-only"),
            (FileSystem::Local, Errno::ACCESS, "permission denied: a security module"),
        ] {
            let explained = explained(Action::ChangeOwner, error, &on(file_system));
            assert!(explained.starts_with(words), "{explained}");
        }
    }
}
