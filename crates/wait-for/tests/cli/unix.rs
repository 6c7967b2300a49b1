//! `unix://`: a socket that accepts.

use std::{fs, os::unix::net::UnixListener};

use tempfile::TempDir;

use crate::support::{Program, proof, reason, run, wait_for};

fn path_in(directory: &TempDir) -> String {
    directory.path().join("app.sock").display().to_string()
}

#[test]
fn a_socket_that_accepts_is_ready() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory);
    let _listener = UnixListener::bind(&path).unwrap();
    assert_eq!(proof(&[&format!("unix://{path}")]), "connected");
}

#[test]
fn a_socket_that_appears_late_is_ready() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory);
    let mut program = Program::start(&mut wait_for(&[&format!("unix://{path}")]));
    program.wait_for_reason("no such file");
    // The file that a crashed server left behind accepts nothing.
    drop(UnixListener::bind(&path).unwrap());
    program.wait_for_reason("connection refused");
    fs::remove_file(&path).unwrap();
    let _listener = UnixListener::bind(&path).unwrap();
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_socket_with_a_full_backlog_is_busy() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory);
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = std::os::unix::net::UnixStream::connect(&path).unwrap();
    assert_eq!(reason(&[&format!("unix://{path}")]), "its backlog of connections is full");
    let not = reason(&[&format!("unix://{path}#not")]);
    assert_eq!(not, "not proven gone: its backlog of connections is full");
}

#[test]
fn an_attempt_on_a_socket_says_how_far_it_came() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory);
    let _silent = UnixListener::bind(&path).unwrap();
    let ended = run(&["--timeout", "1s", &format!("http+unix://{path}:/")]);
    assert_eq!(ended.message("missing")["reason"], "connected, no answer yet");
}

#[test]
fn a_path_with_an_at_sign_is_named_whole() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a@b.sock").display().to_string();
    let mut program = Program::start(&mut wait_for(&[&format!("unix://{path}")]));
    let line = program.wait_for_message("not ready");
    assert_eq!(line["target"], format!("unix://{path}"));
}
