//! `kubernetes://`: watches that end, fail or do not last, by a scripted API server.

use serde_json::{Value, json};

use crate::support::{
    Program,
    api_server::{ABSENT, Answer, ApiServer, condition, gate, is_watch, object},
    http::{Http, response},
    never, proof, run, wait_for,
};

fn failure(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "status": "Failure", "code": code, "message": message})
}

/// A watch that ends in this event
fn fails(answer: Answer, code: u16, message: &str) {
    let mut watch = answer.watch();
    watch.event("ERROR", &failure(code, message));
    watch.hold();
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
        (true, _) => fails(answer, 410, "too old resource version: 7 (20)"),
    });
    assert_eq!(proof(&[&later.target("jobs/migrate", "")]), "the Job migrate is complete");
    assert_eq!(later.verbs(), ["list", "watch 7", "list"]);
}

#[test]
fn a_watch_that_fails_is_begun_again_by_a_list() {
    let server = ApiServer::start(move |request, answer| match (is_watch(request), request.nth) {
        (false, 0) => answer.list("7", &[]),
        (false, _) => answer.list("21", &[object("migrate", "21", &condition("Complete"))]),
        (true, _) => fails(answer, 500, "etcdserver: leader changed"),
    });
    let ended = run(&[&server.target("jobs/migrate", "")]);
    assert_eq!((ended.code, server.verbs()), (Some(0), ["list", "watch 7", "list"].map(String::from).to_vec()));
    let reasons: Vec<_> = ended.messages("not ready").iter().map(|line| line["reason"].clone()).collect();
    let words = format!("{ABSENT}; the API server ends the watch: etcdserver: leader changed");
    assert_eq!(reasons.last(), Some(&words.into()));
}

#[test]
fn a_watch_that_always_fails_is_told_once_and_begun_ever_more_slowly() {
    type Watch = fn(Answer);
    let faults: [(Watch, &str); 8] = [
        (
            |answer| fails(answer, 500, "etcdserver: leader changed"),
            "the API server ends the watch: etcdserver: leader changed",
        ),
        (|answer| fails(answer, 410, "too old"), "the API server forgets the list at once (410 Gone)"),
        (
            |answer| {
                let mut watch = answer.watch();
                watch.event("BOOKMARK", &json!({"metadata": {"resourceVersion": "8"}}));
                watch.event("ERROR", &failure(410, "too old"));
                watch.hold();
            },
            "the API server forgets the list at once (410 Gone)",
        ),
        (|answer| answer.refuse("410 Gone", &[], "too old"), "the API server forgets the list at once (410 Gone)"),
        (|answer| answer.ended_watch(), "the API server ends the watch at once"),
        (|answer| drop(answer.watch()), "the watch of the API server breaks off"),
        (
            |answer| {
                let mut watch = answer.watch();
                watch.part(b"no event\n");
                watch.hold();
            },
            "an event of the watch is not what an API server sends",
        ),
        (
            |answer| {
                let mut watch = answer.watch();
                watch.part(&vec![b' '; 5 * 1024 * 1024]);
                watch.hold();
            },
            "an event of the watch is over 4 MiB",
        ),
    ];
    let started = faults.map(|(fault, words)| {
        let server = ApiServer::listing(Vec::new(), move |_, answer| fault(answer));
        let program = Program::start(&mut wait_for(&["--timeout", "3s", &server.target("jobs/migrate", "")]));
        (server, program, words)
    });
    for (server, program, words) in started {
        let ended = program.end();
        assert_eq!(ended.code, Some(124), "{ended:#?}");
        assert!(ended.last_line().contains(&format!("last=\"{ABSENT}; {words}")), "{ended:#?}");
        let (told, asked) = (ended.messages("not ready").len(), server.requests().len());
        // A list and a watch a pause; pauses have 0.1 s at least, and grow.
        assert!(told <= 2 && (4..37).contains(&asked), "{words}: {told} lines, {asked} requests");
    }
}

#[test]
fn each_list_without_the_object_counts_as_gone_while_watches_fail() {
    let server = ApiServer::listing(Vec::new(), |_, answer| answer.ended_watch());
    let ended = run(&[&server.target("jobs/migrate", "&not&stable=3")]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(server.verbs().iter().filter(|verb| *verb == "list").count() >= 3, "{:?}", server.verbs());
    assert!(ended.messages("not ready").len() <= 4, "{ended:#?}");
}

#[test]
fn a_job_is_found_though_each_watch_fails() {
    let server = ApiServer::start(move |request, answer| match (is_watch(request), request.nth) {
        (false, 0..6) => answer.list("7", &[]),
        (false, _) => answer.list("21", &[object("migrate", "21", &condition("Complete"))]),
        (true, _) => answer.ended_watch(),
    });
    let proof = proof(&[&server.target("jobs/migrate", "")]);
    assert_eq!(proof, "the Job migrate is complete");
}

#[test]
fn a_restart_of_the_api_server_is_survived() {
    let (open, opened) = gate();
    let script = move |request: &_, answer: Answer| {
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
fn a_list_without_an_end_is_refused_as_one_of_too_many_objects() {
    let job = |nth: usize| object(&format!("j{nth}"), "7", &json!({}));
    for per_page in [0, 25] {
        let server = Http::start(move |request| {
            let items: Vec<_> = (0..per_page).map(|at| job(request.nth * per_page + at)).collect();
            let page = json!({"metadata": {"resourceVersion": "7", "continue": "more"}, "items": items});
            response("200 OK", &[], &page.to_string())
        });
        let target = format!("kubernetes://pods?selector=app=web#namespace=shop&server={}", server.url(""));
        assert_eq!(never(69, &[&target]), "more than 10000 objects: choose fewer of them");
        assert_eq!(server.requests.all().len(), 401);
    }
}

#[test]
fn a_watch_that_ended_in_a_pause_between_attempts_has_not_lasted() {
    let (open, opened) = gate();
    let server = ApiServer::listing(Vec::new(), move |_, answer| {
        let watch = answer.watch();
        opened();
        watch.end();
    });
    let mut program = Program::start(&mut wait_for(&[&server.target("jobs/migrate", "&interval=3s")]));
    program.wait_for_reason(ABSENT);
    open();
    program.wait_for_reason(&format!("{ABSENT}; the API server ends the watch at once"));
}

#[test]
fn a_job_that_is_complete_and_deleted_at_once_is_complete() {
    let server = ApiServer::listing(Vec::new(), |_, answer| {
        let mut watch = answer.watch();
        let job = object("migrate", "8", &condition("Complete"));
        let lines = [("MODIFIED", &job), ("DELETED", &job)]
            .map(|(kind, job)| format!("{}\n", json!({"type": kind, "object": job})));
        watch.part(lines.concat().as_bytes());
        watch.hold();
    });
    assert_eq!(proof(&[&server.target("jobs/migrate", "")]), "the Job migrate is complete");
}

#[test]
fn a_job_that_has_failed_is_listed_again_by_the_next_attempt() {
    let server = ApiServer::start(move |request, answer| match (is_watch(request), request.nth) {
        (false, 0) => answer.list("7", &[object("migrate", "7", &condition("Failed"))]),
        (false, _) => answer.list("9", &[object("migrate", "9", &condition("Complete"))]),
        (true, _) => answer.refuse("403 Forbidden", &[], "no"),
    });
    let said = proof(&["--retry-all", &server.target("jobs/migrate", "")]);
    assert_eq!((said.as_str(), server.verbs()), ("the Job migrate is complete", vec!["list".to_owned(); 2]));
}
