//! `RabbitMQ`: ready, not yet, never, and the traces of our attempts.

use e2e::{peers::rabbitmq::RabbitMq, process::Process};
use harness::Authority;

use crate::late::starts_ten_seconds_late;

/// One broker for all: it takes longer to start than to be asked.
#[test]
fn a_broker_is_ready_with_its_virtual_host() {
    let authority = Authority::new();
    let mut rabbit = RabbitMq::new(&authority.identity("localhost"));
    starts_ten_seconds_late(&rabbit.url(), || rabbit.start());
    a_virtual_host_that_is_made_late_is_waited_for(&rabbit);
    a_password_decides(&rabbit);
    a_connection_by_tls_is_checked(&rabbit, &authority);
    an_attempt_is_no_error_in_the_log(&rabbit);
}

fn with_login(rabbit: &RabbitMq, password: &str, path: &str) -> Process {
    let file = rabbit.server.directory.write(password, password);
    let url = rabbit.url().replace("://", "://app@");
    Process::wait_for([format!("{url}{path}#password-file={}", file.display())])
}

fn a_virtual_host_that_is_made_late_is_waited_for(rabbit: &RabbitMq) {
    rabbit.control("add_user app secret");
    let mut helper = with_login(rabbit, "secret", "/shop%2Feast");
    helper.says("vhost shop/east not found");
    rabbit.control("add_vhost shop/east");
    helper.says("access to vhost 'shop/east' refused for user 'app'");
    rabbit.control("set_permissions --vhost shop/east app .* .* .*");
    let end = helper.ends_with(0);
    assert!(end.log.contains("logged in, virtual host shop/east opened"), "{}", end.log);
    assert!(rabbit.server.log().contains("[error]"), "a refused virtual host is an error in the log");
}

fn a_password_decides(rabbit: &RabbitMq) {
    let end = with_login(rabbit, "guessed", "/shop%2Feast").ends_with(77);
    assert!(end.log.contains("login refused: ACCESS_REFUSED"), "{}", end.log);
    let end = Process::wait_for([rabbit.url()]).ends_with(0);
    assert!(end.log.contains("logged in as guest, virtual host / opened"), "{}", end.log);
    rabbit.control("change_password guest other");
    let end = Process::wait_for([rabbit.url()]).ends_with(0);
    assert!(end.log.contains("without a password"), "{}", end.log);
    Process::wait_for([rabbit.url() + "/shop"]).ends_with(77);
    rabbit.control("change_password guest guest");
}

fn a_connection_by_tls_is_checked(rabbit: &RabbitMq, authority: &Authority) {
    let trusting = |authority: &Authority| {
        let file = rabbit.server.directory.write("ca.pem", &authority.certificate());
        Process::wait_for([format!("{}#ca={}", rabbit.url_with_tls(), file.display())])
    };
    trusting(authority).ends_with(0);
    trusting(&Authority::new()).ends_with(69);
    let end = Process::wait_for([rabbit.url_with_tls().replace("amqps", "amqp")]).ends_with(69);
    assert!(end.log.contains("speaks TLS"), "{}", end.log);
}

fn an_attempt_is_no_error_in_the_log(rabbit: &RabbitMq) {
    let mark = rabbit.server.log().len();
    Process::wait_for([rabbit.url(), "--stable=3".into()]).ends_with(0);
    with_login(rabbit, "secret", "/shop%2Feast").ends_with(0);
    let log = harness::until("all connections are closed", || {
        let log = rabbit.server.log().split_off(mark);
        (log.matches("closing AMQP connection").count() == 4).then_some(log)
    });
    assert!(!log.contains("[error]") && !log.contains("[warning]"), "{log}");
    assert_eq!(log.lines().count(), 4 * 3, "{log}");
    let mark = rabbit.server.log().len();
    rabbit.server.connect_and_drop();
    // Another attempt, so that all before it is there
    Process::wait_for([rabbit.url()]).ends_with(0);
    harness::until("the attempt is in the log", || {
        let log = rabbit.server.log().split_off(mark);
        log.contains("closing AMQP connection").then(|| assert_eq!(log.lines().count(), 3, "{log}"))
    });
}
