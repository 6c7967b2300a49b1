//! `--config FILE`: the same targets as YAML.
//!
//! A URL may hold a password wherever it was put by mistake, so no message about the file holds one of its values. Aliases
//! make a small file large, so what is read is counted while it is read.

use std::fmt;

use endpoint::Options;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

mod value;

use value::{Room, Values};

use crate::target::Target;

/// Targets of a file; each takes a socket and a line of the summary.
const TARGET_LIMIT: usize = 1000;
/// Bytes of a name that may be printed: longer than any option's, shorter than most secrets
const NAME_LIMIT: usize = 32;

/// The content of a configuration file
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Config {
    /// What to wait for, besides the targets of the command line
    #[schemars(length(min = 1, max = 1000))]
    pub(crate) targets: Vec<Target>,
}

/// The JSON Schema of a configuration file
pub fn schema() -> String {
    lifecycle::config::schema::<Config>()
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ConfigVisitor).map_err(without_values)
    }
}

/// serde's words for a value of the wrong type quote it: what is left is the place and what was expected there.
fn without_values<E: Error>(error: E) -> E {
    let text = error.to_string();
    let quote = ["invalid type: ", "invalid value: "].iter().filter_map(|words| text.find(words)).min();
    let Some(quote) = quote else { return error };
    let expected = text.rfind(", expected ").map_or("expected another value", |end| &text[end + ", ".len()..]);
    E::custom(format_args!("{}{expected}", &text[..quote]))
}

struct ConfigVisitor;

impl<'de> Visitor<'de> for ConfigVisitor {
    type Value = Config;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a map with the key targets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Config, A::Error> {
        let room = Room::default();
        let mut targets = None;
        while map.next_key_seed(Name { only: Some("targets") })?.is_some() {
            if targets.replace(map.next_value_seed(Targets(&room))?).is_some() {
                return Err(A::Error::custom("targets is given twice"));
            }
        }
        Ok(Config { targets: targets.ok_or_else(|| A::Error::missing_field("targets"))? })
    }
}

/// A key, checked where it stands, so that what is wrong with it is told with its line
struct Name {
    only: Option<&'static str>,
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        let printable = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let printable = (1..=NAME_LIMIT).contains(&name.len()) && name.bytes().all(printable);
        match self.only {
            Some(only) if only != name && printable => {
                Err(E::custom(format_args!("unknown field `{name}`, expected `{only}`")))
            }
            Some(only) if only != name => Err(E::custom(format_args!("unknown field, expected `{only}`"))),
            None if !printable => Err(E::custom("this is not the name of an option: expected url or an option")),
            _ => Ok(name.to_owned()),
        }
    }
}

struct Targets<'a>(&'a Room);

impl<'de> DeserializeSeed<'de> for Targets<'_> {
    type Value = Vec<Target>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Target>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Targets<'_> {
    type Value = Vec<Target>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of URLs or maps")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Target>, A::Error> {
        let mut targets = Vec::new();
        while let Some(target) = list.next_element_seed(OneTarget(self.0))? {
            targets.push(target);
            if targets.len() > TARGET_LIMIT {
                return Err(A::Error::custom(format_args!("at most {TARGET_LIMIT} targets")));
            }
        }
        if targets.is_empty() {
            return Err(A::Error::custom("no targets: name one, such as tcp://db:5432"));
        }
        Ok(targets)
    }
}

/// A URL with its options in the fragment, or a map of `url` and options
struct OneTarget<'a>(&'a Room);

impl<'de> DeserializeSeed<'de> for OneTarget<'_> {
    type Value = Target;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Target, D::Error> {
        self.0.begin_target();
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneTarget<'_> {
    type Value = Target;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a URL such as tcp://db:5432, or a map of url and options")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Target, E> {
        self.0.take(text)?;
        Target::parse(text).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Target, A::Error> {
        let mut url: Option<String> = None;
        let mut options = Options::default();
        while let Some(key) = map.next_key_seed(Name { only: None })? {
            let values = map.next_value_seed(Values::new(self.0, &key))?;
            if key != "url" {
                for value in values {
                    options.push(key.clone(), value);
                }
                continue;
            }
            let [value] = values.try_into().map_err(|_| A::Error::custom("url is one text"))?;
            if url.replace(value).is_some() {
                return Err(A::Error::custom("url is given twice"));
            }
        }
        let url = url.ok_or_else(|| A::Error::missing_field("url"))?;
        if url.contains('#') {
            return Err(A::Error::custom("options stand beside url here, not in its fragment"));
        }
        Target::with_options(&url, options).map_err(A::Error::custom)
    }
}
