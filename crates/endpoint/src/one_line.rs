//! Words that a server sent, made fit for a log line.

/// One line of at most 200 bytes, without control characters.
pub fn one_line(words: &str) -> String {
    /// Bytes
    const LIMIT: usize = 200;
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = words.trim();
    match words.char_indices().find(|(at, c)| at + c.len_utf8() > LIMIT) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_bounded_line() {
        assert_eq!(one_line("no\r\nway\n"), "no  way");
        assert_eq!(one_line(&"é".repeat(300)), format!("{}…", "é".repeat(100)));
    }
}
