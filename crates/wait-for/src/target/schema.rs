//! A target in the JSON Schema of a configuration file.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::Target;
use crate::schemes::{SCHEMES, Scheme};

impl JsonSchema for Target {
    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        endpoint::written_schema(SCHEMES.iter().flat_map(Scheme::all_options))
    }
}
