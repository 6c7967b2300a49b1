//! Upper and lower case character by character, like Go's `strings.ToLower` and `strings.ToUpper`.

/// Turns each character into one lower-case character.
pub(super) fn to_lowercase(text: &str) -> String {
    text.chars().map(|c| if c == 'İ' { 'i' } else { only(c.to_lowercase(), c) }).collect()
}

/// Turns each character into one upper-case character: `ß` stays, and a Greek letter keeps its iota subscript.
pub(super) fn to_uppercase(text: &str) -> String {
    let upper = |c| match c {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => after(c, 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => after(c, 9),
        c => only(c.to_uppercase(), c),
    };
    text.chars().map(upper).collect()
}

fn after(c: char, distance: u32) -> char {
    char::from_u32(u32::from(c) + distance).unwrap_or(c)
}

fn only(mut mapped: impl Iterator<Item = char>, c: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_change_as_in_go() {
        assert_eq!(to_lowercase("bAr123Foo İΑΣ"), "bar123foo iας".replace('ς', "σ"));
        assert_eq!(to_uppercase("bAr123Foo straße ŉ ᾀ ᾳ ῳ"), "BAR123FOO STRAßE ŉ ᾈ ᾼ ῼ");
    }
}
