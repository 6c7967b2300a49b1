//! `--state-dir`: what an earlier start wrote is used again.

use std::{fs, path::Path};

use harness::{Program, Signal, http};

use crate::{
    issuer::Issuer,
    support::{Refresher, assert_silence, configured, once, read, until_content},
};

fn config(directory: &Path, issuer: &Issuer) -> String {
    let (path, source) = (directory.display(), issuer.source());
    format!(
        "secrets:\n- name: token\n  source: {source}\n  outputs:\n  - file: {path}/out\n  - directory: {path}/set\n    files: [{{name: a}}, {{name: b.env, format: dotenv, keys: {{TOKEN: value}}}}]\n  tell: [{{touch: {path}/told}}]\n"
    )
}

fn state(directory: &Path) -> String {
    format!("--state-dir={}", directory.join("state").display())
}

#[test]
fn the_sidecar_uses_what_the_init_container_fetched() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    let (config, state) = (config(path, &issuer), state(path));
    assert_eq!(once(path, &config, &[&state]).code, Some(0));
    let refresher = Refresher::start_with(path, &config, &[&state]);
    http::until_status(refresher.health, "/readyz", 200);
    assert!(refresher.check("token").contains("fresh, 9m left"), "{}", refresher.check("token"));
    let ended = refresher.stop();
    ended.message("the value of an earlier start is used");
    assert_eq!((issuer.calls().len(), read(&path.join("out"))), (1, Issuer::token(1)));
    assert!(!path.join("told").exists(), "nothing has changed");
}

#[test]
fn a_killed_sidecar_is_followed_by_one_that_goes_on() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    let (config, state) = (config(path, &issuer), state(path));
    let first = Refresher::start_with(path, &config, &[&state]);
    http::until_status(first.health, "/readyz", 200);
    first.program.signal(Signal::KILL);
    assert_silence(&first.program.end(), path);
    let second = Refresher::start_with(path, &config, &[&state]);
    http::until_status(second.health, "/readyz", 200);
    second.stop();
    assert_eq!(issuer.calls().len(), 1);
}

#[test]
fn a_file_or_a_state_that_is_not_as_it_was_leads_to_a_call() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    let (config, state) = (config(path, &issuer), state(path));
    let file = path.join("state/token-refresher/token.json");
    let calls_after = |change: &dyn Fn()| {
        assert_eq!(once(path, &config, &[&state]).code, Some(0));
        let before = issuer.calls().len();
        change();
        assert_eq!(once(path, &config, &[&state]).code, Some(0));
        until_content(&path.join("out"), &Issuer::token(issuer.tokens()));
        issuer.calls().len() - before
    };
    assert_eq!(calls_after(&|| ()), 0);
    assert_eq!(calls_after(&|| fs::remove_file(path.join("out")).unwrap()), 0, "the set still has it");
    assert_eq!(
        calls_after(&|| {
            fs::remove_file(path.join("out")).unwrap();
            fs::remove_dir_all(path.join("set")).unwrap();
        }),
        1
    );
    let overwrite = |text: &str| fs::write(&file, text).unwrap();
    for text in ["", "{}", "[1]", "\u{0}", &"x".repeat(100_000)] {
        assert_eq!(calls_after(&|| overwrite(text)), 1, "{text:.20}");
    }
    let edited = |from: &str, to: &str| overwrite(&read(&file).replace(from, to));
    assert_eq!(calls_after(&|| edited("\"life\":600.0", "\"life\":1e99")), 1);
    assert_eq!(calls_after(&|| edited("\"digest\":\"", "\"digest\":\"0")), 1);
    assert_eq!(
        calls_after(&|| {
            fs::remove_file(&file).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
        }),
        1
    );
}

#[test]
fn another_source_is_asked() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let (path, state) = (directory.path(), state(directory.path()));
    assert_eq!(once(path, &config(path, &issuer), &[&state]).code, Some(0));
    let other = config(path, &issuer).replace("/token\"", "/other\"");
    assert_eq!(once(path, &other, &[&state]).code, Some(0));
    assert_eq!(issuer.calls().len(), 2);
}

#[test]
fn two_refreshers_do_not_share_a_state() {
    let (directory, issuer) = (tempfile::tempdir().unwrap(), Issuer::start(600));
    let path = directory.path();
    let (config, state) = (config(path, &issuer), state(path));
    let first = Refresher::start_with(path, &config, &[&state]);
    http::until_status(first.health, "/readyz", 200);
    let second = Program::start(configured(path, &config).args(["--once", &state])).end();
    assert_silence(&second, path);
    second.ended_with(69, "reason=unavailable last=\"cannot use --state-dir");
    first.stop();
    assert_eq!(issuer.calls().len(), 1);
}
