//! The messages of a server of the forward protocol: HELO, PONG and acks. The bytes can be
//! anything.

/// Bytes of a message from the other side; a hundred would do
pub(crate) const LIMIT: usize = 16 * 1024;
/// Arrays and maps within each other
const DEPTH: usize = 8;

/// A message from the other side
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It asks for a login.
    Helo { nonce: Vec<u8>, auth: Vec<u8>, keepalive: bool },
    /// Its answer to a login, the reason of a refusal, and its own proof
    Pong { believed: bool, reason: Vec<u8>, host: Vec<u8>, digest: Vec<u8> },
    /// It has this chunk.
    Ack(Vec<u8>),
    /// None of these
    Other,
}

/// Why there is no message
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// More bytes may make it one.
    Short,
    /// It is no `MessagePack`, or deeper than any reply.
    Malformed,
}

/// The first message of these bytes, and its length.
pub(crate) fn read(bytes: &[u8]) -> Result<(Reply, usize), Fault> {
    let mut rest = bytes;
    let value = Value::read(&mut rest, DEPTH)?;
    Ok((value.reply().unwrap_or(Reply::Other), bytes.len() - rest.len()))
}

/// A value of `MessagePack`, as far as replies have it
enum Value<'a> {
    Bytes(&'a [u8]),
    Boolean(bool),
    Array(Vec<Value<'a>>),
    Map(Vec<(Value<'a>, Value<'a>)>),
    Other,
}

impl<'a> Value<'a> {
    fn read(rest: &mut &'a [u8], depth: usize) -> Result<Self, Fault> {
        let depth = depth.checked_sub(1).ok_or(Fault::Malformed)?;
        let head = take(rest, 1)?[0];
        let short = usize::from(head & 0x0f);
        Ok(match head {
            0x80..=0x8f => Self::map(rest, short, depth)?,
            0x90..=0x9f => Self::array(rest, short, depth)?,
            0xa0..=0xbf => Self::Bytes(take(rest, usize::from(head & 0x1f))?),
            0xc2 | 0xc3 => Self::Boolean(head == 0xc3),
            0xc4..=0xc6 => Self::bytes(rest, 1 << (head - 0xc4))?,
            0xd9..=0xdb => Self::bytes(rest, 1 << (head - 0xd9))?,
            0xdc | 0xdd => {
                let size = length(rest, 2 << (head - 0xdc))?;
                Self::array(rest, size, depth)?
            }
            0xde | 0xdf => {
                let size = length(rest, 2 << (head - 0xde))?;
                Self::map(rest, size, depth)?
            }
            0xc1 => return Err(Fault::Malformed),
            _ => {
                skip(rest, head)?;
                Self::Other
            }
        })
    }

    fn bytes(rest: &mut &'a [u8], digits: usize) -> Result<Self, Fault> {
        let size = length(rest, digits)?;
        take(rest, size).map(Self::Bytes)
    }

    // No memory is reserved for announced values, because only values that are there take bytes.
    fn array(rest: &mut &'a [u8], size: usize, depth: usize) -> Result<Self, Fault> {
        let mut values = Vec::new();
        for _ in 0..size {
            values.push(Self::read(rest, depth)?);
        }
        Ok(Self::Array(values))
    }

    fn map(rest: &mut &'a [u8], size: usize, depth: usize) -> Result<Self, Fault> {
        let mut entries = Vec::new();
        for _ in 0..size {
            entries.push((Self::read(rest, depth)?, Self::read(rest, depth)?));
        }
        Ok(Self::Map(entries))
    }

    fn reply(&self) -> Option<Reply> {
        let Self::Array(values) = self else { return self.get(b"ack")?.text().map(Reply::Ack) };
        let value = |nth: usize| values.get(nth);
        let text = |nth: usize| value(nth).and_then(Self::text).unwrap_or_default();
        match text(0).as_slice() {
            b"HELO" => {
                let option = |name: &[u8]| value(1).and_then(|options| options.get(name));
                Some(Reply::Helo {
                    nonce: option(b"nonce").and_then(Self::text).unwrap_or_default(),
                    auth: option(b"auth").and_then(Self::text).unwrap_or_default(),
                    keepalive: !matches!(option(b"keepalive"), Some(Self::Boolean(false))),
                })
            }
            b"PONG" => Some(Reply::Pong {
                believed: matches!(value(1), Some(Self::Boolean(true))),
                reason: text(2),
                host: text(3),
                digest: text(4),
            }),
            _ => None,
        }
    }

    fn get(&self, name: &[u8]) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find_map(|(key, value)| matches!(key, Self::Bytes(key) if *key == name).then_some(value))
    }

    fn text(&self) -> Option<Vec<u8>> {
        if let Self::Bytes(bytes) = self { Some(bytes.to_vec()) } else { None }
    }
}

/// Numbers and extensions
fn skip(rest: &mut &[u8], head: u8) -> Result<(), Fault> {
    let size = match head {
        0xcc | 0xd0 => 1,
        0xcd | 0xd1 => 2,
        0xca | 0xce | 0xd2 => 4,
        0xcb | 0xcf | 0xd3 => 8,
        0xd4..=0xd8 => 1 + (1 << (head - 0xd4)),
        0xc7..=0xc9 => 1 + length(rest, 1 << (head - 0xc7))?,
        _ => 0,
    };
    take(rest, size).map(drop)
}

fn length(rest: &mut &[u8], digits: usize) -> Result<usize, Fault> {
    Ok(take(rest, digits)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
}

fn take<'a>(rest: &mut &'a [u8], size: usize) -> Result<&'a [u8], Fault> {
    let (taken, left) = rest.split_at_checked(size).ok_or(Fault::Short)?;
    *rest = left;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn replies_are_read() {
        let helo = b"\x92\xa4HELO\x83\xa5nonce\xc4\x02\x01\xff\xa4auth\xa0\xa9keepalive\xc2";
        let expected = Reply::Helo { nonce: b"\x01\xff".to_vec(), auth: Vec::new(), keepalive: false };
        assert_eq!(read(helo), Ok((expected, helo.len())));
        let pong = b"\x95\xa4PONG\xc2\xa3why\xa4host\xd9\x02ab";
        let (reason, host) = (b"why".to_vec(), b"host".to_vec());
        let expected = Reply::Pong { believed: false, reason, host, digest: b"ab".to_vec() };
        assert_eq!(read(pong), Ok((expected, pong.len())));
        assert_eq!(read(b"\x81\xa3ack\xa4abcd\x01"), Ok((Reply::Ack(b"abcd".to_vec()), 10)));
        for other in [&b"\x01"[..], b"\xc0", b"\x81\xa3ack\x01", b"\x90", b"\xd7\0abcdefgh", b"\xc7\x01\0a"] {
            assert_eq!(read(other), Ok((Reply::Other, other.len())));
        }
    }

    #[test]
    fn what_is_no_reply_has_bounds() {
        assert_eq!(read(&[0x91; 100]), Err(Fault::Malformed));
        assert_eq!(read(b"\xc1"), Err(Fault::Malformed));
        assert_eq!(read(b"\xdd\xff\xff\xff\xff"), Err(Fault::Short));
        assert_eq!(read(b"\xc6\xff\xff\xff\xff"), Err(Fault::Short));
    }

    proptest! {
        #[test]
        fn anything_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok((_, length)) = read(&bytes) {
                prop_assert!((1..=bytes.len()).contains(&length));
                prop_assert_eq!(read(&bytes[..length - 1]), Err(Fault::Short));
            }
        }
    }
}
