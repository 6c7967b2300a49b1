//! Conditions on the body of an answer.

use endpoint::{Options, one_line};
use regex_lite::{Regex, RegexBuilder};
use serde_json::{Value, value::RawValue};

use super::{
    equal::{Kind, are_equal, string},
    pointer,
};
use crate::not_ready::{Cause, NotReady};

/// Bytes of a body that patterns are looked for in, and of a compiled pattern: matching takes the
/// product of both in time, and all targets wait for it.
pub(super) const PATTERN_BODY_LIMIT: usize = 64 * 1024;
const PATTERN_LIMIT: usize = 32 * 1024;
/// Bytes of an array or an object that is compared; in memory it is much larger.
const COMPARED_LIMIT: usize = 64 * 1024;

/// A condition on the body of the answer
#[derive(Debug)]
pub(super) enum Wanted {
    Text(String),
    Pattern(Regex),
    /// A JSON pointer (RFC 6901) and the value there, as JSON or as the text of a string
    Json(String, Literal),
    /// A JSON pointer, and any value there
    Exists(String),
}

/// A value as the user wrote it: `json=/version=1.10` means the number and the string alike.
#[derive(Debug)]
pub(super) struct Literal {
    json: Option<Box<RawValue>>,
    text: String,
}

impl Wanted {
    pub(super) fn from_options(options: &mut Options) -> Result<Vec<Self>, String> {
        let mut wanted: Vec<_> = options.all("body").into_iter().map(Wanted::Text).collect();
        for pattern in options.all("body-regex") {
            let pattern = RegexBuilder::new(&pattern).size_limit(PATTERN_LIMIT).build();
            wanted.push(Wanted::Pattern(pattern.map_err(|error| format!("option body-regex: {error}"))?));
        }
        for condition in options.all("json") {
            let (pointer, value) = match condition.split_once('=') {
                Some((pointer, value)) => (pointer, Some(value)),
                None => (condition.as_str(), None),
            };
            // The empty pointer names the whole body, which needs a value to be a condition.
            if !pointer.starts_with('/') && (!pointer.is_empty() || value.is_none()) {
                return Err("option json: write it as json=/pointer=value, or json=/pointer for any value".to_owned());
            }
            wanted.push(match value {
                Some(value) => Wanted::Json(pointer.to_owned(), Literal::new(value)),
                None => Wanted::Exists(pointer.to_owned()),
            });
        }
        Ok(wanted)
    }

    /// Why a body is not as wanted. `told` makes words of a found value, unless it may not be told
    /// because the server may repeat what the request has sent.
    pub(super) fn judge(&self, body: &[u8], told: &dyn Fn(String) -> Option<String>) -> Result<(), NotReady> {
        let lack = match self {
            Self::Text(part) => {
                let has_it = String::from_utf8_lossy(body).contains(part);
                (!has_it).then(|| format!("the body has no {part:?}"))
            }
            Self::Pattern(pattern) => {
                let start = String::from_utf8_lossy(&body[..body.len().min(PATTERN_BODY_LIMIT)]);
                let lack = format!("the body has no match of {:?}", pattern.as_str());
                if body.len() > PATTERN_BODY_LIMIT && !pattern.is_match(&start) {
                    // The rest may have one.
                    let limit = format!("only its first {} KiB are searched", PATTERN_BODY_LIMIT / 1024);
                    return Err(NotReady::new(Cause::Odd, format!("{lack}; {limit}")));
                }
                (!pattern.is_match(&start)).then_some(lack)
            }
            Self::Json(pointer, value) => match json(body, pointer)? {
                None => Some(format!("the body has no {pointer}")),
                Some(found) if value.is(found)? => None,
                Some(found) => Some(match shown(found, told) {
                    Some(found) => format!("the body's {pointer} is {found}, and not {}", value.text),
                    None => format!("the body's {pointer} is not {}", value.text),
                }),
            },
            Self::Exists(pointer) => {
                let is_missing = json(body, pointer)?.is_none();
                is_missing.then(|| format!("the body has no {pointer}"))
            }
        };
        lack.map_or(Ok(()), |lack| Err(NotReady::new(Cause::Contrary, lack)))
    }
}

impl Literal {
    fn new(text: &str) -> Self {
        Self { json: serde_json::from_str(text).ok(), text: text.to_owned() }
    }

    fn is(&self, found: &RawValue) -> Result<bool, NotReady> {
        if string(found).is_some_and(|text| text == self.text) {
            return Ok(true);
        }
        let Some(json) = self.json.as_deref().filter(|json| Kind::of(json) == Kind::of(found)) else {
            return Ok(false);
        };
        if Kind::of(found) != Kind::Scalar && found.get().len() > COMPARED_LIMIT {
            let reason = format!("a value is over the {} KiB that are compared", COMPARED_LIMIT / 1024);
            // No proof that it is another one
            return Err(NotReady::new(Cause::Odd, reason));
        }
        Ok(are_equal(found, json))
    }
}

fn json<'a>(body: &'a [u8], pointer: &str) -> Result<Option<&'a RawValue>, NotReady> {
    // A byte-order mark is no JSON (RFC 8259, section 8.1), and some servers send it.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    pointer::find(body, pointer)
        .map_err(|error| NotReady::new(Cause::Contrary, format!("the body is not JSON: {error}")))
}

/// A value for people: a string, a number or a truth value, and of the rest the kind alone, which
/// is short.
fn shown(found: &RawValue, told: &dyn Fn(String) -> Option<String>) -> Option<String> {
    match Kind::of(found) {
        Kind::Array => Some("an array".into()),
        Kind::Object => Some("an object".into()),
        // No secret has this form.
        Kind::Scalar if ["true", "false", "null"].contains(&found.get()) => Some(found.get().to_owned()),
        Kind::Scalar => {
            // A string in the one form that a secret would have, and a number with all of its digits
            let text = string(found).map_or_else(|| found.get().to_owned(), |text| Value::from(text).to_string());
            told(text).map(|text| one_line(&text))
        }
    }
}
