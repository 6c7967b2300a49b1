//! nginx's `combined` format, and those that begin like it, as `main` does.
//!
//! `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer"
//! "$http_user_agent" "$http_x_forwarded_for"`; the last three may be missing, and the rest stays in
//! the message alone. nginx writes quotes, backslashes, controls and all that is not ASCII as `\xXX`
//! (`log_format`, `escape=default`).

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr2, memrchr};

use super::time;
use crate::format::record::{Field, Parsed, Value};

/// Of `24/Nov/2026:09:58:45 +0100`
const TIME_LENGTH: usize = 26;
const TRAILING: [&str; 3] = ["http_referer", "http_user_agent", "http_x_forwarded_for"];

pub(super) fn read(line: &str) -> Option<Parsed<'_>> {
    let (address, rest) = split(line, b' ', "- ")?;
    let (user, rest) = split(rest, b' ', "[")?;
    let time = time::common_log(rest.as_bytes().get(..TIME_LENGTH)?)?;
    let rest = rest.get(TIME_LENGTH..)?.strip_prefix("] ")?;
    let (request, rest) = quoted(rest)?;
    let (status, rest) = number(rest)?;
    let (bytes, mut rest) = number(rest).or_else(|| Some(("-", rest.strip_prefix(" -")?)))?;

    let mut fields = Fields { list: Vec::with_capacity(12), have_escapes: memchr(b'\\', line.as_bytes()).is_some() };
    let (vhost, address) = virtual_host(address);
    fields.push("vhost", vhost);
    fields.push("remote_addr", address);
    fields.push("remote_user", user);
    fields.push_request(request);
    fields.list.push(("status".into(), Value::Json(status.into())));
    if bytes != "-" {
        fields.list.push(("body_bytes_sent".into(), Value::Json(bytes.into())));
    }
    for name in TRAILING {
        let Some((value, behind)) = rest.strip_prefix(' ').and_then(quoted) else { break };
        fields.push(name, value);
        rest = behind;
    }
    Some(Parsed { time: Some(time), fields: fields.list, ..Parsed::default() })
}

/// The virtual host that Apache's `vhost_combined` writes before the address:
/// `example.com:443 1.2.3.4`. A list of addresses (`1.2.3.4, 5.6.7.8`) has none.
fn virtual_host(address: &str) -> (&str, &str) {
    match address.split_once(' ') {
        Some((vhost, address)) if !vhost.ends_with(',') && !address.contains(' ') => (vhost, address),
        _ => ("-", address),
    }
}

/// The text before the first such byte that this text follows, and the text behind both
#[inline]
fn split<'a>(text: &'a str, byte: u8, follows: &str) -> Option<(&'a str, &'a str)> {
    memchr_iter(byte, text.as_bytes()).find_map(|at| Some((&text[..at], text[at + 1..].strip_prefix(follows)?)))
}

/// The fields of a line, as they are found
struct Fields<'a> {
    list: Vec<Field<'a>>,
    /// There are backslashes in the line.
    have_escapes: bool,
}

impl<'a> Fields<'a> {
    /// `GET /path HTTP/1.1` in its three parts, or as `request` where it is something else, as from
    /// a port scan
    fn push_request(&mut self, request: &'a str) {
        let bytes = request.as_bytes();
        match (memchr(b' ', bytes), memrchr(b' ', bytes)) {
            (Some(first), Some(last)) if first < last && bytes[last + 1..].starts_with(b"HTTP/") => {
                self.push("request_method", &request[..first]);
                self.push("request_uri", &request[first + 1..last]);
                self.push("server_protocol", &request[last + 1..]);
            }
            _ => self.push("request", request),
        }
    }

    /// A hyphen is nothing.
    fn push(&mut self, name: &'static str, value: &'a str) {
        if value != "-" && !value.is_empty() {
            let text = if self.have_escapes { unescape(value) } else { Cow::Borrowed(value) };
            self.list.push((Cow::Borrowed(name), Value::Text(text)));
        }
    }
}

/// The inside of the quotes at the beginning, and the rest. Apache writes a quote inside as `\"`.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', inside.as_bytes().get(at..)?)?;
        if inside.as_bytes()[at] == b'"' {
            return Some((&inside[..at], &inside[at + 1..]));
        }
        at += 2;
    }
}

/// An integer behind a space. More digits than any size has are none, nor are leading zeros, which
/// JSON does not know.
fn number(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix(' ')?;
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(length);
    let is_number = (1..=19).contains(&length) && (length == 1 || !number.starts_with('0'));
    (is_number && (rest.is_empty() || rest.starts_with([' ', '\r']))).then_some((number, rest))
}

/// The bytes that `\xXX` stands for; those that are not UTF-8 are replaced.
fn unescape(text: &str) -> Cow<'_, str> {
    let mut rest = text.as_bytes();
    if memchr(b'\\', rest).is_none() {
        return text.into();
    }
    let mut plain = Vec::with_capacity(rest.len());
    while let Some(at) = memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (byte, length) = match *rest {
            [_, b'x', high, low, ..] => hex(high).zip(hex(low)).map_or((b'\\', 1), |(high, low)| (high << 4 | low, 4)),
            [_, byte @ (b'"' | b'\\'), ..] => (byte, 2),
            _ => (b'\\', 1),
        };
        plain.push(byte);
        rest = &rest[length..];
    }
    plain.extend_from_slice(rest);
    match String::from_utf8_lossy(&plain) {
        Cow::Owned(replaced) => replaced.into(),
        Cow::Borrowed(text) => text.to_owned().into(),
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
