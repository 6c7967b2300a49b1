//! Messages of the PostgreSQL protocol, version 3, as far as a login and a query need them.
//!
//! PostgreSQL documentation, "Message Formats".

use endpoint::{Stream, one_line};
use md5::{Digest, Md5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    kinds::{question::long_row, reader::Reader},
    not_ready::{Cause, NotReady},
    wire::hex,
};

/// Bytes; messages of a login and rows of a few values are far smaller.
const MESSAGE_LIMIT: usize = 64 * 1024;
/// Columns of a row that are read; no question needs more.
const COLUMNS: usize = 3;
const ROW: u8 = b'D';
const VERSION_3: u32 = 3 << 16;
/// The type of an error
const ERROR: u8 = b'E';
/// Bytes of an error of protocol 2, which is a sentence
const OLD_ERROR_LIMIT: usize = 1024;
/// The first words of a connection that shall become TLS
const TLS_REQUEST: [u32; 2] = [8, 80_877_103];

/// A code of errors (SQLSTATE)
pub(super) const TOO_MANY_CONNECTIONS: &str = "53300";

/// Types of messages to the server
pub(super) const PASSWORD: u8 = b'p';
pub(super) const QUERY: u8 = b'Q';
pub(super) const PARSE: u8 = b'P';
pub(super) const BIND: u8 = b'B';
pub(super) const DESCRIBE: u8 = b'D';
pub(super) const EXECUTE: u8 = b'E';
pub(super) const SYNC: u8 = b'S';
pub(super) const TERMINATE: u8 = b'X';

/// A message from the server
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Authentication(Authentication),
    Error(Said),
    ReadyForQuery,
    /// The first values of a row; `None` is NULL
    Row(Vec<Option<String>>),
    /// Notices, settings, the end of a statement: of no matter here
    Other,
}

/// The proof of a login that the server asks for
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Authentication {
    Ok,
    CleartextPassword,
    Md5Password { salt: [u8; 4] },
    Sasl { mechanisms: Vec<String> },
    SaslContinue(String),
    SaslFinal(String),
    Unsupported,
}

/// An error as the server tells it
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// SQLSTATE
    pub(super) code: String,
    pub(super) message: String,
    /// Where in the statement, in characters from 1
    pub(super) position: Option<u32>,
}

/// Messages on a stream
pub(super) struct Channel<S>(pub(super) S);

impl<S: Stream> Channel<S> {
    /// Asks for TLS; true if the server goes over to it.
    pub(super) async fn ask_for_tls(&mut self) -> Result<bool, NotReady> {
        self.0.write_all(&TLS_REQUEST.map(u32::to_be_bytes).concat()).await?;
        match self.first_byte().await? {
            b'S' => Ok(true),
            b'N' => Ok(false),
            ERROR => Err(self.read_body(ERROR).await.err().unwrap_or_else(not_postgres)),
            _ => Err(not_postgres()),
        }
    }

    /// Names the user and the database.
    pub(super) async fn start(&mut self, parameters: &[(&str, &str)]) -> Result<(), NotReady> {
        let mut body = VERSION_3.to_be_bytes().to_vec();
        for text in parameters.iter().flat_map(|(name, value)| [name, value]) {
            body.extend(text.as_bytes());
            body.push(0);
        }
        body.push(0);
        self.write_framed(&[], &body).await
    }

    pub(super) async fn write(&mut self, kind: u8, body: &[u8]) -> Result<(), NotReady> {
        self.write_framed(&[kind], body).await
    }

    async fn write_framed(&mut self, kind: &[u8], body: &[u8]) -> Result<(), NotReady> {
        let length =
            u32::try_from(body.len() + 4).map_err(|_| NotReady::never("the password or the query is too long"))?;
        self.0.write_all(&[kind, &length.to_be_bytes(), body].concat()).await?;
        Ok(self.0.flush().await?)
    }

    /// The next message that matters.
    pub(super) async fn read(&mut self) -> Result<Message, NotReady> {
        loop {
            let kind = self.first_byte().await?;
            let body = self.read_body(kind).await?;
            match Message::parse(kind, &body).ok_or_else(not_postgres)? {
                Message::Other => {}
                message => return Ok(message),
            }
        }
    }

    async fn first_byte(&mut self) -> Result<u8, NotReady> {
        let mut byte = [0];
        if self.0.read(&mut byte).await? == 0 {
            return Err(NotReady::unanswered());
        }
        Ok(byte[0])
    }

