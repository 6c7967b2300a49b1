//! Reads JSON in place: checks the grammar of RFC 8259, and hands on slices of the source. Nothing
//! is built.

use super::special::first_special;

/// A place in a text of JSON. A method returns nothing when the text at this place is not what its
/// name says.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// An escape may be half a surrogate pair.
    pub(super) has_surrogates: bool,
}

/// A string, with its quotes
#[derive(Clone, Copy)]
pub(super) struct Quoted<'a> {
    pub(super) whole: &'a str,
    pub(super) has_escapes: bool,
}

impl<'a> Quoted<'a> {
    pub(super) fn inside(self) -> &'a str {
        &self.whole[1..self.whole.len() - 1]
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, has_surrogates: false }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Skips a byte, if it stands here.
    fn skip(&mut self, byte: u8) -> bool {
        let is_here = self.peek() == Some(byte);
        self.at += usize::from(is_here);
        is_here
    }

    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// An object; `member` reads each value, and is given its name.
    pub(super) fn object(&mut self, mut member: impl FnMut(&mut Self, Quoted<'a>) -> Option<()>) -> Option<()> {
        self.list(b'{', b'}', |scanner| {
            let name = scanner.string()?;
            scanner.skip_space();
            scanner.skip(b':').then_some(())?;
            scanner.skip_space();
            member(scanner, name)
        })
    }

    /// Some items between these two bytes, with commas between them
    fn list(&mut self, begin: u8, end: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.skip(begin).then_some(())?;
        self.skip_space();
        if self.skip(end) {
            return Some(());
        }
        loop {
            item(self)?;
            self.skip_space();
            if self.skip(end) {
                return Some(());
            }
            self.skip(b',').then_some(())?;
            self.skip_space();
        }
    }

    /// A string, of which the escapes are well-formed; whether they are characters is not looked
    /// at.
    #[inline]
    pub(super) fn string(&mut self) -> Option<Quoted<'a>> {
        let begin = self.at;
        let has_escapes = self.skip_string()?;
        Some(Quoted { whole: &self.text[begin..self.at], has_escapes })
    }

    /// Says whether the string has escapes.
    #[inline(never)]
    fn skip_string(&mut self) -> Option<bool> {
        self.skip(b'"').then_some(())?;
        let mut has_escapes = false;
        loop {
            self.at += first_special(&self.text.as_bytes()[self.at..])?;
            match self.peek()? {
                b'"' => break,
                b'\\' => self.skip_escape()?,
                _ => return None,
            }
            has_escapes = true;
        }
        self.at += 1;
        Some(has_escapes)
    }

    fn skip_escape(&mut self) -> Option<()> {
        let length = match self.text.as_bytes()[self.at + 1..] {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', ref digits @ ..] if digits.get(..4)?.iter().all(u8::is_ascii_hexdigit) => {
                self.has_surrogates |= matches!(digits[0], b'd' | b'D');
                6
            }
            _ => return None,
        };
        self.at += length;
        Some(())
    }

    /// A value as it stands here, with arrays and objects nested no deeper than this.
    pub(super) fn value(&mut self, deepest: usize) -> Option<&'a str> {
        let begin = self.at;
        self.skip_value(deepest)?;
        Some(&self.text[begin..self.at])
    }

    fn skip_value(&mut self, deepest: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.skip_string().map(drop),
            b'{' => {
                let deepest = deepest.checked_sub(1)?;
                self.object(|scanner, _| scanner.skip_value(deepest))
            }
            b'[' => {
                let deepest = deepest.checked_sub(1)?;
                self.list(b'[', b']', |scanner| scanner.skip_value(deepest))
            }
            b't' => self.skip_word("true"),
            b'f' => self.skip_word("false"),
            b'n' => self.skip_word("null"),
            _ => self.skip_number(),
        }
    }

    fn skip_word(&mut self, word: &str) -> Option<()> {
        let is_here = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += word.len();
        is_here.then_some(())
    }

    fn skip_number(&mut self) -> Option<()> {
        self.skip(b'-');
        if !self.skip(b'0') {
            self.skip_digits()?;
        }
        if self.skip(b'.') {
            self.skip_digits()?;
        }
        if self.skip(b'e') || self.skip(b'E') {
            let _sign = self.skip(b'+') || self.skip(b'-');
            self.skip_digits()?;
        }
        Some(())
    }

    fn skip_digits(&mut self) -> Option<()> {
        let digits = self.text.as_bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        (digits > 0).then_some(())
    }
}
