//! Regular expressions: for the fields of a line, and for the first line of a record.

use std::{fmt, ops::Range, str::FromStr, sync::Arc};

use regex::{Regex, RegexBuilder};

use super::{fields, time::TimeRule};
use crate::format::record::{Parsed, Value};

/// Bytes of a compiled one; enough for a hundred groups
const LARGEST: usize = 1 << 20;
/// The group that [`Pattern::replaced`] replaces alone
const SECRET: &str = "secret";

/// A regular expression. Its time grows only with the length of the line.
#[derive(Clone)]
pub(crate) struct Pattern {
    regex: Regex,
    /// Numbers and names of the groups that have one
    groups: Arc<[(usize, Arc<str>)]>,
}

/// A match
struct Found {
    all: Range<usize>,
    /// The part that is replaced
    secret: Range<usize>,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(text).size_limit(LARGEST).build();
        let regex = regex.map_err(|error| format!("this is no regular expression: {}", reason(&error)))?;
        let names = regex.capture_names().enumerate();
        let groups = names.filter_map(|(nth, name)| Some((nth, name?.into()))).collect();
        Ok(Self { regex, groups })
    }

    /// One with groups that have names.
    pub(super) fn named(text: &str) -> Result<Self, String> {
        let pattern = Self::new(text)?;
        if pattern.groups.is_empty() {
            return Err("this has no group with a name, so it finds no field: write (?<name>…)".into());
        }
        Ok(pattern)
    }

    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The text with each match replaced, or only the group `secret` of each, if the pattern has
    /// one; nothing if that changes nothing. In a text that is JSON as a whole, a match that can end
    /// within the one of these strings in which it begins ends there. Matches that touch are
    /// replaced as one, so that a short pattern makes no long text.
    pub(crate) fn replaced(&self, text: &str, strings: &[Range<usize>], is_json: bool, with: &str) -> Option<String> {
        let mut out = String::new();
        let (mut end, mut at) = (0, 0);
        while let Some(found) = self.find(text, at) {
            let begin = found.all.start;
            let string = &strings[..strings.partition_point(|string| string.start <= begin)];
            let shorter = string.last().filter(|string| is_json && begin < string.end);
            let shorter = shorter.and_then(|string| self.find(&text[..string.end], begin));
            let found = shorter.filter(|shorter| shorter.all.start == begin).unwrap_or(found);
            let secret = whole_secret(text, strings, &found);
            if !secret.is_empty() {
                if secret.start > end || end == 0 {
                    out.push_str(&text[end..secret.start]);
                    out.push_str(with);
                }
                end = secret.end;
            }
            let all = found.all;
            let next = text[all.end..].chars().next().filter(|_| all.is_empty()).map_or(0, char::len_utf8);
            at = secret.end.max(all.end) + next;
            if all.is_empty() && next == 0 {
                break;
            }
        }
        if end == 0 {
            return None;
        }
        out.push_str(&text[end..]);
        (out != text).then_some(out)
    }

    fn find(&self, text: &str, at: usize) -> Option<Found> {
        match self.groups.iter().find(|(_, name)| **name == *SECRET) {
            None => self.regex.find_at(text, at).map(|all| Found { all: all.range(), secret: all.range() }),
            Some((group, _)) => {
                let found = self.regex.captures_at(text, at)?;
                let secret = found.get(*group).map(|secret| secret.range()).unwrap_or_default();
                Some(Found { all: found.get_match().range(), secret })
            }
        }
    }

    /// The groups that took part in the match, as text
    pub(super) fn read<'a>(&self, text: &'a str, rule: &TimeRule) -> Option<Parsed<'a>> {
        let found = self.regex.captures(text)?;
        let field = |(nth, name): &(usize, Arc<str>)| {
            let group = found.get(*nth)?.as_str();
            Some((name.to_string().into(), Value::Text(group.into())))
        };
        Some(fields::parsed(self.groups.iter().filter_map(field).collect(), rule))
    }
}

