//! What only root can show: owners, mounts, capabilities. `make test` leaves these out without root, and says how many.

mod agreement;
mod denied;
mod file_systems;
mod links;
mod policy;
mod privileges;
mod races;
mod shapes;
mod wanted;

use std::{path::Path, process::Command};

/// Whoever gets here without root is told what to do.
#[track_caller]
fn need_root() {
    assert!(harness::is_root(), "this test needs root: `make test` leaves it out elsewhere and says so");
}

/// Mounts something in the mount namespace of the test; an empty source is left out.
#[track_caller]
fn mount(options: &[&str], source: &Path, target: &Path) {
    let mut command = Command::new("mount");
    command.args(options).args(Some(source).filter(|source| !source.as_os_str().is_empty())).arg(target);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}
