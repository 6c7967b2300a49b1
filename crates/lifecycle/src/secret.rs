//! A value that can't be printed.

use std::{fmt, path::Path};

use secrecy::{ExposeSecret, SecretString};

use crate::{files, io_text::io_text};

/// Bytes; no password or token is longer, and a wrong path could name anything.
const FILE_LIMIT: u64 = 64 * 1024;
/// Bytes of a secret that is looked for in a text: a shorter one is part of many words.
const SHORTEST: usize = 4;
/// Characters of a secret's start that stand in no text by accident
const LONG_PART: usize = 12;

/// A password or token: no way of printing it exists, and its memory is wiped when it goes
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The value, for the one place that sends it
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The text with `…` in place of the secret: a server that refuses a login may repeat it, cut off, in quotes with escapes,
    /// or with blanks for control characters. A secret of less than four bytes stays, because it is part of many words.
    pub fn blotted_out(&self, text: &str) -> String {
        let secret = self.expose();
        if secret.len() < SHORTEST {
            return text.to_owned();
        }
        // With both kinds of quotes escaped, and with the double ones alone, as in JSON
        let quoted = SecretString::from(format!("{secret:?}"));
        let escaped = SecretString::from(secret.escape_debug().to_string());
        let inner = &quoted.expose_secret()[1..quoted.expose_secret().len() - 1];
        let (mut rest, mut clean) = (text, String::new());
        while let Some(next) = rest.chars().next() {
            let found =
                [secret, inner, escaped.expose_secret()].map(|form| repeated(form, rest)).into_iter().max().flatten();
            clean.push(found.map_or(next, |_| '…'));
            rest = &rest[found.unwrap_or(next.len_utf8())..];
        }
        clean
    }

    /// The same where the whole secret stands as it is, for a caller that looks for its parts and other forms itself
    pub fn blotted_out_as_it_is(&self, text: &str) -> String {
        let secret = self.expose();
        if secret.len() < SHORTEST { text.to_owned() } else { text.replace(secret, "…") }
    }

    /// Reads a file of at most 64 KiB and leaves off the line end that editors and `kubectl` put there.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let text = Self::from_whole_file(path)?;
        Ok(text.expose().trim_end_matches(['\r', '\n']).into())
    }

    /// Reads a file of at most 64 KiB as it is.
    pub fn from_whole_file(path: &Path) -> Result<Self, String> {
        let text = files::read(path, FILE_LIMIT)
            .map_err(|error| format!("cannot read {}: {}", printable(path), io_text(&error)))?;
        Ok(Self(SecretString::from(text)))
    }
}

/// The bytes at the start of a text that repeat the secret, or so much of its start that it is no accident.
fn repeated(secret: &str, text: &str) -> Option<usize> {
    let is_same = |(one, other): &(char, char)| one == other || one.is_control() && *other == ' ';
    let same = || secret.chars().zip(text.chars()).take_while(is_same);
    let (count, length) = (same().count(), same().map(|(_, c)| c.len_utf8()).sum());
    let is_whole = secret.chars().nth(count).is_none();
    let is_cut = text[length..].chars().next().is_none_or(|next| ['…', '\'', '"'].contains(&next));
    (is_whole || count >= LONG_PART || is_cut && count >= SHORTEST).then_some(length)
}

/// A path for an error. The user may have written the secret itself in place of its path.
fn printable(path: &Path) -> String {
    if path.is_absolute() {
        path.display().to_string()
    } else {
        "a file by a relative path, which is not repeated: write an absolute path".to_owned()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_blotted_out_but_for_one_that_is_part_of_words() {
        assert_eq!(Secret::from("hunter2").blotted_out("no hunter2 here: hunter2"), "no … here: …");
        assert_eq!(Secret::from("no").blotted_out("no hunter2"), "no hunter2");
        assert_eq!(Secret::from("").blotted_out("no"), "no");
    }

    #[test]
    fn a_secret_is_blotted_out_where_a_server_or_a_message_has_changed_it() {
        let secret = Secret::from("tab\tquote\"hunter2 and more");
        for (text, clean) in [
            ("near 'tab quote\"hunter2 and more'", "near '…'"),
            ("near \"tab\\tquote\\\"hunter2 and more\"", "near \"…\""),
            ("near 'tab quote\"hun', 'x'", "near '…', 'x'"),
            ("near tab quo…", "near ……"),
            ("near tab q", "near …"),
            ("a tab", "a tab"),
            ("é tab quote\"hunter2 and more é", "é … é"),
        ] {
            assert_eq!(secret.blotted_out(text), clean, "{text}");
        }
        assert_eq!(Secret::from("it's\"Zq").blotted_out(r#"{"pass":"it's\"Zq"}"#), r#"{"pass":"…"}"#);
    }

    #[test]
    fn a_secret_is_never_printed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        std::fs::write(&path, "hunter2\n").unwrap();
        let secret = Secret::from_file(&path).unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{secret:?}"), "[redacted]");
    }

    #[test]
    fn a_file_that_can_be_no_secret_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("disk");
        std::fs::File::create(&path).unwrap().set_len(FILE_LIMIT + 1).unwrap();
        assert!(Secret::from_file(&path).unwrap_err().contains("more than 65536 bytes"));
        assert!(!Secret::from_file(Path::new("hunter2")).unwrap_err().contains("hunter2"));
        assert!(Secret::from_file(&directory.path().join("none")).unwrap_err().contains("no such file"));
    }
}
