//! Where a secret goes: files that appear whole or not at all, and sets of files that change together.

mod entry;
mod error;
mod file;
mod mount;
mod place;
mod set;
mod state;
mod target;
mod trust;

use std::{borrow::Cow, io, path::Path, sync::Arc, time::Duration};

use files::Set;
use lifecycle::Secret;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use self::{
    entry::OutputEntry,
    file::FileOutput,
    set::SetOutput,
    state::State,
    target::{Missing, Target},
    trust::Use,
};
pub(crate) use self::{error::OutputError, place::Place};
use crate::{
    format::{Content, Format},
    value::fields::Fields,
};

/// A volume that has not answered for this long does not answer at all.
const LIMIT: Duration = Duration::from_secs(10);

/// Volumes that are asked at the same time: fewer than lifecycle asks, which refuses more instead of letting them wait
const AT_ONCE: usize = 16;
/// Their turns; a volume that hangs keeps its turn for [`LIMIT`]
static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// A file or a set of files with values of one secret
///
/// A clone is the same output: it shares the lock.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "OutputEntry")]
pub(crate) struct Output {
    kind: Kind,
    state: Arc<State>,
}

#[derive(Clone, Debug)]
enum Kind {
    File(FileOutput),
    Set(SetOutput),
}

/// How a file is replaced
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Writing {
    /// Whole or not at all, by a rename
    #[default]
    Atomic,
    /// In the file that is there, for one that is a mount of its own; readers may see a part
    InPlace,
}

/// What a write did
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Whether the app may have something to read anew. That is also so after a failure, because the volume may have done the
    /// work and answered too late.
    pub(crate) is_changed: bool,
}

impl Output {
    fn file(file: FileOutput) -> Self {
        Self { kind: Kind::File(file), state: Arc::default() }
    }

    fn set(set: SetOutput) -> Self {
        Self { kind: Kind::Set(set), state: Arc::default() }
    }

    /// The path of the file, or of the directory with the set
    pub(crate) fn path(&self) -> &Path {
        match &self.kind {
            Kind::File(file) => &file.path,
            Kind::Set(set) => &set.path,
        }
    }

    /// Looks at the place as a write does, makes its directory, and refuses one that is no place for a secret.
    pub(crate) async fn check_target(&self) -> Result<(), OutputError> {
        self.on_volume(|output| output.open(Missing::Make).map(drop)).await
    }

    /// Writes the values, whole or not at all. Equal files stay as they are.
    pub(crate) async fn write(&self, fields: &Fields) -> Result<Written, OutputError> {
        let contents = match &self.kind {
            Kind::File(file) => vec![file.content(fields)?],
            Kind::Set(set) => set.contents(fields)?,
        };
        let was_unsure = self.state.begin();
        let is_changed = self.on_volume(move |output| output.write_now(&contents)).await?;
        self.state.finish();
        Ok(Written { is_changed: is_changed || was_unsure })
    }

    /// The fields that stand in files as they are, by their names; `None` is the main one. Files that are missing are left out.
    pub(crate) async fn read_back(&self) -> Result<Vec<(Option<String>, Secret)>, OutputError> {
        self.on_volume(Self::read_back_now).await
    }

    /// The names of the fields that `read_back` gives while no file is missing
    pub(crate) fn whole_fields(&self) -> Vec<Option<&str>> {
        let fields = self.formats().into_iter().filter_map(Format::whole_field);
        fields.map(Option::as_deref).collect()
    }

    /// Whether both give the same files.
    pub(crate) fn writes_the_same(&self, fields: &Fields, others: &Fields) -> bool {
        let content = |format: &Format, fields| format.write(fields).ok();
        self.formats().into_iter().all(|format| {
            let content = content(format, fields).zip(content(format, others));
            content.is_some_and(|(one, other)| one == other)
        })
    }

    /// Removes the files, for values that have expired.
    pub(crate) async fn delete(&self) -> Result<(), OutputError> {
        self.on_volume(Self::delete_now).await
    }

    /// What is to be known of the place, for `explain`. Nothing is made there.
    pub(crate) async fn look(&self) -> Result<Place, OutputError> {
        self.on_volume(Self::look_now).await
    }

    /// Whether both outputs want the same path, or one lies in the directory that is the set of the other.
    pub(crate) fn collides_with(&self, other: &Self) -> bool {
        let lies_in =
            |inner: &Self, outer: &Self| matches!(outer.kind, Kind::Set(_)) && inner.path().starts_with(outer.path());
        self.path() == other.path() || lies_in(self, other) || lies_in(other, self)
    }

