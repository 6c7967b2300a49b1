//! The configuration file of a helper: YAML, judged by one function at the start, by `check` and at each change.
//! Long because the start, `check` and each reload share the judgement of a file and the report of its faults.

use std::{
    convert::identity,
    fmt::{self, Display},
    io,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches};
use nix::errno::Errno;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;

use crate::{
    exit::Exit,
    files,
    io_text::io_text,
    job::Lifecycle,
    usage,
    volume::on_volume,
    yaml::{self, Fault, Node, Reading},
};

pub use crate::{bounded::bounded, yaml::AtKey};

/// Bytes; a `ConfigMap` can't hold more than 1 MiB.
const FILE_LIMIT: u64 = 1024 * 1024;
/// A volume that has not answered for this long does not answer at all.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// The option that may name a folder, in every helper: authorities
const FOLDER_OPTION: &str = "ca";
/// Faults of one file that are reported; more of them have one cause.
const FAULT_LIMIT: usize = 50;

/// The content of a helper's configuration file. Its type must deny unknown fields.
pub trait Configuration: DeserializeOwned + Send + Sync + 'static {
    /// The helper's command line, with which the file must fit together
    type Args: FromArgMatches + CommandFactory;

    /// All faults of a file whose values could each be read. The start, `check` and each reload ask this.
    fn judge(&self, args: &Self::Args) -> Vec<Misfit>;

    /// The fault of a command line whose flags could each be read. The start asks this before `judge`.
    fn judge_args(_: &Self::Args) -> Result<(), String> {
        Ok(())
    }

    /// The files that the configuration names and the helper reads. `check` looks whether they can be read.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The faults of the content of these files. `check` asks this when all of them can be read. It may block on their volumes.
    fn judge_files(&self, _: &Self::Args) -> Vec<Misfit> {
        Vec::new()
    }
}

/// A value that does not fit with others
#[derive(Debug)]
pub struct Misfit {
    /// The path of the value, such as `outputs.1`; empty for the file as a whole
    pub at: String,
    /// The fault and its remedy, without a value that may be a secret
    pub message: String,
}

/// How to check a helper's configuration file and describe it; made by [`ConfigFile::of`]
#[derive(Clone, Copy, Debug)]
pub struct ConfigFile {
    check: fn(&Path, &ArgMatches, bool) -> anyhow::Result<Vec<String>>,
    judge_start: fn(&ArgMatches) -> anyhow::Result<()>,
    pub(crate) schema: &'static str,
}

impl ConfigFile {
    /// The file whose content is a `C`, and its JSON Schema as [`schema`] writes it.
    pub const fn of<C: Configuration>(schema: &'static str) -> Self {
        Self { check: check::<C>, judge_start: judge_start::<C>, schema }
    }

    /// Judges all settings before the helper starts.
    pub(crate) fn judge_start(&self, matches: &ArgMatches) -> anyhow::Result<()> {
        (self.judge_start)(matches)
    }

    /// All faults of a file, each with its place; with `asks_files` also those of the files that it names.
    pub(crate) fn check(&self, path: &Path, matches: &ArgMatches, asks_files: bool) -> anyhow::Result<Vec<String>> {
        (self.check)(path, matches, asks_files)
    }
}

/// Reads a configuration file of at most 1 MiB at the start of a helper. A wrong file is an error with exit code 78.
/// A stop signal ends the reading, also on a volume that does not answer.
pub async fn read<C: Configuration>(path: &Path, args: &C::Args, life: &Lifecycle) -> anyhow::Result<C> {
    let text = tokio::select! {
        biased;
        exit = life.stop_requested() => return Err(exit.because("stopped while the configuration was read")),
        text = text(path) => text?,
    };
    judged(path, &text, args)
}

/// Reads and judges a configuration file where there is no runtime, for a command that answers a question about it.
pub fn load<C: Configuration>(path: &Path, args: &C::Args) -> anyhow::Result<C> {
    judged(path, &text_in_time(path, None)?, args)
}

/// The JSON Schema (draft 2020-12) of a configuration file. `cargo xtask docs` writes it; a binary holds only the text, because
/// the code that makes it weighs more than the file's parser.
#[expect(clippy::missing_panics_doc, reason = "a schema is JSON")]
pub fn schema<T: JsonSchema>() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    serde_json::to_string_pretty(&schema).expect("a schema is JSON")
}

/// The text of a file, read on a blocking thread.
pub(crate) async fn text(path: &Path) -> anyhow::Result<String> {
    let owned = path.to_owned();
    match on_volume(path, READ_LIMIT, move || text_at_once(&owned)).await {
        Ok(text) => text,
        Err(error) => Err(cannot_read(Exit::Io, path, &error)),
    }
}

