//! Translates expressions of RE2, the dialect of Prometheus, into the dialect of crate regex.
//!
//! A text that the two read in different ways is rewritten, or refused where that is impossible. Sources:
//! <https://github.com/google/re2/wiki/Syntax>, as Go's `regexp/syntax` has it.

use std::{iter::Peekable, str::Chars};

use regex::{Regex, RegexBuilder};

/// The most bytes of a compiled expression
const MAX_COMPILED: usize = 1 << 20;

/// Compiles an expression that must match a whole text, in which `.` matches newlines too, as in Prometheus.
pub(super) fn compile(text: &str) -> Result<Regex, String> {
    let translated = translate(text)?;
    // Compile it alone first, because a stray parenthesis could close the group around it.
    build(&translated)?;
    build(&format!("^(?s:{translated})$"))
}

fn build(text: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(text).size_limit(MAX_COMPILED).build();
    regex.map_err(|error| format!("this is no regular expression: {}", reason(&error)))
}

/// The last line of regex's error, without the lines above it that draw the expression.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}

fn translate(text: &str) -> Result<String, String> {
    let mut rest = text.chars().peekable();
    let mut translated = String::with_capacity(text.len());
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut rest, &mut translated)?,
            '[' => class(&mut rest, &mut translated)?,
            '(' => group(&mut rest, &mut translated)?,
            // In RE2 a brace that begins no repetition is literal.
            '{' if !is_repetition(rest.clone()) => translated.push_str("\\{"),
            c => translated.push(c),
        }
    }
    Ok(translated)
}

/// Translates an escape: classes mean ASCII, not all of Unicode as in crate regex; `\s` has no vertical tab.
fn escape(rest: &mut Peekable<Chars>, translated: &mut String) -> Result<(), String> {
    let Some(c) = rest.next() else {
        translated.push('\\');
        return Ok(());
    };
    match c {
        'd' => translated.push_str("[0-9]"),
        'D' => translated.push_str("[^0-9]"),
        's' => translated.push_str(r"[\t\n\x0C\r ]"),
        'S' => translated.push_str(r"[^\t\n\x0C\r ]"),
        'w' => translated.push_str("[0-9A-Za-z_]"),
        'W' => translated.push_str("[^0-9A-Za-z_]"),
        'b' => translated.push_str(r"(?-u:\b)"),
        'B' => translated.push_str(r"(?-u:\B)"),
        // In crate regex these escapes are word boundaries.
        '<' | '>' => translated.push(c),
        'Q' => quote(rest, translated),
        'u' | 'U' => return Err(format!("RE2 has no escape \\{c}: write \\x{{…}}")),
        // Refused, because crate regex would need its large tables of Unicode for these classes.
        'p' | 'P' => return Err(format!("classes of Unicode (\\{c}) are not supported: write the characters")),
        c => translated.extend(['\\', c]),
    }
    Ok(())
}

/// Translates the literal text up to `\E`.
fn quote(rest: &mut Peekable<Chars>, translated: &mut String) {
    let mut plain = String::new();
    while let Some(c) = rest.next() {
        if c == '\\' && rest.next_if_eq(&'E').is_some() {
            break;
        }
        plain.push(c);
    }
    translated.push_str(&regex::escape(&plain));
}

/// Translates the content of brackets. RE2 has no nested classes, intersections and differences there, unlike crate regex.
fn class(rest: &mut Peekable<Chars>, translated: &mut String) -> Result<(), String> {
    translated.push('[');
    if rest.next_if_eq(&'^').is_some() {
        translated.push('^');
    }
    if rest.next_if_eq(&']').is_some() {
        translated.push_str("\\]");
    }
    while let Some(c) = rest.next() {
        match c {
            ']' => {
                translated.push(']');
                return Ok(());
            }
            '[' if rest.peek() == Some(&':') => {
                translated.push('[');
                translated.extend(rest.by_ref().take_while(|c| *c != ']'));
                translated.push(']');
            }
            '[' | '&' | '~' => translated.extend(['\\', c]),
            '-' if rest.peek() == Some(&'-') => return Err("-- in brackets is ambiguous: write \\-".into()),
            '\\' => escape(rest, translated)?,
            c => translated.push(c),
        }
    }
    Ok(())
}

