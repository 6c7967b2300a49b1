//! A server in YAML: a URL with its options in the fragment, or a map of `url` and options.

use std::fmt;

use lifecycle::config::AtKey;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use crate::options::{ESCAPE_REMINDER, Options};

/// Options of one server, each element of a list counted
const OPTION_LIMIT: usize = 100;
/// Bytes of a name; longer than any option's
const NAME_LIMIT: usize = 32;

/// How a server is written. Errors hold no value, because any value may be a secret.
pub enum Written {
    /// A URL with its options in the fragment
    Text(String),
    /// The URL and its options apart
    Map {
        /// Without a fragment
        url: String,
        /// All other keys
        options: Options,
    },
}

impl Written {
    /// Makes a server of a URL with its options, or of both apart. An error about one option gets the place of its key.
    pub fn read<T, E: Error>(
        self,
        of_text: impl FnOnce(&str) -> Result<T, String>,
        of_map: impl FnOnce(&str, Options) -> Result<T, String>,
    ) -> Result<T, E> {
        let (url, options) = match self {
            Self::Text(text) => return of_text(&text).map_err(E::custom),
            Self::Map { url, options } => (url, options),
        };
        let names = options.names();
        of_map(&url, options).map_err(|message| match about_one_option(&message, &names) {
            Some((key, message)) => E::custom(AtKey { key, message: &message }),
            None => E::custom(message),
        })
    }
}

/// The option that an error of [`Options`] is about, and the error as it is written beside the option's place.
fn about_one_option<'a>(message: &str, names: &'a [String]) -> Option<(&'a str, String)> {
    if let Some((before, numbered)) = message.split_once("option number ") {
        let (number, rest) = numbered.split_at(numbered.find(|c: char| !c.is_ascii_digit())?);
        let name = names.get(number.parse::<usize>().ok()?.checked_sub(1)?)?;
        // A value in YAML can hold an ampersand.
        let rest = rest.strip_prefix(ESCAPE_REMINDER).unwrap_or(rest);
        return Some((name, format!("{before}this option{rest}")));
    }
    let (_, rest) = message.split_once("option ")?;
    let word = rest.trim_start_matches('"').split([' ', ':', '"']).next()?;
    let name = names.iter().find(|name| *name == word)?;
    Some((name, message.to_owned()))
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a URL such as tcp://db:5432, or a map of url and options")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
        Ok(Written::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let mut url = None;
        let mut options = Options::default();
        let mut count = 0;
        while let Some(Name(name)) = map.next_key()? {
            if name == "url" {
                url = Some(map.next_value_seed(UrlValue)?);
                continue;
            }
            let values = map.next_value_seed(Values { name: &name })?;
            count += values.len();
            if count > OPTION_LIMIT {
                return Err(A::Error::custom(format_args!("more than {OPTION_LIMIT} options of one URL")));
            }
            for value in values {
                options.push(name.clone(), value);
            }
        }
        let url = url.ok_or_else(|| A::Error::missing_field("url"))?;
        Ok(Written::Map { url, options })
    }
}

/// The name of an option, checked where it stands
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let is_usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=NAME_LIMIT).contains(&name.len()) || !name.bytes().all(is_usual) {
            return Err(D::Error::custom(
                "this is not the name of an option, which has lower-case letters and hyphens: write url, or an option such as ca",
            ));
        }
        Ok(Self(name))
    }
}

struct UrlValue;

impl<'de> DeserializeSeed<'de> for UrlValue {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let url = String::deserialize(deserializer)?;
        if url.contains('#') {
            return Err(D::Error::custom("options stand beside url here, not in its fragment"));
        }
        Ok(url)
    }
}

/// The value of an option as text, or several of an option that may be repeated
#[derive(Clone, Copy)]
struct Values<'a> {
    name: &'a str,
}

impl Values<'_> {
    fn number<E: Error>(self, number: String) -> Result<Vec<String>, E> {
        // YAML has read it by then: 0o644 is 420, and 420 as a mode would be something else.
        if self.name == "mode" {
            return Err(E::custom(r#"a mode is a text: quote it, as in mode: "0644""#));
        }
        Ok(vec![number])
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<String>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text, a whole number, true, false, or a list of those")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Vec<String>, E> {
        Ok(vec![on.to_string()])
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<String>, E> {
        self.number(number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Vec<String>, E> {
        self.number(number.to_string())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
        Ok(vec![text.to_owned()])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.extend(value);
        }
        Ok(values)
    }
}
