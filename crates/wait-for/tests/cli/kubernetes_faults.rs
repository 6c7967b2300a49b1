//! `kubernetes://`: what RBAC, tokens, restarts and load do, by a scripted API server.

use std::fs;

use serde_json::json;

use crate::support::{
    Program,
    api_server::{ApiServer, TOKEN, condition, gate, is_watch, object},
    never, proof, reason, run,
    server::ClosedPort,
    wait_for,
};

const ABSENT: &str =
    "no Job migrate in the namespace shop; is it still to come, or did ttlSecondsAfterFinished delete it?";
const FORBIDDEN: &str = "jobs.batch is forbidden: User \"system:serviceaccount:shop:web\" cannot list resource \"jobs\" \
    in API group \"batch\" in the namespace \"shop\"";

#[test]
fn a_missing_right_names_verb_resource_and_role() {
    let server = ApiServer::start(|_, answer| answer.refuse("403 Forbidden", &[], FORBIDDEN));
    let said = never(77, &[&server.target("jobs/migrate", "")]);
    assert_eq!(
        said,
        "system:serviceaccount:shop:web may not list jobs in the namespace shop: \
         give it a Role there with apiGroups: [\"batch\"], resources: [jobs], verbs: [list, watch]"
    );
    let said = never(77, &[&server.target("services/db", "")]);
    assert!(said.contains("may not list endpointslices") && said.contains("[\"discovery.k8s.io\"]"), "{said}");
}

#[test]
fn a_role_without_watch_is_named_too() {
    let server = ApiServer::listing(Vec::new(), |_, answer| answer.refuse("403 Forbidden", &[], FORBIDDEN));
    let said = never(77, &[&server.target("jobs/migrate", "")]);
    assert!(said.starts_with("system:serviceaccount:shop:web may not watch jobs in the namespace shop"), "{said}");
}

#[test]
fn a_refused_token_ends_the_wait_without_being_printed() {
    let server = ApiServer::start(|_, answer| answer.refuse("401 Unauthorized", &[], TOKEN));
    let ended = run(&[&server.target("jobs/migrate", "")]);
    ended.ended_with(77, "reason=denied what=\"kubernetes://jobs/migrate\" last=\"the API server at localhost:");
    assert!(ended.last_line().contains("does not accept the token: has it expired?"), "{ended:#?}");
    assert!(!ended.everything().contains(TOKEN), "{ended:#?}");
    assert_eq!(server.requests().len(), 2, "the token is read again once");
}

