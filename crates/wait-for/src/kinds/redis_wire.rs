//! Commands and replies of Redis: RESP 2, with bounds.
//!
//! Protocol: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use endpoint::{Stream, one_line};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::{
    lines,
    not_ready::{Cause, NotReady},
    wire,
};

/// Bytes of a line; every error fits
const LINE_LIMIT: u64 = 1024;
/// Bytes of a text, such as a section of INFO
const TEXT_LIMIT: usize = 64 * 1024;
/// Items of an array; ROLE of a primary has one for each replica in the third.
const MOST_ITEMS: usize = 1024;
const DEEPEST: usize = 4;
/// The first byte of an alert and of a handshake of TLS (RFC 8446, section 5.1)
const OF_TLS: [u8; 2] = [21, 22];

/// A reply of the server
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Simple(String),
    /// The whole text, which begins with a code in capitals
    Error(String),
    Integer(String),
    /// Without a text it is null.
    Bulk(Option<String>),
    Array(Vec<Self>),
}

/// Sends one command as an array of bulk strings, and reads its reply.
pub(super) async fn ask(
    stream: &mut BufReader<Box<dyn Stream>>,
    words: impl IntoIterator<Item = &str>,
) -> Result<Reply, NotReady> {
    let words: Vec<_> = words.into_iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    let command = format!("*{}\r\n{}", words.len(), words.concat());
    stream.write_all(command.as_bytes()).await?;
    stream.flush().await?;
    read(stream).await
}

/// Reads one reply. An array is read item by item, because its items can be arrays.
pub(crate) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Reply, NotReady> {
    // The arrays that are open, each with the number of items that it still lacks
    let mut open: Vec<(Vec<Reply>, usize)> = Vec::new();
    let mut items = 0_usize;
    loop {
        let line = read_line(stream).await?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| not_redis(&line))?;
        let mut reply = match kind {
            "+" => Reply::Simple(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(rest.to_owned()),
            "$" => Reply::Bulk(read_text(stream, &line, rest).await?),
            "*" => {
                let count = length(rest, &line)?.unwrap_or(0);
                items = items.saturating_add(count);
                if items > MOST_ITEMS || open.len() == DEEPEST {
                    return Err(NotReady::new(Cause::Odd, "the reply has too many items"));
                }
                if count > 0 {
                    open.push((Vec::new(), count));
                    continue;
                }
                Reply::Array(Vec::new())
            }
            _ => return Err(not_redis(&line)),
        };
        // A reply may be the last item of one or more arrays.
        loop {
            let Some((items, lacking)) = open.last_mut() else { return Ok(reply) };
            items.push(reply);
            *lacking -= 1;
            if *lacking > 0 {
                break;
            }
            reply = Reply::Array(open.pop().map(|(items, _)| items).unwrap_or_default());
        }
    }
}

async fn read_line(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<String, NotReady> {
    // TLS has no lines, and its first byte says enough.
    if stream.fill_buf().await?.first().is_some_and(|first| OF_TLS.contains(first)) {
        return Err(wire::speaks_tls("write rediss://, or add tls=require"));
    }
    lines::read_line(stream, LINE_LIMIT).await
}

async fn read_text(
    stream: &mut (impl AsyncBufRead + Unpin),
    line: &str,
    rest: &str,
) -> Result<Option<String>, NotReady> {
    let Some(length) = length(rest, line)? else { return Ok(None) };
    if length > TEXT_LIMIT {
        return Err(NotReady::new(Cause::Odd, "the reply is over 64 KiB"));
    }
    // With its line break
    let mut text = vec![0; length + 2];
    stream.read_exact(&mut text).await?;
    text.truncate(length);
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// A number of bytes or items; -1 is null.
fn length(text: &str, line: &str) -> Result<Option<usize>, NotReady> {
    if text == "-1" { Ok(None) } else { text.parse().map(Some).map_err(|_| not_redis(line)) }
}

pub(super) fn not_redis(line: &str) -> NotReady {
    NotReady::new(Cause::Odd, format!("the answer is not Redis: {:?}", one_line(line)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Reply {
        Reply::Bulk(Some(text.into()))
    }

    #[tokio::test]
    async fn replies() {
        for (bytes, expected) in [
            ("+OK\r\n", Reply::Simple("OK".into())),
            ("-ERR no\r\n", Reply::Error("ERR no".into())),
            (":7\r\n", Reply::Integer("7".into())),
            ("$-1\r\n", Reply::Bulk(None)),
            ("$4\r\na\r\nb\r\n", text("a\r\nb")),
            ("*-1\r\n", Reply::Array(Vec::new())),
            (
                "*2\r\n$1\r\na\r\n*1\r\n*0\r\n",
                Reply::Array(vec![text("a"), Reply::Array(vec![Reply::Array(Vec::new())])]),
            ),
        ] {
            assert_eq!(read(&mut bytes.as_bytes()).await, Ok(expected), "{bytes}");
        }
        for bytes in [
            "*5000\r\n",
            "*1\r\n*18446744073709551615\r\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
            "$99999\r\n",
            "$x\r\n",
            "HTTP/1.1 400\r\n",
            "é\r\n",
            "\r\n",
        ] {
            assert_eq!(read(&mut bytes.as_bytes()).await.unwrap_err().cause, Cause::Odd, "{bytes}");
        }
        for bytes in ["", "$4\r\na", "+", "+PON"] {
            assert_eq!(read(&mut bytes.as_bytes()).await.unwrap_err().cause, Cause::Absent, "{bytes}");
        }
        let alert = read(&mut &b"\x15\x03\x01\x00\x02\x02\x46"[..]).await.unwrap_err();
        assert!(alert.never_exit().is_some() && alert.reason.contains("rediss://"), "{alert:?}");
    }

    proptest! {
        #[test]
        fn anything_may_come(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'*'), Just(b'1'), Just(b'\n')], 0..60)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _ = runtime.block_on(read(&mut &bytes[..]));
        }
    }
}
