//! The few frames of AMQP 0-9-1 that a login needs.
//!
//! <https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>: a frame has a type, a channel, a size,
//! a content and an end. All of ours are methods of the connection, on channel 0.

use endpoint::{Stream, one_line};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::reader::Reader;
use crate::{
    not_ready::{Cause, NotReady},
    wire,
};

/// Bytes of a frame; before both sides have agreed on a size it has at most 4096.
const FRAME_LIMIT: usize = 64 * 1024;
const FRAME_END: u8 = 0xce;

const PROTOCOL: &[u8] = b"AMQP\0\0\x09\x01";
/// First bytes of what a server sends: its own protocol, and types of frames
const HEADER: [u8; 2] = *b"AM";
const METHOD: u8 = 1;
const HEARTBEAT: u8 = 8;

/// The class of all methods here
const CONNECTION: u16 = 10;
const START: u16 = 10;
const START_OK: u16 = 11;
const SECURE: u16 = 20;
const TUNE: u16 = 30;
const TUNE_OK: u16 = 31;
const OPEN: u16 = 40;
const OPEN_OK: u16 = 41;
const CLOSE: u16 = 50;
const CLOSE_OK: u16 = 51;
/// "I have too little memory or disk": of no matter to one who publishes nothing
const BLOCKED: u16 = 60;
const UNBLOCKED: u16 = 61;
/// Code of a close that nothing is wrong with
const GOODBYE: u16 = 200;

/// What a server says
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Start {
        mechanisms: Vec<String>,
    },
    Secure,
    /// Limits: channels and the size of a frame
    Tune {
        channels: u16,
        frame_size: u32,
    },
    OpenOk,
    Close {
        code: u16,
        text: String,
    },
    CloseOk,
    /// Of no matter here
    Other,
}

/// Frames on a stream
pub(super) struct Channel(pub(super) Box<dyn Stream>);

impl Channel {
    /// Names the protocol.
    pub(super) async fn begin(&mut self) -> Result<(), NotReady> {
        self.0.write_all(PROTOCOL).await?;
        Ok(self.0.flush().await?)
    }

    /// Logs in by PLAIN (RFC 4616), and asks to be told when that fails, because without this wish
    /// the connection just ends.
    pub(super) async fn start_ok(&mut self, user: &str, password: &str) -> Result<(), NotReady> {
        let capability = [&short_text("authentication_failure_close")[..], b"t\x01"].concat();
        let capabilities = [&short_text("capabilities")[..], b"F", &long_text(&capability)].concat();
        let product = [&short_text("product")[..], b"S", &long_text(b"wait-for")].concat();
        let login = ["", user, password].join("\0");
        let properties = long_text(&[product, capabilities].concat());
        self.write(
            START_OK,
            &[properties, short_text("PLAIN"), long_text(login.as_bytes()), short_text("en_US")].concat(),
        )
        .await
    }

    /// Takes the server's limits, without heartbeats.
    pub(super) async fn tune_ok(&mut self, channels: u16, frame_size: u32) -> Result<(), NotReady> {
        self.write(TUNE_OK, &[&channels.to_be_bytes()[..], &frame_size.to_be_bytes(), &[0, 0]].concat()).await
    }

    pub(super) async fn open(&mut self, virtual_host: &str) -> Result<(), NotReady> {
        self.write(OPEN, &[&short_text(virtual_host)[..], &[0, 0]].concat()).await
    }

    /// Says goodbye, and waits for the server's own.
    pub(super) async fn close(&mut self) -> Result<(), NotReady> {
        self.write(CLOSE, &[&GOODBYE.to_be_bytes()[..], &[0; 5]].concat()).await?;
        while self.read().await? != Method::CloseOk {}
        Ok(())
    }

    pub(super) async fn close_ok(&mut self) -> Result<(), NotReady> {
        self.write(CLOSE_OK, &[]).await
    }

    async fn write(&mut self, method: u16, arguments: &[u8]) -> Result<(), NotReady> {
        let size = u32::try_from(arguments.len() + 4).map_err(|_| NotReady::never("the password is too long"))?;
        let head = [&[METHOD, 0, 0][..], &size.to_be_bytes(), &CONNECTION.to_be_bytes(), &method.to_be_bytes()];
        self.0.write_all(&[&head.concat(), arguments, &[FRAME_END]].concat()).await?;
        Ok(self.0.flush().await?)
    }

