//! Changes the mode of a pinned file: the one system call that no library offers.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::{
    fd::{AsFd, AsRawFd, BorrowedFd},
    fs::{AtFlags, CWD, Mode},
    io,
};

/// The call's number, on every architecture (Linux 6.6, `asm-generic/unistd.h`)
const FCHMODAT2: libc::c_long = 452;

static IS_MISSING: AtomicBool = AtomicBool::new(false);

/// Changes the twelve mode bits of a file that was opened with `O_PATH`, which fchmod(2) refuses.
/// Before Linux 6.6, and where a seccomp profile does not know the call, through the link in
/// `/proc/self/fd`, which leads to the pinned file and nowhere else.
pub(crate) fn change_mode(file: impl AsFd, mode: u16) -> io::Result<()> {
    let file = file.as_fd();
    let refusal = if IS_MISSING.load(Relaxed) {
        io::Errno::NOSYS
    } else {
        match io::retry_on_intr(|| fchmodat2(file, mode)) {
            // EPERM is what older seccomp profiles answer to calls that they do not know; the other
            // way tells.
            Err(refusal @ (io::Errno::NOSYS | io::Errno::PERM)) => refusal,
            done => return done,
        }
    };
    IS_MISSING.fetch_or(refusal == io::Errno::NOSYS, Relaxed);
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mode = Mode::from_raw_mode(mode.into());
    match io::retry_on_intr(|| rustix::fs::chmodat(CWD, &path, mode, AtFlags::empty())) {
        // No /proc is mounted; the file itself is there.
        Err(io::Errno::NOENT) => Err(refusal),
        done => done,
    }
}

#[expect(unsafe_code, reason = "neither rustix nor libc has a function for this call")]
fn fchmodat2(file: BorrowedFd, mode: u16) -> io::Result<()> {
    // SAFETY: the descriptor is open while it is borrowed, the empty path is a C string, and the
    // call keeps neither.
    let result = unsafe {
        libc::syscall(FCHMODAT2, file.as_raw_fd(), c"".as_ptr(), libc::c_uint::from(mode), libc::AT_EMPTY_PATH)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(io::Errno::IO))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustix::fs::OFlags;

    use super::*;

    #[test]
    fn both_ways_change_a_pinned_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mode = || file.path().metadata().unwrap().permissions().mode() & 0o7777;
        let pinned = rustix::fs::open(file.path(), OFlags::PATH | OFlags::NOFOLLOW, Mode::empty()).unwrap();
        change_mode(&pinned, 0o4751).unwrap();
        assert_eq!(mode(), 0o4751);
        IS_MISSING.store(true, Relaxed);
        change_mode(&pinned, 0o640).unwrap();
        assert_eq!(mode(), 0o640);
    }
}
