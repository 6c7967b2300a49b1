//! System calls that name a process by its number, which work only with the numbers of the own PID namespace.

use std::ptr;

use rustix::{
    fd::OwnedFd,
    fs::{fstat, readlinkat, stat},
    process::getpid,
};

/// True when this `/proc` has the process numbers of the own PID namespace. Another one, for example the node's below `--root`, may
/// have the numbers of another namespace.
pub(super) fn is_shown_by(proc: &OwnedFd) -> bool {
    let own = fstat(proc).ok().zip(stat("/proc").ok());
    let itself = readlinkat(proc, "self", Vec::new());
    own.is_some_and(|(this, own)| this.st_dev == own.st_dev)
        && itself.is_ok_and(|itself| itself.to_bytes() == getpid().to_string().as_bytes())
}

/// The soft limit of descriptors; `u64::MAX` is unlimited. `None` for a process that has ended, and for another user's process
/// without `CAP_SYS_RESOURCE` (getrlimit(2)). The call takes a sixth of the time of reading `/proc/PID/limits`.
#[expect(unsafe_code, reason = "no crate has a safe function for this call")]
pub(super) fn descriptor_limit(id: u32) -> Option<u64> {
    let id = id.try_into().ok()?;
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit64 to `limit`, and ignores the null pointer for a new limit.
    let result = unsafe { libc::prlimit64(id, libc::RLIMIT_NOFILE, ptr::null(), &raw mut limit) };
    (result == 0).then_some(limit.rlim_cur)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{Mode, OFlags, open};

    use super::*;

    #[test]
    fn a_limit_is_that_of_the_file() {
        let limits = std::fs::read("/proc/self/limits").unwrap();
        let of_file = crate::collect::processes::parse::descriptor_limit(&limits);
        assert_eq!(descriptor_limit(std::process::id()), of_file);
        assert_eq!(descriptor_limit(u32::MAX), None);
    }

    #[test]
    fn only_the_own_proc_numbers_as_the_kernel_does() {
        let opened = |path: &str| open(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        assert!(is_shown_by(&opened("/proc")));
        assert!(!is_shown_by(&opened("/proc/self")), "the same device, and no numbers");
        assert!(!is_shown_by(&opened("/")));
    }
}
