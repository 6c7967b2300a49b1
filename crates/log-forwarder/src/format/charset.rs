//! The characters of a file, in the encoding of `--encoding`, read as UTF-8.

use std::{borrow::Cow, fmt, str::FromStr};

use encoding_rs::{DecoderResult, Encoding, UTF_8};

/// `--encoding`: one in which a byte of ASCII is always that character, so that lines are found by
/// their newline
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charset(&'static Encoding);

impl Default for Charset {
    fn default() -> Self {
        Self(UTF_8)
    }
}

impl FromStr for Charset {
    type Err = String;

    /// Takes the labels of the WHATWG Encoding Standard.
    fn from_str(label: &str) -> Result<Self, String> {
        let Some(encoding) = Encoding::for_label_no_replacement(label.as_bytes()) else {
            return Err(
                "this is the name of no encoding: write one that web browsers know, such as utf-8, windows-1252 or gbk"
                    .into(),
            );
        };
        if !encoding.is_ascii_compatible() {
            return Err(format!(
                "{} can't be read by lines, since a byte of a character can look like a newline: let the app write UTF-8",
                encoding.name()
            ));
        }
        Ok(Self(encoding))
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0.name().to_ascii_lowercase())
    }
}

impl Charset {
    fn is_utf8(self) -> bool {
        self.0 == UTF_8
    }

    /// Bytes as text, if nothing is to be done for that.
    pub(crate) fn as_text(self, bytes: &[u8]) -> Option<&str> {
        (self.is_utf8() || bytes.is_ascii()).then(|| str::from_utf8(bytes).ok())?
    }

    /// The text, and how many bytes of it are none; each piece of those is one U+FFFD.
    pub(crate) fn decode(self, bytes: &[u8]) -> (Cow<'_, str>, u64) {
        if let Some(text) = self.as_text(bytes) {
            return (text.into(), 0);
        }
        if !self.is_utf8() {
            return self.convert(bytes);
        }
        let invalid = bytes.utf8_chunks().map(|chunk| chunk.invalid().len() as u64).sum();
        (String::from_utf8_lossy(bytes), invalid)
    }

    /// Text in this encoding. A character that it lacks is written as HTML writes it, `&#8364;`.
    pub(crate) fn encode(self, text: &str) -> Cow<'_, [u8]> {
        self.0.encode(text).0
    }

    fn convert(self, bytes: &[u8]) -> (Cow<'static, str>, u64) {
        let mut decoder = self.0.new_decoder_without_bom_handling();
        let (mut text, mut rest, mut invalid) = (String::new(), bytes, 0);
        loop {
            let room = decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len());
            text.reserve(room);
            let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut text, true);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => return (text.into(), invalid),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, _) => {
                    invalid += u64::from(length);
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn charset(label: &str) -> Charset {
        label.parse().unwrap()
    }

    #[test]
    fn labels() {
        assert_eq!(charset("UTF-8"), Charset::default());
        assert_eq!(charset("latin1").to_string(), "windows-1252");
        for label in ["utf-16", "utf-16be", "iso-2022-jp"] {
            assert!(label.parse::<Charset>().unwrap_err().contains("can't be read by lines"), "{label}");
        }
        assert!("utf-7".parse::<Charset>().unwrap_err().starts_with("this is the name of no encoding"));
        assert!("hz-gb-2312".parse::<Charset>().is_err());
    }

    #[test]
    fn invalid_bytes_are_counted() {
        assert_eq!(Charset::default().decode(b"a\xffb\xe2\x82 c"), ("a\u{fffd}b\u{fffd} c".into(), 3));
        assert_eq!(charset("gbk").decode(b"\xc4\xe3\xba\xc3 \xff a\x81"), ("你好 \u{fffd} a\u{fffd}".into(), 2));
        assert_eq!(charset("windows-1252").decode(b"5 \x80"), ("5 €".into(), 0));
        assert!(matches!(charset("shift_jis").decode(b"ascii"), (Cow::Borrowed("ascii"), 0)));
    }

    proptest! {
        #[test]
        fn whatever_there_is_becomes_text(bytes in proptest::collection::vec(any::<u8>(), 0..80), nth in 0..6_usize) {
            let charset = charset(["utf-8", "gb18030", "euc-kr", "shift_jis", "iso-8859-2", "big5"][nth]);
            let (text, invalid) = charset.decode(&bytes);
            prop_assert_eq!(invalid > 0, text.contains('\u{fffd}') && invalid > 0);
            prop_assert!(invalid <= bytes.len() as u64);
            // Lines are the same before and after.
            let count = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count();
            prop_assert!(count(text.as_bytes()) >= count(&bytes));
        }

        #[test]
        fn utf8_is_what_it_is(text in "\\PC{0,40}") {
            prop_assert_eq!(Charset::default().decode(text.as_bytes()), (text.as_str().into(), 0));
        }
    }
}