#[test]
fn a_token_that_was_renewed_is_read_again() {
    let (open, opened) = gate();
    let server = ApiServer::start(move |request, answer| {
        let is_new = request.header("authorization") == Some("Bearer token-number-two");
        match (is_watch(request), is_new) {
            (false, _) => answer.list("7", &[]),
            (true, false) if request.nth == 1 => {
                let watch = answer.watch();
                opened();
                watch.reset();
            }
            (true, false) => answer.refuse("401 Unauthorized", &[], "expired"),
            (true, true) => {
                let mut watch = answer.watch();
                watch.event("ADDED", &object("migrate", "8", &condition("Complete")));
                watch.hold();
            }
        }
    });
    let mut program = Program::start(&mut wait_for(&[&server.target("jobs/migrate", "")]));
    program.wait_for_reason(ABSENT);
    fs::write(server.token_file(), "token-number-two").unwrap();
    open();
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn a_version_that_was_forgotten_is_listed_again() {
    let complete = || object("migrate", "21", &condition("Complete"));
    let at_once = ApiServer::start(move |request, answer| match (is_watch(request), request.nth) {
        (false, 0) => answer.list("7", &[]),
        (false, _) => answer.list("21", &[complete()]),
        (true, _) => answer.refuse("410 Gone", &[], "too old resource version: 7 (20)"),
    });
    assert_eq!(proof(&[&at_once.target("jobs/migrate", "")]), "the Job migrate is complete");
    assert_eq!(at_once.verbs(), ["list", "watch 7", "list"]);
    let later = ApiServer::start(move |request, answer| match (is_watch(request), request.nth) {
        (false, 0) => answer.list("7", &[]),
        (false, _) => answer.list("21", &[complete()]),
        (true, _) => {
            let mut watch = answer.watch();
            watch.event("ERROR", &json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired"}));
            watch.hold();
        }
    });
    assert_eq!(proof(&[&later.target("jobs/migrate", "")]), "the Job migrate is complete");
    assert_eq!(later.verbs(), ["list", "watch 7", "list"]);
}

#[test]
fn a_watch_that_fails_is_begun_again_by_a_list() {
    let server = ApiServer::start(move |request, answer| match (is_watch(request), request.nth) {
        (false, 0) => answer.list("7", &[]),
        (false, _) => answer.list("21", &[object("migrate", "21", &condition("Complete"))]),
        (true, _) => {
            let mut watch = answer.watch();
            let words = "etcdserver: leader changed";
            watch.event("ERROR", &json!({"kind": "Status", "status": "Failure", "code": 500, "message": words}));
            watch.hold();
        }
    });
    let ended = run(&[&server.target("jobs/migrate", "")]);
    assert_eq!((ended.code, server.verbs()), (Some(0), ["list", "watch 7", "list"].map(String::from).to_vec()));
    let reasons: Vec<_> = ended.messages("not ready").iter().map(|line| line["reason"].clone()).collect();
    assert_eq!(reasons.last(), Some(&"the API server ends the watch: etcdserver: leader changed".into()));
}

#[test]
fn a_version_that_is_always_forgotten_makes_no_busy_loop() {
    let server = ApiServer::listing(Vec::new(), |_, answer| answer.refuse("410 Gone", &[], "too old"));
    let ended = run(&["--timeout", "1s", &server.target("jobs/migrate", "")]);
    ended.ended_with(
        124,
        "reason=timed-out what=\"kubernetes://jobs/migrate\" last=\"the API server forgets the list at once",
    );
    // Four requests for each pause of 25 ms or more
    assert!(server.requests().len() < 200, "{}", server.requests().len());
}

#[test]
fn a_restart_of_the_api_server_is_survived() {
    let (open, opened) = gate();
    let script = move |request: &_, answer: crate::support::api_server::Answer| {
        if !is_watch(request) {
            return answer.list("7", &[]);
        }
        let mut watch = answer.watch();
        if request.nth == 1 {
            watch.event("ADDED", &object("migrate", "8", &json!({"active": 1})));
            opened();
            return watch.reset();
        }
        watch.event("MODIFIED", &object("migrate", "9", &condition("Complete")));
        watch.hold();
    };
    // The third to the fifth connection
    let server = ApiServer::after_broken(|nth| (2..5).contains(&nth), script);
    let mut program = Program::start(&mut wait_for(&[&server.target("jobs/migrate", "")]));
    program.wait_for_reason("the Job migrate is not complete: pods active 1, failed 0");
    open();
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(server.verbs(), ["list", "watch 7", "watch 8"]);
}

#[test]
fn an_api_server_that_still_loads_its_roles_is_asked_again() {
    let (open, opened) = gate();
    let server = ApiServer::listing(Vec::new(), move |request, answer| {
        if request.nth == 2 {
            return answer.refuse("403 Forbidden", &[], FORBIDDEN);
        }
        let mut watch = answer.watch();
        if request.nth == 1 {
            opened();
            return watch.reset();
        }
        watch.event("ADDED", &object("migrate", "8", &condition("Complete")));
        watch.hold();
    });
    let mut program = Program::start(&mut wait_for(&[&server.target("jobs/migrate", "")]));
    program.wait_for_reason(ABSENT);
    open();
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(server.verbs(), ["list", "watch 7", "watch 7", "watch 7"]);
}

#[test]
fn an_api_server_that_is_away_proves_nothing_gone() {
    let (server, port) = (ApiServer::start(|_, _| ()), ClosedPort::new());
    let target = server.target("jobs/migrate", "").replace(&server.server.port().to_string(), &port.port().to_string());
    let ended = run(&["--not", "--timeout", "1s", &target]);
    let words = format!("not proven gone: the API server at localhost:{}: connection refused", port.port());
    ended.ended_with(124, &format!("reason=timed-out what=\"kubernetes://jobs/migrate\" last=\"{words}\""));
}

#[test]
fn an_overloaded_api_server_gets_its_rest() {
    let server = ApiServer::start(|_, answer| {
        answer.refuse("429 Too Many Requests", &["Retry-After: 3600"], "too many requests, please try again later");
    });
    let ended = run(&["--timeout", "4s", &server.target("jobs/migrate", "&attempt-timeout=1s")]);
    assert!(ended.last_line().contains("answers 429 Too Many Requests: too many requests, please"), "{ended:#?}");
    assert_eq!((ended.code, server.requests().len()), (Some(124), 1), "{ended:#?}");
    // An overload is not the object's absence.
    assert_eq!(run(&["--not", "--timeout", "1s", &server.target("jobs/migrate", "")]).code, Some(124));
}

#[test]
fn a_selector_that_the_api_server_refuses_is_a_usage_error() {
    let server = ApiServer::start(|_, answer| answer.refuse("400 Bad Request", &[], "unable to parse requirement"));
    let said = never(64, &[&server.target("pods?selector=a=b=c", "")]);
    assert_eq!(said, "the API server refuses the request: unable to parse requirement");
}

#[test]
fn answers_that_no_api_server_gives_are_not_ready_and_bounded() {
    let server = ApiServer::start(|_, answer| answer.refuse("404 Not Found", &[], "no page here"));
    assert!(reason(&[&server.target("jobs/migrate", "")]).ends_with("has no such API: is it an API server?"));
    let server = ApiServer::start(|_, answer| answer.whole("200 OK", &[], &json!(["no list"])));
    assert_eq!(reason(&[&server.target("jobs/migrate", "")]), "the list is not what an API server sends");
    let server = ApiServer::start(|_, answer| answer.whole("200 OK", &[], &json!({"x": "y".repeat(5 * 1024 * 1024)})));
    assert_eq!(reason(&[&server.target("jobs/migrate", "")]), "a list is over 4 MiB");
    for (bytes, words) in [
        (b"no event\n".to_vec(), "an event of the watch is not what an API server sends"),
        (vec![b' '; 5 * 1024 * 1024], "an event of the watch is over 4 MiB"),
    ] {
        let server = ApiServer::listing(Vec::new(), move |_, answer| {
            let mut watch = answer.watch();
            watch.part(&bytes);
            watch.hold();
        });
        let mut program = Program::start(&mut wait_for(&[&server.target("jobs/migrate", "")]));
        program.wait_for_reason(words);
    }
    let server = ApiServer::listing(Vec::new(), |_, answer| answer.watch().end());
    let mut program = Program::start(&mut wait_for(&[&server.target("jobs/migrate", "")]));
    program.wait_for_reason("the API server ends the watch at once");
}
