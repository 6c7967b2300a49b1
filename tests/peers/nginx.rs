//! nginx with TLS: names, client certificates, redirects, HTTP/2, and what our attempts leave behind.

use e2e::{peers::nginx::Nginx, process::Process};
use harness::until;

use crate::late::starts_ten_seconds_late;

fn start(directives: &str) -> Nginx {
    let mut nginx = Nginx::new(directives);
    nginx.start();
    nginx
}

#[test]
fn an_nginx_that_starts_ten_seconds_late_is_waited_for() {
    let mut nginx = Nginx::new("return 200;");
    starts_ten_seconds_late(&nginx.url("/"), || nginx.start());
}

#[test]
fn a_certificate_for_another_name_is_final() {
    let nginx = start("return 200;");
    let end = Process::wait_for([nginx.url("/").replace("localhost", "127.0.0.1")]).ends_with(69);
    assert!(end.log.contains("attempts=1 "), "{}", end.log);
    Process::wait_for([format!("{}&sni=localhost", nginx.url("/").replace("localhost", "127.0.0.1"))]).ends_with(0);
}

#[test]
fn a_certificate_of_an_unknown_authority_is_final() {
    let nginx = start("return 200;");
    let url = nginx.url("/");
    let (url, _) = url.split_once('#').unwrap();
    Process::wait_for([url]).ends_with(69);
    Process::wait_for([&format!("{url}#insecure")]).ends_with(0);
}

#[test]
fn a_server_that_wants_a_client_certificate_gets_it() {
    let nginx = start("ssl_client_certificate ca.pem; ssl_verify_client on; return 200;");
    let identity = nginx.authority.identity("wait-for");
    let certificate = nginx.server.directory.write("client.pem", &identity.certificate);
    let key = nginx.server.directory.write("client.key", &identity.key);
    let with = format!("{}&cert={}&key={}", nginx.url("/"), certificate.display(), key.display());
    Process::wait_for([with]).ends_with(0);

    let end = Process::wait_for([nginx.url("/"), "--timeout=1s".into()]).ends_with(124);
    assert!(end.log.contains("400"), "{}", end.log);
}

#[test]
fn a_redirect_is_an_answer_and_followed_only_on_request() {
    let nginx = start("location = / { return 302 /down; } location = /down { return 503; }");
    Process::wait_for([nginx.url("/")]).ends_with(0);
    assert_eq!(paths(&nginx, 1), ["/ HTTP/1.1 302"]);

    let end = Process::wait_for([nginx.url("/") + "&redirects=5", "--timeout=1s".into()]).ends_with(124);
    assert!(end.log.contains("503"), "{}", end.log);
    assert_eq!(paths(&nginx, 3)[1..3], ["/ HTTP/1.1 302", "/down HTTP/1.1 503"]);
}

#[test]
fn http2_is_spoken_on_request() {
    let nginx = start("return 200;");
    Process::wait_for([nginx.url("/") + "&http2"]).ends_with(0);
    assert_eq!(paths(&nginx, 1), ["/ HTTP/2.0 200"]);
}

#[test]
fn an_attempt_leaves_one_line_in_the_access_log_and_a_dropped_connection_none() {
    let nginx = start("return 200;");
    let mark = nginx.server.log().len();
    Process::wait_for([nginx.url("/healthz"), "--stable=3".into()]).ends_with(0);
    let ours = until("three lines are logged", || {
        let log = nginx.access_log();
        (log.lines().count() >= 3).then_some(log)
    });
    for _ in 0..3 {
        nginx.server.connect_and_drop();
    }
    // Its line comes after all lines about the dropped connections.
    Process::wait_for([nginx.url("/last")]).ends_with(0);
    let all = until("the last line is logged", || Some(nginx.access_log()).filter(|log| log.contains("/last")));
    let theirs = all[ours.len()..].lines().filter(|line| !line.contains("/last")).collect::<Vec<_>>();
    assert_eq!((ours.lines().count(), theirs.len()), (3, 0), "{all}");
    println!("nginx's access log of three attempts:\n{ours}and of three dropped connections:\n{}", theirs.join("\n"));
    assert_eq!(nginx.server.log().split_off(mark), "", "nothing in the error log");
}

/// Path, protocol and status of each request, once there are at least this many
fn paths(nginx: &Nginx, least: usize) -> Vec<String> {
    until("nginx has logged the requests", || {
        let log = nginx.access_log();
        let requests = log.lines().map(|line| {
            let mut words = line.split_whitespace().skip(6);
            let mut word = || words.next().unwrap_or_default().trim_matches('"');
            format!("{} {} {}", word(), word(), word())
        });
        Some(requests.collect::<Vec<_>>()).filter(|requests| requests.len() >= least)
    })
}
