//! The same binaries make the same image, wherever and by whomever they are built.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use crate::{
    archive::unpack_binaries,
    engine::said,
    image::{OURS, workspace},
};

/// The recipes and the binaries, copied: in another directory, under another umask, with other times
const BUILD: &str = r#"
    set -e
    umask "$1"
    cp -r "$2/images" "$2/Cargo.toml" "$3/." .
    find . -exec touch --date "$4" {} +
    images/build . built "${@:5}"
"#;

#[test]
fn two_builds_in_two_directories_give_the_same_bytes() {
    let (one, other) = (TempDir::with_prefix("one-").unwrap(), TempDir::with_prefix("the-other-").unwrap());
    build(one.path(), "022", "2001-02-03");
    build(other.path(), "077", "2020-01-01");
    for helper in OURS {
        let archive = |directory: &TempDir| fs::read(directory.path().join(format!("built/{helper}.tar"))).unwrap();
        assert!(archive(&one) == archive(&other), "{helper}.tar is not the same");
    }
}

/// Then the binaries do not depend on it either.
#[test]
fn no_binary_knows_where_it_was_built() {
    let binaries = unpack_binaries();
    let places = [workspace().to_str().unwrap().to_owned(), home()];
    for helper in OURS {
        let binary = fs::read(binaries.path().join(helper)).unwrap();
        for place in &places {
            let found = binary.windows(place.len()).any(|bytes| bytes == place.as_bytes());
            assert!(!found, "{helper} holds {place}");
        }
    }
}

/// Cargo's, with the sources of all dependencies
fn home() -> String {
    let mut shell = Command::new("bash");
    shell.args(["-c", "echo -n ${CARGO_HOME:-$HOME/.cargo}"]);
    said(&mut shell).unwrap_or_else(|error| panic!("{error}"))
}

fn build(directory: &Path, umask: &str, date: &str) {
    let binaries = unpack_binaries();
    let mut shell = Command::new("bash");
    shell.args(["-c", BUILD, "bash", umask]).arg(workspace()).arg(binaries.path()).arg(date).args(OURS);
    said(shell.current_dir(directory)).unwrap_or_else(|error| panic!("{error}"));
}
