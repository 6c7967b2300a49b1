//! Reads the wire format of protobuf without copies: <https://protobuf.dev/programming-guides/encoding>.
//!
//! Written by hand because it borrows names and labels from the body, where prost would allocate each of them.

/// The reason why bytes are no message, without content of the page
pub(super) type Fault = &'static str;

/// The unread rest of a message
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    bytes: &'a [u8],
}

/// The content of a field. Unknown fields are read too, and then ignored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

impl<'a> Message<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The number of the next field and its content; `None` at the end.
    pub(super) fn field(&mut self) -> Result<Option<(u32, Content<'a>)>, Fault> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?).map_err(|_| "a field with too large a number")?;
        let number = key >> 3;
        if number == 0 {
            return Err("a field with the number 0");
        }
        let content = match key & 7 {
            0 => Content::Varint(self.varint()?),
            1 => Content::Fixed64(self.fixed64()?),
            2 => Content::Bytes(self.delimited()?),
            5 => {
                self.take(4)?;
                Content::Fixed32
            }
            _ => return Err("a field of a kind that metrics do not have"),
        };
        Ok(Some((number, content)))
    }

    /// Reads bytes with their length before them.
    pub(super) fn delimited(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.varint()?;
        self.take(usize::try_from(length).map_err(|_| CUT_OFF)?)
    }

    /// Reads a varint of at most ten bytes and 64 bits.
    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for (index, byte) in self.bytes.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            if index == 9 && bits > 1 {
                break;
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                self.bytes = &self.bytes[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.bytes.len() < 10 { CUT_OFF } else { "a number of more than 64 bits" })
    }

    pub(super) fn fixed64(&mut self) -> Result<u64, Fault> {
        let (bytes, rest) = self.bytes.split_first_chunk().ok_or(CUT_OFF)?;
        self.bytes = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(CUT_OFF)?;
        self.bytes = rest;
        Ok(taken)
    }
}

impl<'a> Content<'a> {
    /// The value of a uint32, a uint64 or an enum.
    pub(super) fn unsigned(self) -> Result<u64, Fault> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(OTHER_KIND),
        }
    }

    /// The value of an int32 or an int64.
    pub(super) fn signed(self) -> Result<i64, Fault> {
        Ok(self.unsigned()?.cast_signed())
    }

    /// The value of a sint32 or a sint64.
    pub(super) fn zigzag(self) -> Result<i64, Fault> {
        self.unsigned().map(zigzag)
    }

    pub(super) fn double(self) -> Result<f64, Fault> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(OTHER_KIND),
        }
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], Fault> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(OTHER_KIND),
        }
    }

    pub(super) fn message(self) -> Result<Message<'a>, Fault> {
        self.bytes().map(Message::new)
    }
}

/// Decodes the zigzag form of a sint32 or a sint64.
pub(super) fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

const CUT_OFF: Fault = "a length or a field that reaches beyond the end: the body is cut off or is no protobuf";
const OTHER_KIND: Fault = "a field of another kind than its definition has";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_at_most_64_bits() {
        let read = |bytes: &[u8]| Message::new(bytes).varint();
        assert_eq!(read(&[0]), Ok(0));
        assert_eq!(read(&[0x96, 1, 7]), Ok(150));
        assert_eq!(read(&[0x80, 0]), Ok(0));
        let largest = [[0xff; 9].as_slice(), &[1]].concat();
        assert_eq!(read(&largest), Ok(u64::MAX));
        let larger = [[0xff; 9].as_slice(), &[2]].concat();
        assert_eq!(read(&larger), Err("a number of more than 64 bits"));
        assert_eq!(read(&[0x80; 11]), Err("a number of more than 64 bits"));
        assert_eq!(read(&[0x80]), Err(CUT_OFF));
        assert_eq!(read(&[]), Err(CUT_OFF));
    }

    #[test]
    fn lengths_that_lie_are_faults() {
        assert_eq!(Message::new(&[3, b'a', b'b']).delimited(), Err(CUT_OFF));
        let huge = [[0xff; 9].as_slice(), &[1, b'a']].concat();
        assert_eq!(Message::new(&huge).delimited(), Err(CUT_OFF));
    }

    #[test]
    fn zigzag_alternates() {
        assert_eq!([0, 1, 2, 3, u64::MAX - 1, u64::MAX].map(zigzag), [0, -1, 1, -2, i64::MAX, i64::MIN]);
    }

    #[test]
    fn groups_and_the_field_0_are_faults() {
        assert!(Message::new(&[0x0b, 0x0c]).field().is_err());
        assert!(Message::new(&[0x02, 0]).field().is_err());
        assert!(Message::new(&[0x0e]).field().is_err());
    }
}
