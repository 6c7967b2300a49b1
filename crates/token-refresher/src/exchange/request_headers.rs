//! Headers of a request as a configuration file names them.

use std::{borrow::Cow, collections::BTreeMap};

use endpoint::CONNECTION_HEADERS;
use http::{HeaderMap, HeaderName, HeaderValue};
use lifecycle::{Secret, config::AtKey};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::Error};

use crate::{value::fetch_error::FetchError, value::given::Given, value::input::Inputs};

const LIMIT: usize = 100;

/// Headers, whose values may be read at every use
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestHeaders(Vec<(HeaderName, Given)>);

impl RequestHeaders {
    /// The headers as they are now; their values are added to `secrets`.
    pub(crate) async fn read(&self, inputs: &Inputs, secrets: &mut Vec<Secret>) -> Result<HeaderMap, FetchError> {
        let mut headers = HeaderMap::new();
        for (name, given) in &self.0 {
            let text = given.read(inputs).await?;
            let mut value = HeaderValue::from_str(text.expose())
                .map_err(|_| FetchError::Input(format!("the value of the header {name} is not one line")))?;
            value.set_sensitive(true);
            headers.insert(name, value);
            secrets.push(text);
        }
        Ok(headers)
    }

    /// Where values come from
    pub(crate) fn given(&self) -> impl Iterator<Item = &Given> {
        self.0.iter().map(|(_, given)| given)
    }
}

impl<'de> Deserialize<'de> for RequestHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = BTreeMap::<String, Given>::deserialize(deserializer)?;
        if entries.len() > LIMIT {
            return Err(D::Error::custom(format_args!("more than {LIMIT} headers")));
        }
        let mut headers = Vec::with_capacity(entries.len());
        for (key, given) in entries {
            let wrong = |message| D::Error::custom(AtKey { key: &key, message });
            let name = HeaderName::try_from(&key).map_err(|_| wrong("this is not the name of a header"))?;
            if CONNECTION_HEADERS.contains(&name) {
                return Err(wrong("this header is not yours to set"));
            }
            if headers.iter().any(|(other, _)| *other == name) {
                return Err(wrong("this header is given twice"));
            }
            headers.push((name, given));
        }
        Ok(Self(headers))
    }
}

impl JsonSchema for RequestHeaders {
    fn schema_name() -> Cow<'static, str> {
        "RequestHeaders".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, Given>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn headers_are_read_and_marked() {
        let headers = RequestHeaders::deserialize(json!({"X-Key": "hunter2", "accept": "text/plain"})).unwrap();
        let mut secrets = Vec::new();
        let read = headers.read(&Inputs::default(), &mut secrets).await.unwrap();
        assert_eq!(read["x-key"], "hunter2");
        assert!(read["x-key"].is_sensitive() && secrets.len() == 2);
        let headers = RequestHeaders::deserialize(json!({"X-Key": "hunter2\n"})).unwrap();
        let error = headers.read(&Inputs::default(), &mut secrets).await.unwrap_err();
        assert_eq!(error.to_string(), "the value of the header x-key is not one line");
    }

    #[test]
    fn wrong_names_are_refused() {
        for (wrong, message) in [
            (json!({"a b": "c"}), "this is not the name of a header"),
            (json!({"Host": "c"}), "this header is not yours to set"),
            (json!({"X-A": "c", "x-a": "d"}), "this header is given twice"),
        ] {
            assert_eq!(RequestHeaders::deserialize(wrong).unwrap_err().to_string(), message);
        }
    }
}
