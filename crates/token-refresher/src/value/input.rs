//! A value that a request needs: from a file, a variable, or another secret. It is read anew at every use.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lifecycle::Secret;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use tokio::sync::{Notify, watch};

use crate::{value::fetch_error::FetchError, value::fetched::Fetched};

/// A volume that has not answered for this long does not answer at all.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// Where a value that a request needs comes from
#[derive(Clone, Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(crate) enum Input {
    /// The path of a file, without the line end of its content
    File(PathBuf),
    /// The name of a variable of the environment
    Env(String),
    /// The main field of another secret, by its name
    Secret(String),
}

/// The newest values of all secrets, for those that build on others
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs(Arc<HashMap<String, Published>>);

/// What a secret shows to those that build on it, and how they reach its loop
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    pub(crate) newest: watch::Sender<Option<Fetched>>,
    /// Notified when a server did not accept the newest value: it should be renewed, or fetched where that cannot be
    pub(crate) doubt: Arc<Notify>,
}

impl Inputs {
    /// What secrets show, by their names.
    pub(crate) fn new(secrets: HashMap<String, Published>) -> Self {
        Self(Arc::new(secrets))
    }

    /// A server did not accept this value of an input, which may have been revoked. If it comes from another secret, and that
    /// one has no newer value already, its loop looks after it before its time. Whoever doubts does so once for a value.
    pub(crate) fn doubt(&self, input: &Input, value: &Secret) {
        let Some(published) = input.depends_on().and_then(|name| self.0.get(name)) else { return };
        let current = published.newest.borrow();
        let current = current.as_ref().and_then(|fetched| fetched.fields.get(None));
        if current.is_some_and(|current| current.expose() == value.expose()) {
            published.doubt.notify_one();
        }
    }

    /// The newest value of one secret
    pub(crate) fn of(&self, secret: &str) -> Option<watch::Receiver<Option<Fetched>>> {
        self.0.get(secret).map(|published| published.newest.subscribe())
    }
}

impl Input {
    /// The value as it is now. Nothing of it stands in an error.
    pub(crate) async fn read(&self, inputs: &Inputs) -> Result<Secret, FetchError> {
        match self {
            Self::File(path) => {
                let owned = path.clone();
                let read = lifecycle::on_volume_in_turn(path, READ_LIMIT, move || Secret::from_file(&owned));
                let cannot_read = |error| FetchError::Input(format!("cannot read {}: {error}", path.display()));
                read.await.map_err(cannot_read)?.map_err(FetchError::Input)
            }
            Self::Env(name) => {
                let value = lifecycle::variable(name).map_err(FetchError::Unset)?;
                Ok(Secret::from(value.as_str()))
            }
            Self::Secret(name) => {
                let missing = || FetchError::Input(format!("the secret {name} has no value yet"));
                let current = inputs.0.get(name).ok_or_else(missing)?.newest.borrow();
                current.as_ref().and_then(|fetched| fetched.fields.get(None)).cloned().ok_or_else(missing)
            }
        }
    }

    /// The secret that must be there first
    pub(crate) fn depends_on(&self) -> Option<&str> {
        if let Self::Secret(name) = self { Some(name) } else { None }
    }

    /// The file that is read
    pub(crate) fn file(&self) -> Option<&Path> {
        if let Self::File(path) = self { Some(path) } else { None }
    }
}

/// An input as it is written
#[derive(Deserialize)]
#[serde(rename = "Input", rename_all = "kebab-case")]
enum WrittenInput {
    File(PathBuf),
    Env(String),
    Secret(String),
}

impl From<WrittenInput> for Input {
    fn from(written: WrittenInput) -> Self {
        match written {
            WrittenInput::File(path) => Self::File(path),
            WrittenInput::Env(name) => Self::Env(name),
            WrittenInput::Secret(name) => Self::Secret(name),
        }
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InputVisitor)
    }
}

struct InputVisitor;

impl<'de> Visitor<'de> for InputVisitor {
    type Value = Input;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("{file: PATH}, {env: NAME} or {secret: NAME}: the place of the secret, not the secret itself")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Input, A::Error> {
        WrittenInput::deserialize(MapAccessDeserializer::new(map)).map(Input::from)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_and_never_the_secret_itself() {
        let input = Input::deserialize(json!({"file": "/run/a"})).unwrap();
        assert_eq!(input.file(), Some(Path::new("/run/a")));
        let error = Input::deserialize(json!("hunter2")).unwrap_err().to_string();
        assert!(error.contains("expected {file: PATH}, {env: NAME} or {secret: NAME}"), "{error}");
        for wrong in [json!({"value": "a"}), json!({"file": "/a", "env": "B"}), json!(["/a"]), json!({})] {
            assert!(Input::deserialize(&wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_variable_that_is_not_set_never_will_be() {
        let error = Input::Env("NOT_SET_ANYWHERE".into()).read(&Inputs::default()).await.unwrap_err();
        assert_eq!(error.to_string(), "variable NOT_SET_ANYWHERE is not set");
        assert!(error.is_final());
        assert_eq!(error.exit(), lifecycle::Exit::Config);
    }
}
