//! `token-refresher explain`: the plan, the places and the apps, without a call and without a secret.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use harness::{Ended, Program, with_own_mounts};

use crate::support::{MARK, assert_silence, configured, refresher};

fn explain(directory: &Path, config: &str) -> Ended {
    let ended = Program::start(configured(directory, config).arg("explain")).end();
    assert_silence(&ended, directory);
    ended
}

/// A directory in memory, which its owner alone can write to
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

#[test]
fn it_says_order_sources_times_places_and_apps() {
    let directory = directory();
    let path = directory.path();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    fs::write(path.join("in"), MARK).unwrap();
    let shown = path.display();
    let url = format!("http://user:{MARK}@127.0.0.1:{port}");
    let config = format!(
        "secrets:
- name: db
  source: {{vault-kv: {{url: '{url}/', login: {{token: {{secret: login}}}}, path: secret/db}}}}
  refresh-every: 1m
  on-expired: delete
  outputs:
  - directory: {shown}/run/db
    mode: \"0440\"
    group: 2000
    files: [{{name: user, value: user}}, {{name: password, value: password}}]
  tell:
  - {{signal: HUP, process: told-never}}
  - {{request: '{url}/reload?key={MARK}', method: POST}}
  - {{touch: {shown}/changed}}
- name: login
  source: {{vault-login: {{url: '{url}/#header=X-A: {MARK}', login: {{approle: {{role-id: {MARK}, secret-id: {{file: {shown}/in}}}}}}}}}}
- name: api
  source: {{http: {{url: '{url}/token?key={MARK}', headers: {{X-Key: {MARK}}}, value: /token}}}}
  refresh-at: 0.5
  on-expired: unready
  outputs: [{{file: {shown}/api}}]
- name: copy
  source: {{file: {{path: {shown}/in}}}}
"
    );
    let ended = explain(path, &config);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    server.set_nonblocking(true).unwrap();
    assert!(server.accept().is_err(), "it asked a server");
    assert!(!path.join("run").exists(), "it made a directory");
    let text = ended.stdout.replace(&shown.to_string(), "DIR").replace(&port.to_string(), "PORT");
    let snapshots = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/snapshots");
    harness::assert_snapshot(Path::new(snapshots), "explain", &text);
}

#[test]
fn a_file_that_cannot_be_read_and_a_wrong_configuration_are_said() {
    let directory = directory();
    let path = directory.path();
    let config = format!("secrets: [{{name: a, source: {{file: {{path: {}/none}}}}}}]\n", path.display());
    let ended = explain(path, &config);
    ended.ended_with(65, "reason=data last=\"secret a reads");
    assert!(ended.stdout.contains("none, which cannot be read: no such file"), "{}", ended.stdout);
    let ended = explain(path, &config.replace("none", ""));
    assert!(ended.code == Some(65) && ended.stdout.contains("it is not a regular file"), "{ended:#?}");
    // A relative path may be a value in the wrong place.
    let ended = explain(path, &format!("secrets: [{{name: a, source: {{file: {{path: {MARK}}}}}}}]\n"));
    assert!(ended.code == Some(65) && ended.stdout.contains("a file with a relative path"), "{ended:#?}");
    assert_eq!(explain(path, &format!("secrets: [{{name: {MARK}!}}]\n")).code, Some(78));
    assert_eq!(Program::start(refresher().arg("explain")).end().code, Some(64));
    assert_eq!(Program::start(refresher().args(["explain", "--config", "/none"])).end().code, Some(78));
}

mod as_root {
    use std::process::Command;

    use super::*;

    fn config(path: &Path, output: &str) -> String {
        fs::write(path.join("in"), MARK).unwrap();
        let shown = path.display();
        format!("secrets: [{{name: a, source: {{file: {{path: {shown}/in}}}}, outputs: [{{{output}}}]}}]\n")
            .replace('@', &shown.to_string())
    }

    #[test]
    fn a_place_that_others_can_change_is_refused() {
        let directory = directory();
        let path = directory.path();
        fs::create_dir(path.join("run")).unwrap();
        fs::set_permissions(path.join("run"), fs::Permissions::from_mode(0o777)).unwrap();
        let ended = explain(path, &config(path, "file: @/run/token"));
        assert_eq!(ended.code, Some(65), "{ended:#?}");
        let said = format!("name a sub-directory, such as {}/run/app/token", path.display());
        assert!(ended.stdout.contains("\n  refused: ") && ended.stdout.contains(&said), "{}", ended.stdout);
        assert_eq!(explain(path, &config(path, "file: @/run/app/token")).code, Some(0));
        assert_eq!(fs::read_dir(path.join("run")).unwrap().count(), 0, "it made something");
    }

    #[test]
    fn mounts_are_named_and_a_file_that_is_one_is_refused() {
        with_own_mounts(|| {
            let directory = directory();
            let path = directory.path();
            let mount = |arguments: &[&str], target: &str| {
                assert!(Command::new("mount").args(arguments).arg(path.join(target)).status().unwrap().success());
            };
            for name in ["ram", "lower", "upper", "work", "disk", "bound"] {
                fs::create_dir(path.join(name)).unwrap();
            }
            mount(&["-t", "ramfs", "-o", "mode=0755", "ramfs"], "ram");
            let shown = path.display();
            let layers = format!("lowerdir={shown}/lower,upperdir={shown}/upper,workdir={shown}/work");
            mount(&["-t", "overlay", "-o", &layers, "overlay"], "disk");
            for (name, kind) in [("ram", "ramfs, in memory"), ("disk", "overlay, not in memory")] {
                let ended = explain(path, &config(path, &format!("file: @/{name}/later/token, mode: \"0440\"")));
                assert_eq!(ended.code, Some(0), "{ended:#?}");
                let said =
                    format!("{shown}/{name}/later/token (0440, user of the helper, group of the volume, {kind})");
                assert!(ended.stdout.contains(&said), "{}", ended.stdout);
            }
            fs::write(path.join("bound/token"), "").unwrap();
            let source = path.join("in");
            fs::write(&source, MARK).unwrap();
            mount(&["--bind", source.to_str().unwrap()], "bound/token");
            let ended = explain(path, &config(path, "file: @/bound/token"));
            assert_eq!(ended.code, Some(65), "{ended:#?}");
            assert!(ended.stdout.contains("a mount of its own") && ended.stdout.contains("write: in-place"));
            assert_eq!(explain(path, &config(path, "file: @/bound/token, write: in-place")).code, Some(0));
        });
    }
}
