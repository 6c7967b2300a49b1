//! `dns://…#type=SRV`: questions of our own, by the rules of resolv.conf.

use crate::support::{
    dns::{Answer, Kind, serve},
    namespace::{self, inside, use_dns},
    proof, reason,
};

const NAME: &str = "_sql._tcp.db";
const FULL_NAME: &str = "_sql._tcp.db.default.cluster";

#[test]
fn services_are_counted() {
    inside(|| {
        use_dns();
        serve(|question| if question.name == FULL_NAME { Answer::Services(2) } else { Answer::UnknownName });
        assert_eq!(proof(&[&format!("dns://{NAME}#type=SRV&min=2")]), "2 SRV records");
        assert_eq!(reason(&[&format!("dns://{NAME}#type=SRV&min=3")]), "2 SRV records of 3");
    });
}

#[test]
fn a_name_without_services_is_not_ready() {
    inside(|| {
        use_dns();
        let questions = serve(|_| Answer::UnknownName);
        assert_eq!(reason(&[&format!("dns://{NAME}#type=SRV")]), "no SRV records");
        for name in [FULL_NAME, "_sql._tcp.db.cluster", NAME] {
            assert_eq!(questions.count(name, Kind::Srv), 1, "{name}");
        }
        assert_eq!(proof(&[&format!("dns://{NAME}#type=SRV&not")]), "gone: no SRV records");
    });
}

#[test]
fn an_answer_that_is_cut_short_is_asked_for_again_by_tcp() {
    inside(|| {
        use_dns();
        let questions = serve(|question| if question.tcp { Answer::Services(100) } else { Answer::Truncated });
        assert_eq!(proof(&[&format!("dns://{NAME}#type=SRV&min=100")]), "100 SRV records");
        assert!(questions.all().iter().any(|question| question.tcp));
    });
}

#[test]
fn an_absolute_name_is_asked_for_as_it_is() {
    inside(|| {
        use_dns();
        let questions = serve(|_| Answer::Services(1));
        assert_eq!(proof(&["dns://_sql._tcp.db.example.#type=SRV"]), "1 SRV record");
        let asked: Vec<_> = questions.all().into_iter().map(|question| question.name).collect();
        assert_eq!(asked, ["_sql._tcp.db.example"]);
    });
}

#[test]
fn a_server_that_fails_for_one_name_does_not_end_the_search() {
    inside(|| {
        use_dns();
        serve(|question| if question.name == NAME { Answer::Services(1) } else { Answer::ServerFailure });
        assert_eq!(proof(&[&format!("dns://{NAME}#type=SRV")]), "1 SRV record");
    });
}

#[test]
fn servers_that_fail_are_no_proof_of_anything() {
    inside(|| {
        use_dns();
        serve(|question| match question.name.as_str() {
            FULL_NAME => Answer::Garbage,
            NAME => Answer::UnknownName,
            _ => Answer::ServerFailure,
        });
        let said = format!("DNS gives no answer for {NAME}: no server is there, or it fails");
        assert_eq!(reason(&[&format!("dns://{NAME}#type=SRV")]), said);
        assert_eq!(reason(&[&format!("dns://{NAME}#type=SRV&not")]), format!("not proven gone: {said}"));
    });
}

#[test]
fn the_next_server_is_asked_when_one_is_not_there() {
    inside(|| {
        namespace::resolv_conf("nameserver 127.0.0.9\nnameserver 127.0.0.1\n");
        serve(|_| Answer::Services(1));
        assert_eq!(proof(&[&format!("dns://{NAME}#type=SRV")]), "1 SRV record");
    });
}

#[test]
fn a_silent_server_costs_an_attempt_its_deadline() {
    inside(|| {
        use_dns();
        serve(|_| Answer::Silence);
        assert_eq!(
            reason(&["--attempt-timeout", "200ms", &format!("dns://{NAME}#type=SRV")]),
            "no answer within 200ms"
        );
    });
}
