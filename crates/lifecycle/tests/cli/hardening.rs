//! A helper that handles secrets keeps them away from others.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::{Program, http, once, sidecar};

/// The lines of a file of this program's folder in `/proc` that begin with `start`
fn line_of(program: &Program, file: &str, start: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/{file}", program.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with(start)).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn it_leaves_no_core_dump_and_no_file_that_others_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("created");
    let flags = ["--health-addr", "127.0.0.1:0", "--created", file.to_str().unwrap()];
    let mut program = Program::start(&mut once(&flags));
    http::until_status(program.address("health"), "/readyz", 200);
    assert_eq!(line_of(&program, "limits", "Max core file size"), "Max core file size 0 0 bytes");
    assert_eq!(line_of(&program, "status", "Umask"), "Umask: 0077");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn another_helper_stays_as_it_was_started() {
    let mut program = Program::start(&mut sidecar(&[]));
    http::until_status(program.address("health"), "/readyz", 200);
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find(|line| line.starts_with("Umask")).unwrap().replace('\t', " ");
    assert_eq!(line_of(&program, "status", "Umask"), own);
}

mod as_root {
    use std::{fs::File, os::unix::fs::MetadataExt, os::unix::process::CommandExt};

    use super::*;

    /// Any user but root
    const USER: u32 = 64_321;

    #[test]
    fn its_user_cannot_look_into_it_and_its_own_metrics_still_can() {
        let mut program = Program::start(once(&["--health-addr", "127.0.0.1:0"]).uid(USER).gid(USER));
        let address = program.address("health");
        http::until_status(address, "/readyz", 200);
        // The kernel gives the folder of a process that is not dumpable to root: proc(5).
        let environment = File::open(format!("/proc/{}/environ", program.id())).unwrap();
        assert_eq!(environment.metadata().unwrap().uid(), 0);
        let metrics = http::get(address, "/metrics").body;
        for name in ["process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds"] {
            let line =
                metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {metrics}"));
            assert!(!line.ends_with(" 0"), "{line}");
        }
    }
}
