//! Lists of a configuration file, within a bound.

use serde::{Deserialize, Deserializer, de::Error};

/// Entries of a list. Each one costs its helper something: a socket, a loop, a look at files.
const ENTRY_LIMIT: usize = 100;

/// Reads a list of at most a hundred entries: `#[serde(deserialize_with = "lifecycle::config::bounded")]`.
#[expect(clippy::missing_errors_doc, reason = "an error is a longer list, or the deserializer's")]
pub fn bounded<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let entries = Vec::<T>::deserialize(deserializer)?;
    if entries.len() > ENTRY_LIMIT {
        return Err(D::Error::custom(format_args!("more than {ENTRY_LIMIT} entries")));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_list_has_at_most_a_hundred_entries() {
        let read = |count: usize| bounded::<_, Value>(json!(vec![1; count]));
        assert_eq!(read(100).unwrap().len(), 100);
        assert_eq!(read(101).unwrap_err().to_string(), "more than 100 entries");
    }
}
