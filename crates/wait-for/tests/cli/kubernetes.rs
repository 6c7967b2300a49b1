//! `kubernetes://`: objects become ready, by one list and one watch of a scripted API server.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Program,
    api_server::{ABSENT, ApiServer, TOKEN, condition, gate, is_watch, object},
    never, proof, run, wait_for,
};

/// A server that lists one object of this status, and opens a watch on it
fn with(status: &Value) -> ApiServer {
    ApiServer::listing(vec![object("migrate", "7", status)], |_, answer| answer.watch().hold())
}

#[test]
fn a_complete_job_is_ready_by_one_list() {
    let server = with(&condition("Complete"));
    assert_eq!(proof(&[&server.target("jobs/migrate", "")]), "the Job migrate is complete");
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    let query = "fieldSelector=metadata.name%3Dmigrate&limit=25";
    assert_eq!(requests[0].line, format!("GET /apis/batch/v1/namespaces/shop/jobs?{query}"));
    assert_eq!(requests[0].header("authorization"), Some(&*format!("Bearer {TOKEN}")));
}

#[test]
fn a_failed_job_ends_the_wait() {
    let server = with(&condition("Failed"));
    let said = never(69, &[&server.target("jobs/migrate", "")]);
    assert_eq!(said, "the Job migrate has failed: BackoffLimitExceeded: it tried");
}

#[test]
fn a_job_is_followed_from_before_it_exists_until_it_is_complete() {
    let (open, opened) = gate();
    let server = ApiServer::listing(Vec::new(), move |_, answer| {
        let mut watch = answer.watch();
        opened();
        watch.event("ADDED", &object("migrate", "8", &json!({"active": 1})));
        opened();
        watch.event("MODIFIED", &object("migrate", "9", &condition("Complete")));
        watch.hold();
    });
    let mut program = Program::start(&mut wait_for(&[&server.target("jobs/migrate", "")]));
    program.wait_for_reason(ABSENT);
    open();
    program.wait_for_reason("the Job migrate is not complete: pods active 1, failed 0");
    open();
    let ended = program.end();
    assert_eq!(ended.message("ready")["proof"], "the Job migrate is complete");
    assert_eq!(server.verbs(), ["list", "watch 7"]);
}

#[test]
fn a_job_that_fails_while_it_is_watched_ends_the_wait() {
    let (open, opened) = gate();
    let server = ApiServer::listing(vec![object("migrate", "7", &json!({"active": 1}))], move |_, answer| {
        let mut watch = answer.watch();
        opened();
        watch.event("MODIFIED", &object("migrate", "8", &condition("Failed")));
        watch.hold();
    });
    let mut program = Program::start(&mut wait_for(&[&server.target("jobs/migrate", "")]));
    program.wait_for_reason("the Job migrate is not complete: pods active 1, failed 0");
    open();
    program
        .end()
        .ended_with(69, "reason=unavailable what=\"kubernetes://jobs/migrate\" last=\"the Job migrate has failed");
}

#[test]
fn one_list_and_one_watch_serve_all_attempts() {
    let server = with(&json!({"active": 1}));
    let ended = run(&["--timeout", "4s", &server.target("jobs/migrate", "&attempt-timeout=500ms")]);
    ended.ended_with(124, "reason=timed-out what=\"kubernetes://jobs/migrate\" last=\"the Job migrate is not complete: pods active 1, failed 0\"");
    assert!(ended.message("missing")["attempts"].as_u64() > Some(2), "{ended:#?}");
    assert_eq!(ended.messages("not ready").len(), 1, "{ended:#?}");
    assert_eq!(server.verbs(), ["list", "watch 7"]);
}

#[test]
fn the_end_of_a_wait_has_the_words_of_the_watch() {
    let server = with(&json!({"active": 1}));
    let ended = run(&["--timeout", "3s", &server.target("jobs/migrate", "")]);
    ended.ended_with(
        124,
        "reason=timed-out what=\"kubernetes://jobs/migrate\" last=\"the Job migrate is not complete: pods active 1, failed 0\"",
    );
}

