//! The reason why a value is missing. The texts are a small fixed set, because they are values of a label.

use std::io::ErrorKind;

use rustix::io::Errno;

/// The reason why a file, or a value in it, could not be read
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flaw(pub(super) &'static str);

impl Flaw {
    pub(super) const NOT_FOUND: Self = Self("not found");
    /// The file has no such line; older kernels have fewer lines.
    pub(super) const MISSING: Self = Self("missing");
    pub(super) const MALFORMED: Self = Self("malformed");
    /// The file is there, but it is about more than the container.
    pub(super) const OF_MACHINE: Self = Self("of the whole machine");
    pub(super) const TOO_LONG: Self = Self("too long");
}

impl From<Errno> for Flaw {
    fn from(error: Errno) -> Self {
        Self(match error {
            // The controller is switched off, the kernel is too old, or the cgroup was removed before the file was opened.
            Errno::NOENT => return Self::NOT_FOUND,
            // The cgroup was removed between opening and reading.
            Errno::NODEV => "removed",
            // The kernel runs without `psi=1`.
            Errno::OPNOTSUPP => "not supported",
            Errno::ACCESS | Errno::PERM => "permission denied",
            Errno::MFILE | Errno::NFILE => "too many open files",
            error if error.kind() == ErrorKind::OutOfMemory => "out of memory",
            _ => "input or output error",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_kernel_has_a_reason() {
        let reasons =
            [Errno::OPNOTSUPP, Errno::ACCESS, Errno::PERM, Errno::NODEV, Errno::NOENT, Errno::NFILE, Errno::IO];
        let wanted = [
            "not supported",
            "permission denied",
            "permission denied",
            "removed",
            "not found",
            "too many open files",
            "input or output error",
        ];
        assert_eq!(reasons.map(Flaw::from), wanted.map(Flaw));
    }
}
