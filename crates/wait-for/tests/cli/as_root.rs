//! What only root can set up: a mount whose server is gone.

use harness::{HungMount, with_own_mounts};
use tempfile::TempDir;

use crate::support::{
    Program, Signal,
    http::{Http, status},
    run, wait_for,
};

#[test]
fn a_mount_whose_server_is_gone_outlasts_no_deadline_and_stops_no_other_target() {
    with_own_mounts(|| {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("mnt");
        let _mount = HungMount::new(&path);
        let server = Http::start(|_| status("404 No"));
        let targets = [
            format!("file://{}/ready", path.display()),
            format!("unix://{}/app.sock", path.display()),
            format!("http://app@127.0.0.1:1/#password-file={}/password", path.display()),
            format!("https://127.0.0.1:1/#ca={}/ca.pem", path.display()),
            format!("redis://127.0.0.1:1#password-file={}/password", path.display()),
        ];
        let mut arguments = vec!["--timeout", "3s", "--attempt-timeout", "2500ms", "--output", "json"];
        arguments.extend(targets.iter().map(String::as_str));
        let other = server.url("/");
        arguments.push(&other);
        let ended = run(&arguments);
        ended.ended_with(124, "reason=timed-out");
        let json = ended.json();
        let row = |nth: usize| &json["targets"][nth];
        assert!(row(5)["attempts"].as_u64() > Some(5), "{json:#}");
        for nth in [2, 3, 4] {
            let reason = row(nth)["last"].as_str().unwrap();
            assert!(reason.ends_with("does not answer: is its server gone?"), "{json:#}");
        }
        let mut program = Program::start(&mut wait_for(&["--attempt-timeout", "200ms", &targets[0]]));
        program.wait_for_reason("no answer within 200ms");
        program.signal(Signal::TERM);
        assert_eq!(program.end().code, Some(143));
        let config = format!("{}/config.yaml", path.display());
        let ended = run(&["--timeout", "500ms", "--config", &config]);
        ended.ended_with(124, "reason=timed-out");
    });
}