#[test]
fn successes_in_a_row_come_from_the_watch() {
    let server = with(&condition("Complete"));
    let ended = run(&[&server.target("jobs/migrate", "&stable=3")]);
    assert_eq!((ended.code, server.verbs()), (Some(0), vec!["list".to_owned(), "watch 7".to_owned()]));
}

#[test]
fn a_change_before_the_watch_counts_against_a_second_success() {
    let server = ApiServer::listing(vec![object("web-0", "7", &condition("Ready"))], |_, answer| {
        let mut watch = answer.watch();
        // As on the way from a server that is some milliseconds away
        std::thread::sleep(Duration::from_millis(30));
        watch.event("MODIFIED", &object("web-0", "8", &json!({"phase": "Running"})));
        watch.hold();
    });
    let mut program = Program::start(&mut wait_for(&[&server.target("pods/web-0", "&stable=2")]));
    program.wait_for_reason("the Pod web-0 is not ready: Running");
}

#[test]
fn a_pod_that_is_ready_in_the_first_look_alone_is_not_stable() {
    let server = ApiServer::start(move |request, answer| {
        let status = if request.nth == 0 { condition("Ready") } else { json!({"phase": "Running"}) };
        if is_watch(request) { answer.ended_watch() } else { answer.list("7", &[object("web-0", "7", &status)]) }
    });
    let words = "the Pod web-0 is not ready: Running; the API server ends the watch at once";
    Program::start(&mut wait_for(&[&server.target("pods/web-0", "&stable=2")])).wait_for_reason(words);
}

#[test]
fn a_deleted_job_is_gone() {
    let job = object("migrate", "7", &condition("Complete"));
    let server = ApiServer::listing(vec![job.clone()], move |_, answer| {
        let mut watch = answer.watch();
        watch.event("DELETED", &job);
        watch.hold();
    });
    let proof = proof(&["--not", &server.target("jobs/migrate", "")]);
    assert_eq!(proof, format!("gone: {ABSENT}"));
}

#[test]
fn pods_of_a_selector_are_counted_over_pages_and_events() {
    let (open, opened) = gate();
    let server = ApiServer::start(move |request, answer| {
        let ready = |name: &str| object(name, "7", &condition("Ready"));
        if is_watch(request) {
            let mut watch = answer.watch();
            opened();
            watch.event("ADDED", &ready("web-4"));
            return watch.hold();
        }
        if request.line.contains("continue=page+two") {
            return answer.list("7", &[ready("web-2"), object("web-3", "7", &json!({"phase": "Pending"}))]);
        }
        let page = json!({"metadata": {"resourceVersion": "7", "continue": "page two"}, "items": [ready("web-1")]});
        answer.whole("200 OK", &[], &page);
    });
    let target = server.target("pods?selector=app=web", "&count=3");
    let mut program = Program::start(&mut wait_for(&[&target]));
    program.wait_for_reason("2 of 3 pods with app=web are ready; web-3 is not ready: Pending");
    open();
    let ended = program.end();
    let ready = ended.message("ready");
    assert_eq!(
        (&ready["proof"], &ready["target"]),
        (&"3 ready pods with app=web".into(), &"kubernetes://pods?selector=app=web".into())
    );
    assert_eq!(ended.message("wait-for starts")["targets"], json!(["kubernetes://pods?selector=app=web"]));
    assert_eq!(server.verbs(), ["list", "list", "watch 7"]);
    assert!(server.requests().iter().all(|request| request.line.contains("labelSelector=app%3Dweb&")));
}

#[test]
fn a_service_is_ready_by_its_endpoint_slices() {
    let server = ApiServer::start(move |_, answer| {
        let slice = json!({
            "metadata": {"name": "db-x"}, "addressType": "IPv4", "endpoints": [{"conditions": {"ready": true}}],
        });
        answer.list("7", &[slice]);
    });
    assert_eq!(proof(&[&server.target("services/db", "")]), "1 ready endpoint of the Service db");
    let query = "labelSelector=kubernetes.io%2Fservice-name%3Ddb&limit=25";
    let line = format!("GET /apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?{query}");
    assert_eq!(server.requests()[0].line, line);
}