/// Reads and judges a text; an error holds all faults.
pub fn judged<C: Configuration>(path: &Path, text: &str, args: &C::Args) -> anyhow::Result<C> {
    parsed::<C>(path, text, args).map_err(|faults| Exit::Config.because(faults.to_string()))
}

/// The same before there is a runtime. A `--timeout` that is shorter ends it with 124.
fn text_in_time(path: &Path, timeout: Option<Duration>) -> anyhow::Result<String> {
    let (limit, exit) = match timeout {
        Some(timeout) if !timeout.is_zero() && timeout < READ_LIMIT => (timeout, Exit::TimedOut),
        _ => (READ_LIMIT, Exit::Io),
    };
    in_time(path, limit, text_at_once).unwrap_or_else(|error| Err(cannot_read(exit, path, &error)))
}

/// Work about a path where there is no runtime. Work that hangs keeps its thread.
fn in_time<T: Send + 'static>(path: &Path, limit: Duration, work: fn(&Path) -> T) -> io::Result<T> {
    let (sender, result) = mpsc::channel();
    let owned = path.to_owned();
    thread::Builder::new().name("config".into()).spawn(move || drop(sender.send(work(&owned))))?;
    result.recv_timeout(limit).map_err(|_| {
        let limit = crate::format_duration(limit);
        io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit}"))
    })
}

/// Blocks for as long as the volume does not answer.
fn text_at_once(path: &Path) -> anyhow::Result<String> {
    files::read(path, FILE_LIMIT).map_err(|error| cannot_read(exit_of(&error), path, &error))
}

fn cannot_read(exit: Exit, path: &Path, error: &io::Error) -> anyhow::Error {
    exit.because(format!("cannot read {}: {}", path.display(), io_text(error)))
}

/// A fault of the disk or of its server is no fault of the file, and another try may find it gone.
fn exit_of(error: &io::Error) -> Exit {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EIO | Errno::ESTALE | Errno::ENOTCONN | Errno::EHOSTDOWN | Errno::ETIMEDOUT) => Exit::Io,
        _ => Exit::Config,
    }
}

fn check<C: Configuration>(path: &Path, matches: &ArgMatches, asks_files: bool) -> anyhow::Result<Vec<String>> {
    let text = text_in_time(path, None)?;
    let args =
        C::Args::from_arg_matches(matches).map_err(|error| Exit::Usage.because(usage::first_paragraph(&error)))?;
    match parsed::<C>(path, &text, &args) {
        Err(faults) => Ok(faults.lines().collect()),
        Ok(config) if asks_files => {
            let unreadable = unreadable(path, &text, &config.files());
            Ok(if unreadable.is_empty() { unusable(path, &text, config.judge_files(&args)) } else { unreadable })
        }
        Ok(_) => Ok(Vec::new()),
    }
}

fn judge_start<C: Configuration>(matches: &ArgMatches) -> anyhow::Result<()> {
    let args = C::Args::from_arg_matches(matches)?;
    C::judge_args(&args).map_err(|message| Exit::Usage.because(message))?;
    let timeout = matches.try_get_one("timeout").ok().flatten();
    match matches.try_get_one::<PathBuf>("config").ok().flatten() {
        Some(path) => judged::<C>(path, &text_in_time(path, timeout.copied())?, &args).map(drop),
        None => Ok(()),
    }
}

/// The faults of the files that a configuration names. A volume that does not answer ends the look, because each other
/// file on it would take the whole limit again.
fn unreadable(config: &Path, text: &str, paths: &[PathBuf]) -> Vec<String> {
    // The text was read a moment ago.
    let Ok(tree) = yaml::read(text) else { return Vec::new() };
    let mut list = Vec::new();
    for path in paths {
        let Err(error) = in_time(path, READ_LIMIT, files::try_read).and_then(identity) else { continue };
        let may_be_folder = || path.to_str().is_some_and(|path| tree.gives_option(FOLDER_OPTION, path));
        if error.kind() == io::ErrorKind::IsADirectory && may_be_folder() {
            continue;
        }
        let reason = io_text(&error);
        // A relative path may be a secret that was written in place of its file.
        let fault = Fault::new(if path.is_absolute() {
            format!("this names {}, which cannot be read: {reason}", path.display())
        } else {
            format!("this names a file by a relative path, which cannot be read: {reason}; write an absolute path")
        });
        list.push(match path.to_str().and_then(|path| tree.naming(path)) {
            Some(node) => fault.at(node),
            None => fault,
        });
        if error.kind() == io::ErrorKind::TimedOut {
            break;
        }
    }
    beside_no_files(config, list)
}

