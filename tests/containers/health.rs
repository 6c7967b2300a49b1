//! A sidecar's health, as its image asks for it by the sidecar's own `probe`, gates a service and tells of a loop that stalls.

use crate::{
    container::{inspect, log},
    engine::ask,
    image::BUSYBOX,
    project::Project,
};
use harness::until;

#[test]
fn a_service_starts_only_once_the_sidecar_is_healthy_and_a_stalled_loop_is_unhealthy() {
    let project = Project::of(&["tests/containers/health.yaml"]);
    project.compose(&["up", "--no-start"]);
    let [sidecar, app] = ["sidecar", "app"].map(|service| project.container(service));
    tell(&sidecar, "touch /signals/stall");
    let refusal = project.try_compose(&["up", "--detach"]).expect_err("the app must not start");
    assert!(refusal.contains("unhealthy"), "{refusal}");
    assert_eq!((state(&app), health(&sidecar)), ("created".into(), "unhealthy".into()));

    tell(&sidecar, "rm /signals/stall");
    until("the sidecar is healthy", || (health(&sidecar) == "healthy").then_some(()));
    project.compose(&["up", "--detach"]);
    assert_eq!(state(&app), "running", "{}", log(&app));

    tell(&sidecar, "touch /signals/stall");
    until("the sidecar is unhealthy again", || (health(&sidecar) == "unhealthy").then_some(()));
    let answers = inspect(&sidecar, "/State/Health/Log").to_string();
    assert!(answers.contains("[-]work failed"), "{answers}");
}

fn state(container: &str) -> String {
    inspect(container, "/State/Status").as_str().unwrap().to_owned()
}

fn health(container: &str) -> String {
    inspect(container, "/State/Health/Status").as_str().unwrap().to_owned()
}

/// Runs a command in the sidecar's volume: its image has no shell.
fn tell(sidecar: &str, command: &str) {
    ask(["run", "--rm", "--network=none", &format!("--volumes-from={sidecar}"), BUSYBOX, "sh", "-c", command]);
}
