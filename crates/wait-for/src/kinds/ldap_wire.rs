//! The few LDAP messages that a bind needs, in BER with definite lengths.
//!
//! Protocol: RFC 4511; StartTLS: its section 4.14; encoding: its section 5.1 and X.690.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    not_ready::{Cause, NotReady},
    wire,
};

/// Bytes of a message: a result code and a sentence
const MESSAGE_LIMIT: usize = 64 * 1024;
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;
const BIND: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const UNBIND: u8 = 0x42;
const EXTENDED: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
/// Context-specific, primitive, number 0: the simple password, and the name of an extended request
const ZERO: u8 = 0x80;

/// The result of a request
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: u8,
    /// The server's sentence, which may be empty
    pub(crate) text: String,
}

/// Asks to log in as a name, or as nobody.
pub(super) fn bind(name: &str, password: &str) -> Vec<u8> {
    let body = [element(INTEGER, &[3]), element(OCTETS, name.as_bytes()), element(ZERO, password.as_bytes())];
    message(2, &element(BIND, &body.concat()))
}

pub(super) fn start_tls() -> Vec<u8> {
    message(1, &element(EXTENDED, &element(ZERO, START_TLS)))
}

pub(super) fn unbind() -> Vec<u8> {
    message(3, &element(UNBIND, &[]))
}

fn message(id: u8, request: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&element(INTEGER, &[id]), request].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let bytes = content.len().to_be_bytes();
    if content.len() < 0x80 {
        out.push(bytes[bytes.len() - 1]);
    } else {
        let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        // At most eight
        out.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
        out.extend_from_slice(significant);
    }
    out.extend_from_slice(content);
    out
}

/// Sends a request, and reads the message that answers it.
pub(super) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
) -> Result<Outcome, NotReady> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let head: [u8; 2] = wire::read_head(stream, "write ldaps://").await?;
    let mut length = usize::from(head[1]);
    if length >= 0x80 {
        let mut bytes = [0; 4];
        let count = length & 0x7f;
        let wide =
            bytes.get_mut(4 - count.clamp(1, 5).min(4)..).filter(|_| (1..=4).contains(&count)).ok_or_else(not_ldap)?;
        stream.read_exact(wide).await?;
        length = u32::from_be_bytes(bytes) as usize;
    }
    if head[0] != SEQUENCE || length > MESSAGE_LIMIT {
        return Err(not_ldap());
    }
    let mut content = vec![0; length];
    stream.read_exact(&mut content).await?;
    outcome(&content).ok_or_else(not_ldap)
}

/// The result in a message: of a bind, of an extended request, or the notice of a server that
/// closes the connection (RFC 4511, section 4.4.1), which is an extended response, too.
pub(crate) fn outcome(message: &[u8]) -> Option<Outcome> {
    let (tag, _, rest) = split(message)?;
    if tag != INTEGER {
        return None;
    }
    let (tag, response, _) = split(rest)?;
    if tag != BIND_RESPONSE && tag != EXTENDED_RESPONSE {
        return None;
    }
    let (tag, code, rest) = split(response)?;
    let [code] = code else { return None };
    let (_, _matched, rest) = split(rest)?;
    let (_, text, _) = split(rest)?;
    (tag == ENUMERATED).then(|| Outcome { code: *code, text: String::from_utf8_lossy(text).into_owned() })
}

/// The tag and the content of the first element, and the bytes behind it
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], mut rest) = bytes.split_first_chunk()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let (wide, behind) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(wide, _)| (1..=4).contains(&wide.len()))?;
        length = wide.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        rest = behind;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn not_ldap() -> NotReady {
    NotReady::new(Cause::Odd, "the answer is not LDAP")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `invalidCredentials`, as OpenLDAP sends it, without the outer sequence
    const REFUSED: &[u8] = &[0x02, 0x01, 0x02, 0x61, 0x07, 0x0a, 0x01, 0x31, 0x04, 0x00, 0x04, 0x00];

    #[test]
    fn an_anonymous_bind_is_fourteen_bytes() {
        assert_eq!(bind("", ""), [0x30, 0x0c, 0x02, 0x01, 0x02, 0x60, 0x07, 0x02, 0x01, 0x03, 0x04, 0x00, 0x80, 0x00]);
        assert_eq!(unbind(), [0x30, 0x05, 0x02, 0x01, 0x03, 0x42, 0x00]);
        let long = bind(&"x".repeat(200), "");
        assert_eq!(long[..3], [0x30, 0x81, 0xd6]);
    }

    #[test]
    fn results() {
        assert_eq!(outcome(REFUSED), Some(Outcome { code: 49, text: String::new() }));
        let mut notice = REFUSED.to_vec();
        notice[3] = EXTENDED_RESPONSE;
        assert_eq!(outcome(&notice).map(|outcome| outcome.code), Some(49));
        for length in 0..REFUSED.len() {
            assert_eq!(outcome(&REFUSED[..length]), None, "{length}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_read_whole_and_only_so_far() {
        for (answer, code) in [
            ([&[0x30, 0x0c], REFUSED].concat(), Some(49)),
            ([&[0x30, 0x84, 0, 0, 0, 0x0c], REFUSED].concat(), Some(49)),
            ([&[0x30, 0x85, 0, 0, 0, 0, 0x0c], REFUSED].concat(), None),
            ([&[0x30, 0x80], REFUSED].concat(), None),
            ([&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], REFUSED].concat(), None),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), None),
        ] {
            let mut stream = tokio::io::join(&answer[..], tokio::io::sink());
            let outcome = ask(&mut stream, &unbind()).await;
            assert_eq!(outcome.ok().map(|outcome| outcome.code), code, "{answer:x?}");
        }
    }

    proptest! {
        #[test]
        fn anything_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = outcome(&bytes);
        }
    }
}
