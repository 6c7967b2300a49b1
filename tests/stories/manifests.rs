//! The examples, as they are: each comes up, with a database where it waits for one. What has a story of its own is not here.

use e2e::cluster::{Namespace, Pod, Profile};

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
}

#[test]
fn the_deployment_with_a_configuration_file_comes_up() {
    comes_up("example-config", Profile::Restricted, &example("wait-for-config.yaml"));
}

#[test]
fn the_deployment_that_kustomize_builds_comes_up() {
    comes_up("example-kustomize", Profile::Baseline, &kustomization("main-app"));
}

fn comes_up(story: &str, profile: Profile, deployment: &str) {
    let namespace = Namespace::new(story, profile);
    namespace.create(&example("database.yaml"));
    namespace.create(deployment);
    namespace.until("a pod of the deployment is ready", || {
        namespace.pods("app=main-app").iter().any(Pod::is_ready).then_some(())
    });
}
