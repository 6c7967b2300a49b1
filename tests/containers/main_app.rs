//! examples/compose/main-app.yaml: the app starts once the database takes logins and the volume is its own.

use harness::until;
use serde_json::json;

use crate::{
    container::{beside, inspect, log, says, status_of_pid_one},
    engine::ask,
    image::BUSYBOX,
    project::Project,
};

const FILE: &str = "examples/compose/main-app.yaml";
const CHECK: &str = "init-check-db";
const PERMISSIONS: &str = "init-permissions";
const APP: &str = "main-app";
/// No capability at all, in /proc/PID/status
const NONE: &str = "0000000000000000";

#[test]
fn the_app_starts_after_a_late_database_and_its_volume_is_its_own() {
    let project = Project::of(&[FILE]);
    project.compose(&["up", "--detach", CHECK]);
    let check = project.container(CHECK);
    says(&check, "not ready");
    assert_eq!(project.find(APP), None, "nothing but what was asked for");
    is_hardened(&check, "65532");

    project.compose(&["up", "--detach"]);
    let app = project.container(APP);
    for init in [CHECK, PERMISSIONS] {
        let init = project.container(init);
        assert_eq!(inspect(&init, "/State/ExitCode"), 0, "{}", log(&init));
        let (finished, started) = (time(&init, "FinishedAt"), time(&app, "StartedAt"));
        assert!(finished <= started, "main-app started at {started}, before {finished}");
    }
    assert_eq!(project.container(CHECK), check, "the wait that has begun before the database was there has gone on");
    is_hardened(&app, "1000");
    writes_to_its_volume(&app);
    let permissions = project.container(PERMISSIONS);
    assert_eq!(inspect(&permissions, "/HostConfig/ReadonlyRootfs"), true);
    assert_eq!(inspect(&permissions, "/HostConfig/CapDrop"), json!(["ALL"]));
}

#[test]
fn the_app_never_starts_if_the_database_never_comes() {
    let project = Project::of(&[FILE, "tests/containers/no-database.yaml"]);
    let refusal = project.try_compose(&["up", "--detach", APP]).expect_err("the app must not start");
    assert!(refusal.contains("124"), "{refusal}");
    let check = project.container(CHECK);
    assert_eq!(inspect(&check, "/State/ExitCode"), 124, "{}", log(&check));
    if let Some(app) = project.find(APP) {
        assert_eq!(inspect(&app, "/State/Status"), "created");
    }
}

/// Fails unless the first process runs as this user, with no capability and no way to more, on a root that it can't change.
pub(crate) fn is_hardened(container: &str, user: &str) {
    assert_eq!(inspect(container, "/HostConfig/ReadonlyRootfs"), true);
    assert_eq!(inspect(container, "/HostConfig/CapDrop"), json!(["ALL"]));
    let status = |field| status_of_pid_one(container, field);
    assert_eq!((status("Uid"), status("Gid")), (user.to_owned(), user.to_owned()));
    assert_eq!(["CapPrm", "CapEff", "CapBnd", "CapAmb"].map(status), [NONE; 4]);
    assert_eq!(status("NoNewPrivs"), "1");
    let root = beside(container, "grep ' / / ' /proc/1/mountinfo");
    assert!(root.contains(" / / ro,"), "{root}");
}

/// In the container's own user and volumes: /data takes a file, which belongs to 1000.
fn writes_to_its_volume(app: &str) {
    let volumes = format!("--volumes-from={app}");
    let user = inspect(app, "/Config/User");
    let write = "touch /data/written && stat -c '%u:%g' /data/written && stat -c '%u:%g %a' /data";
    let options = ["--rm", "--network=none", "--cap-drop=ALL", &volumes, "--user", user.as_str().unwrap()];
    let said = ask([&["run"], &options[..], &[BUSYBOX, "sh", "-c", write]].concat());
    assert_eq!(said, "1000:1000\n1000:1000 750");
}

/// A time of a container's state, so written that the order of texts is the order in time
fn time(container: &str, key: &str) -> String {
    let time = until(&format!("{container} has its {key}"), || {
        let time = inspect(container, &format!("/State/{key}")).as_str().unwrap().to_owned();
        // Docker's word for never
        (!time.starts_with("0001")).then_some(time)
    });
    let (seconds, fraction) = time.trim_end_matches('Z').split_once('.').unwrap_or((&time, "0"));
    format!("{seconds}.{fraction:0<9}")
}
