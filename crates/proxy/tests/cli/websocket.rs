//! WebSocket as bytes (RFC 6455): a handshake whose keys fit each other, and short frames.

use std::io::Read;

use crate::{
    client::Client,
    upstream::{Connection, Upstream},
};

pub(crate) const WISH: &str = "GET /chat HTTP/1.1\r\nHost: app\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, other\r\n\
     Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
/// The answer to it (RFC 6455, section 1.3)
pub(crate) const CHANGED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
/// Close with 1001, as a server writes it
pub(crate) const GOING_AWAY: [u8; 4] = [0x88, 2, 3, 0xe9];
pub(crate) const MASK: [u8; 4] = [7, 11, 13, 17];

/// A whole frame of a client
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let payload = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [0x80 | opcode, 0x80 | length].into_iter().chain(MASK).chain(payload).collect()
}

/// A whole frame of a server
pub(crate) fn plain(opcode: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x80 | opcode, u8::try_from(payload.len()).unwrap()], payload].concat()
}

/// Reads a frame of a client: its opcode and payload; nothing at the end.
pub(crate) fn read_masked(reader: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 6];
    reader.read_exact(&mut head).ok()?;
    assert_eq!((head[0] & 0x80, head[1] & 0x80), (0x80, 0x80), "{head:?}");
    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
    reader.read_exact(&mut payload).ok()?;
    let unmasked = payload.iter().zip(head[2..].iter().cycle()).map(|(byte, mask)| byte ^ mask);
    Some((head[0] & 0x0f, unmasked.collect()))
}

/// Answers text with the same text, and Close with Close and the end, as every server does. Gives the payload of the Close.
pub(crate) fn chat(connection: &mut Connection) -> Option<Vec<u8>> {
    while let Some((opcode, payload)) = read_masked(&mut connection.stream) {
        connection.write(plain(opcode, &payload));
        if opcode == 8 {
            return Some(payload);
        }
    }
    None
}

/// An upstream that chats
pub(crate) fn chatting() -> Upstream {
    Upstream::start(|connection| {
        connection.request();
        connection.write(CHANGED);
        let close = chat(connection);
        assert_eq!(close.as_deref(), Some(&[3, 0xe9][..]), "the client says that it goes, as it was told");
    })
}

/// An open WebSocket
#[track_caller]
pub(crate) fn open(mut client: Client) -> Client {
    client.send(WISH);
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client
}