    /// The next method that matters
    pub(super) async fn read(&mut self) -> Result<Method, NotReady> {
        loop {
            let [kind, next] = wire::read_head(&mut self.0, "write amqps://, or add tls=require").await?;
            match [kind, next] {
                // The channel is 0.
                [METHOD | HEARTBEAT, 0] => {}
                HEADER => return Err(self.other_protocol().await?),
                _ => return Err(not_amqp()),
            }
            let _channel = self.0.read_u8().await?;
            let size = self.0.read_u32().await? as usize;
            if size > FRAME_LIMIT {
                return Err(not_amqp());
            }
            let mut content = vec![0; size];
            self.0.read_exact(&mut content).await?;
            if self.0.read_u8().await? != FRAME_END {
                return Err(not_amqp());
            }
            match Method::parse(&content) {
                _ if kind == HEARTBEAT => {}
                None => return Err(not_amqp()),
                Some(Method::Other) => {}
                Some(method) => return Ok(method),
            }
        }
    }

    /// A server that does not speak the version that it is asked for names its own, and closes the
    /// connection.
    async fn other_protocol(&mut self) -> Result<NotReady, NotReady> {
        let mut header = [0; 6];
        self.0.read_exact(&mut header).await?;
        let Some([_, major, minor, revision]) = header.strip_prefix(b"QP") else { return Ok(not_amqp()) };
        Ok(NotReady::never(format!(
            "the server speaks AMQP {major}.{minor}.{revision} and not 0-9-1: check it by tcp:// instead"
        )))
    }
}

impl Method {
    /// Reads the content of a frame. `None`: it is none of these, or not whole.
    pub(crate) fn parse(content: &[u8]) -> Option<Self> {
        let mut rest = Reader(content);
        if rest.short()? != CONNECTION {
            return None;
        }
        Some(match rest.short()? {
            START => {
                let _version = rest.short()?;
                let _properties = long_bytes(&mut rest)?;
                let mechanisms = String::from_utf8_lossy(long_bytes(&mut rest)?);
                Self::Start { mechanisms: mechanisms.split(' ').map(one_line).collect() }
            }
            SECURE => Self::Secure,
            TUNE => Self::Tune { channels: rest.short()?, frame_size: rest.long()? },
            OPEN_OK => Self::OpenOk,
            CLOSE => {
                let (code, length) = (rest.short()?, rest.byte()?);
                let text = String::from_utf8_lossy(rest.take(length.into())?);
                Self::Close { code, text: one_line(&text) }
            }
            CLOSE_OK => Self::CloseOk,
            BLOCKED | UNBLOCKED => Self::Other,
            _ => return None,
        })
    }
}

fn long_bytes<'a>(rest: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = rest.long()?;
    rest.take(length as usize)
}

/// At most 255 bytes, which the caller has checked
fn short_text(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap_or(u8::MAX)], text.as_bytes()].concat()
}

fn long_text(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes(), bytes].concat()
}

pub(super) fn not_amqp() -> NotReady {
    NotReady::new(Cause::Odd, "the answer is not AMQP")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STARTS: &[u8] = b"\0\x0a\0\x0a\0\x09\0\0\0\x05\x01at\x01x\0\0\0\x0ePLAIN AMQPLAIN\0\0\0\x05en_US";

    #[test]
    fn methods_are_read() {
        let mechanisms = vec!["PLAIN".to_owned(), "AMQPLAIN".to_owned()];
        assert_eq!(Method::parse(STARTS), Some(Method::Start { mechanisms }));
        for (content, method) in [
            (&b"\0\x0a\0\x1e\x07\xff\0\x02\0\0\0\x3c"[..], Method::Tune { channels: 2047, frame_size: 131_072 }),
            (b"\0\x0a\0\x29\0", Method::OpenOk),
            (b"\0\x0a\0\x32\x01\x93\x02no\0\0\0\0", Method::Close { code: 403, text: "no".into() }),
            (b"\0\x0a\0\x33", Method::CloseOk),
            (b"\0\x0a\0\x3c\x03low", Method::Other),
        ] {
            assert_eq!(Method::parse(content), Some(method));
        }
        for wrong in
            [&b""[..], b"\0\x0a", b"\0\x14\0\x0b", b"\0\x0a\0\x63", b"\0\x0a\0\x32\x01\x93\x03no", &STARTS[..30]]
        {
            assert_eq!(Method::parse(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn anything_may_come(bytes: Vec<u8>, method: u16) {
            let _ = Method::parse(&bytes);
            let _ = Method::parse(&[&CONNECTION.to_be_bytes(), &method.to_be_bytes(), &bytes[..]].concat());
        }
    }
}