    /// Work on a thread that may hang. A path whose earlier work has not come back is not asked again.
    async fn on_volume<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, OutputError> + Send + 'static,
    ) -> Result<T, OutputError> {
        // Nothing closes it; without a turn, lifecycle's own limit holds.
        let _turn = TURNS.acquire().await;
        let output = self.clone();
        let result = lifecycle::on_volume(self.path(), LIMIT, move || work(&output)).await;
        result.unwrap_or_else(|error| Err(OutputError::volume(self.path(), &error)))
    }

    /// Opens the place, with the lock that keeps a second refresher out.
    fn open(&self, missing: Missing) -> Result<Target, OutputError> {
        let (directory, used) = self.place();
        let target = Target::open(directory, used, missing)?;
        if let Kind::File(file) = &self.kind {
            file.refuse_mount_point(&target)?;
        }
        self.state.lock(&target, self.path(), used)?;
        self.state.warn_unless_in_memory(&target, self.path());
        Ok(target)
    }

    fn place(&self) -> (&Path, Use<'_>) {
        match &self.kind {
            Kind::File(file) => (file.directory(), file.used()),
            Kind::Set(set) => (&set.path, Use::Set),
        }
    }

    fn write_now(&self, contents: &[Content]) -> Result<bool, OutputError> {
        let target = self.open(Missing::Make)?;
        let written = match &self.kind {
            Kind::File(file) => file.write(&target, contents.first().map(|content| &***content).unwrap_or_default()),
            Kind::Set(set) => set.write(&target, contents),
        };
        written.map_err(|error| OutputError::volume(self.path(), &error))
    }

    fn formats(&self) -> Vec<&Format> {
        match &self.kind {
            Kind::File(file) => vec![&file.format],
            Kind::Set(set) => set.members.iter().map(|member| &member.format).collect(),
        }
    }

    fn read_back_now(&self) -> Result<Vec<(Option<String>, Secret)>, OutputError> {
        /// Bytes; a source gives no longer value
        const FIELD_LIMIT: u64 = 1024 * 1024;
        let refused = |error: io::Error| OutputError::volume(self.path(), &error);
        let target = match self.open(Missing::Leave) {
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            opened => opened?,
        };
        let read = |name: &str| match &self.kind {
            Kind::File(_) => target.directory.read(name, FIELD_LIMIT),
            Kind::Set(_) => Set::new(&target.directory).read(name, FIELD_LIMIT),
        };
        let files: Vec<(&str, &Format)> = match &self.kind {
            Kind::File(file) => vec![(file.name(), &file.format)],
            Kind::Set(set) => set.members.iter().map(|member| (member.name.as_str(), &member.format)).collect(),
        };
        let mut fields = Vec::new();
        for (name, format) in files {
            let Some(field) = format.whole_field() else { continue };
            let Some(content) = read(name).map_err(refused)?.map(Zeroizing::new) else { continue };
            if let Ok(text) = std::str::from_utf8(&content) {
                fields.push((field.clone(), Secret::from(text)));
            }
        }
        Ok(fields)
    }

    fn delete_now(&self) -> Result<(), OutputError> {
        let target = match self.open(Missing::Leave) {
            // Without a directory there are no files.
            Err(error) if error.is_missing() => return Ok(()),
            opened => opened?,
        };
        // The next write is a change, whatever it finds.
        self.state.begin();
        let removed = match &self.kind {
            Kind::File(file) => file.delete(&target),
            Kind::Set(_) => Set::new(&target.directory).remove(),
        };
        removed.map_err(|error| OutputError::volume(self.path(), &error))
    }

    fn look_now(&self) -> Result<Place, OutputError> {
        let (directory, used) = self.place();
        let mount = target::mount(directory).map_err(|error| OutputError::volume(self.path(), &error))?;
        let target = Target::open(directory, used, Missing::Leave);
        let is_mount_point = target.as_ref().is_ok_and(|target| target.is_mount_point);
        let judged = target.and_then(|target| match &self.kind {
            Kind::File(file) => file.refuse_mount_point(&target),
            Kind::Set(_) => Ok(()),
        });
        let refusal = match judged {
            // The first write makes the directory.
            Err(error) if !error.is_missing() => Some(error.to_string()),
            _ => None,
        };
        let files = match &self.kind {
            Kind::File(file) => vec![(file.path.clone(), file.permissions)],
            Kind::Set(set) => set.files(),
        };
        Ok(Place { files, mount, is_mount_point, refusal })
    }
}

/// The schema is that of the text, not of its meaning.
impl JsonSchema for Output {
    fn schema_name() -> Cow<'static, str> {
        "Output".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        OutputEntry::json_schema(generator)
    }
}

#[cfg(test)]
mod tests;
