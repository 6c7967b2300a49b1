//! `schema`: editors show a description beside each key.

use std::process::Command;

use serde_json::{Map, Value, json};

#[test]
fn each_key_of_the_schema_has_a_description() {
    let schema = schema();
    let mut keys = 0;
    for object in objects(&schema) {
        for (name, property) in object {
            let is_described = property.get("description").is_some() || property.get("$ref").is_some();
            assert!(is_described, "{name}: {property:#}");
            keys += 1;
        }
    }
    assert!(keys > 30, "{keys}: {schema:#}");
}

#[test]
fn options_of_an_upstream_with_few_values_name_them() {
    let schema = schema();
    let options = &schema["$defs"]["Upstream"]["anyOf"][1]["properties"];
    assert_eq!(options["http"]["enum"], json!(["auto", "1", "2", 1, 2]));
    assert_eq!(options["grpc-retry"]["enum"], json!(["asked", "unavailable"]));
    assert_eq!(options["insecure"]["type"], "boolean");
    assert_eq!(options["ca"]["type"], "string");
}

fn schema() -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_proxy")).arg("schema").env_clear().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The properties of all objects of a schema
fn objects(schema: &Value) -> Vec<&Map<String, Value>> {
    let mut found: Vec<_> = schema.get("properties").and_then(Value::as_object).into_iter().collect();
    let parts: Vec<&Value> = match schema {
        Value::Object(map) => map.values().collect(),
        Value::Array(list) => list.iter().collect(),
        _ => Vec::new(),
    };
    found.extend(parts.into_iter().flat_map(objects));
    found
}
