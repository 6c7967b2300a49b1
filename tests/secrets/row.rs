//! One row of the table: a run of a helper with a secret somewhere, and the search in everything that it writes.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use e2e::process::binary;
use harness::{Program, Signal, TerminationLog, http, until};
use tempfile::TempDir;

use crate::secret::search;

/// A run of a helper
#[derive(Clone)]
pub(crate) struct Row {
    helper: &'static str,
    /// Where the secret is, for the list of leaks
    place: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    /// The files that the arguments name; they are removed with the last row that needs them
    directory: Option<Arc<TempDir>>,
}

impl Row {
    pub(crate) fn new(helper: &'static str, place: impl Into<String>, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self { helper, place: place.into(), arguments, variables: Vec::new(), directory: None }
    }

    pub(crate) fn and(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(ToString::to_string));
        self
    }

    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file; `FILE` in all arguments and variables becomes its path.
    pub(crate) fn with_file(mut self, content: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, content).unwrap();
        self.replace_file(&path);
        self.directory = Some(Arc::new(directory));
        self
    }

    fn replace_file(&mut self, path: &Path) {
        let path = path.display().to_string();
        for text in self.arguments.iter_mut().chain(self.variables.iter_mut().map(|(_, value)| value)) {
            *text = text.replace("FILE", &path);
        }
    }

    /// Runs the helper. Returns the pieces of the secret that it prints, with the place and the command line.
    pub(crate) fn leak(&self) -> Option<String> {
        let (ended, mut written) = self.run();
        written.push(("stdout", ended.stdout));
        written.push(("stderr", ended.log.join("\n")));
        let leaks = written.iter().filter_map(|(name, text)| Some(format!("{name}: {}", search(text)?)));
        let leaks = leaks.collect::<Vec<_>>().join("\n    ");
        (!leaks.is_empty()).then(|| format!("{} {}: {:?}\n    {leaks}", self.helper, self.place, self.arguments))
    }

    /// Fails unless the helper starts its job: otherwise the rows would show nothing but refusals.
    pub(crate) fn assert_starts(&self) {
        let (ended, _) = self.run();
        let message = format!("{} starts", self.helper);
        assert!(ended.log.iter().any(|line| line["message"] == message), "{ended:#?}");
    }

    /// A sidecar that starts is asked for its metrics and its state, and is then stopped; everything else ends by itself.
    fn run(&self) -> (harness::Ended, Vec<(&'static str, String)>) {
        let path: PathBuf = binary(self.helper);
        assert!(path.exists(), "{} is missing: run cargo build --workspace --bins", path.display());
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let mut command = harness::command(path, &arguments);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let message = TerminationLog::new();
        // Relative paths among the values must not leave files in the tree.
        let directory = TempDir::new().unwrap();
        let mut program = Program::start(message.command(&command).current_dir(directory.path()));
        let mut written = Vec::new();
        if let Some(address) = program.address_unless_ended("health") {
            // It may still end by itself, for example because an output cannot be opened.
            until("the sidecar has started or ended", || {
                let answer = http::try_get(address, "/startupz");
                let has_started = answer.is_ok_and(|answer| answer.status == 200);
                (!program.is_running() || has_started || has_failed(address)).then_some(())
            });
            for path in ["/metrics", "/readyz?verbose", "/livez?verbose", "/debug/merge", "/debug/cardinality"] {
                written.extend(http::try_get(address, path).map(|answer| (path, answer.body)));
            }
            if program.is_running() {
                program.signal(Signal::TERM);
            }
        }
        let ended = program.end();
        assert!(ended.code.is_some(), "{} {}: {ended:#?}", self.helper, self.place);
        written.push(("termination message", message.read()));
        (ended, written)
    }
}

/// Whether a secret could not be refreshed: without it, `token-refresher` never starts.
fn has_failed(address: SocketAddr) -> bool {
    let is_failure = |line: &str| line.starts_with("sidekit_token_refresher_failures_total{") && !line.ends_with(" 0");
    http::try_get(address, "/metrics").is_ok_and(|answer| answer.body.lines().any(is_failure))
}