    /// What stands behind a message's type
    async fn read_body(&mut self, kind: u8) -> Result<Vec<u8>, NotReady> {
        let head = self.0.read_u32().await?;
        let length = head.checked_sub(4).ok_or_else(not_postgres)? as usize;
        match kind {
            _ if length <= MESSAGE_LIMIT => {}
            ROW => return Err(long_row()),
            ERROR => return Err(self.read_old_error(head.to_be_bytes()).await),
            _ => return Err(not_postgres()),
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(body)
    }

    /// The error of a server that cannot start a process for the connection, and so cannot learn
    /// its protocol: it is that of protocol 2, a text up to a NUL. The text of another protocol may
    /// begin with the same letter, and ends with a line.
    async fn read_old_error(&mut self, begin: [u8; 4]) -> NotReady {
        let mut text = begin.to_vec();
        while !text.iter().any(|byte| [0, b'\r'].contains(byte)) && text.len() < OLD_ERROR_LIMIT {
            match self.0.read_u8().await {
                Ok(byte) => text.push(byte),
                Err(_) => break,
            }
        }
        match text.split_last() {
            Some((0, text)) => NotReady::full(one_line(String::from_utf8_lossy(text).trim_end())),
            _ => not_postgres(),
        }
    }
}

impl Message {
    pub(crate) fn parse(kind: u8, body: &[u8]) -> Option<Self> {
        match kind {
            b'R' => Authentication::parse(body).map(Self::Authentication),
            ERROR => Said::parse(body).map(Self::Error),
            b'Z' => Some(Self::ReadyForQuery),
            // CopyOutResponse begins with a format; with any other byte the answer is HTTP.
            b'H' if !matches!(body.first(), Some(0 | 1)) => None,
            // Notices and settings (N, S, K, v), the beginning and end of an answer (T, C, 1, 2, n,
            // s, I), and the data of COPY (H, d, c), which gives no rows
            b'N' | b'S' | b'K' | b'v' | b'T' | b'C' | b'1' | b'2' | b'n' | b's' | b'I' | b'H' | b'd' | b'c' => {
                Some(Self::Other)
            }
            ROW => row(body).map(Self::Row),
            _ => None,
        }
    }
}

/// `DataRow`: the number of columns, then length and bytes of each; the length -1 is NULL
fn row(body: &[u8]) -> Option<Vec<Option<String>>> {
    let mut reader = Reader(body);
    let count = usize::from(reader.short()?);
    let mut values = Vec::new();
    for _ in 0..count.min(COLUMNS) {
        values.push(match reader.long()? {
            u32::MAX => None,
            length => Some(String::from_utf8_lossy(reader.take(length as usize)?).into_owned()),
        });
    }
    Some(values)
}

impl Authentication {
    fn parse(body: &[u8]) -> Option<Self> {
        let (kind, rest) = body.split_first_chunk()?;
        let text = || String::from_utf8_lossy(rest).into_owned();
        Some(match u32::from_be_bytes(*kind) {
            0 => Self::Ok,
            3 => Self::CleartextPassword,
            5 => Self::Md5Password { salt: *rest.first_chunk()? },
            10 => Self::Sasl { mechanisms: text().split_terminator('\0').map(str::to_owned).collect() },
            11 => Self::SaslContinue(text()),
            12 => Self::SaslFinal(text()),
            _ => Self::Unsupported,
        })
    }
}

impl Said {
    /// Without a SQLSTATE of five letters and digits it is no error of PostgreSQL.
    fn parse(body: &[u8]) -> Option<Self> {
        let mut found = Self::default();
        for field in body.split(|byte| *byte == 0) {
            match field.split_first() {
                Some((b'C', code)) => found.code = one_line(&String::from_utf8_lossy(code)),
                Some((b'P', position)) => found.position = str::from_utf8(position).ok()?.parse().ok(),
                Some((b'M', message)) => found.message = one_line(&String::from_utf8_lossy(message)),
                _ => {}
            }
        }
        let is_sqlstate = found.code.len() == 5 && found.code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_sqlstate.then_some(found)
    }

    /// `cannot_connect_now`, and the shutdowns
    pub(super) fn is_busy(&self) -> bool {
        ["57P03", TOO_MANY_CONNECTIONS, "57P01", "57P02"].contains(&self.code.as_str())
    }
}

/// What proves a password of an `md5` user: "md5" + hex(MD5(hex(MD5(password + user)) + salt))
pub(super) fn md5_proof(user: &str, password: &str, salt: [u8; 4]) -> String {
    let inner = hex(&Md5::new().chain_update(password).chain_update(user).finalize());
    format!("md5{}", hex(&Md5::new().chain_update(inner).chain_update(salt).finalize()))
}

pub(super) fn not_postgres() -> NotReady {
    NotReady::new(Cause::Odd, "the answer is not PostgreSQL")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_read() {
        let error =
            Message::parse(b'E', b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0P7\0\0").unwrap();
        let Message::Error(said) = error else { panic!("{error:?}") };
        assert_eq!(said.position, Some(7));
        assert_eq!((said.code.as_str(), said.message.as_str()), ("57P03", "the database system is starting up"));
        assert!(said.is_busy());
        let sasl = Message::parse(b'R', b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
        let mechanisms = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", ""].map(str::to_owned).to_vec();
        assert_eq!(sasl, Some(Message::Authentication(Authentication::Sasl { mechanisms })));
        assert_eq!(Message::parse(b'H', b"TTP/1.1"), None);
        let row = Message::parse(ROW, b"\0\x02\0\0\0\x01a\xff\xff\xff\xff");
        assert_eq!(row, Some(Message::Row(vec![Some("a".into()), None])));
        assert_eq!(Message::parse(ROW, b"\0\0"), Some(Message::Row(Vec::new())));
        for row in [&b"\0\x01"[..], b"\0\x01\0\0\0\x02a", b"\0\x01\xff\xff\xff\xfe"] {
            assert_eq!(Message::parse(ROW, row), None, "{row:?}");
        }
        for error in [&b"\0"[..], b"", b"C57\0", b"C57P0?\0Mno\0\0"] {
            assert_eq!(Message::parse(b'E', error), None, "{error:?}");
        }
    }

    #[test]
    fn an_md5_proof() {
        // As seen on the wire of a real login.
        assert_eq!(md5_proof("md5_user", "password", [0x2a, 0x3d, 0x8f, 0xe0]), "md562af4dd09bbb41884907a838a3233294");
    }

    proptest! {
        #[test]
        fn no_message_makes_the_parser_panic(kind: u8, body: Vec<u8>) {
            let _ = Message::parse(kind, &body);
        }
    }
}
