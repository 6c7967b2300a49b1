//! Protocol Buffers, as far as they are written here: fields to the end of some bytes.

/// Wire types
const VARINT: u32 = 0;
const FIXED_64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;

pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// How many bytes that is
pub(super) fn varint_length(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// The head of a field of this number of bytes, which follow
pub(super) fn head(field: u32, length: usize, out: &mut Vec<u8>) {
    tag(field, LENGTH_DELIMITED, out);
    varint(length as u64, out);
}

/// The length of a field of this number of bytes together with its head; for fields up to 15
pub(super) fn delimited_length(length: usize) -> usize {
    1 + varint_length(length as u64) + length
}

pub(super) fn bytes(field: u32, value: &[u8], out: &mut Vec<u8>) {
    head(field, value.len(), out);
    out.extend_from_slice(value);
}

pub(super) fn number(field: u32, value: u64, out: &mut Vec<u8>) {
    tag(field, VARINT, out);
    varint(value, out);
}

pub(super) fn fixed_64(field: u32, value: u64, out: &mut Vec<u8>) {
    tag(field, FIXED_64, out);
    out.extend_from_slice(&value.to_le_bytes());
}

fn tag(field: u32, kind: u32, out: &mut Vec<u8>) {
    varint(u64::from(field << 3 | kind), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_as_long_as_said() {
        for value in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            varint(value, &mut out);
            assert_eq!(out.len(), varint_length(value), "{value}");
        }
    }
}