#[test]
fn a_deployment_is_ready_when_its_rollout_is_done() {
    let counts = json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
    let server = with(&counts);
    let proof = proof(&[&server.target("deployments/migrate", "")]);
    assert_eq!(proof, "the Deployment migrate is rolled out, with 1 available replicas");
    assert!(server.requests()[0].line.starts_with("GET /apis/apps/v1/namespaces/shop/deployments?"));
}

#[test]
fn a_pod_finds_its_api_server_by_its_variables() {
    let server = with(&condition("Complete"));
    let (ca, token) = (server.authority.ca(), server.token_file());
    let target = format!("kubernetes://jobs/migrate#ca={ca}&token-file={token}&namespace=shop");
    let mut command = wait_for(&[&target]);
    command.env("KUBERNETES_SERVICE_HOST", "127.0.0.1");
    command.env("KUBERNETES_SERVICE_PORT", server.server.port().to_string());
    assert_eq!(Program::start(&mut command).end().code, Some(0));
}

#[test]
fn outside_of_a_pod_the_api_server_must_be_named() {
    let said = never(64, &["kubernetes://jobs/migrate#insecure"]);
    assert_eq!(
        said,
        "variable KUBERNETES_SERVICE_HOST is not set: outside of a pod, name the API server by server=URL"
    );
    for (options, remedy) in [
        ("server=https://localhost:1&insecure", "needs namespace=NAME"),
        ("server=localhost:1&namespace=shop", "this is not a URL such as https://10.0.0.1:6443"),
        ("server=https://me:hunter2@localhost:1&namespace=shop&insecure", "a URL without login"),
        ("server=http://localhost:1&namespace=shop&token-file=/t", "write server=https://"),
        ("server=http://localhost:1&namespace=shop&ca=/ca", "ca is for TLS only: write server=https://"),
        ("namespace=Shop", "namespace: this can't be the name of a namespace"),
    ] {
        let ended = run(&[&format!("kubernetes://jobs/migrate#{options}")]);
        assert_eq!(ended.code, Some(64), "{ended:#?}");
        assert!(ended.everything().contains(remedy) && !ended.everything().contains("hunter2"), "{ended:#?}");
    }
}

#[test]
fn outside_of_a_pod_a_target_is_read_without_its_files() {
    let mut command = wait_for(&["kubernetes://jobs/migrate"]);
    command.env("SIDEKIT_WAIT_FOR_DISABLED", "1");
    assert_eq!(Program::start(&mut command).end().code, Some(0));
    let ended = run(&["--disabled", "kubernetes://job/migrate"]);
    ended.ended_with(64, "reason=usage");
    assert!(ended.everything().contains("did you mean kubernetes://jobs/NAME?"), "{ended:#?}");
}

#[test]
fn a_watch_that_the_api_server_ends_is_opened_again_where_it_was() {
    let server = ApiServer::listing(vec![object("migrate", "7", &json!({"active": 1}))], |request, answer| {
        let mut watch = answer.watch();
        if request.nth == 1 {
            watch.event("BOOKMARK", &json!({"metadata": {"resourceVersion": "12"}}));
            // A watch must last a second to be opened again without a word.
            std::thread::sleep(Duration::from_secs(2));
            return watch.end();
        }
        watch.event("MODIFIED", &object("migrate", "13", &condition("Complete")));
        watch.hold();
    });
    let ended = run(&[&server.target("jobs/migrate", "")]);
    assert_eq!((ended.code, server.verbs()), (Some(0), ["list", "watch 7", "watch 12"].map(String::from).to_vec()));
    assert_eq!(ended.messages("not ready").len(), 1, "{ended:#?}");
}
