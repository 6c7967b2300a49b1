//! `--config`: several listeners, each with routes by host and path.

use crate::{
    client::Client,
    support::{OK, Proxy, proxy},
    upstream::Upstream,
};

#[test]
fn requests_go_by_host_and_path_with_headers_changed() {
    let (web, api) =
        (Upstream::answering(OK), Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: x\r\n\r\napi"));
    let (_directory, file) = harness::config_file(&format!(
        "listeners:
- name: front
  address: 127.0.0.1:0
  direction: inbound
  routes:
  - {{name: web, upstream: '{}'}}
  - name: api
    path: /api
    upstream: '{}'
    request-headers: {{remove: [X-Debug], set: {{X-Env: prod}}, add: {{X-Tag: two}}}}
    response-headers: {{remove: [server], set: {{X-Frame-Options: DENY}}}}
",
        web.url(),
        api.url()
    ));
    let proxy = Proxy::run(&["--config", &file]);
    let mut client = proxy.client();
    assert_eq!(client.get("/apis").body, "ok");
    client.send(
        "GET /api/x HTTP/1.1\r\nHost: a\r\nX-Debug: 1\r\nX-Env: dev\r\nX-Tag: one\r\nX_Debug: 1\r\nX_Env: dev\r\n\r\n",
    );
    let answer = client.answer();
    assert_eq!(answer.body, "api");
    assert!(answer.head.contains("x-frame-options: DENY") && !answer.head.contains("server:"), "{answer:?}");
    let request = api.only();
    assert!(request.contains("x-env: prod") && !request.contains("x-env: dev"), "{request}");
    // Some apps read these as X-Debug and X-Env.
    assert!(!request.contains("x_debug") && !request.contains("x_env"), "{request}");
    assert!(
        request.contains("x-tag: one") && request.contains("x-tag: two") && !request.contains("x-debug"),
        "{request}"
    );
    client.send("GET /api%2Fx HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((client.answer().status, proxy.refusals("ambiguous-path")), (400, 1));
    let page = harness::http::get(proxy.health, "/metrics").body;
    let count = "http_server_request_duration_seconds_count{error_type=\"\",http_request_method=\"GET\",\
http_response_status_code=\"200\",http_route=\"api\",listener=\"front\",url_scheme=\"http\"} 1";
    assert!(page.contains(count), "{page}");
}

#[test]
fn a_host_without_a_route_is_404() {
    let upstream = Upstream::answering(OK);
    let (_directory, file) = harness::config_file(&format!(
        "listeners:\n- address: 127.0.0.1:0\n  direction: inbound\n  routes:\n  - {{host: shop.example, upstream: '{}'}}\n",
        upstream.url()
    ));
    let proxy = Proxy::run(&["--config", &file]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: Shop.Example:80\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!((client.get("/").status, proxy.refusals("no-route")), (404, 1));
}

#[test]
fn two_workers_share_an_address() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &["--workers", "2"]);
    let mut clients: Vec<_> = (0..20).map(|_| Client::new(proxy.address)).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").status, 200);
    }
    // Each worker has connections of its own to the upstream.
    assert_eq!(upstream.connections(), 2);
    proxy.stop();
}

#[test]
fn what_does_not_fit_is_said_with_its_place() {
    let (_directory, file) = harness::config_file(
        "listeners:
- address: 127.0.0.1:8000
  direction: inbound
  routes:
  - {upstream: 'https://secret@x'}
  - {path: nope, upstream: 'http://x'}
- address: 127.0.0.1:8000
  direction: sideways
  routes: []
",
    );
    let ended = harness::Program::start(&mut proxy(&["--config", &file])).end();
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    assert!(!format!("{ended:?}").contains("secret"), "{ended:#?}");
    let both = ["--config", &file, "--listen", ":1", "--upstream", "http://x"];
    assert_eq!(harness::Program::start(&mut proxy(&both)).end().code, Some(64));
    assert_eq!(harness::Program::start(&mut proxy(&["--listen", ":1"])).end().code, Some(64));
    // Flags of --listen would be ignored beside a file.
    for beside in [["--upstream", "http://x"], ["--direction", "inbound"], ["--trusted-proxies", "10.0.0.0/8"]] {
        let ended = harness::Program::start(&mut proxy(&[&["--config", &file], &beside[..]].concat())).end();
        assert_eq!(ended.code, Some(64), "{beside:?}: {ended:#?}");
    }
}
