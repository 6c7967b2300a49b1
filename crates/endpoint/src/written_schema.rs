//! The JSON Schema of a server in YAML. Editors show its descriptions beside the keys.

use schemars::{Schema, json_schema};

/// The JSON Schema of a server in YAML that takes these options.
pub fn written_schema<'a>(options: impl Iterator<Item = &'a str>) -> Schema {
    written_schema_of(options.map(|name| (name, option_schema(name))))
}

/// The same, with a schema for each option
pub fn written_schema_of<'a>(options: impl Iterator<Item = (&'a str, Schema)>) -> Schema {
    let mut properties: serde_json::Map<_, _> =
        options.map(|(name, schema)| (name.to_owned(), schema.to_value())).collect();
    properties.insert("url".into(), text("The URL, without options").to_value());
    json_schema!({
        "description": "A URL with its options in the fragment, or a map of url and options",
        "anyOf": [
            { "type": "string" },
            { "type": "object", "properties": properties, "required": ["url"], "additionalProperties": false },
        ],
    })
}

/// The schema of an option of TLS or of a login, which mean the same for all helpers. Any other option may have any value that an
/// option can have.
pub fn option_schema(name: &str) -> Schema {
    match name {
        "ca" => text("Trust the authorities of this PEM file, and not those of the system"),
        "cert" => text("The PEM file of the client certificate to show, with its chain"),
        "key" => text("The PEM file of the private key of cert"),
        "sni" => text("Ask for this name and verify it, in place of the host"),
        "insecure" => json_schema!({ "type": "boolean", "description": "Trust any certificate; for tests only" }),
        "token-file" => text("The file of a token, sent as Authorization: Bearer"),
        "token-env" => text("The variable that holds a token, sent as Authorization: Bearer"),
        "user" => text("The user of a login by name and password"),
        "password-file" => text("The file of the password"),
        "password-env" => text("The variable that holds the password"),
        "header" => texts("A header with a value that does not change, as Name:value; may be a list"),
        "header-file" => texts("A header with its value in a file, as Name:PATH; may be a list"),
        _ => {
            let scalar = json_schema!({ "type": ["string", "integer", "boolean"] });
            json_schema!({ "anyOf": [scalar, { "type": "array", "items": scalar }] })
        }
    }
}

fn text(description: &str) -> Schema {
    json_schema!({ "type": "string", "description": description })
}

/// One or several
fn texts(description: &str) -> Schema {
    json_schema!({
        "description": description,
        "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LOGIN_OPTIONS, TLS_OPTIONS};

    #[test]
    fn each_option_of_tls_and_of_logins_is_described() {
        for option in TLS_OPTIONS.into_iter().chain(LOGIN_OPTIONS) {
            let name = option.split('=').next().unwrap();
            let schema = option_schema(name);
            assert!(schema.get("description").is_some(), "{name}: {schema:?}");
        }
    }
}
