//! The bytes that cannot stand in a JSON string as they are: quotes, backslashes and controls (RFC
//! 8259, section 7).

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// Where the first such byte is; eight bytes are looked at at once.
#[inline]
pub(crate) fn first_special(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (nth, word) in words.iter().enumerate() {
        let special = first_specials(u64::from_le_bytes(*word));
        if special != 0 {
            return Some(nth * 8 + special.trailing_zeros() as usize / 8);
        }
    }
    Some(words.len() * 8 + rest.iter().position(|byte| is_special(*byte))?)
}

/// Visits the places of all such bytes in their order.
#[inline]
pub(crate) fn each_special(bytes: &[u8], mut visit: impl FnMut(usize)) {
    let (words, rest) = bytes.as_chunks::<8>();
    for (nth, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // Most words have none.
        if first_specials(word) == 0 {
            continue;
        }
        let mut special = specials(word);
        while special != 0 {
            visit(nth * 8 + special.trailing_zeros() as usize / 8);
            special &= special - 1;
        }
    }
    let places = rest.iter().enumerate().filter(|(_, byte)| is_special(**byte));
    places.for_each(|(nth, _)| visit(words.len() * 8 + nth));
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The high bit of the first such byte of a word. Above it there may be false ones, because a
/// subtraction borrows from the high bit of each byte that is smaller.
#[inline]
fn first_specials(word: u64) -> u64 {
    let controls = word.wrapping_sub(ONES * 0x20);
    let quotes = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
    let backslashes = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    (controls | quotes | backslashes) & !word & HIGHS
}

/// The high bits of all such bytes of a word
#[inline]
fn specials(word: u64) -> u64 {
    // An addition to seven bits carries into the eighth, unless the byte is smaller.
    let smaller = |word: u64, bound: u8| !(((word & !HIGHS) + ONES * u64::from(0x80 - bound)) | word) & HIGHS;
    let quotes = smaller(word ^ (ONES * u64::from(b'"')), 1);
    let backslashes = smaller(word ^ (ONES * u64::from(b'\\')), 1);
    smaller(word, 0x20) | quotes | backslashes
}
