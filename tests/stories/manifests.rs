//! The examples, as they are: each comes up, with a database where it waits for one. Examples with stories of their own are not here.

use e2e::cluster::{Namespace, Profile};

use crate::examples::{example, kustomization};

#[test]
fn the_pod_of_wait_for_comes_up() {
    let namespace = Namespace::new("example-wait-for", Profile::Restricted);
    namespace.create(&example("wait-for.yaml"));
    namespace.create(&example("database.yaml"));
    namespace.until_pod("main-app", "it is ready", |pod| pod.is_ready().then_some(()));
}

#[test]
fn the_pod_of_fix_perms_comes_up() {
    let namespace = Namespace::new("example-fix-perms", Profile::Baseline);
    namespace.create(&example("fix-perms.yaml"));
    namespace.until_pod("main-app", "it is ready", |pod| pod.is_ready().then_some(()));
    assert_owns_its_volume(&namespace, "main-app");
}

#[test]
fn the_deployment_with_a_configuration_file_comes_up() {
    let namespace = Namespace::new("example-config", Profile::Restricted);
    comes_up(&namespace, &example("wait-for-config.yaml"));
}

#[test]
fn the_deployment_behind_a_migration_gate_comes_up_after_the_migration() {
    let namespace = Namespace::new("example-migration-gate", Profile::Restricted);
    let manifest = example("migration-gate.yaml");
    let (app, job) = manifest.rsplit_once("---\n").unwrap();
    namespace.create(&example("database.yaml"));
    namespace.create(app);
    let pod = namespace.until("there is a pod", || Some(namespace.pods("app=main-app").first()?.name().to_owned()));
    namespace.until_log(&pod, "wait-for", "golang-migrate has no table schema_migrations");
    namespace.create(job);
    namespace.until_pod(&pod, "it is ready", |pod| pod.is_ready().then_some(()));
    assert!(namespace.log(&pod, "wait-for").contains("golang-migrate is at 2"));
}

#[test]
fn the_deployment_that_kustomize_builds_comes_up() {
    let namespace = Namespace::new("example-kustomize", Profile::Baseline);
    let pod = comes_up(&namespace, &kustomization("main-app"));
    assert_owns_its_volume(&namespace, &pod);
}

#[test]
fn the_pods_and_the_job_of_log_forwarder_deliver_to_the_collector_of_the_examples() {
    let namespace = Namespace::new("example-log-forwarder", Profile::Restricted);
    namespace.create(&example("collector.yaml"));
    namespace.create(&example("log-forwarder-job.yaml"));
    namespace.until_log("collector", "nginx", "migrated");
    for (file, path) in [("log-forwarder.yaml", "/native"), ("log-forwarder-classic.yaml", "/classic")] {
        namespace.create(&example(file));
        namespace.until_pod("web", "it is ready", |pod| pod.is_ready().then_some(()));
        let visit = format!("wget -q -O - http://127.0.0.1:8080{path}; true");
        namespace.shell("web", "nginx", &visit).unwrap();
        namespace.until_log("collector", "nginx", &format!("GET {path}"));
        namespace.delete("pod/web");
    }
}

/// Waits until a pod of the deployment is ready, and gives its name.
fn comes_up(namespace: &Namespace, deployment: &str) -> String {
    namespace.create(&example("database.yaml"));
    namespace.create(deployment);
    namespace.until("a pod of the deployment is ready", || {
        let pods = namespace.pods("app=main-app");
        pods.iter().find(|pod| pod.is_ready()).map(|pod| pod.name().to_owned())
    })
}

fn assert_owns_its_volume(namespace: &Namespace, pod: &str) {
    let written = namespace.shell(pod, "main-app", "echo mine >/data/x && stat -c '%u:%g' /data /data/x");
    assert_eq!(written.unwrap(), "1000:1000\n1000:1000\n");
}
