//! examples/compose/token-refresher: the token is there before the app, and proxy puts it into the app's requests.

use crate::{
    container::{inspect, log, says},
    main_app::is_hardened,
    project::Project,
};

const FILE: &str = "examples/compose/token-refresher/compose.yaml";

#[test]
fn the_app_of_the_example_sends_a_token_that_it_never_sees() {
    let project = Project::of(&[FILE]);
    project.compose(&["up", "--detach", "--build"]);
    let [first, refresher, proxy, app] =
        ["first-token", "token-refresher", "proxy", "app"].map(|service| project.container(service));
    let answer = says(&app, "authorization");
    assert!(answer.contains("Bearer "), "{answer}");
    assert_eq!(inspect(&first, "/State/ExitCode"), 0, "{}", log(&first));
    for container in [&refresher, &proxy] {
        is_hardened(container, "65532");
    }

    project.compose(&["stop"]);
    for container in [&refresher, &proxy] {
        assert_eq!(inspect(container, "/State/ExitCode"), 0, "{}", log(container));
    }
}
