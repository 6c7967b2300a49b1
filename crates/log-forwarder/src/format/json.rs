//! JSON objects, one a line. Values keep their text: a number has all its digits, and nested values
//! are not built again.

mod scanner;
mod special;
mod surrogates;

use std::borrow::Cow;

use self::scanner::{Quoted, Scanner};
pub(crate) use self::special::first_special;
use super::{fields, time::TimeRule};
use crate::format::record::{Field, Parsed, Value};

/// A line with values that are nested deeper does not parse, because collectors refuse such values
/// or fail. `serde_json` has the same bound where it builds values.
const DEEPEST: usize = 128;
/// Fields that most objects have at most
const USUAL: usize = 12;

/// Of two values with one name the last counts, as in most readers.
pub(super) fn read<'a>(text: &'a str, rule: &TimeRule) -> Option<Parsed<'a>> {
    Some(fields::parsed(members(text)?, rule))
}

/// The members of a text that is one object
fn members(text: &str) -> Option<Vec<Field<'_>>> {
    let (mut scanner, mut fields) = (Scanner::new(text), Vec::with_capacity(USUAL));
    scanner.skip_space();
    scanner.object(|scanner, name| {
        // Two pushes, because a field that is built before the branch has to be moved, which costs
        // more than to read it.
        if scanner.peek()? == b'"' {
            let text = scanner.string()?;
            fields.push((plain(name)?, Value::Text(plain(text)?)));
        } else {
            let json = scanner.value(DEEPEST)?;
            fields.push((plain(name)?, Value::Json(json.into())));
        }
        Some(())
    })?;
    scanner.skip_space();
    if scanner.has_surrogates {
        fields.iter_mut().for_each(surrogates::pair);
    }
    scanner.is_at_end().then_some(fields)
}

/// The characters of a string
#[inline]
fn plain(quoted: Quoted<'_>) -> Option<Cow<'_, str>> {
    if quoted.has_escapes { unescaped(quoted) } else { Some(Cow::Borrowed(quoted.inside())) }
}

#[inline(never)]
fn unescaped(quoted: Quoted<'_>) -> Option<Cow<'_, str>> {
    // Half a surrogate pair, which serde_json refuses, is replaced.
    let read = |json: &str| serde_json::from_str::<String>(json).ok().map(Cow::Owned);
    read(quoted.whole).or_else(|| read(&surrogates::paired(quoted.whole)?))
}

#[cfg(test)]
mod tests;