/// The faults of the content of those files, each with the place that names the file
fn unusable(path: &Path, text: &str, misfits: Vec<Misfit>) -> Vec<String> {
    // The text was read a moment ago.
    let Ok(tree) = yaml::read(text) else { return Vec::new() };
    beside_no_files(
        path,
        misfits.into_iter().map(|misfit| Fault::new(misfit.message).at(tree.at(&misfit.at))).collect(),
    )
}

/// The lines of faults for which `check` has looked at other files
fn beside_no_files(path: &Path, list: Vec<Fault>) -> Vec<String> {
    Faults { path: path.to_owned(), list }.lines().map(|line| line + "; --no-files does not look").collect()
}

fn parsed<C: Configuration>(path: &Path, text: &str, args: &C::Args) -> Result<C, Faults> {
    let of_the_file = |list| Faults { path: path.to_owned(), list };
    if text.trim_ascii().is_empty() {
        // A writer that has truncated the file has not written it yet.
        return Err(of_the_file(vec![Fault::new("the file is empty: write {} for no settings".to_owned())]));
    }
    let tree = yaml::read(text).map_err(|fault| of_the_file(vec![fault]))?;
    let value: C = all_of(tree.clone()).map_err(|mut faults| {
        for fault in &mut faults {
            explain_flag::<C::Args>(&tree, fault);
        }
        of_the_file(faults)
    })?;
    let misfits = value.judge(args);
    if misfits.is_empty() {
        return Ok(value);
    }
    let fault = |misfit: Misfit| Fault::new(misfit.message).at(tree.at(&misfit.at));
    Err(of_the_file(misfits.into_iter().map(fault).collect()))
}

/// Says of an unknown key at the top of a file that it is the name of a flag. It is no secret then.
fn explain_flag<A: CommandFactory>(tree: &Node, fault: &mut Fault) {
    let Some(key) = fault.node.and_then(|number| tree.key_text(number)) else { return };
    let Some(known) = fault.message.strip_prefix(&format!("unknown key {key:?}; there are ")) else { return };
    if A::command().get_arguments().filter_map(Arg::get_long).any(|flag| flag == key) {
        fault.message = format!("unknown key {key}, which is a flag: write --{key}; there are {known}");
    }
}

/// Reads a tree, or finds all its faults: serde ends at the first one, so an entry with a fault is removed and the rest read
/// again. A fault of a node that has lost an entry in this way is not reported, because the removal may have caused it.
fn all_of<T: DeserializeOwned>(mut tree: Node) -> Result<T, Vec<Fault>> {
    let mut faults = Vec::new();
    loop {
        match T::deserialize(Reading(&tree)) {
            Ok(value) if faults.is_empty() => return Ok(value),
            Ok(_) => return Err(faults),
            Err(fault) => {
                let node = fault.node;
                if !node.is_some_and(|number| tree.lacks_entries(number)) || faults.is_empty() {
                    faults.push(fault);
                }
                let goes_on = node.is_some_and(|number| tree.remove(number)) && faults.len() < FAULT_LIMIT;
                if !goes_on {
                    return Err(faults);
                }
            }
        }
    }
}

/// All faults of one file; at least one
#[derive(Debug)]
struct Faults {
    path: PathBuf,
    list: Vec<Fault>,
}

impl Faults {
    /// `c.yaml:2:3: MESSAGE` for each
    fn lines(&self) -> impl Iterator<Item = String> {
        self.list.iter().map(|fault| match fault.place {
            Some(_) => format!("{}:{fault}", self.path.display()),
            None => format!("{}: {fault}", self.path.display()),
        })
    }
}

impl Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.lines().next().unwrap_or_default())?;
        match self.list.len() {
            0 | 1 => Ok(()),
            count => write!(f, "; and {} more, which `check` lists", count - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_volume_is_no_fault_of_the_file() {
        let exit = |errno| exit_of(&io::Error::from_raw_os_error(errno as i32));
        assert_eq!([Errno::EIO, Errno::ESTALE, Errno::ENOTCONN].map(exit), [Exit::Io; 3]);
        assert_eq!([Errno::ENOENT, Errno::EACCES, Errno::EISDIR].map(exit), [Exit::Config; 3]);
        assert_eq!(exit_of(&io::Error::other("it is a FIFO, not a regular file")), Exit::Config);
    }
}
