//! examples/compose/become-the-app: the app's image brings wait-for along, and wait-for becomes the app.

use crate::{
    container::{beside, inspect, log, says},
    engine::{ask, docker, said},
    image::BUSYBOX,
    main_app::is_hardened,
    project::Project,
};
use harness::until;

const FILE: &str = "examples/compose/become-the-app/compose.yaml";
const APP: &str = "main-app";
/// The user of the app's image
const USER: &str = "101";
/// Seconds: an app that does not end by itself is 137.
const GRACE: &str = "5";

#[test]
fn the_first_process_becomes_the_app_and_ends_as_the_app_does() {
    let project = Project::of(&[FILE]);
    project.compose(&["build"]);
    project.compose(&["up", "--detach", APP]);
    let app = project.container(APP);
    says(&app, "not ready");
    assert_eq!(first_process(&app), "wait-for");

    project.compose(&["up", "--detach", "db"]);
    until("the app answers", || answers(&app).then_some(()));
    assert_eq!((first_process(&app).as_str(), inspect(&app, "/RestartCount")), ("nginx", 0.into()));
    is_hardened(&app, USER);
    ask(["stop", "--time", GRACE, &app]);
    assert_eq!(inspect(&app, "/State/ExitCode"), 0, "{}", log(&app));
}

fn first_process(container: &str) -> String {
    beside(container, "cat /proc/1/comm")
}

/// Whether a web server on port 8080 of the container answers
fn answers(container: &str) -> bool {
    let network = format!("--network=container:{container}");
    said(&mut docker(["run", "--rm", &network, BUSYBOX, "wget", "-q", "-O", "-", "http://127.0.0.1:8080/"])).is_ok()
}
