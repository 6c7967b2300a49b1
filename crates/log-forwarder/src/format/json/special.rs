//! The bytes that cannot stand in a JSON string as they are: quotes, backslashes and controls (RFC
//! 8259, section 7).

/// Where the first such byte is; eight bytes are looked at at once.
#[inline]
pub(crate) fn first_special(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let (words, rest) = bytes.as_chunks::<8>();
    for (nth, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // A subtraction borrows from the high bit of each byte that is smaller. Above the first
        // such byte there may be false ones.
        let controls = word.wrapping_sub(ONES * 0x20);
        let quotes = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
        let backslashes = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
        let special = (controls | quotes | backslashes) & !word & HIGHS;
        if special != 0 {
            return Some(nth * 8 + special.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\')?;
    Some(words.len() * 8 + at)
}
