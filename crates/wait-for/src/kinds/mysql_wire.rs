//! Packets of the MySQL protocol, as far as a login needs them.

use endpoint::{Stream, one_line};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    kinds::question,
    not_ready::{Cause, NotReady},
    wire::{self, Login},
};

/// Bytes; greetings, errors and rows of a few values are far smaller.
const PACKET_LIMIT: usize = 64 * 1024;
const ERROR: u8 = 0xff;
/// Lower numbers are the operating system's and never sent.
const FIRST_ERROR: u16 = 1000;

/// Capability flags
const LONG_PASSWORD: u32 = 0x1;
const CONNECT_WITH_DB: u32 = 0x8;
const PROTOCOL_41: u32 = 0x200;
const SSL: u32 = 0x800;
const SECURE_CONNECTION: u32 = 0x8000;
const PLUGIN_AUTH: u32 = 0x8_0000;

/// The command that asks a statement
pub(super) const QUERY: u8 = 0x03;

/// The largest packet that the client announces, in bytes
const MAX_PACKET: u32 = 0x100_0000;
const UTF8MB4: u8 = 45;

/// Packets on a stream, numbered from 0 in each exchange
pub(super) struct Channel {
    stream: Box<dyn Stream>,
    sequence: u8,
    pub(super) is_tls: bool,
}

impl Channel {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, sequence: 0, is_tls: false }
    }

    /// Goes over to TLS, with the same numbering, and gives the judgement of the server's
    /// certificate.
    pub(super) async fn secure(self, login: &Login<'_>) -> Result<(Self, Result<(), NotReady>), NotReady> {
        let (stream, judgement) = login.secure_unjudged(self.stream).await?;
        Ok((Self { stream, sequence: self.sequence, is_tls: true }, judgement))
    }

    /// Reads a packet; one that is an error comes back as `Err`.
    pub(super) async fn read(&mut self) -> Result<Vec<u8>, Failure> {
        self.read_or(not_mysql).await
    }

    /// The same for a row, whose values can be long.
    pub(super) async fn read_row(&mut self) -> Result<Vec<u8>, Failure> {
        self.read_or(question::long_row).await
    }

    async fn read_or(&mut self, too_long: fn() -> NotReady) -> Result<Vec<u8>, Failure> {
        let mut header = [0; 4];
        if self.stream.read(&mut header[..1]).await? == 0 {
            return Err(NotReady::unanswered().into());
        }
        self.stream.read_exact(&mut header[1..]).await?;
        let header = u32::from_le_bytes(header);
        let length = (header & 0x00ff_ffff) as usize;
        if length > PACKET_LIMIT {
            return Err(too_long().into());
        }
        self.sequence = header.to_le_bytes()[3].wrapping_add(1);
        let mut packet = vec![0; length];
        self.stream.read_exact(&mut packet).await?;
        match packet.split_first() {
            Some((&ERROR, error)) => Err(Failure::Refused(Refusal::parse(error)?)),
            _ => Ok(packet),
        }
    }

    pub(super) async fn write(&mut self, packet: &[u8]) -> Result<(), NotReady> {
        let length = u32::try_from(packet.len()).map_err(|_| NotReady::never("the password is too long"))?;
        let header = length | u32::from(self.sequence) << 24;
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&[&header.to_le_bytes(), packet].concat()).await?;
        Ok(self.stream.flush().await?)
    }

    /// Ends the connection.
    pub(super) async fn close(&mut self) {
        wire::close(&mut self.stream).await;
    }

    /// Sends a command, which begins an exchange.
    pub(super) async fn command(&mut self, command: u8, argument: &[u8]) -> Result<(), NotReady> {
        self.sequence = 0;
        self.write(&[&[command], argument].concat()).await
    }
}

/// Why an exchange went wrong
pub(super) enum Failure {
    /// The server says so
    Refused(Refusal),
    /// The connection, or the protocol
    Broken(NotReady),
}

impl From<NotReady> for Failure {
    fn from(failure: NotReady) -> Self {
        Self::Broken(failure)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.into())
    }
}

/// An error packet
pub(crate) struct Refusal {
    /// As in MySQL's and MariaDB's "Server Error Message Reference"
    pub(super) code: u16,
    pub(super) message: String,
}

impl Refusal {
    /// Access denied, in its several forms; TLS demanded; account expired, locked or blocked: all
    /// said by a server that works.
    pub(super) fn is_about_the_login(&self) -> bool {
        matches!(self.code, 1045 | 1251 | 1275 | 1524 | 1698 | 1862 | 3118 | 3159 | 3955 | 4151)
    }

    /// Reads what stands behind the packet's first byte.
    pub(crate) fn parse(packet: &[u8]) -> Result<Self, NotReady> {
        let (code, rest) = packet.split_first_chunk().ok_or_else(not_mysql)?;
        let code = u16::from_le_bytes(*code);
        if code < FIRST_ERROR {
            return Err(not_mysql());
        }
        // Before the client's answer there is no `#` and SQL state.
        let message = if rest.first() == Some(&b'#') { rest.get(6..).unwrap_or_default() } else { rest };
        Ok(Self { code, message: one_line(&String::from_utf8_lossy(message)) })
    }
}

