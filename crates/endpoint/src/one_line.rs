//! Text from a server, made fit for a log line.

/// One line of at most 200 bytes, without control characters.
pub fn one_line(text: &str) -> String {
    /// Bytes
    const LIMIT: usize = 200;
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    match text.char_indices().find(|(at, c)| at + c.len_utf8() > LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_server_is_one_bounded_line() {
        assert_eq!(one_line("no\r\nway\n"), "no  way");
        assert_eq!(one_line(&"é".repeat(300)), format!("{}…", "é".repeat(100)));
    }
}
