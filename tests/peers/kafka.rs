//! Kafka: ready, not yet, never, and the traces of our attempts.

use e2e::{
    peers::kafka::{GUEST, Kafka, ROOT},
    process::Process,
};
use harness::Authority;

use crate::late::starts_ten_seconds_late;

/// One broker for most: it takes longer to start than to be asked.
#[test]
fn a_broker_is_ready_with_all_that_is_wanted_of_it() {
    let authority = Authority::new();
    let mut kafka = Kafka::new(&authority.identity("localhost"));
    starts_ten_seconds_late(&kafka.url(), || kafka.start());
    a_topic_that_is_created_late_is_waited_for_and_not_created(&mut kafka);
    any_of_several_hosts_will_do(&kafka);
    a_cluster_that_is_too_small_is_not_ready(&kafka);
    a_password_decides(&kafka);
    a_topic_without_permission_is_never_ready(&kafka);
    a_connection_by_tls_is_checked(&kafka, &authority);
    an_attempt_leaves_nothing_in_the_log(&mut kafka);
}

fn a_topic_that_is_created_late_is_waited_for_and_not_created(kafka: &mut Kafka) {
    let mut helper = Process::wait_for([format!("{}#topic=orders&topic=payments", kafka.url())]);
    helper.says("topic orders does not exist");
    kafka.create("orders", 3);
    helper.says("topic payments does not exist");
    kafka.create("payments", 1);
    let end = helper.ends_with(0);
    assert!(end.log.contains("topic orders with partitions: 3, topic payments with partitions: 1"), "{}", end.log);
}

fn any_of_several_hosts_will_do(kafka: &Kafka) {
    let hosts = kafka.url().replace("://", "://127.0.0.1:1,nosuch.invalid,");
    Process::wait_for([format!("{hosts}#topic=orders")]).ends_with(0);
    let mut helper = Process::wait_for([format!("{hosts}#topic=other")]);
    helper.says("topic other does not exist");
}

fn a_cluster_that_is_too_small_is_not_ready(kafka: &Kafka) {
    Process::wait_for([format!("{}#brokers=1", kafka.url())]).ends_with(0);
    let mut helper = Process::wait_for([format!("{}#brokers=2", kafka.url())]);
    helper.says("brokers: 1 of 2");
}

fn a_password_decides(kafka: &Kafka) {
    for mechanism in ["", "&sasl=PLAIN", "&sasl=SCRAM-SHA-256", "&sasl=SCRAM-SHA-512"] {
        let with = |login| Process::wait_for([format!("{}&topic=orders{mechanism}", kafka.url_with_login(login))]);
        with(ROOT).ends_with(0);
        let end = with((ROOT.0, "guessed")).ends_with(77);
        assert!(end.log.contains("login refused"), "{}", end.log);
        assert!(!end.log.contains("guessed\""), "{}", end.log);
    }
    let end = Process::wait_for([kafka.url_without_login()]).ends_with(0);
    assert!(end.log.contains("without a password"), "{}", end.log);
    let end = Process::wait_for([format!("{}#topic=orders", kafka.url_without_login())]).ends_with(77);
    assert!(end.log.contains("asks for a login"), "{}", end.log);
    let file = kafka.server.directory.write("password", ROOT.1);
    let url = kafka.url().replace("://", "://root@");
    let end = Process::wait_for([format!("{url}#password-file={}", file.display())]).ends_with(69);
    assert!(end.log.contains("takes no login"), "{}", end.log);
}

fn a_topic_without_permission_is_never_ready(kafka: &Kafka) {
    let end = Process::wait_for([format!("{}&topic=orders", kafka.url_with_login(GUEST))]).ends_with(77);
    assert!(end.log.contains("topic orders: no permission to see it"), "{}", end.log);
    Process::wait_for([kafka.url_with_login(GUEST)]).ends_with(0);
}

fn a_connection_by_tls_is_checked(kafka: &Kafka, authority: &Authority) {
    let trusting = |authority: &Authority| {
        let file = kafka.server.directory.write("ca.pem", &authority.certificate());
        Process::wait_for([format!("{}#topic=orders&ca={}", kafka.url_with_tls(), file.display())])
    };
    trusting(authority).ends_with(0);
    trusting(&Authority::new()).ends_with(69);
    let plain = kafka.url_with_tls().replace("kafkas", "kafka");
    let end = Process::wait_for([plain]).ends_with(69);
    assert!(end.log.contains("speaks TLS"), "{}", end.log);
}

fn an_attempt_leaves_nothing_in_the_log(kafka: &mut Kafka) {
    let mark = kafka.server.log().len();
    let login = kafka.url_with_login(ROOT);
    for url in [&kafka.url(), &login, &format!("{login}&sasl=PLAIN"), &kafka.url_without_login()] {
        Process::wait_for([url, "--stable=3"]).ends_with(0);
    }
    kafka.server.connect_and_drop();
    // Another line, so that all before it is there
    kafka.create("last", 1);
    let said = kafka.server.log().split_off(mark);
    for part in ["WARN", "ERROR", "ailed authentication", "wait-for", "127.0.0.1"] {
        assert!(!said.contains(part), "{part}: {said}");
    }
}
