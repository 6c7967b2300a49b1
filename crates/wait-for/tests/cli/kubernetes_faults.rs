//! `kubernetes://`: what RBAC, tokens, restarts and load do, by a scripted API server.

use std::{fs, io::Write};

use harness::Signal;
use serde_json::json;

use crate::support::{
    Program,
    api_server::{ABSENT, ApiServer, TOKEN, condition, gate, is_watch, object},
    http::{read_head, response},
    never, reason, run,
    server::{ClosedPort, Server},
    wait_for,
};

const FORBIDDEN: &str = "jobs.batch is forbidden: User \"system:serviceaccount:shop:web\" cannot list resource \"jobs\" \
    in API group \"batch\" in the namespace \"shop\"";

#[test]
fn a_missing_right_names_verb_resource_and_role() {
    let server = ApiServer::start(|_, answer| answer.refuse("403 Forbidden", &[], FORBIDDEN));
    let said = never(77, &[&server.target("jobs/migrate", "")]);
    assert_eq!(
        said,
        "system:serviceaccount:shop:web may not list jobs in the namespace shop: \
         give it a Role there with apiGroups: [\"batch\"], resources: [jobs], resourceNames: [migrate], verbs: [list, watch]"
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
fn a_job_that_has_failed_needs_no_right_to_watch() {
    let failed = object("migrate", "7", &condition("Failed"));
    let server = ApiServer::listing(vec![failed], |_, answer| answer.refuse("403 Forbidden", &[], FORBIDDEN));
    let said = never(69, &[&server.target("jobs/migrate", "")]);
    assert!(said.starts_with("the Job migrate has failed"), "{said}");
    assert_eq!(server.verbs(), ["list"]);
}

#[test]
fn a_login_that_is_missing_is_no_missing_right() {
    let words = FORBIDDEN.replace("serviceaccount:shop:web", "anonymous");
    let server = ApiServer::start(move |_, answer| answer.refuse("403 Forbidden", &[], &words));
    let target = server.target("jobs/migrate", "");
    let without_token = target.replace(&format!("&token-file={}", server.token_file()), "");
    let said = never(77, &[&without_token]);
    assert!(said.ends_with("wants a login: give token-file=PATH, or cert=PATH and key=PATH"), "{said}");
    let said = never(77, &[&target]);
    assert!(said.ends_with("does not accept the token: has it expired?"), "{said}");
}

#[test]
fn a_refusal_by_a_proxy_is_no_missing_right() {
    let server = ApiServer::start(|_, answer| answer.whole("403 Forbidden", &[], &json!("Unauthorized")));
    let said = never(77, &[&server.target("jobs/migrate", "")]);
    let words = "answers 403 Forbidden, as no API server does: a proxy before it?";
    assert!(said.ends_with(words) && !said.contains("Role"), "{said}");
}

#[test]
fn a_port_with_tls_and_a_server_that_is_no_api_server_are_named() {
    let answering = |status: &'static str| {
        Server::start(move |mut stream, _| {
            read_head(&mut stream);
            let body = "Client sent an HTTP request to an HTTPS server.\n";
            let _ = stream.write_all(response(status, &[], body).as_bytes());
        })
    };
    let target = |server: &Server| format!("kubernetes://jobs/migrate#namespace=shop&server={}", server.url("http"));
    let tls = answering("400 Bad Request");
    let words = format!("the server at {} wants TLS, so write server=https://", tls.address);
    assert_eq!(never(69, &[&target(&tls)]), words);
    let other = answering("302 Found");
    let words = format!("the server at {} has no such API: is it an API server?", other.address);
    assert_eq!(reason(&[&target(&other)]), words);
    let failing = answering("500 Internal Server Error");
    let words = format!("the API server at {} answers 500 Internal Server Error", failing.address);
    assert_eq!(reason(&[&target(&failing)]), words);
}

#[test]
fn a_token_that_the_api_server_repeats_is_not_shown() {
    let event = json!({"kind": "Status", "code": 500, "message": format!("no user for Bearer {TOKEN}")});
    let server = ApiServer::listing(Vec::new(), move |_, answer| {
        let mut watch = answer.watch();
        watch.event("ERROR", &event);
        watch.hold();
    });
    let ended = run(&["--timeout", "1s", &server.target("jobs/migrate", "")]);
    assert!(ended.last_line().contains("the API server ends the watch: no user for"), "{ended:#?}");
    assert!(!ended.everything().contains(TOKEN), "{ended:#?}");
    let mut failed = condition("Failed");
    failed["conditions"][0]["message"] = format!("pod sent {TOKEN}").into();
    let server = ApiServer::listing(vec![object("migrate", "7", &failed)], |_, answer| answer.watch().hold());
    assert_eq!(
        never(69, &[&server.target("jobs/migrate", "")]),
        "the Job migrate has failed: BackoffLimitExceeded: pod sent …"
    );
    let pod = object(TOKEN, "7", &json!({"phase": "Pending"}));
    let server = ApiServer::listing(vec![pod], |_, answer| answer.watch().hold());
    let said = reason(&[&server.target("pods?selector=app=web", "")]);
    assert_eq!(said, "0 of 1 pods with app=web are ready; … is not ready: Pending");
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
fn a_token_in_a_reason_stays_hidden_when_the_token_is_renewed() {
    let (open, opened) = gate();
    let words = format!("Bad-{TOKEN}");
    let waiting = json!({"containerStatuses": [{"state": {"waiting": {"reason": words}}}]});
    let server = ApiServer::start(move |request, answer| match (is_watch(request), request.nth) {
        (false, _) => answer.list("7", &[object("web-0", "7", &waiting)]),
        (true, 1) => {
            let watch = answer.watch();
            opened();
            watch.end();
        }
        (true, _) => answer.watch().hold(),
    });
    let mut program = Program::start(&mut wait_for(&[&server.target("pods/web-0", "")]));
    program.wait_for_reason("the Pod web-0 is not ready: Bad-…");
    fs::write(server.token_file(), "token-number-two").unwrap();
    open();
    program.wait_for_reason("the Pod web-0 is not ready: Bad-…; the API server ends the watch at once");
    program.signal(Signal::TERM);
    let ended = program.end();
    assert!(!ended.everything().contains(TOKEN), "{ended:#?}");
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
}
