//! The helper under test, and the search for secrets in all that it says.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use harness::{Ended, Program, Signal, http};

/// Stands in each secret of these tests
pub(crate) const MARK: &str = "s3cr3t";
/// What stands in secrets of tests that share their servers with others: passwords and tokens, and JWTs
const OTHER_MARKS: [&str; 3] = ["hunter2", "token-0", "eyJ"];

/// A running sidecar
pub(crate) struct Refresher {
    pub(crate) program: Program,
    pub(crate) health: SocketAddr,
    directory: PathBuf,
}

impl Refresher {
    /// With a configuration file of this text in this directory.
    #[track_caller]
    pub(crate) fn start(directory: &Path, config: &str) -> Self {
        Self::start_with(directory, config, &[])
    }

    /// The same with more arguments
    #[track_caller]
    pub(crate) fn start_with(directory: &Path, config: &str, arguments: &[&str]) -> Self {
        let mut program =
            Program::start(configured(directory, config).args(arguments).arg("--health-addr=127.0.0.1:0"));
        let health = program.address("health");
        Self { program, health, directory: directory.to_owned() }
    }

    /// The line of this check in `/readyz?verbose`
    #[track_caller]
    pub(crate) fn check(&self, name: &str) -> String {
        let body = http::get(self.health, "/readyz?verbose").body;
        let line = body.lines().find(|line| line.contains(&format!("]{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
    }

    /// Waits until the line of a check contains this text.
    #[track_caller]
    pub(crate) fn until_check(&self, name: &str, text: &str) {
        harness::until(&format!("{name} is {text}"), || {
            let body = http::get(self.health, "/readyz?verbose").body;
            body.lines().any(|line| line.contains(&format!("]{name} ")) && line.contains(text)).then_some(())
        });
    }

    /// The value of a series
    #[track_caller]
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let body = http::get(self.health, "/metrics").body;
        let line = body.lines().find_map(|line| line.strip_prefix(&format!("sidekit_token_refresher_{series} ")));
        line.map(|value| value.parse().unwrap())
    }

    /// Stops it, and searches all that it said for secrets.
    #[track_caller]
    pub(crate) fn stop(self) -> Ended {
        for path in ["/metrics", "/readyz?verbose", "/livez?verbose", "/startupz?verbose"] {
            assert_no_secret(path, &http::get(self.health, path).body);
        }
        self.program.signal(Signal::TERM);
        let ended = self.program.end();
        assert_silence(&ended, &self.directory);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended
    }
}

/// Runs a task with `--once` to its end, and searches all that it said for secrets.
#[track_caller]
pub(crate) fn once(directory: &Path, config: &str, arguments: &[&str]) -> Ended {
    let ended = Program::start(configured(directory, config).arg("--once").args(arguments)).end();
    assert_silence(&ended, directory);
    ended
}

/// The binary with a configuration file of this text
pub(crate) fn configured(directory: &Path, config: &str) -> Command {
    let path = directory.join("secrets.yaml");
    fs::write(&path, config).unwrap();
    let mut command = refresher();
    command.arg("--config").arg(path);
    command
}

/// The binary, in an empty environment
pub(crate) fn refresher() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-refresher"));
    command.env_clear();
    command
}

/// The content of a file, or nothing
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Waits until a file has this content.
#[track_caller]
pub(crate) fn until_content(path: &Path, content: &str) {
    harness::until(&format!("{} is {content}", path.display()), || (read(path) == content).then_some(()));
}

/// Fails if a secret of these tests is in the log, on stdout, in the state or in the status.
#[track_caller]
pub(crate) fn assert_silence(ended: &Ended, directory: &Path) {
    assert_no_secret("the log or stdout", &ended.everything());
    assert_no_secret("the status file", &read(&directory.join("status.json")));
    for entry in fs::read_dir(directory.join("state/token-refresher")).into_iter().flatten() {
        assert_no_secret("a state file", &read(&entry.unwrap().path()));
    }
}

#[track_caller]
fn assert_no_secret(place: &str, text: &str) {
    for mark in [MARK].iter().chain(&OTHER_MARKS) {
        for spelling in spellings(mark) {
            assert!(!text.contains(&spelling), "{place} has a secret: {text}");
        }
    }
}

/// Spellings in which a piece of it is whole: as it is, and as base64 at each of the three places of a byte
fn spellings(mark: &str) -> Vec<String> {
    let encoded = (0..3).filter_map(|place| {
        let text = STANDARD_NO_PAD.encode(format!("{}{mark}", "x".repeat(place)));
        // Without the characters that hold bits of its neighbours
        let whole = place * 8 / 6 + usize::from(place > 0)..(place + mark.len()) * 8 / 6;
        text.get(whole).filter(|text| text.len() > 4).map(str::to_owned)
    });
    std::iter::once(mark.to_owned()).chain(encoded).collect()
}