/// Translates the start of a group. Flags that only crate regex has are refused.
fn group(rest: &mut Peekable<Chars>, translated: &mut String) -> Result<(), String> {
    translated.push('(');
    if rest.next_if_eq(&'?').is_none() {
        return Ok(());
    }
    translated.push('?');
    while let Some(c) = rest.next_if(|c| c.is_ascii_alphabetic() || *c == '-') {
        if !"imsUP-".contains(c) {
            return Err(format!("RE2 has no flag {c}"));
        }
        translated.push(c);
    }
    Ok(())
}

/// True when a number, or two with a comma, and a closing brace follow.
fn is_repetition(mut rest: Peekable<Chars>) -> bool {
    let digits = |rest: &mut Peekable<Chars>| std::iter::from_fn(|| rest.next_if(char::is_ascii_digit)).count();
    if digits(&mut rest) == 0 {
        return false;
    }
    if rest.next_if_eq(&',').is_some() {
        digits(&mut rest);
    }
    rest.next() == Some('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_must_match() {
        let rows = [
            ("f|o", "foo", false),
            ("f.*", "foo", true),
            (".*o$", "foo", true),
            ("^foo$", "foo", true),
            ("a.b", "a\nb", true),
            ("(?-s:a.b)", "a\nb", false),
            ("(?m)a$.^b", "a\nb", true),
            ("", "", true),
            ("", "a", false),
        ];
        for (regex, text, matches) in rows {
            assert_eq!(compile(regex).unwrap().is_match(text), matches, "{regex} {text}");
        }
    }

    #[test]
    fn texts_that_mean_the_same_as_in_re2() {
        let rows = [
            (r"\d+", "12", true),
            (r"\d+", "١٢", false),
            (r"[\d.]+", "1.2", true),
            (r"[^\d]+", "١", true),
            (r"[\D]+", "a", true),
            (r"\w+", "aé", false),
            (r"\W", "é", true),
            (r"\s", "\u{b}", false),
            (r"\s", "\u{a0}", false),
            (r"\S", "\u{b}", true),
            (r"é\b.*", "éa", true),
            (r"a\b.*", "aé", true),
            (r"a\B.*", "aé", false),
            (r"\<a\>", "<a>", true),
            (r"[\<]", "<", true),
            (r"\Qa.b\E.", "a.bc", true),
            (r"\Qa.b\E.", "axbc", false),
            (r"\Qa.b", "a.b", true),
            ("[[a]+", "[a", true),
            ("[a&&b]+", "a&", true),
            ("[a~~b]+", "a~", true),
            ("[]a]+", "]a", true),
            ("[^]a]", "]", false),
            ("[[:alpha:]_]+", "a_b", true),
            ("[[:^alpha:]]", "1", true),
            ("[a-]", "-", true),
            (r"[\-\]]+", "-]", true),
            ("a{2}", "aa", true),
            ("a{2,}", "aaa", true),
            ("a{1,2}", "aaa", false),
            ("a{,2}", "a{,2}", true),
            ("a{b}", "a{b}", true),
            ("{", "{", true),
            ("(?i)K", "k", true),
            ("(?i:GO)_.*", "go_x", true),
            ("(?i)Ä[b-d]", "äC", true),
            ("(?P<a>x)(?<b>y)", "xy", true),
            ("a+?b*?(?U:c+)", "abc", true),
            (r"\x41\x{42}", "AB", true),
            (r"a\.b\/c\-d\_e", "a.b/c-d_e", true),
        ];
        for (regex, text, matches) in rows {
            assert_eq!(compile(regex).unwrap().is_match(text), matches, "{regex} {text}");
        }
    }

    #[test]
    fn texts_that_are_refused() {
        let rows = [
            ("a)|(?:b", "unopened group"),
            ("(a", "unclosed group"),
            ("[a", "unclosed character class"),
            (r"\", "incomplete escape sequence, reached end of pattern prematurely"),
            ("(?x)a b", "RE2 has no flag x"),
            ("(?u)a", "RE2 has no flag u"),
            ("(?-R:a)", "RE2 has no flag R"),
            (r"\u{41}", "RE2 has no escape \\u: write \\x{…}"),
            ("[+--]", "-- in brackets is ambiguous: write \\-"),
            (r"(a)\1", "backreferences are not supported"),
            ("(?=a)", "look-around, including look-ahead and look-behind, is not supported"),
            (r"\pL", "classes of Unicode (\\p) are not supported: write the characters"),
            ("(a{1000}){1000}", "exceeds size limit"),
        ];
        for (regex, expected) in rows {
            let error = compile(regex).unwrap_err();
            assert!(error.contains(expected), "{regex}: {error}");
        }
    }
}