/// The secret of a match. Where the pattern takes an escaped quote for the end of one of these strings,
/// as `"password":"(?<secret>[^"]*)"` does with `"password":"a\"b"`, it goes on to the end of the string.
fn whole_secret(text: &str, strings: &[Range<usize>], Found { all, secret }: &Found) -> Range<usize> {
    let count = strings.partition_point(|string| string.start < secret.end);
    let string = strings[..count].last().filter(|string| secret.end < string.end && !secret.is_empty());
    let Some(string) = string else { return secret.clone() };
    let inside = &text.as_bytes()[string.start..secret.end];
    let ends_in_escape = inside.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    let takes_quote = all.start < string.start && inside.contains(&b'"');
    if !ends_in_escape && !takes_quote {
        return secret.clone();
    }
    // A match that ends with the escaped quote gets the quote that ends the string.
    secret.start..string.end + usize::from(inside.ends_with(b"\""))
}

/// The last line of regex's error, and the place of the fault, without the drawing of the pattern
/// above it
fn reason(error: &regex::Error) -> String {
    /// Blanks before each line of the drawing
    const INDENT: usize = 4;
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
    let is_mark = |line: &&str| line.ends_with('^') && line.trim_matches([' ', '^']).is_empty();
    let mark = text.lines().find(is_mark).and_then(|line| line.find('^')?.checked_sub(INDENT));
    mark.map_or_else(|| last.to_owned(), |before| format!("{last}, at character {}", before + 1))
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::new(text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.regex.as_str().fmt(f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.regex.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_fields() {
        let pattern =
            Pattern::named(r"^(?<time>\S+ \S+) (?<level>[A-Z]+)( \[(?<thread>[^\]]+)\])? (?P<message>.*)$").unwrap();
        let found = pattern.read("2026-11-24 09:58:45,123 WARN [main] a (b) é", &TimeRule::default()).unwrap();
        assert_eq!((found.time, found.message.as_deref()), (Some(1_795_514_325_123_000_000), Some("a (b) é")));
        let text = |name: &'static str, value: &'static str| (name.into(), Value::Text(value.into()));
        assert_eq!(found.fields, [text("level", "WARN"), text("thread", "main")]);
        let found = pattern.read("just now WARN b", &TimeRule::default()).unwrap();
        assert_eq!(found.fields, [text("time", "just now"), text("level", "WARN")]);
        assert_eq!(pattern.read("nothing", &TimeRule::default()), None);
    }

    #[test]
    fn matches_or_their_secrets_are_replaced() {
        let replaced = |pattern: &str, text: &str| Pattern::new(pattern).unwrap().replaced(text, &[], false, "*");
        assert_eq!(replaced(r"\d{4}", "a 1234 b 56781234").as_deref(), Some("a * b *"));
        assert_eq!(replaced("(key|token)=(?<secret>[^&]+)", "?key=é&token=b").as_deref(), Some("?key=*&token=*"));
        assert_eq!(replaced("[0-9]", "12 3").as_deref(), Some("* *"));
        assert_eq!(replaced("key=(?<secret>x*)", "key=a"), None);
        assert_eq!(replaced("key=(?<secret>.)", "key=*"), None);
        assert_eq!(replaced("b|x*", "ab").as_deref(), Some("a*"));
    }

    #[test]
    fn a_match_ends_within_its_string_if_it_can() {
        let (text, strings) = (r#"{"a":"key=1","key":"b"}"#, [2..3, 6..11, 14..17, 20..21]);
        let replaced = |pattern: &str| Pattern::new(pattern).unwrap().replaced(text, &strings, true, "*");
        assert_eq!(replaced("key=(?<secret>.*)").as_deref(), Some(r#"{"a":"key=*","key":"b"}"#));
        assert_eq!(replaced(r#"key":"(?<secret>[^"]*)"#).as_deref(), Some(r#"{"a":"key=1","key":"*"}"#));
        assert_eq!(replaced(r#"key":.*"#).as_deref(), Some(r#"{"a":"key=1","*"#));
    }

    #[test]
    fn what_is_no_pattern() {
        let error = |text: &str| Pattern::named(text).unwrap_err();
        assert_eq!(error("(?<a>["), "this is no regular expression: unclosed character class, at character 6");
        assert_eq!(error("^(a)"), "this has no group with a name, so it finds no field: write (?<name>…)");
        assert!(error("(?<a>é*)(").ends_with("unclosed group, at character 9"), "{}", error("(?<a>é*)("));
        let large = format!("(?<a>{})", "(a{1000}){100}".repeat(10));
        assert!(error(&large).contains("is no regular expression: "), "{}", error(&large));
    }
}
