//! JSON from a server, within bounds of memory.

use serde_json::Value;

/// Values of a document, counted by the characters that begin or separate them. A value of two bytes may take hundreds in
/// memory, so a limit of bytes alone would let a document of 1 MiB take 100.
const LIMIT: usize = 4096;

/// Why a text is no document
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// At this line and column
    NoJson(usize, usize),
    /// Over [`LIMIT`]
    TooManyValues,
}

/// The document, of at most some thousand values.
pub(crate) fn read(text: &[u8]) -> Result<Value, Fault> {
    if count(text) > LIMIT {
        return Err(Fault::TooManyValues);
    }
    serde_json::from_slice(text).map_err(|error| Fault::NoJson(error.line(), error.column()))
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::NoJson(line, column) => write!(f, "no JSON (line {line}, column {column})"),
            Self::TooManyValues => write!(f, "JSON with more than {LIMIT} values"),
        }
    }
}

/// The characters outside of texts that begin or separate values
fn count(text: &[u8]) -> usize {
    let (mut count, mut is_text, mut is_escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b'[' | b'{' | b',' if !is_text => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_has_a_bound_and_texts_in_it_do_not_count() {
        let commas = json!({"token": ",[{\"\\".repeat(LIMIT), "other": ["\\", {}]});
        assert_eq!(read(commas.to_string().as_bytes()), Ok(commas.clone()));
        for many in [json!(vec![json!({"": 0}); LIMIT]), json!(vec![1; LIMIT + 1]), json!(vec![json!([]); LIMIT])] {
            assert_eq!(read(many.to_string().as_bytes()), Err(Fault::TooManyValues));
        }
        assert_eq!(read(json!(vec![1; LIMIT]).to_string().as_bytes()), Ok(json!(vec![1; LIMIT])));
        assert_eq!(read(b"{").unwrap_err().to_string(), "no JSON (line 1, column 1)");
        assert_eq!(read(b"\xff\"\\").unwrap_err(), Fault::NoJson(1, 1));
    }

    proptest! {
        #[test]
        fn each_value_is_counted(texts in proptest::collection::vec("\\PC{0,8}", 0..50)) {
            let document = json!({"list": texts, "map": texts.iter().map(|text| (text.clone(), text)).collect::<std::collections::BTreeMap<_, _>>()});
            let text = document.to_string();
            prop_assert!(count(text.as_bytes()) >= texts.len());
            prop_assert_eq!(read(text.as_bytes()), Ok(document));
        }
    }
}
