//! Apps that are told of new values.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use harness::{http, until};

use crate::support::Refresher;

/// Writes a line at HUP, and one when it listens
const SCRIPT: &str = "trap 'echo HUP >> \"$1\"' HUP\necho listening >> \"$1\"\nwhile :; do sleep 0.02; done\n";

/// An app that ends with its test
struct App {
    child: Child,
    log: PathBuf,
}

impl App {
    /// Starts an app whose process has the name of this path, and waits until it listens.
    fn start(program: &Path, log: &str) -> Self {
        let directory = program.parent().unwrap();
        let (script, log) = (directory.join("app.sh"), directory.join(log));
        if !program.exists() {
            symlink("/bin/sh", program).unwrap();
            fs::write(&script, SCRIPT).unwrap();
        }
        let child = Command::new(program).arg(script).arg(&log).spawn().unwrap();
        let app = Self { child, log };
        until("the app listens", || (app.lines() >= 1).then_some(()));
        app
    }

    fn until_told(&self, times: usize) {
        until("the app is told", || (self.lines() == 1 + times).then_some(()));
    }

    fn lines(&self) -> usize {
        fs::read_to_string(&self.log).unwrap_or_default().lines().count()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The secret's value in a file, whole at once
fn write_value(directory: &Path, value: &str) {
    fs::write(directory.join("next"), value).unwrap();
    fs::rename(directory.join("next"), directory.join("in")).unwrap();
}

fn config(directory: &Path, tell: &str) -> String {
    let path = directory.display();
    format!(
        "secrets:\n- name: token\n  source: {{file: {{path: {path}/in}}}}\n  outputs:\n  - file: {path}/out\n  tell:\n{tell}"
    )
}

#[test]
fn an_app_that_restarts_is_told_of_the_newest_value_once_it_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let (path, name) = (directory.path(), format!("told-{}", std::process::id()));
    write_value(path, "first s3cr3t");
    let app = App::start(&path.join(&name), "one");
    let tell = format!("  - {{signal: HUP, process: {name}}}\n  - touch: {}/changed\n", path.display());
    let mut refresher = Refresher::start(path, &config(path, &tell));
    app.until_told(1);
    write_value(path, "second s3cr3t");
    app.until_told(2);
    assert_eq!(fs::read_to_string(path.join("out")).unwrap(), "second s3cr3t");
    drop(app);
    write_value(path, "third s3cr3t");
    let line = refresher.program.wait_for_message("cannot tell the app yet");
    assert!(line["reason"].as_str().unwrap().contains("shareProcessNamespace: true"), "{line:?}");
    let untold = "sidekit_token_refresher_untold{secret=\"token\",way=\"signal\"}";
    assert!(http::get(refresher.health, "/metrics").body.contains(&format!("{untold} 1\n")));
    // Another way is not held up.
    until("the file is touched", || {
        http::get(refresher.health, "/metrics").body.contains("way=\"touch\"} 3\n").then_some(())
    });
    let app = App::start(&path.join(&name), "two");
    app.until_told(1);
    until("the way is told", || {
        http::get(refresher.health, "/metrics").body.contains(&format!("{untold} 0\n")).then_some(())
    });
    refresher.stop();
}
