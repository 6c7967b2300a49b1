//! examples/compose/log-forwarder: what nginx writes to the volume is at the collector, also after the forwarder was killed.

use harness::until;
use serde_json::Value;

use crate::{
    container::{inspect, log, says},
    engine::ask,
    image::BUSYBOX,
    main_app::is_hardened,
    project::Project,
};

const FILE: &str = "examples/compose/log-forwarder/compose.yaml";

#[test]
fn the_log_of_the_example_is_delivered_and_a_killed_forwarder_goes_on_where_it_was() {
    let project = Project::of(&[FILE]);
    project.compose(&["up", "--detach", "--build"]);
    let [web, forwarder, collector] = ["web", "log-forwarder", "collector"].map(|service| project.container(service));
    assert_eq!(inspect(&forwarder, "/State/Health/Status"), "healthy", "{}", log(&forwarder));
    is_hardened(&forwarder, "65532");
    visit(&web, "/first");
    says(&collector, "GET /first");

    until("what was delivered is saved", || (saved_position(&forwarder)? == written(&web).len()).then_some(()));
    ask(["kill", "--signal=KILL", &forwarder]);
    visit(&web, "/second");
    ask(["start", &forwarder]);
    says(&collector, "GET /second");

    visit(&web, "/third");
    project.compose(&["stop"]);
    assert_eq!(inspect(&forwarder, "/State/ExitCode"), 0, "{}", log(&forwarder));
    says(&forwarder, "ledger: ");
    let delivered = log(&collector);
    assert!(delivered.contains("GET /third"), "{delivered}");
    let lines = |text: &str| text.matches(" 404 153 ").count();
    assert_eq!(lines(&delivered), lines(&written(&web)), "a line came twice, or not at all: {delivered}");
}

/// Asks nginx for a path that is not there.
fn visit(web: &str, path: &str) {
    let shared = format!("--network=container:{web}");
    let ask_nginx = format!("timeout 5 wget -q -O - http://127.0.0.1:8080{path}; true");
    until("nginx answers", || {
        ask(["run", "--rm", &shared, BUSYBOX, "sh", "-c", &ask_nginx]);
        written(web).contains(path).then_some(())
    });
}

/// What nginx has written
fn written(web: &str) -> String {
    beside(web, "cat /var/log/nginx/access.log") + "\n"
}

/// How much of that the checkpoint says is delivered; `None` while it says nothing
fn saved_position(forwarder: &str) -> Option<usize> {
    let checkpoint: Value = serde_json::from_str(&beside(forwarder, "cat /state/checkpoint.json")).ok()?;
    let files = checkpoint["files"].as_array()?;
    let access = files.iter().find(|file| file["path"] == "/var/log/nginx/access.log")?;
    access["cursors"][0]["position"].as_u64()?.try_into().ok()
}

/// The output of a command in the volumes of a container
fn beside(container: &str, command: &str) -> String {
    let volumes = format!("--volumes-from={container}");
    ask(["run", "--rm", "--network=none", &volumes, BUSYBOX, "sh", "-c", command])
}
