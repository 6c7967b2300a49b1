//! A text as it stands in the configuration, or one that is read anew at every use.

use std::{borrow::Cow, fmt};

use lifecycle::Secret;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    value::fetch_error::FetchError,
    value::input::{Input, Inputs},
};

/// A part of a request
#[derive(Clone)]
pub(crate) enum Given {
    /// As it stands; it may be a secret all the same
    Text(Secret),
    Input(Input),
}

impl Given {
    /// The value as it is now.
    pub(crate) async fn read(&self, inputs: &Inputs) -> Result<Secret, FetchError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Input(input) => input.read(inputs).await,
        }
    }

    /// Where it is read from
    pub(crate) fn input(&self) -> Option<&Input> {
        if let Self::Input(input) = self { Some(input) } else { None }
    }
}

/// Not the text, but equal only where the texts are equal
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            // The same in each process, for the comparison with an earlier one
            Self::Text(_) if f.alternate() => f.write_str("Text"),
            Self::Text(text) => f.debug_tuple("Text").field(&endpoint::mark(&text.expose())).finish(),
            Self::Input(input) => f.debug_tuple("Input").field(input).finish(),
        }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GivenVisitor)
    }
}

impl JsonSchema for Given {
    fn schema_name() -> Cow<'static, str> {
        "Given".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let input = generator.subschema_for::<Input>();
        json_schema!({
            "description": "A text, or a file, variable or secret that is read at every use",
            "anyOf": [{ "type": "string" }, input],
        })
    }
}

struct GivenVisitor;

impl<'de> Visitor<'de> for GivenVisitor {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text, or one of file, env and secret with its name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Given, E> {
        Ok(Given::Text(text.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Given, A::Error> {
        Input::deserialize(MapAccessDeserializer::new(map)).map(Given::Input)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_or_an_input() {
        assert!(matches!(Given::deserialize(json!("a")), Ok(Given::Text(text)) if text.expose() == "a"));
        let input = Given::deserialize(json!({"env": "NAME"})).unwrap();
        assert!(matches!(input.input(), Some(Input::Env(name)) if name == "NAME"));
        for wrong in [json!(1), json!(["a"]), json!({"file": "/a", "env": "B"}), json!({"text": "a"})] {
            assert!(Given::deserialize(&wrong).is_err(), "{wrong}");
        }
        let shown = |text: &str| format!("{:?}", Given::Text(text.into()));
        assert!(shown("hunter2") == shown("hunter2") && shown("hunter2") != shown("hunter3"));
        assert!(!shown("hunter2").contains("hunter2"));
    }
}
