//! The secret, the ways to write it, and the search for it.

use std::{collections::BTreeSet, fmt::Write as _, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

/// Two halves that occur nowhere else. A `&` between them ends a value in a query and in a fragment.
const HALVES: [&str; 2] = ["Zq7vKpWx2Tb", "Wm4tRjXyQ9c"];

/// The ways in which the secret is planted: whole, with each character that separates something, percent-encoded
pub(crate) fn spellings() -> Vec<String> {
    let mut spellings: Vec<String> = ["", "&", ":", "%26"].map(|between| HALVES.join(between)).to_vec();
    spellings.push(HALVES.concat().bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "%{byte:02X}");
        text
    }));
    spellings
}

/// The plain spelling, which means nothing anywhere
pub(crate) fn plain() -> String {
    HALVES.concat()
}

/// Adjacent bytes of the secret that count as a piece of it
const PIECE: usize = 6;

/// Every text that shows a piece of the secret, in lower case
static PIECES: LazyLock<BTreeSet<String>> = LazyLock::new(|| HALVES.iter().flat_map(|half| pieces(half)).collect());

fn pieces(half: &str) -> BTreeSet<String> {
    let mut pieces = BTreeSet::new();
    for window in half.as_bytes().windows(PIECE) {
        pieces.insert(String::from_utf8_lossy(window).into_owned());
        let numbers = window.iter().map(ToString::to_string).collect::<Vec<_>>();
        pieces.extend([", ", ",", " "].map(|between| numbers.join(between)));
        for between in ["%", "\\x", "", " ", ", "] {
            pieces.insert(window.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between));
        }
        // Base64 encodes groups of three bytes. Of three windows in a row, one begins with a group of a longer text.
        pieces.insert(STANDARD_NO_PAD.encode(window));
    }
    pieces.iter().map(|piece| piece.to_lowercase()).collect()
}

/// Where a text shows a piece of the secret, with what stands around it
pub(crate) fn search(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let at = PIECES.iter().filter_map(|piece| text.find(piece.as_str())).min()?;
    let around: String = text[..at].chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect();
    Some(around + &text[at..].chars().take(60).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_and_every_piece_is_found() {
        let [left, right] = HALVES;
        let base64 = STANDARD_NO_PAD.encode(format!("user:{left}{right}"));
        let percent = spellings().pop().unwrap();
        for text in [
            format!("password {left}"),
            format!("…{}…", &right[2..9]),
            left.to_lowercase(),
            format!("Basic {base64}"),
            percent,
            format!("{:?}", left.as_bytes()),
            format!("{:02x?}", right.as_bytes()),
        ] {
            assert!(search(&text).is_some(), "{text}");
        }
        for spelling in spellings() {
            assert!(search(&format!("{{\"url\":\"{spelling}\"}}")).is_some(), "{spelling}");
        }
    }

    #[test]
    fn other_words_are_no_secret() {
        assert_eq!(search("code=64 reason=usage last=\"invalid value\" elapsed=0 Zq7vK Wm4tR"), None);
    }
}
