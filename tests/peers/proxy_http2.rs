//! HTTP/2 of the proxy before nghttp, h2load and Python's h2, with nginx, `HAProxy` and Python's h2 as upstreams.
//! Long because all of them share one way to make the proxy and to read the report of the load.

use std::net::SocketAddr;

use e2e::{
    peers::{
        app::{App, Kind},
        certificates::Certificates,
        client::{curl, play, scenario},
        front::Front,
        h2load::{h2load, load, none_failed},
        nginx::Nginx,
        python::PythonApp,
    },
    process::{Process, command, kill, output},
};
use harness::until;

/// Our proxy that takes HTTP/2 without TLS
fn without_tls(upstream: &str, more: &[&str]) -> Front {
    Front::ours_to(upstream, &[&[], more].concat())
}

fn http(address: SocketAddr) -> String {
    format!("http://{address}/")
}

#[test]
fn nghttp_gets_answers_with_every_option_of_its_own() {
    let app = App::start(Kind::Go);
    let front = without_tls(&format!("http://{}", app.address), &["--max-header-size", "64KiB"]);
    for options in [
        "",
        // 33 kB of header fields in several frames
        "--continuation",
        "--padding=255",
        "--window-bits=14 --connection-window-bits=14",
        "--header-table-size=0",
        "--encoder-header-table-size=0",
        "--header-table-size=65536",
        "--max-concurrent-streams=1 --multiply=50",
        "--no-dep --weight=1",
    ] {
        let mut nghttp = command("nghttp");
        nghttp.args(options.split_whitespace()).arg(http(front.address));
        assert!(output(nghttp).starts_with("hello\n"), "{options}");
    }
}

#[test]
fn h2load_sees_no_failed_request_on_any_app() {
    let certificates = Certificates::new();
    for kind in Kind::ALL {
        let app = App::start(kind);
        let front = without_tls(&format!("http://{}", app.address), &[]);
        none_failed(&load(&http(front.address), 2).join().unwrap());
        let front = Front::ours_with_tls(&format!("http://{}", app.address), &certificates, &[]);
        none_failed(&load(&format!("https://{}/", front.address), 2).join().unwrap());
    }
}

/// Ten thousand requests over few connections, all with a body, each of which comes back
#[test]
fn h2load_posts_thousands_of_bodies() {
    let app = PythonApp::start("h2_app.py");
    let front = without_tls(&format!("http://{}#http=2", app.address()), &[]);
    let directory = tempfile::tempdir().unwrap();
    let body = directory.path().join("body");
    std::fs::write(&body, "0123456789".repeat(300)).unwrap();
    let mut h2load = h2load();
    h2load.args(["-n", "2000", "-c", "3", "-m", "30", "-d"]).arg(&body).arg(format!("{}echo", http(front.address)));
    let report = output(h2load);
    none_failed(&report);
    assert!(report.contains("2000 2xx"), "{report}");
}

/// nginx ends its workers at each reload, and a connection after a thousand requests: with GOAWAY, while many requests are in flight.
/// An old worker sends no GOAWAY over a connection whose handshake went on at the reload, and so may live long: no test waits for it.
#[test]
fn no_request_fails_while_nginx_behind_the_proxy_reloads() {
    let mut nginx = Nginx::new("return 200 hello;");
    nginx.start();
    let front = without_tls(&nginx.url(""), &[]);
    let load = load(&http(front.address), 5);
    let answered = || front.counted("http_server_request_duration_seconds_count");
    let mut reloads = 0;
    while !load.is_finished() {
        let (mark, before) = (nginx.server.log().len(), answered());
        kill(nginx.server.process().number(), "HUP").status().unwrap();
        nginx.server.says(mark, "start worker process ");
        reloads += 1;
        until("requests go on", || (answered() >= before + 300 || load.is_finished()).then_some(()));
    }
    none_failed(&load.join().unwrap());
    assert!(reloads >= 3, "{reloads}");
}

/// 200 requests at a time, of which nginx takes 20 over each connection: the others go again, some of them many times.
#[test]
fn no_request_fails_where_nginx_takes_few_over_each_connection() {
    let mut nginx = Nginx::new("keepalive_requests 20; return 200 hello;");
    nginx.start();
    let front = without_tls(&nginx.url(""), &[]);
    none_failed(&load(&http(front.address), 2).join().unwrap());
}

