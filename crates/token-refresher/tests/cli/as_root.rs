//! Users of a pod, and the volumes that they share.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
};

use harness::{Program, with_own_mounts};

use crate::support::refresher;

/// The user of the helper, that of the app, the group that both are in (an `fsGroup`), and a user of neither
const HELPER: u32 = 65532;
const APP: u32 = 1000;
const SHARED: u32 = 2000;
const STRANGER: u32 = 3000;

/// A volume of a pod on which the helper's binary and configuration can be read by all
struct Pod {
    directory: tempfile::TempDir,
}

impl Pod {
    fn new(outputs: &str) -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        set_mode(directory.path(), 0o755);
        let pod = Self { directory };
        let copied =
            Command::new("cp").arg(env!("CARGO_BIN_EXE_token-refresher")).arg(pod.path("token-refresher")).status();
        assert!(copied.unwrap().success());
        fs::write(pod.path("in"), "s3cr3t").unwrap();
        let config = format!("secrets:\n- name: token\n  source: {{file: {{path: @/in}}}}\n  outputs:\n{outputs}");
        let config = config.replace('@', pod.directory.path().to_str().unwrap());
        fs::write(pod.path("secrets.yaml"), config).unwrap();
        fs::create_dir(pod.path("run")).unwrap();
        pod
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The helper as an ordinary user with a group of the pod
    fn start(&self) -> Program {
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={HELPER}"), format!("--regid={HELPER}"), format!("--groups={SHARED}")]);
        command.args(["--no-new-privs", "--bounding-set=-all", "--"]).arg(self.path("token-refresher"));
        Program::start(
            command.env_clear().arg("--config").arg(self.path("secrets.yaml")).arg("--health-addr=127.0.0.1:0"),
        )
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Whether a process of this user reads the secret.
fn reads(user: u32, groups: &str, path: &Path) -> bool {
    let mut cat = Command::new("setpriv");
    cat.args([format!("--reuid={user}"), format!("--regid={user}"), groups.to_owned(), "cat".into()]).arg(path);
    let output = cat.output().unwrap();
    output.status.success() && output.stdout == b"s3cr3t"
}

fn is_there(path: &Path) {
    harness::until("the file is there", || path.exists().then_some(()));
}

#[test]
fn the_app_reads_by_its_group_and_nobody_else_does() {
    // A memory emptyDir, a plain one, and both with an fsGroup.
    for (mode, group) in [(0o1777, 0), (0o777, 0), (0o3777, SHARED), (0o2777, SHARED)] {
        let named = if group == 0 { "    group: 2000\n" } else { "" };
        let pod = Pod::new(&format!(
            "  - file: @/run/app/token\n    mode: \"0440\"\n{named}  - directory: @/run/db\n    mode: \"0440\"\n{named}    \
             files: [{{name: password}}]\n"
        ));
        chown(pod.path("run"), Some(0), Some(group)).unwrap();
        set_mode(&pod.path("run"), mode);
        let _refresher = pod.start();
        for path in [pod.path("run/app/token"), pod.path("run/db/password")] {
            is_there(&path);
            assert!(reads(APP, &format!("--groups={SHARED}"), &path), "{mode:o}: {}", path.display());
            assert!(!reads(STRANGER, "--clear-groups", &path), "{mode:o}: {}", path.display());
            assert!(!reads(APP, "--clear-groups", &path), "{mode:o}: {}", path.display());
            let replaced = Command::new("setpriv")
                .args([
                    format!("--reuid={APP}"),
                    format!("--groups={SHARED}"),
                    format!("--regid={SHARED}"),
                    "rm".into(),
                    "-f".into(),
                ])
                .arg(&path)
                .output();
            assert!(!replaced.unwrap().status.success(), "{mode:o}: the app removed {}", path.display());
        }
    }
}

#[test]
fn a_place_that_cannot_be_says_what_to_do() {
    for (mode, output, remedy) in [
        (0o777, "file: @/run/token", "@/run and replace the file: name a sub-directory, such as @/run/app/token"),
        (0o1777, "directory: @/run, files: [{name: token}]", "name a sub-directory, such as @/run/db"),
        (0o1777, "file: @/run/app/token, owner: 1000", "another `owner` needs the capability CHOWN"),
        (0o755, "file: @/run/app/token", "let this container's user write to the directory"),
    ] {
        let pod = Pod::new(&format!("  - {{{output}}}\n"));
        set_mode(&pod.path("run"), mode);
        let line = pod.start().wait_for_line(&remedy.replace('@', pod.directory.path().to_str().unwrap())).to_string();
        assert!(!line.contains("s3cr3t"), "{line}");
        assert!(!reads(HELPER, "--clear-groups", &pod.path("run/token")));
    }
}

#[test]
fn a_secret_that_goes_to_a_disk_is_said_once() {
    with_own_mounts(|| {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["lower", "upper", "work", "disk"] {
            fs::create_dir(path(name)).unwrap();
        }
        // No memory as far as the kernel says.
        let shown = directory.path().display();
        let options = format!("lowerdir={shown}/lower,upperdir={shown}/upper,workdir={shown}/work");
        let mut mount = Command::new("mount");
        mount.args(["-t", "overlay", "-o", &options, "overlay"]).arg(path("disk"));
        assert!(mount.status().unwrap().success());
        fs::write(path("in"), "s3cr3t").unwrap();
        let config = format!(
            "secrets:\n- name: token\n  source: {{file: {{path: {shown}/in}}}}\n  outputs:\n  - file: {shown}/memory/token\n  \
             - file: {shown}/disk/app/token\n"
        );
        fs::write(path("secrets.yaml"), config).unwrap();
        let mut helper = Program::start(
            refresher()
                .arg("--config")
                .arg(path("secrets.yaml"))
                .args(["--health-addr=127.0.0.1:0", "--log-format=json"]),
        );
        let message = "a secret goes to a disk; an emptyDir with medium: Memory keeps it off";
        let line = helper.wait_for_message(message);
        assert_eq!(line["kind"], "overlay");
        assert_eq!(line["path"], format!("{shown}/disk/app/token"));
        is_there(&path("disk/app/token"));
        helper.signal(harness::Signal::TERM);
        let ended = helper.end();
        assert_eq!(ended.messages(message).len(), 1);
        assert!(!ended.everything().contains("s3cr3t"));
    });
}
