//! `dns://` and the names of all other targets, against a DNS server in a network of the test's
//! own.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::support::{
    Program, Signal,
    dns::{self, Answer, Kind, addresses, serve},
    namespace::{self, inside, use_dns},
    proof, reason, run, until, wait_for,
};

/// The name that the search list makes of `db`
const DB: &str = "db.default.cluster";

fn only_db(addresses: Answer) -> impl Fn(&dns::Question) -> Answer + Send + Sync + 'static {
    move |question| if question.name == DB { addresses.clone() } else { Answer::UnknownName }
}

#[test]
fn a_name_with_an_address_is_ready() {
    inside(|| {
        use_dns();
        serve(only_db(addresses(&["10.0.0.1"])));
        assert_eq!(proof(&["dns://db"]), "1 address");
        assert_eq!(proof(&["dns://db.default.cluster."]), "1 address");
    });
}

#[test]
fn a_name_needs_as_many_addresses_as_asked_for() {
    inside(|| {
        use_dns();
        serve(only_db(addresses(&["10.0.0.1", "10.0.0.2", "fd00::1"])));
        assert_eq!(proof(&["dns://db#min=3"]), "3 addresses");
        assert_eq!(reason(&["dns://db#min=4"]), "3 addresses of 4");
        assert_eq!(proof(&["dns://db#min=2&type=A"]), "2 A records");
        assert_eq!(reason(&["dns://db#min=3&type=A"]), "2 A records of 3");
        assert_eq!(proof(&["dns://db#type=AAAA"]), "1 AAAA record");
    });
}

#[test]
fn a_name_without_addresses_of_the_wanted_kind_is_not_ready() {
    inside(|| {
        use_dns();
        serve(only_db(addresses(&["10.0.0.1"])));
        assert_eq!(reason(&["dns://db#type=AAAA"]), "no AAAA records");
        assert_eq!(proof(&["dns://db#type=AAAA&not"]), "gone: no AAAA records");
    });
}

#[test]
fn a_name_that_appears_late_is_ready() {
    inside(|| {
        use_dns();
        let there = Arc::<AtomicBool>::default();
        let seen = there.clone();
        serve(move |question| match question.name.as_str() {
            DB if seen.load(Ordering::SeqCst) => addresses(&["10.0.0.1"]),
            _ => Answer::UnknownName,
        });
        let mut program = Program::start(&mut wait_for(&["dns://db"]));
        program.wait_for_reason("unknown name db");
        there.store(true, Ordering::SeqCst);
        assert_eq!(program.end().message("ready")["proof"], "1 address");
    });
}

