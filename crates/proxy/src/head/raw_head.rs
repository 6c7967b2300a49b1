//! The bytes of a request's head, for what hyper's parser accepts and hides.
//!
//! The record begins where a head begins: at the first byte of a connection, and behind the body of each request.

mod chunks;

use std::cell::{Cell, RefCell};

use http::{HeaderMap, header::CONTENT_LENGTH};

use self::chunks::Chunks;
use crate::{head::hop_by_hop::seen::Seen, refusal::Refusal};

/// Bytes that are kept. A head that is longer is refused for its length, and pipelined requests behind one are not looked at.
const LIMIT: usize = 64 * 1024;

/// The bytes of the next head that have been read
#[derive(Debug, Default)]
pub(crate) struct RawHead {
    bytes: RefCell<Vec<u8>>,
    /// Bytes of a body that are still to come before the next head
    skip: Cell<u64>,
    /// The place in a chunked body that comes before the next head
    chunks: Cell<Option<Chunks>>,
    /// Whether it is not known where the next head begins
    lost: Cell<bool>,
}

impl RawHead {
    /// The next byte begins a head. Until it comes nothing is held, because the connection may stay idle.
    pub(crate) fn begin(&self) {
        self.bytes.take();
        self.skip.set(0);
        self.chunks.set(None);
        self.lost.set(false);
    }

    /// No heads of HTTP/1 follow: nothing is kept.
    pub(crate) fn stop(&self) {
        self.bytes.take();
        self.lost.set(true);
    }

    /// Whether some of a head has come, as far as that is known
    pub(crate) fn has_begun(&self) -> bool {
        !self.bytes.borrow().is_empty()
    }

    /// Bytes of heads that have come
    pub(crate) fn length(&self) -> usize {
        self.bytes.borrow().len()
    }

    /// These bytes were read from the connection.
    pub(crate) fn note(&self, read: &[u8]) {
        if self.lost.get() {
            return;
        }
        let mut skipped = usize::try_from(self.skip.get()).unwrap_or(usize::MAX).min(read.len());
        self.skip.set(self.skip.get() - skipped as u64);
        if let Some(chunks) = self.chunks.get() {
            skipped = self.pass(chunks, read);
        }
        let mut bytes = self.bytes.borrow_mut();
        let rest = &read[skipped..];
        if bytes.len() + rest.len() > LIMIT {
            self.lost.set(true);
            bytes.clear();
        } else {
            bytes.extend_from_slice(rest);
        }
    }

    /// hyper has read a head with these headers: judges its bytes, and goes on to the next one.
    pub(crate) fn judge(&self, headers: &HeaderMap, seen: Seen) -> Result<(), Refusal> {
        if self.lost.get() {
            return Ok(());
        }
        let mut bytes = self.bytes.borrow_mut();
        let is_chunked = seen.has(Seen::TRANSFER_ENCODING);
        let Some((end, verdict)) = read(&bytes, is_chunked) else {
            self.lost.set(true);
            return Ok(());
        };
        let announced = if seen.has(Seen::CONTENT_LENGTH) { headers.get(CONTENT_LENGTH) } else { None };
        let length = announced.and_then(|value| value.to_str().ok()?.parse::<u64>().ok()).unwrap_or(0);
        let behind = (bytes.len() - end) as u64;
        if is_chunked {
            let passed = self.pass(Chunks::BEGIN, &bytes[end..]);
            bytes.drain(..end + passed);
        } else if let Some(next) = behind.checked_sub(length) {
            let start = bytes.len() - usize::try_from(next).unwrap_or(0);
            bytes.drain(..start);
        } else {
            bytes.clear();
            self.skip.set(length - behind);
        }
        verdict
    }

    /// Goes on in a chunked body; the number of bytes that belong to it.
    fn pass(&self, mut chunks: Chunks, bytes: &[u8]) -> usize {
        let passed = chunks.pass(bytes);
        self.lost.set(chunks == Chunks::Broken);
        self.chunks.set(Some(chunks).filter(|chunks| *chunks != Chunks::Ended));
        passed
    }
}

/// Where the head ends, and what is wrong with it; nothing if it does not end here.
fn read(bytes: &[u8], is_chunked: bool) -> Option<(usize, Result<(), Refusal>)> {
    // A server may skip empty lines before a request (RFC 9112, section 2.2), and hyper does.
    let begin = bytes.iter().position(|byte| !b"\r\n".contains(byte))?;
    let (mut line, mut verdict) = (begin, Ok(()));
    for end in memchr::memchr_iter(b'\n', &bytes[begin..]).map(|at| begin + at) {
        let text = match &bytes[line..end] {
            [text @ .., b'\r'] => text,
            text => {
                verdict = verdict.and(Err(Refusal::BareLineFeed));
                text
            }
        };
        if text.is_empty() {
            return Some((end + 1, verdict));
        }
        // hyper forgets a fragment, so that an app behind another proxy might see another target.
        if line == begin && text.contains(&b'#') {
            verdict = verdict.and(Err(Refusal::BadTarget));
        }
        if is_chunked && is_length(text) {
            verdict = verdict.and(Err(Refusal::LengthBesideChunked));
        }
        line = end + 1;
    }
    None
}

