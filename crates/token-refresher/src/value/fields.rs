//! The values of one secret, by name.

use std::collections::BTreeMap;

use lifecycle::Secret;

/// What a source got at once: values that belong together, such as user and password
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    main: String,
    values: BTreeMap<String, Secret>,
}

impl Fields {
    /// Values of which `main` is the one that is meant where none is named.
    pub(crate) fn new(main: impl Into<String>, values: BTreeMap<String, Secret>) -> Self {
        Self { main: main.into(), values }
    }

    /// A single value.
    pub(crate) fn single(name: &'static str, value: Secret) -> Self {
        Self::new(name, BTreeMap::from([(name.to_owned(), value)]))
    }

    /// The value of this name, or the main one.
    pub(crate) fn get(&self, name: Option<&str>) -> Option<&Secret> {
        self.values.get(name.unwrap_or(&self.main))
    }

    /// The name of the main value
    pub(crate) fn main(&self) -> &str {
        &self.main
    }

    /// Whether all values are the same.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        let pairs = self.values.iter().zip(&other.values);
        self.values.len() == other.values.len()
            && pairs
                .into_iter()
                .all(|((name, value), (other_name, other))| name == other_name && value.expose() == other.expose())
    }

    /// The names of all values
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}
