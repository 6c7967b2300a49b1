//! examples/compose/proxy.yaml: proxy in front of nginx, from its first answer to its end.

use harness::{http, until};

use crate::{
    container::{inspect, log, says},
    main_app::is_hardened,
    project::Project,
};

const FILE: &str = "examples/compose/proxy.yaml";

#[test]
fn the_proxy_of_the_example_answers_with_its_app_and_ends_before_it() {
    let project = Project::of(&[FILE]);
    project.compose(&["up", "--detach"]);
    let [web, proxy] = ["web", "proxy"].map(|service| project.container(service));
    says(&proxy, "listening");
    is_hardened(&proxy, "65532");
    let answer = until("nginx answers by way of the proxy", || {
        let answer = http::try_raw(([127, 0, 0, 1], 8000).into(), "GET / HTTP/1.0\r\nHost: web\r\n\r\n");
        answer.ok().filter(|answer| answer.status == 200)
    });
    assert!(answer.head.contains("via: "), "{}", answer.head);
    until("the engine says healthy", || (inspect(&proxy, "/State/Health/Status") == "healthy").then_some(()));

    project.compose(&["stop"]);
    assert_eq!(inspect(&proxy, "/State/ExitCode"), 0, "{}", log(&proxy));
    let finished = |container| inspect(container, "/State/FinishedAt").as_str().unwrap().to_owned();
    assert!(finished(&proxy) < finished(&web), "the app has ended first");
}
