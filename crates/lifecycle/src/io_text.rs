//! An error of the system in the words of a message.

use std::io;

/// A lower-case fragment without the number: `no such file or directory`, not `No such file or directory (os error 2)`.
/// An error that does not come from the system has its own words.
pub fn io_text(error: &io::Error) -> String {
    let text = error.to_string();
    let Some((words, _)) = text.split_once(" (os error ") else { return text };
    let mut letters = words.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn a_system_error_is_a_fragment_without_its_number() {
        let text = |errno: Errno| io_text(&errno.into());
        assert_eq!(text(Errno::ENOENT), "no such file or directory");
        assert_eq!(text(Errno::EIO), "input/output error");
        assert_eq!(io_text(&io::Error::other("It has 3 MiB")), "It has 3 MiB");
    }
}