/// `HAProxy` starts another worker at each reload, and the former one ends softly.
#[test]
fn no_request_fails_while_haproxy_behind_the_proxy_reloads() {
    let (app, certificates) = (App::start(Kind::Nginx), Certificates::new());
    let both = certificates.path("server.both");
    let tls = format!("ssl crt {both} alpn h2,http/1.1");
    for (bind, scheme, option) in [("proto h2", "http", "#http=2"), (&tls, "https", "#ca=")] {
        let sections = format!(
            "global\n hard-stop-after 10s\n\
             defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
             frontend front\n bind 127.0.0.1:PORT {bind}\n default_backend app\n\
             backend app\n server app {}\n",
            app.address
        );
        let mut haproxy = Front::by_haproxy(&sections);
        let authority = if scheme == "https" { certificates.path("ca.pem") } else { String::new() };
        let front = without_tls(&format!("{scheme}://localhost:{}{option}{authority}", haproxy.address.port()), &[]);
        let load = load(&http(front.address), 5);
        for _ in 0..3 {
            haproxy.reload_haproxy();
        }
        none_failed(&load.join().unwrap());
    }
}

/// A rollout: `HAProxy` balances over two of ours by their `/readyz`, and one of them drains.
#[test]
fn no_request_fails_while_a_proxy_behind_haproxy_drains() {
    let (app, certificates) = (App::start(Kind::Nginx), Certificates::new());
    let upstream = format!("http://{}", app.address);
    let plain = || without_tls(&upstream, &["--drain-delay", "2s"]);
    let by_tls = || Front::ours_with_tls(&upstream, &certificates, &["--drain-delay", "2s"]);
    let verified =
        format!("ssl verify required ca-file {} sni str(localhost) alpn h2 no-check-ssl", certificates.path("ca.pem"));
    for (ours, how) in [([plain(), plain()], "proto h2".to_owned()), ([by_tls(), by_tls()], verified)] {
        let [first, second] = &ours;
        let server = |name: &str, front: &Front| {
            format!(" server {name} {} {how} check check-proto h1 port {}\n", front.address, front.health.port())
        };
        let haproxy = Front::by_haproxy(&format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n timeout check 5s\n\
             frontend front\n bind 127.0.0.1:PORT proto h2\n default_backend app\n\
             backend app\n balance roundrobin\n option httpchk GET /readyz\n default-server inter 100ms fall 1 rise 1\n{}{}",
            server("a", first),
            server("b", second)
        ));
        let load = load(&http(haproxy.address), 12);
        until("both serve", || {
            let count = |front: &Front| front.counted("http_server_request_duration_seconds_count");
            (count(first) > 100 && count(second) > 100).then_some(())
        });
        first.signal("TERM");
        let [first, _second] = ours;
        first.ends();
        assert!(!load.is_finished());
        none_failed(&load.join().unwrap());
    }
}

/// Scenarios of `h2_client.py` whose requests and answers are allowed, with the app of `h2_app.py`
const ALLOWED: [&str; 14] = [
    "interleaved",
    "small_windows",
    "padding",
    "continued",
    "compression",
    "unknown",
    "pings",
    "trailers",
    "gives_up",
    "leaves_politely",
    "odd_answers",
    "early_answer",
    "faulty_answers",
    "refused_streams",
];

fn odd_frames(names: &[&str]) {
    let certificates = Certificates::new();
    let authority = certificates.path("ca.pem");
    let app = PythonApp::start("h2_app.py");
    let front = without_tls(&format!("http://{}#http=2", app.address()), &[]);
    let tls_app = PythonApp::start_with_tls("h2_app.py", &certificates);
    let upstream = format!("https://localhost:{}#ca={authority}", tls_app.server.port());
    let tls_front = Front::ours_with_tls(&upstream, &certificates, &[]);
    for name in names {
        play("h2_client.py", name, &front.address.to_string(), None);
        play("h2_client.py", name, &tls_front.address.to_string(), Some(&authority));
    }
}

#[test]
fn streams_may_be_interleaved_padded_continued_and_stalled() {
    odd_frames(&ALLOWED[..8]);
}

