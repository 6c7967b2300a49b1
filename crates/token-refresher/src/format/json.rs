//! A JSON object of texts.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{Content, Unfit};

/// Bytes that one byte becomes at most: `\u0000`
const LONGEST_ESCAPE: usize = 6;

/// The object on one line. Any text can be expressed.
pub(super) fn write(pairs: &BTreeMap<&str, &str>) -> Result<Content, Unfit> {
    let length: usize =
        pairs.iter().map(|(key, value)| (key.len() + value.len()) * LONGEST_ESCAPE + "\"\":\"\",".len()).sum();
    // Large enough from the start, because a growing one would leave copies.
    let mut content = Zeroizing::new(Vec::with_capacity(length + "{}\n".len()));
    serde_json::to_writer(&mut *content, pairs).map_err(|_| Unfit("the values cannot be written as JSON".into()))?;
    content.push(b'\n');
    Ok(content)
}
