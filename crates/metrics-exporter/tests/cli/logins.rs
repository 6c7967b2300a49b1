//! TLS and logins of sources, as the options of a URL name them.

use std::fs;

use harness::{Authority, until};

use crate::support::{Exporter, HttpServer, Reply, exporter, has, text_page};

/// A client gets no page unless its request has everything that the source asks for.
fn with_header(name: &'static str, value: &'static str) -> HttpServer {
    HttpServer::start(move |asked| match asked.header(name) {
        Some(got) if got == value => text_page("app 1\n"),
        _ => Reply::status(401),
    })
}

#[test]
fn a_source_with_tls_is_trusted_by_its_authority_and_trusts_ours() {
    let authority = Authority::new();
    let server = authority.server_for_known_clients(&["localhost"]);
    let app = HttpServer::with_tls(Some(server), |_| text_page("app 1\n"));
    let (cert, key) = authority.identity_files(&["metrics-exporter"]);
    let other = Authority::new();
    let url = |name: &str, options: &str| format!("{}#name={name}&{options}", app.url("/metrics"));
    let sources = [
        url("app", &format!("ca={}&cert={cert}&key={key}", authority.ca())),
        url("wrong-authority", &format!("ca={}&cert={cert}&key={key}", other.ca())),
        url("no-certificate", &format!("ca={}", authority.ca())),
    ];
    let exporter = Exporter::start(&sources.each_ref().map(|url| ["--scrape", url]).concat());
    let page = exporter.page();
    assert!(has(&page, "app"), "{page}");
    assert!(page.contains("sidekit_metrics_exporter_source_up{source=\"app\"} 1\n"), "{page}");
    assert!(app.asked().iter().all(|asked| asked.certificate.is_some()));
    for source in ["wrong-authority", "no-certificate"] {
        assert!(page.contains(&format!("sidekit_metrics_exporter_source_up{{source=\"{source}\"}} 0\n")), "{page}");
        let fault = format!("sidekit_metrics_exporter_source_fault{{reason=\"tls\",source=\"{source}\"}}");
        assert!(has(&page, &fault), "{fault} in {page}");
    }
    let debug = exporter.get("/debug/merge");
    for text in [
        "tls: the certificate is signed by an unknown authority; name it with ca=PATH",
        "tls: the server wants a client certificate: give cert=PATH and key=PATH",
    ] {
        assert!(debug.contains(text), "{text} in {debug}");
    }
}

#[test]
fn each_form_of_a_login_reaches_its_source() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let basic = "Basic bWU6b3BlbiBzZXNhbWU=";
    let logins = [
        (with_header("authorization", "Bearer abc"), format!("token-file={}", file("token", "abc\n"))),
        (with_header("authorization", "Bearer def"), "token-env=APP_TOKEN".into()),
        (with_header("authorization", basic), format!("user=me&password-file={}", file("password", "open sesame\n"))),
        (with_header("authorization", basic), "user=me&password-env=APP_PASSWORD".into()),
        (with_header("x-tenant", "one"), "header=X-Tenant: one".into()),
        (with_header("x-key", "k 1"), format!("header-file=X-Key: {}", file("header", "k 1\n"))),
    ];
    let mut command = exporter(&["--collect", "none"]);
    command.env("APP_TOKEN", "def").env("APP_PASSWORD", "open sesame");
    for (nth, (app, options)) in logins.iter().enumerate() {
        command.args(["--scrape", &format!("{}#name=app{nth}&{options}", app.url("/"))]);
    }
    let page = Exporter::start_command(&mut command).page();
    for (nth, (_, options)) in logins.iter().enumerate() {
        let up = format!("sidekit_metrics_exporter_source_up{{source=\"app{nth}\"}} 1\n");
        assert!(page.contains(&up), "{options}: {page}");
    }
}

/// Nothing but the file tells the exporter of the new token: no signal, and no source that refuses the old one.
#[test]
fn a_token_file_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, "old").unwrap();
    let app = HttpServer::start(|_| text_page("app 1\n"));
    let exporter = Exporter::start(&["--scrape", &format!("{}#token-file={}", app.url("/"), token.display())]);
    let scraped_with = |token: &str| {
        assert!(has(&exporter.page(), "app"));
        app.asked().last().unwrap().header("authorization") == Some(&format!("Bearer {token}"))
    };
    assert!(scraped_with("old"));
    fs::write(&token, "new").unwrap();
    until("the new token is used", || scraped_with("new").then_some(()));
}
