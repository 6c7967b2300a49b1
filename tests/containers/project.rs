//! A compose project of one test.

use std::{
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use crate::{
    container::report,
    engine::{docker, said},
    image::{unique, workspace},
};

/// The services of some compose files; removed when dropped. If the test fails, their logs are printed before
pub(crate) struct Project {
    name: String,
    files: Vec<PathBuf>,
    /// What compose puts for a name in its files
    variable: Option<(&'static str, PathBuf)>,
}

impl Project {
    /// One of these files, whose paths start at the workspace; nothing runs yet
    pub(crate) fn of(files: &[&str]) -> Self {
        // This reports a missing engine before docker-compose fails on it.
        docker([]);
        Self {
            name: unique("project"),
            files: files.iter().map(|file| workspace().join(file)).collect(),
            variable: None,
        }
    }

    /// The same with a path for a name in the files
    pub(crate) fn with(mut self, name: &'static str, path: &Path) -> Self {
        self.variable = Some((name, path.to_owned()));
        self
    }

    /// What `docker-compose` says: `Ok` its stdout, `Err` its stderr
    pub(crate) fn try_compose(&self, arguments: &[&str]) -> Result<String, String> {
        said(&mut self.command(arguments))
    }

    /// The same, where it must not fail
    pub(crate) fn compose(&self, arguments: &[&str]) -> String {
        self.try_compose(arguments).unwrap_or_else(|error| panic!("docker-compose {arguments:?}: {error}"))
    }

    /// `docker-compose` for this project
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker-compose");
        // Where it looks for .env, and what it would otherwise call the project after
        command.arg("--project-directory").arg(self.files[0].parent().unwrap_or(Path::new("/")));
        command.args(["--project-name", &self.name]);
        command.args(self.files.iter().flat_map(|file| [Path::new("--file"), file]));
        command.args(arguments).envs(self.variable.clone());
        command
    }

    /// The container of a service; `None` if there is none, running or not
    pub(crate) fn find(&self, service: &str) -> Option<String> {
        // `docker-compose ps --quiet` fails for a service that has none.
        let label = |key: &str, value: &str| format!("--filter=label=com.docker.compose.{key}={value}");
        let found =
            docker(["ps", "--all", "--quiet", &label("project", &self.name), &label("service", service)]).output();
        let found = String::from_utf8(found.unwrap().stdout).unwrap();
        found.lines().next().map(str::to_owned)
    }

    /// The container of a service, which must be there
    pub(crate) fn container(&self, service: &str) -> String {
        self.find(service).unwrap_or_else(|| panic!("no container of {service}"))
    }

    fn report(&self) -> String {
        let all =
            docker(["ps", "--all", "--quiet", &format!("--filter=label=com.docker.compose.project={}", self.name)]);
        let all = { all }.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        all.unwrap_or_default().lines().map(report).collect()
    }
}

impl Drop for Project {
    #[expect(clippy::print_stderr, reason = "the test's own report")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.report());
        }
        let down = ["down", "--volumes", "--rmi=local", "--remove-orphans", "--timeout=0"];
        let _ = self.command(&down).output();
    }
}
