//! The bytes that cannot stand in a JSON string as they are: quotes, backslashes and controls (RFC
//! 8259, section 7).

/// Where the first such byte is; sixteen bytes are looked at at once.
#[inline]
pub(crate) fn first_special(bytes: &[u8]) -> Option<usize> {
    let (pairs, rest) = bytes.as_chunks::<16>();
    for (nth, pair) in pairs.iter().enumerate() {
        let (words, _) = pair.as_chunks::<8>();
        let (first, second) = (special(words[0]), special(words[1]));
        if first | second != 0 {
            return Some(nth * 16 + if first != 0 { place(first) } else { 8 + place(second) });
        }
    }
    let (words, rest) = rest.as_chunks::<8>();
    let mut at = pairs.len() * 16;
    if let [word] = words {
        let special = special(*word);
        if special != 0 {
            return Some(at + place(special));
        }
        at += 8;
    }
    if rest.is_empty() {
        return None;
    }
    // The last eight bytes, some of which are known to be others
    if let Some(last) = bytes.last_chunk() {
        let special = special(*last);
        return (special != 0).then(|| bytes.len() - 8 + place(special));
    }
    Some(at + rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\')?)
}

/// The high bit of the first such byte of a word. Above it there may be false ones, because a
/// subtraction borrows from the high bit of each byte that is smaller.
#[inline]
fn special(word: [u8; 8]) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let word = u64::from_le_bytes(word);
    let controls = word.wrapping_sub(ONES * 0x20);
    let quotes = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
    let backslashes = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    (controls | quotes | backslashes) & !word & (ONES << 7)
}

/// Which byte has the first high bit
fn place(highs: u64) -> usize {
    highs.trailing_zeros() as usize / 8
}