#[test]
fn clients_may_give_up_or_leave() {
    odd_frames(&ALLOWED[8..10]);
}

#[test]
fn answers_of_an_app_arrive_however_odd() {
    odd_frames(&ALLOWED[10..12]);
}

#[test]
fn answers_that_are_faulty_end_alone() {
    odd_frames(&ALLOWED[12..13]);
}

#[test]
fn streams_that_an_app_refused_are_sent_again() {
    odd_frames(&ALLOWED[13..]);
}

#[test]
fn what_rfc_9113_forbids_is_refused_as_it_says() {
    odd_frames(&["forbidden"]);
    let app = App::start(Kind::Go);
    let front = without_tls(&format!("http://{}", app.address), &[]);
    play("h2_client.py", "no_preface", &front.address.to_string(), None);
}

/// Faults that other proxies have had; each scenario names a public report.
#[test]
fn faults_of_other_proxies_are_not_ours() {
    odd_frames(&[
        "answer_and_reset",
        "early_answer_to_an_upload",
        "goaway_with_control_frames",
        "update_of_zero",
        "trailers_only",
        "goaway_with_many_in_flight",
    ]);
}

#[test]
fn answers_in_flight_arrive_whole_through_a_drain() {
    let app = PythonApp::start("h2_app.py");
    let front = without_tls(&format!("http://{}#http=2", app.address()), &[]);
    let mut client =
        Process::start(scenario("h2_client.py", "bodies_through_a_drain", &front.address.to_string(), None));
    client.says("reads");
    front.signal("TERM");
    client.ends_with(0);
    front.ends();
}

/// An app that refuses an upload before it has come, and closes: the client gets the refusal (haproxy/haproxy#410).
#[test]
fn a_refusal_of_a_large_upload_arrives() {
    let mut nginx = Nginx::new("client_max_body_size 1k; location / { proxy_pass http://127.0.0.1:9; }");
    nginx.start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("upload");
    std::fs::write(&file, vec![b'x'; 20_000_000]).unwrap();
    for option in ["&http=1", "&http=2"] {
        let front = without_tls(&format!("{}{option}", nginx.url("")), &[]);
        let url = format!("{}upload", http(front.address));
        let mut curl = command("curl");
        curl.args(["--disable", "--silent", "--max-time", "30", "--http1.1", "--header", "Expect:", "--upload-file"]);
        curl.arg(&file).arg(&url);
        // Not curl: it takes the reset behind an early answer for a fault, also with nginx alone.
        let mut nghttp = command("nghttp");
        nghttp.arg("--data").arg(&file).arg(&url);
        for client in [curl, nghttp] {
            let said = output(client);
            assert!(said.contains("413 Request Entity Too Large"), "{option}: {said}");
        }
    }
}

/// HTTP/1.1 in front and HTTP/2 behind, and the reverse, with bodies of many buffers
#[test]
fn curl_uploads_through_a_change_of_version() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("upload");
    let content = "0123456789abcdef".repeat(200_000);
    std::fs::write(&file, &content).unwrap();
    let upload = format!("@{}", file.display());
    let app = PythonApp::start("h2_app.py");
    let front = without_tls(&format!("http://{}#http=2", app.address()), &[]);
    for flags in [["--http1.1", "--no-progress-meter"], ["--http2-prior-knowledge", "--no-progress-meter"]] {
        for header in ["Expect:", "Expect: 100-continue", "Transfer-Encoding: chunked"] {
            let url = format!("{}echo", http(front.address));
            let arguments = [&flags[..], &["--header", header, "--data-binary", &upload, &url]].concat();
            assert_eq!(curl(arguments), content, "{flags:?} {header}");
        }
        let trailers = curl(
            [&flags[..], &["--header", "TE: trailers", "--include", &format!("{}trailers", http(front.address))]]
                .concat(),
        );
        assert!(trailers.contains("with trailers"), "{trailers}");
    }
    for kind in Kind::ALL {
        let app = App::start(kind);
        let front = without_tls(&format!("http://{}", app.address), &[]);
        let url = format!("{}upload", http(front.address));
        curl(["--http2-prior-knowledge", "--upload-file", &upload[1..], &url]);
        assert_eq!(curl(["--http2-prior-knowledge", &url]), content, "{kind:?}");
    }
}