#[test]
fn an_unknown_name_is_not_asked_for_faster_than_every_two_seconds() {
    inside(|| {
        use_dns();
        let questions = serve(|_| Answer::UnknownName);
        let ended = run(&["--timeout", "5s", "tcp://db:1"]);
        ended.ended_with(124, r#"reason=timed-out what="tcp://db:1" last="unknown name db" attempts="#);
        // At 0 s, from 2 s on, from 4 s on; each asks for the whole search list, and for the name
        // itself last.
        let names = [DB, "db.cluster", "db"].map(|name| questions.count(name, Kind::A));
        assert!((1..=3).contains(&names[0]) && names.iter().all(|count| *count == names[0]), "{names:?}");
        assert_eq!(ended.message("missing")["attempts"], names[0]);
    });
}

#[test]
fn an_unknown_name_is_proof_that_something_is_gone() {
    inside(|| {
        use_dns();
        serve(|_| Answer::UnknownName);
        assert_eq!(proof(&["--not", "tcp://db:1"]), "gone: unknown name db");
    });
}

#[test]
fn a_server_that_fails_is_no_proof_of_anything() {
    inside(|| {
        use_dns();
        serve(|_| Answer::ServerFailure);
        let said = "DNS gives no answer for db: no server is there, or it fails";
        assert_eq!(reason(&["tcp://db:1"]), said);
        assert_eq!(reason(&["tcp://db:1#not"]), format!("not proven gone: {said}"));
        assert_eq!(reason(&["dns://db#not"]), format!("not proven gone: {said}"));
    });
}

#[test]
fn a_missing_server_is_told() {
    inside(|| {
        use_dns();
        assert_eq!(reason(&["tcp://db:1"]), "DNS gives no answer for db: no server is there, or it fails");
    });
}

#[test]
fn a_resolver_that_never_answers_costs_an_attempt_its_deadline() {
    inside(|| {
        namespace::resolv_conf("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n");
        serve(|_| Answer::Silence);
        let mut program = Program::start(&mut wait_for(&["--attempt-timeout", "200ms", "dns://db"]));
        program.wait_for_reason("DNS gives no answer for db: no server is there, or it fails");
        // glibc goes on asking for minutes. A stop does not wait for it.
        program.signal(Signal::TERM);
        program.end().ended_with(143, r#"reason=stopped what="dns://db" last="DNS gives no answer for db: "#);
    });
}

#[test]
fn a_resolver_that_never_answers_is_named_for_several_hosts_too() {
    inside(|| {
        namespace::resolv_conf("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n");
        serve(|_| Answer::Silence);
        let last = "DNS gives no answer for a: no server is there, or it fails";
        let said = reason(&["--attempt-timeout", "1s", "kafka://a,b"]);
        assert_eq!(said, format!("a: {last}"));
        // In the middle of the first attempt
        let flags = ["--attempt-timeout", "1m", "--timeout", "1s", "kafka://a,b"];
        let ended = Program::start(&mut wait_for(&flags)).end();
        ended.ended_with(124, &format!(r#"reason=timed-out what="kafka://a,b" last="{last}""#));
    });
}

#[test]
fn a_resolver_that_gives_up_now_before_and_now_after_an_attempt_is_told_once() {
    inside(|| {
        namespace::resolv_conf("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
        serve(|_| Answer::Silence);
        let flags = ["--attempt-timeout", "700ms", "--interval", "50ms", "--timeout", "4s", "tcp://db:1"];
        let log = Program::start(&mut wait_for(&flags)).end().log;
        let told: Vec<_> = log.iter().filter(|line| line["message"] == "not ready").collect();
        assert_eq!(told.len(), 1, "{log:#?}");
    });
}

#[test]
fn a_resolver_that_never_answers_holds_few_threads() {
    inside(|| {
        namespace::resolv_conf("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n");
        let questions = serve(|_| Answer::Silence);
        let names: Vec<_> = (0..100).map(|nth| format!("tcp://name-{nth}:1")).collect();
        let mut arguments = vec!["--attempt-timeout", "100ms", "--interval", "10ms"];
        arguments.extend(names.iter().map(String::as_str));
        let mut program = Program::start(&mut wait_for(&arguments));
        until("eight names are asked for", || (questions.all().len() >= 8).then_some(()));
        // Each of the hundred has made an attempt, and will have asked for a thread.
        for _ in &names {
            program.wait_for_message("not ready");
        }
        let (_, threads) = program.files_and_threads();
        assert!(threads <= 12, "{threads} threads");
    });
}

#[test]
fn a_name_that_hangs_is_asked_for_once_and_leaves_room_for_others() {
    inside(|| {
        namespace::resolv_conf("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n");
        let there = Arc::<AtomicBool>::default();
        let seen = there.clone();
        let questions = serve(move |question| match question.name.as_str() {
            "hangs" => Answer::Silence,
            _ if seen.load(Ordering::SeqCst) => addresses(&["10.0.0.1"]),
            _ => Answer::UnknownName,
        });
        let hanging: Vec<_> = (0..20).map(|port| format!("tcp://hangs:{}#attempt-timeout=20ms", port + 1)).collect();
        let mut arguments = vec!["--interval", "20ms", "dns://late"];
        arguments.extend(hanging.iter().map(String::as_str));
        let mut program = Program::start(&mut wait_for(&arguments));
        until("the other name is asked for some times", || (questions.count("late", Kind::A) > 20).then_some(()));
        there.store(true, Ordering::SeqCst);
        let line = program.wait_for_message("ready");
        assert_eq!(line["target"], "dns://late");
        assert_eq!(questions.count("hangs", Kind::A), 1);
        program.signal(Signal::TERM);
        assert_eq!(program.end().code, Some(143));
    });
}

#[test]
fn every_attempt_looks_the_name_up_anew() {
    inside(|| {
        use_dns();
        let questions = serve(only_db(addresses(&["127.0.0.1"])));
        let mut program = Program::start(&mut wait_for(&["--interval", "10ms", "tcp://db:9"]));
        program.wait_for_reason("connection refused");
        until("the name is asked for again", || (questions.count(DB, Kind::A) > 5).then_some(()));
        program.signal(Signal::TERM);
        assert_eq!(program.end().code, Some(143));
    });
}

#[test]
fn names_without_an_answer_do_not_delay_a_healthy_one() {
    inside(|| {
        namespace::resolv_conf("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n");
        let questions = serve(|question| match question.name.as_str() {
            "good" => addresses(&["127.0.0.1"]),
            _ => Answer::Silence,
        });
        let mut targets: Vec<_> = (0..8).map(|nth| format!("dns://silent-{nth}")).collect();
        targets.push("dns://good".into());
        let mut arguments = vec!["--any", "--attempt-timeout", "200ms"];
        arguments.extend(targets.iter().map(String::as_str));
        let mut program = Program::start(&mut wait_for(&arguments));
        // Eight lookups are fresh, so the ninth name has to wait for its turn, and the reason says
        // that.
        program.wait_for_reason("DNS is not asked for good yet: earlier lookups of other names wait for an answer");
        assert_eq!(questions.count("good", Kind::A), 0);
        let ended = program.end();
        assert_eq!(ended.message("ready")["target"], "dns://good");
    });
}
