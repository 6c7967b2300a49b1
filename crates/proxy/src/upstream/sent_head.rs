//! The head of a request as its bytes went to the upstream, so that the request can be sent once more.
//!
//! A copy of the bytes takes a tenth of the 1,800 instructions that a clone of the `HeaderMap` takes, and only a retry parses it.

use std::{
    cell::{Cell, RefCell},
    io::IoSlice,
};

use http::{HeaderName, HeaderValue, Method, Request, Uri};

/// A longer head is not kept with an idle connection.
const KEPT_CAPACITY: usize = 4096;

/// The bytes of the head of one request without a body. They may hold a login, so nothing prints them.
#[derive(Default)]
pub(crate) struct SentHead {
    bytes: RefCell<Vec<u8>>,
    /// Whether the next bytes that hyper writes are the head
    is_next: Cell<bool>,
}

impl SentHead {
    /// Forgets the last head. The next write has all of a head, if it is wanted.
    pub(crate) fn begin(&self, is_wanted: bool) {
        let mut bytes = self.bytes.borrow_mut();
        bytes.clear();
        bytes.shrink_to(KEPT_CAPACITY);
        self.is_next.set(is_wanted);
    }

    /// hyper offers these bytes to the connection. It has all of a head, and nothing behind it, when it begins to write one; it
    /// offers what is not taken again.
    pub(crate) fn note(&self, parts: &[IoSlice]) {
        if self.is_next.replace(false) {
            let mut bytes = self.bytes.borrow_mut();
            for part in parts {
                bytes.extend_from_slice(part);
            }
        }
    }

    /// The request that the bytes are of; nothing if no head was kept.
    pub(crate) fn request<B>(&self, body: B) -> Option<Request<B>> {
        let bytes = self.bytes.borrow();
        let mut lines = bytes.strip_suffix(b"\r\n\r\n")?.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let mut words = lines.next()?.split(|byte| *byte == b' ');
        let mut request = Request::new(body);
        *request.method_mut() = Method::from_bytes(words.next()?).ok()?;
        *request.uri_mut() = Uri::try_from(words.next()?).ok()?;
        for line in lines {
            let (name, value) = line.split_at(memchr::memchr(b':', line)?);
            // hyper writes ": ". Spaces around a value are no part of it (RFC 9110, section 5.5).
            let value = HeaderValue::from_bytes(value[1..].trim_ascii_start()).ok()?;
            request.headers_mut().append(HeaderName::from_bytes(name).ok()?, value);
        }
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(writes: &[&[&[u8]]]) -> Option<Request<()>> {
        let head = SentHead::default();
        head.begin(true);
        for parts in writes {
            head.note(&parts.iter().map(|part| IoSlice::new(part)).collect::<Vec<_>>());
        }
        head.request(())
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let text = b"GET /a%2F//b?c=d&e= HTTP/1.1\r\nhost: app:80\r\nx: 1\r\nx: \xe9 :2\r\nempty: \r\n\r\n";
        let request = kept(&[&[&text[..20], &text[20..]], &[&text[20..]]]).unwrap();
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::GET, "/a%2F//b?c=d&e="));
        let lines: Vec<_> = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(lines, [("host", &b"app:80"[..]), ("x", b"1"), ("x", b"\xe9 :2"), ("empty", b"")]);
        assert_eq!(kept(&[&[b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"]]).unwrap().uri(), "*");
    }

    #[test]
    fn no_request_is_made_of_a_part_or_of_none() {
        assert!(kept(&[]).is_none());
        assert!(kept(&[&[b"GET / HTTP/1.1\r\nhost: a"]]).is_none());
        let head = SentHead::default();
        head.begin(true);
        head.note(&[IoSlice::new(b"GET / HTTP/1.1\r\n\r\n")]);
        head.begin(false);
        head.note(&[IoSlice::new(b"POST / HTTP/1.1\r\n\r\n")]);
        assert!(head.request(()).is_none());
    }
}
