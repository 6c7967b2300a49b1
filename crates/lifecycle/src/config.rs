//! The configuration file of a helper: YAML, read whole or refused with line and column.

use std::path::Path;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;

use crate::{exit::Exit, files};

/// Bytes; a ConfigMap can't hold more than 1 MiB.
const FILE_LIMIT: u64 = 1024 * 1024;
/// Brackets within brackets. The YAML scanner's time grows with the square of their depth, before any type can refuse them.
const DEPTH_LIMIT: usize = 100;

/// How to check a helper's configuration file and describe it; made by [`ConfigFile::of`]
#[derive(Clone, Copy, Debug)]
pub struct ConfigFile {
    check: fn(&Path) -> anyhow::Result<()>,
    pub(crate) schema: &'static str,
}

impl ConfigFile {
    /// The file whose content is a `T`, and its JSON Schema as [`schema`] writes it. `T` must deny unknown fields.
    pub const fn of<T: DeserializeOwned>(schema: &'static str) -> Self {
        Self { check: |path| read::<T>(path).map(drop), schema }
    }

    pub(crate) fn check(&self, path: &Path) -> anyhow::Result<()> {
        (self.check)(path)
    }
}

/// Reads a configuration file of at most 1 MiB; what is wrong with it is an error with exit code 78.
pub fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    parse(path, &text(path)?)
}

/// The JSON Schema (draft 2020-12) of a configuration file. `cargo xtask docs` writes it; a binary holds only the text, since
/// what makes it weighs more than the file's parser.
#[expect(clippy::missing_panics_doc, reason = "a schema is JSON")]
pub fn schema<T: JsonSchema>() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    serde_json::to_string_pretty(&schema).expect("a schema is JSON")
}

pub(crate) fn text(path: &Path) -> anyhow::Result<String> {
    files::read(path, FILE_LIMIT)
        .map_err(|error| Exit::Config.because(format!("cannot read {}: {error}", path.display())))
}

pub(crate) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> anyhow::Result<T> {
    if let Some(line) = too_deep(text) {
        let words = format!("more than {DEPTH_LIMIT} brackets within one another at line {line}");
        return Err(Exit::Config.because(format!("{}: {words}", path.display())));
    }
    serde_norway::from_str(text).map_err(|error| Exit::Config.because(format!("{}: {error}", path.display())))
}

/// The line where brackets go too deep. Those in texts and comments count too: a hundred of them left open is no text.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth: usize = 0;
    for (number, line) in text.lines().enumerate() {
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > DEPTH_LIMIT {
                return Some(number + 1);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_have_a_depth() {
        let deep = |depth: usize| format!("a:\n  {}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(too_deep(&deep(DEPTH_LIMIT)), None);
        assert_eq!(too_deep(&deep(DEPTH_LIMIT + 1)), Some(2));
        assert_eq!(too_deep(&"- [a, {b: c}]\n".repeat(1000)), None);
        let error = parse::<serde_json::Value>(Path::new("f"), &"{[".repeat(100_000)).unwrap_err().to_string();
        assert!(error.contains("more than 100 brackets within one another at line 1"), "{error}");
    }
}
