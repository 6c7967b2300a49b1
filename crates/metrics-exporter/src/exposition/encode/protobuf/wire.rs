//! Writes the wire format of protobuf directly into the page: <https://protobuf.dev/programming-guides/encoding>.

/// Appends fields to a page
pub(super) struct Writer<'p> {
    page: &'p mut Vec<u8>,
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
/// Bytes of the longest varint
const MAX_VARINT: usize = 10;

impl<'p> Writer<'p> {
    pub(super) fn new(page: &'p mut Vec<u8>) -> Self {
        Self { page }
    }

    /// Writes a uint32, a uint64 or an enum.
    pub(super) fn unsigned(&mut self, field: u32, value: u64) {
        self.key(field, VARINT);
        self.varint(value);
    }

    /// Writes an int32 or an int64.
    pub(super) fn signed(&mut self, field: u32, value: i64) {
        self.unsigned(field, value.cast_unsigned());
    }

    /// Writes a sint32 or a sint64.
    pub(super) fn zigzag(&mut self, field: u32, value: i64) {
        self.unsigned(field, ((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    pub(super) fn double(&mut self, field: u32, value: f64) {
        self.key(field, FIXED64);
        self.page.extend_from_slice(&value.to_bits().to_le_bytes());
    }

    pub(super) fn text(&mut self, field: u32, text: &str) {
        self.key(field, BYTES);
        self.varint(text.len() as u64);
        self.page.extend_from_slice(text.as_bytes());
    }

    /// Writes a message as the content of a field.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.key(field, BYTES);
        self.delimited(write);
    }

    /// Writes a message with its length before it.
    pub(super) fn delimited(&mut self, write: impl FnOnce(&mut Self)) {
        // Reserve one byte, because the length of most messages (labels, values) takes one. Moving a longer message costs less than
        // computing all lengths first.
        let start = self.page.len();
        self.page.push(0);
        write(self);
        let end = self.page.len();
        let (length, size) = varint((end - start - 1) as u64);
        self.page.resize(end + size - 1, 0);
        if size > 1 {
            self.page.copy_within(start + 1..end, start + size);
        }
        self.page[start..start + size].copy_from_slice(&length[..size]);
    }

    fn key(&mut self, field: u32, kind: u32) {
        self.varint(((field << 3) | kind).into());
    }

    fn varint(&mut self, value: u64) {
        let (bytes, size) = varint(value);
        self.page.extend_from_slice(&bytes[..size]);
    }
}

/// The bytes of a varint, and their number.
#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn varint(mut value: u64) -> ([u8; MAX_VARINT], usize) {
    let mut bytes = [0; MAX_VARINT];
    let mut size = 0;
    while value >= 0x80 {
        bytes[size] = value as u8 | 0x80;
        value >>= 7;
        size += 1;
    }
    bytes[size] = value as u8;
    (bytes, size + 1)
}
