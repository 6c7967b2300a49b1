//! A position in a text page, and the tokens that both text formats share.

use memchr::{memchr, memchr_iter, memchr2};

use crate::exposition::page::PageFault;

/// The position of the parser
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// A text between quotes on the page
#[derive(Clone, Copy, Debug)]
pub(super) struct Quoted<'a> {
    /// The text before unescaping
    pub(super) raw: &'a str,
    pub(super) has_escapes: bool,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of a body. An error if the body is not UTF-8.
    pub(super) fn new(body: &'a [u8]) -> Result<Self, PageFault> {
        let text = match str::from_utf8(body) {
            Ok(text) => text,
            Err(fault) => {
                let cursor = Self { text: "", at: 0 };
                let line = memchr_iter(b'\n', &body[..fault.valid_up_to()]).count() + 1;
                return Err(PageFault { line, ..cursor.fault("bytes that are not UTF-8") });
            }
        };
        Ok(Self { text, at: 0 })
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over the byte, if it is the next one.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Steps over the text, if it is next.
    pub(super) fn eat_all(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text.as_bytes());
        self.at += if is_next { text.len() } else { 0 };
        is_next
    }

    /// Steps over blanks and tabs. True if there were any.
    pub(super) fn blanks(&mut self) -> bool {
        let start = self.at;
        while let Some(b' ' | b'\t') = self.peek() {
            self.at += 1;
        }
        self.at > start
    }

    /// Reads the name of a metric, `[a-zA-Z_:][a-zA-Z0-9_:]*`; empty if there is none.
    pub(super) fn metric_name(&mut self) -> &'a str {
        self.name(START | COLON, START | COLON | DIGIT)
    }

    /// Reads the name of a label, `[a-zA-Z_][a-zA-Z0-9_]*`; empty if there is none.
    pub(super) fn label_name(&mut self) -> &'a str {
        self.name(START, START | DIGIT)
    }

    /// Reads up to the next byte that is one of `ends` or a newline.
    pub(super) fn token(&mut self, ends: &[u8]) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte != b'\n' && !ends.contains(&byte)) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// Reads the rest of the line, and steps over the newline.
    pub(super) fn rest_of_line(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let length = memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        self.at = (self.at + length + 1).min(self.text.len());
        &rest[..length]
    }

    /// Reads to the closing quote, from behind the opening one; `None` if it is missing.
    pub(super) fn quoted(&mut self) -> Option<Quoted<'a>> {
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.at += memchr2(b'"', b'\\', self.rest())?;
            if self.eat(b'"') {
                return Some(Quoted { raw: &self.text[start..self.at - 1], has_escapes });
            }
            // The character behind a backslash, which may be any except a newline, does not end the text.
            has_escapes = true;
            self.at += 1;
            let next = self.text[self.at..].chars().next().filter(|next| *next != '\n')?;
            self.at += next.len_utf8();
        }
    }

    /// The fault with the number of this line.
    pub(super) fn fault(&self, fault: impl Into<String>) -> PageFault {
        let line = memchr_iter(b'\n', &self.text.as_bytes()[..self.at]).count() + 1;
        PageFault { line, fault: fault.into() }
    }

    /// The fault with the number of the last line.
    pub(super) fn fault_at_end(&self, fault: impl Into<String>) -> PageFault {
        Self { at: self.text.len(), ..*self }.fault(fault)
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn name(&mut self, first: u8, others: u8) -> &'a str {
        let start = self.at;
        let mut allowed = first;
        while let Some(byte) = self.peek()
            && CLASSES[usize::from(byte)] & allowed != 0
        {
            self.at += 1;
            allowed = others;
        }
        &self.text[start..self.at]
    }
}

/// A letter or an underscore
const START: u8 = 1;
const DIGIT: u8 = 2;
const COLON: u8 = 4;

/// The class of each byte in names
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => START,
            b'0'..=b'9' => DIGIT,
            b':' => COLON,
            _ => 0,
        };
        byte += 1;
    }
    classes
};
