//! `file://`: is there, is large enough, has settled, has this mode, may be seen.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use tempfile::TempDir;

use crate::support::{Program, namespace, proof, reason, run, wait_for};

/// A directory with a file of five bytes, and the file's URL.
fn file() -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ready");
    fs::write(&path, "12345").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let url = format!("file://{}", path.display());
    (directory, url)
}

#[test]
fn a_file_that_is_there_is_ready() {
    let (_directory, url) = file();
    assert_eq!(proof(&[&url]), "5 bytes");
}

#[test]
fn a_file_that_appears_late_is_ready() {
    let (directory, url) = file();
    let path = directory.path().join("ready");
    fs::remove_file(&path).unwrap();
    let mut program = Program::start(&mut wait_for(&[&url]));
    program.wait_for_reason("no such file");
    fs::write(&path, "").unwrap();
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_path_that_leads_through_a_file_is_no_file() {
    let (_directory, url) = file();
    assert_eq!(reason(&[&format!("{url}/below")]), "no such file");
}

#[test]
fn a_file_below_the_wanted_size_is_not_ready() {
    let (_directory, url) = file();
    assert_eq!(proof(&[&format!("{url}#min-size=5")]), "5 bytes");
    assert_eq!(reason(&[&format!("{url}#min-size=1KiB")]), "smaller than 1024 bytes");
}

#[test]
fn a_file_of_another_mode_is_not_ready() {
    let (_directory, url) = file();
    assert_eq!(proof(&[&format!("{url}#mode=0640")]), "5 bytes");
    assert_eq!(reason(&[&format!("{url}#mode=600")]), "mode is 0640, not 0600");
}

#[test]
fn a_file_must_be_seen_unchanged_for_as_long_as_asked() {
    let (_directory, url) = file();
    assert_eq!(reason(&[&format!("{url}#settled=1h")]), "still changing");
    let ended = run(&[&format!("{url}#settled=200ms")]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    // However old it is, one look can't tell that it does not grow.
    assert_eq!(ended.message("not ready")["reason"], "still changing");
}

#[test]
fn a_directory_that_may_not_be_entered_is_denied() {
    let (directory, url) = file();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o000)).unwrap();
    let ended = Program::start(&mut without_privileges(&[&url])).end();
    ended.ended_with(77, &format!(r#"reason=denied what="{url}" last="permission denied""#));
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

/// wait-for as one to whom permissions apply: root may enter any directory.
fn without_privileges(arguments: &[&str]) -> Command {
    let inside = wait_for(arguments);
    if !namespace::is_root() {
        return inside;
    }
    let mut command = Command::new("setpriv");
    command.env_clear().args(["--bounding-set", "-dac_override,-dac_read_search", "--"]);
    command.arg(inside.get_program()).args(inside.get_args());
    command
}