fn is_length(line: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length:";
    line.get(..NAME.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAME))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue, header::TRANSFER_ENCODING};
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    fn judge(raw: &RawHead, headers: &HeaderMap) -> Result<(), Refusal> {
        raw.judge(headers, Seen::of(headers))
    }

    #[test]
    fn what_the_parser_hides_is_refused() {
        let judged = |text: &[u8], headers: &HeaderMap| {
            let raw = RawHead::default();
            text.chunks(7).for_each(|piece| raw.note(piece));
            judge(&raw, headers)
        };
        let chunked = headers(&[(TRANSFER_ENCODING, "chunked")]);
        let both = b"POST / HTTP/1.1\r\ncontent-LENGTH: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(judged(both, &chunked), Err(Refusal::LengthBesideChunked));
        assert_eq!(judged(b"GET / HTTP/1.1\nHost: a\r\n\r\n", &HeaderMap::new()), Err(Refusal::BareLineFeed));
        assert_eq!(judged(b"GET / HTTP/1.1\r\nHost: a\n\n", &HeaderMap::new()), Err(Refusal::BareLineFeed));
        assert_eq!(judged(b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", &HeaderMap::new()), Err(Refusal::BadTarget));
        assert_eq!(judged(b"GET /a HTTP/1.1\r\nX: #\r\n\r\n", &HeaderMap::new()), Ok(()));
        assert_eq!(judged(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &HeaderMap::new()), Ok(()));
    }

    #[test]
    fn bodies_and_pipelined_requests_are_told_apart() {
        let raw = RawHead::default();
        let with_body = headers(&[(CONTENT_LENGTH, "6")]);
        // A body may hold what would be refused in a head, in pieces of any size.
        raw.note(b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\na\n");
        assert_eq!(judge(&raw, &with_body), Ok(()));
        raw.note(b"b\n\n\nGET / HTTP/1.1\n\n");
        assert_eq!(judge(&raw, &HeaderMap::new()), Err(Refusal::BareLineFeed));
        raw.begin();
        raw.note(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\n\n");
        assert_eq!(judge(&raw, &HeaderMap::new()), Ok(()));
        assert_eq!(judge(&raw, &HeaderMap::new()), Err(Refusal::BareLineFeed));
    }

    #[test]
    fn behind_a_body_that_is_not_chunked_nothing_is_judged_until_a_new_beginning() {
        let raw = RawHead::default();
        raw.note(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\r");
        assert_eq!(judge(&raw, &headers(&[(TRANSFER_ENCODING, "chunked")])), Ok(()));
        raw.note(b"GET / HTTP/1.1\n\n");
        assert_eq!(judge(&raw, &HeaderMap::new()), Ok(()));
        raw.begin();
        raw.note(b"GET / HTTP/1.1\n\n");
        assert_eq!(judge(&raw, &HeaderMap::new()), Err(Refusal::BareLineFeed));
    }

    /// One request as a client writes it, with what is to be said of it
    #[derive(Clone, Debug)]
    struct Written {
        text: Vec<u8>,
        headers: HeaderMap,
        /// Bytes of the body as they are sent
        body: usize,
        has_bare_line_feed: bool,
    }

    /// Requests with bodies of a length or in chunks, whose bodies look like heads, and some with a bare LF
    fn written() -> impl Strategy<Value = Written> {
        let body = proptest::collection::vec(prop::sample::select(b"\r\n#aG ".to_vec()), 0..40);
        let flags = (any::<bool>(), any::<bool>());
        (body, flags, 0..4usize, 0..3u8).prop_map(|(body, (has_bare_line_feed, is_chunked), lines, empty_lines)| {
            let end: &[u8] = if has_bare_line_feed { b"\n" } else { b"\r\n" };
            let mut text = b"\r\n".repeat(empty_lines.into());
            text.extend_from_slice(b"POST / HTTP/1.1\r\n");
            text.extend_from_slice(&b"X: #\r\n".repeat(lines));
            let (framing, body, headers) = if is_chunked { in_chunks(&body) } else { of_length(body) };
            text.extend_from_slice(framing.as_bytes());
            text.extend_from_slice(end);
            text.extend_from_slice(b"\r\n");
            text.extend_from_slice(&body);
            Written { text, headers, body: body.len(), has_bare_line_feed }
        })
    }

    /// The line that frames a body, the body as it is sent, and the headers that hyper makes of the line
    fn of_length(body: Vec<u8>) -> (String, Vec<u8>, HeaderMap) {
        let headers = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from(body.len()))]);
        (format!("Content-Length: {}", body.len()), body, headers)
    }

    fn in_chunks(body: &[u8]) -> (String, Vec<u8>, HeaderMap) {
        let mut sent = Vec::new();
        for chunk in body.chunks(17) {
            sent.extend_from_slice(format!("{:x};a\r\n", chunk.len()).as_bytes());
            sent.extend_from_slice(&[chunk, b"\r\n"].concat());
        }
        sent.extend_from_slice(b"0\r\nX-Sum: 1\r\n\r\n");
        ("Transfer-Encoding: chunked".into(), sent, headers(&[(TRANSFER_ENCODING, "chunked")]))
    }

    proptest! {
        /// However the bytes arrive, each head is judged by its own bytes, and no body is taken for one.
        #[test]
        fn every_head_is_judged_alone(
            requests in proptest::collection::vec(written(), 1..6),
            piece in 1..50usize,
            is_early in any::<bool>(),
        ) {
            let raw = RawHead::default();
            let stream: Vec<u8> = requests.iter().flat_map(|request| request.text.clone()).collect();
            let (mut noted, mut end_of_request) = (0, 0);
            for request in &requests {
                let begin = end_of_request;
                end_of_request += request.text.len();
                // hyper may have read only the head by then, or also some of what follows.
                let needed = if is_early { end_of_request - request.body } else { end_of_request };
                while noted < needed {
                    let end = (noted + piece).min(stream.len());
                    raw.note(&stream[noted..end]);
                    noted = end;
                }
                let expected = if request.has_bare_line_feed { Err(Refusal::BareLineFeed) } else { Ok(()) };
                prop_assert_eq!(judge(&raw, &request.headers), expected, "the request at {}", begin);
            }
            prop_assert!(!raw.lost.get());
        }
    }
}
