//! The valid names of metrics and labels.

/// True for `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub(crate) fn is_metric_name(name: &str) -> bool {
    is_name(name, |byte| byte == b':')
}

/// True for `[a-zA-Z_][a-zA-Z0-9_]*`.
pub(crate) fn is_label_name(name: &str) -> bool {
    is_name(name, |_| false)
}

fn is_name(name: &str, is_more: impl Fn(u8) -> bool) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || is_more(byte);
    name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit()) && name.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_text_formats() {
        for name in ["a", "_", "A9_z", "__name__"] {
            assert!(is_metric_name(name) && is_label_name(name), "{name}");
        }
        for name in ["", "9a", "a-b", "a.b", "é", "a b", "a\n"] {
            assert!(!is_metric_name(name) && !is_label_name(name), "{name}");
        }
        assert!(is_metric_name(":a:b") && !is_label_name(":a:b"));
    }
}
