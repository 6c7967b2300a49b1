//! A FIFO, which blocks a program that opens it.

use std::process::Command;

use tempfile::TempDir;

/// A FIFO that has no writer, so that opening it for reading blocks. It is removed with the directory.
#[track_caller]
pub fn fifo() -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("fifo").display().to_string();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success(), "mkfifo {path}");
    (directory, path)
}
