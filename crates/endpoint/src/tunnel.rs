//! A tunnel through an HTTP proxy (CONNECT; RFC 9110, section 9.3.6).

use std::io;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{address::Address, failure::Failure, stream::Stream};

/// Bytes of the head of the proxy's answer
const HEAD_LIMIT: usize = 64 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Asks the proxy at the other end of `stream` for a connection to `address`. After that, the stream leads there. `login` is
/// the value of a Proxy-Authorization header.
pub async fn tunnel<S: Stream>(mut stream: S, address: &Address, login: Option<&[u8]>) -> Result<S, Failure> {
    let authority = address.authority();
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(login) = login {
        request.extend([b"Proxy-Authorization: ", login, b"\r\n"].concat());
    }
    request.extend(b"\r\n");
    stream.write_all(&request).await?;
    stream.flush().await?;
    let status = status(&read_head(&mut stream).await?).ok_or_else(|| invalid("the answer is not HTTP"))?;
    if status.is_success() { Ok(stream) } else { Err(Failure::ProxyRefused(status)) }
}

/// Reads up to the end of the head. A refusal may have a body, which is not wanted; in a tunnel the client speaks first.
async fn read_head(stream: &mut impl Stream) -> Result<Vec<u8>, Failure> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if let Some(end) = head.windows(HEAD_END.len()).position(|bytes| bytes == HEAD_END) {
            let length = end + HEAD_END.len();
            let is_tunnel = status(&head).is_some_and(|status| status.is_success());
            if is_tunnel && head.len() > length {
                return Err(invalid("the server speaks before it is spoken to"));
            }
            head.truncate(length);
            return Ok(head);
        }
        if head.len() >= HEAD_LIMIT {
            return Err(invalid(&format!("the answer's head is over {} KiB", HEAD_LIMIT / 1024)));
        }
        if stream.read_buf(&mut head).await? == 0 {
            let kind = io::ErrorKind::ConnectionAborted;
            return Err(Failure::Io { kind, text: "closed without an HTTP answer".into() });
        }
    }
}

/// The status of a head: `HTTP/1.1 200 OK`
fn status(head: &[u8]) -> Option<StatusCode> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    match rest {
        [b'0' | b'1', b' ', code @ ..] => {
            let (code, after) = code.split_at_checked(3)?;
            let ends = after.first().is_some_and(|byte| b" \r".contains(byte));
            StatusCode::from_bytes(code).ok().filter(|_| ends)
        }
        _ => None,
    }
}

fn invalid(text: &str) -> Failure {
    Failure::Io { kind: io::ErrorKind::InvalidData, text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncBufReadExt, BufReader, duplex};

    use super::*;

    /// The outcome of a tunnel whose proxy answers this, and the request that the proxy got
    async fn answered(answer: &str, login: Option<&[u8]>) -> (Result<(), String>, String) {
        let (ours, proxy) = duplex(1024);
        let address = Address { host: "::1".into(), port: 443 };
        let answer = answer.to_owned();
        let serve = async move {
            let mut proxy = BufReader::new(proxy);
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                proxy.read_line(&mut request).await.unwrap();
            }
            proxy.write_all(answer.as_bytes()).await.unwrap();
            request
        };
        let (stream, request) = tokio::join!(tunnel(ours, &address, login), serve);
        (stream.map(drop).map_err(|failure| failure.to_string()), request)
    }

    #[tokio::test]
    async fn a_proxy_opens_a_tunnel_or_says_why_not() {
        let (tunnel, request) = answered("HTTP/1.1 200 OK\r\nVia: x\r\n\r\n", Some(b"Basic eA==")).await;
        assert_eq!(tunnel, Ok(()));
        let expected = "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic eA==\r\n\r\n";
        assert_eq!(request, expected);
        for (answer, error) in [
            ("HTTP/1.0 407 Proxy Authentication Required\r\n\r\nbody", "HTTP 407 Proxy Authentication Required"),
            ("HTTP/1.1 200 OK\r\n\r\nhello", "the server speaks before it is spoken to"),
            ("SSH-2.0-x\r\n\r\n", "the answer is not HTTP"),
            ("HTTP/1.1 200", "closed without an HTTP answer"),
            ("", "closed without an HTTP answer"),
        ] {
            assert_eq!(answered(answer, None).await.0, Err(error.to_owned()), "{answer}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(HEAD_LIMIT));
        let (ours, mut proxy) = duplex(HEAD_LIMIT * 2);
        proxy.write_all(endless.as_bytes()).await.unwrap();
        let error = tunnel_error(ours).await;
        assert_eq!(error, "the answer's head is over 64 KiB");
    }

    async fn tunnel_error(stream: impl Stream) -> String {
        let address = Address { host: "api".into(), port: 443 };
        tunnel(stream, &address, None).await.map(drop).unwrap_err().to_string()
    }

    proptest! {
        #[test]
        fn no_head_makes_the_reader_panic(head: Vec<u8>) {
            let _ = status(&head);
            let _ = status(&[b"HTTP/1.1 ", &head[..]].concat());
        }
    }
}