/// The server's first packet, `HandshakeV10`
#[derive(Debug)]
pub(crate) struct Greeting {
    capabilities: u32,
    /// The nonce for the password's hash
    pub(crate) nonce: Vec<u8>,
    /// The authentication plugin that the server proposes
    pub(super) plugin: String,
}

impl Greeting {
    pub(crate) fn parse(packet: &[u8]) -> Result<Self, NotReady> {
        Self::fields(packet).ok_or_else(not_mysql)
    }

    fn fields(packet: &[u8]) -> Option<Self> {
        let (&10, rest) = packet.split_first()? else { return None };
        let (_version, rest) = split_at_nul(rest)?;
        let (_connection, rest) = rest.split_first_chunk::<4>()?;
        let (nonce, rest) = rest.split_first_chunk::<8>()?;
        let (&[_filler, low, high, _charset, _, _, upper_low, upper_high, nonce_length], rest) =
            rest.split_first_chunk::<9>()?;
        let capabilities = u32::from_le_bytes([low, high, upper_low, upper_high]);
        let (_reserved, rest) = rest.split_first_chunk::<10>()?;
        let second = usize::from(nonce_length).saturating_sub(8).max(13);
        let (second_nonce, rest) = rest.split_at_checked(second)?;
        let plugin = split_at_nul(rest).map_or(rest, |(plugin, _)| plugin);
        let nonce = [nonce, second_nonce].concat();
        Some(Self {
            capabilities,
            nonce: nonce.strip_suffix(&[0]).unwrap_or(&nonce).to_vec(),
            plugin: String::from_utf8_lossy(plugin).into_owned(),
        })
    }

    pub(super) fn offers_tls(&self) -> bool {
        self.capabilities & SSL != 0
    }
}

/// The first 32 bytes of the client's answer; alone they ask for TLS.
pub(super) fn client_header(tls: bool, database: bool) -> Vec<u8> {
    let mut flags = LONG_PASSWORD | PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;
    if tls {
        flags |= SSL;
    }
    if database {
        flags |= CONNECT_WITH_DB;
    }
    [&flags.to_le_bytes()[..], &MAX_PACKET.to_le_bytes(), &[UTF8MB4], &[0; 23]].concat()
}

/// The client's answer, `HandshakeResponse41`.
pub(super) fn client_answer(tls: bool, user: &str, proof: &[u8], database: Option<&str>, plugin: &str) -> Vec<u8> {
    let mut answer = client_header(tls, database.is_some());
    answer.extend_from_slice(user.as_bytes());
    answer.extend_from_slice(&[0, u8::try_from(proof.len()).unwrap_or(u8::MAX)]);
    answer.extend_from_slice(proof);
    for text in database.into_iter().chain([plugin]) {
        answer.extend_from_slice(text.as_bytes());
        answer.push(0);
    }
    answer
}

/// The request of an `AuthSwitchRequest`: plugin and nonce.
pub(crate) fn parse_switch(packet: &[u8]) -> Option<(String, Vec<u8>)> {
    let (plugin, nonce) = split_at_nul(packet)?;
    Some((String::from_utf8_lossy(plugin).into_owned(), nonce.strip_suffix(&[0]).unwrap_or(nonce).to_vec()))
}

fn split_at_nul(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

pub(super) fn not_mysql() -> NotReady {
    NotReady::new(Cause::Odd, "the answer is not MySQL")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As MariaDB 10.11 greets, with TLS set up.
    fn greeting() -> Vec<u8> {
        let mut packet = b"\x0a5.5.5-10.11.6-MariaDB\0\x07\0\0\0abcdefgh\0".to_vec();
        packet.extend(b"\xfe\xff\x2d\x02\0\xff\x81\x15");
        packet.extend([0; 10]);
        packet.extend(b"ijklmnopqrst\0mysql_native_password\0");
        packet
    }

    #[test]
    fn a_greeting_is_read() {
        let greeting = Greeting::parse(&greeting()).unwrap();
        assert_eq!(greeting.nonce, b"abcdefghijklmnopqrst");
        assert_eq!(greeting.plugin, "mysql_native_password");
        assert!(greeting.offers_tls());
    }

    #[test]
    fn an_error_is_read_with_and_without_its_state() {
        let refusal = Refusal::parse(b"\x15\x04#28000Access denied").unwrap();
        assert_eq!((refusal.code, refusal.message.as_str()), (1045, "Access denied"));
        let refusal = Refusal::parse(b"\x69\x04Host is blocked").unwrap();
        assert_eq!((refusal.code, refusal.message.as_str()), (1129, "Host is blocked"));
    }

    proptest! {
        #[test]
        fn no_packet_makes_the_parsers_panic(packet: Vec<u8>, cut in 0usize..80) {
            let _ = (Greeting::parse(&packet), Refusal::parse(&packet), parse_switch(&packet));
            let _ = Greeting::parse(&greeting()[..cut]);
        }
    }
}
