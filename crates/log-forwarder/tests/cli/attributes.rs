//! The fields that each record carries: those of the Downward API, and those of `--field`.

use std::fs;

use serde_json::Value;

use crate::support::{Pod, Writer, start, stop};

#[test]
fn records_say_where_they_come_from() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(2);
    fs::write(pod.beside("labels"), "app=\"web\"\napp.kubernetes.io/name=\"the \\\"shop\\\"\"\n").unwrap();
    let output = format!("{}#as=ndjson", pod.file_output());
    let mut command = pod.command(&["--output", &output, "--field", "team=a", "--field", "tier=b=c"]);
    command.arg("--labels-file").arg(pod.beside("labels"));
    let variables =
        [("POD_NAME", "web-1"), ("POD_NAMESPACE", "shop"), ("NODE_NAME", "node-a"), ("CONTAINER_NAME", "nginx")];
    let program = start(command.envs(variables));
    pod.wait_for_lines(2);
    stop(program);
    for line in pod.out().lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        for (name, value) in [
            ("k8s.pod.name", "web-1"),
            ("k8s.namespace.name", "shop"),
            ("k8s.node.name", "node-a"),
            ("k8s.container.name", "nginx"),
            ("k8s.pod.label.app", "web"),
            ("k8s.pod.label.app.kubernetes.io/name", "the \"shop\""),
            ("team", "a"),
            ("tier", "b=c"),
        ] {
            assert_eq!(record[name], value, "{line}");
        }
    }
}

#[test]
fn labels_that_are_none_are_told_and_nothing_is_held_up() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(2);
    fs::write(pod.beside("labels"), "app: web").unwrap();
    let mut command = pod.command(&["--output", &pod.file_output()]);
    let mut program = start(command.arg("--labels-file").arg(pod.beside("labels")));
    program.wait_for_message("cannot read the pod's labels; records go without them");
    pod.wait_for_lines(2);
    stop(program);
}
