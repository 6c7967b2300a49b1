//! `https://`: whom to trust, who we are, which name to ask for.

use std::{
    fs,
    io::{Read, Write},
    sync::mpsc,
};

use rustls::{ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::support::{
    Authority, DEADLINE, Program,
    h2::{Http2, Reply},
    http::{Http, read_head, response, status},
    namespace, never, proof, reason, run,
    server::{Server, hold},
    wait_for,
};

fn ready(authority: &Authority, names: &[&str]) -> Http {
    Http::start_tls(authority.server(names), |_| status("200 OK"))
}

#[test]
fn a_certificate_of_the_given_authority_is_trusted() {
    let authority = Authority::new();
    let server = ready(&authority, &["localhost"]);
    assert_eq!(proof(&[&server.url_tls(&format!("/#ca={}", authority.ca()))]), "HTTP 200");
    assert_eq!(server.requests.only().server_name.as_deref(), Some("localhost"));
}

#[test]
fn the_bundle_of_the_system_is_trusted() {
    let authority = Authority::new();
    let server = ready(&authority, &["localhost"]);
    let mut command = wait_for(&[&server.url_tls("/")]);
    command.env("SSL_CERT_FILE", authority.ca());
    assert_eq!(Program::start(&mut command).end().code, Some(0));
}

#[test]
fn the_authorities_of_a_folder_are_trusted() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    fs::copy(authority.ca(), folder.path().join("ca.crt")).unwrap();
    let server = ready(&authority, &["localhost"]);
    let ca = folder.path().display();
    assert_eq!(proof(&[&server.url_tls(&format!("/#ca={ca}"))]), "HTTP 200");
    let config = folder.path().join("targets.yaml");
    let check = |option| {
        let targets = format!("targets: [{{url: \"https://api/\", {option}: {ca}}}, \"https://b/#{option}={ca}\"]");
        fs::write(&config, targets).unwrap();
        run(&["check", config.to_str().unwrap()])
    };
    assert_eq!(check("ca").code, Some(0));
    assert!(check("token-file").everything().contains("is a directory"));
}

#[test]
fn an_address_is_a_name_too() {
    let authority = Authority::new();
    let server = ready(&authority, &["127.0.0.1"]);
    assert_eq!(proof(&[&format!("https://{}/#ca={}", server.address, authority.ca())]), "HTTP 200");
}

#[test]
fn a_name_with_a_dot_at_its_end_is_verified_without_it() {
    let authority = Authority::new();
    let server = ready(&authority, &["api.default.svc"]);
    let url = format!("https://api.default.svc.:{}/#resolve=127.0.0.1&ca={}", server.address.port(), authority.ca());
    assert_eq!(proof(&[&url]), "HTTP 200");
}

#[test]
fn a_certificate_for_another_name_ends_the_wait_at_once() {
    let authority = Authority::new();
    let server = ready(&authority, &["other.example"]);
    let said = never(69, &[&server.url_tls(&format!("/#ca={}", authority.ca()))]);
    assert!(said.contains("localhost") && said.contains("other.example"), "{said}");
}

#[test]
fn a_redirect_from_a_plain_server_trusts_the_authority_of_ca() {
    let authority = Authority::new();
    let secure = ready(&authority, &["localhost"]);
    let location = format!("Location: {}", secure.url_tls("/"));
    let plain = Http::start(move |_| response("301 Moved Permanently", &[&location], ""));
    assert_eq!(proof(&[&plain.url(&format!("/#redirects=1&ca={}", authority.ca()))]), "HTTP 200");
    let stranger = Authority::new();
    let said = never(69, &[&plain.url(&format!("/#redirects=1&ca={}", stranger.ca()))]);
    assert!(said.contains("unknown authority"), "{said}");
}

#[test]
fn a_certificate_of_an_unknown_authority_ends_the_wait_at_once() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = ready(&stranger, &["localhost"]);
    let ended = run(&[&server.url_tls(&format!("/#ca={}", authority.ca()))]);
    ended.ended_with(69, r#"reason=unavailable what="https://localhost:"#);
    assert!(ended.last_line().contains("unknown authority; name it with ca=PATH"), "{ended:#?}");
}

#[test]
fn a_certificate_that_has_expired_is_told_once() {
    let authority = Authority::new();
    let server = Http::start_tls(authority.expired_server(), |_| status("200 OK"));
    let url = server.url_tls(&format!("/#ca={}", authority.ca()));
    let said = never(69, &[&url]);
    assert!(said.starts_with("the server's certificate has expired: it ended at 20"), "{said}");
    let ended = run(&["--retry-all", "--timeout", "2500ms", "--interval", "10ms", &url]);
    assert_eq!(ended.message("not ready")["reason"], said);
}

#[test]
fn an_authority_that_shows_its_own_certificate_is_trusted_where_it_is_named() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Http::start_tls(authority.server_as_itself(), |_| status("200 OK"));
    assert_eq!(proof(&[&server.url_tls(&format!("/#ca={}", authority.ca()))]), "HTTP 200");
    let said = never(69, &[&server.url_tls(&format!("/#sni=api.example&ca={}", authority.ca()))]);
    assert!(said.ends_with(", and not for api.example: ask for one of its names with sni=NAME"), "{said}");
    let said = never(69, &[&server.url_tls(&format!("/#ca={}", stranger.ca()))]);
    assert!(said.starts_with("the certificate is an authority's own (CA:TRUE)"), "{said}");
    assert_eq!(proof(&[&server.url_tls("/#insecure")]), "HTTP 200");
}

#[test]
fn never_becomes_not_yet_when_all_is_retried() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = ready(&stranger, &["localhost"]);
    let url = server.url_tls(&format!("/#ca={}", authority.ca()));
    let ended = run(&["--retry-all", "--timeout", "2s", "--interval", "50ms", &url]);
    ended.ended_with(124, "reason=timed-out what=");
    assert!(ended.message("missing")["attempts"].as_u64().unwrap() > 1);
}

#[test]
fn any_certificate_will_do_when_told_so() {
    let server = ready(&Authority::new(), &["other.example"]);
    assert_eq!(proof(&[&server.url_tls("/#insecure")]), "HTTP 200");
    assert_eq!(proof(&[&server.url_tls("/#insecure=true")]), "HTTP 200");
}

#[test]
fn another_name_is_asked_for_and_verified_as_told() {
    let authority = Authority::new();
    let server = ready(&authority, &["api.example"]);
    assert_eq!(proof(&[&server.url_tls(&format!("/#sni=api.example&ca={}", authority.ca()))]), "HTTP 200");
    let request = server.requests.only();
    assert_eq!(request.server_name.as_deref(), Some("api.example"));
    assert_eq!(request.header("host"), Some(&*format!("localhost:{}", server.address.port())));
}

#[test]
fn http2_is_negotiated() {
    let authority = Authority::new();
    let server = Http2::start(Some(authority.server(&["localhost"])), |_| Reply::default());
    let url = format!("https://localhost:{}/#http2&ca={}", server.address.port(), authority.ca());
    assert_eq!(proof(&[&url]), "HTTP 200");
    assert_eq!(server.only().uri, format!("https://localhost:{}/", server.address.port()));
}

#[test]
fn a_connection_ends_with_the_last_word_of_tls() {
    let config = Authority::new().server(&["localhost"]);
    let (sender, ends) = mpsc::channel();
    let server = Server::start(move |stream, _| {
        let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        read_head(&mut tls);
        tls.write_all(status("200 OK").as_bytes()).unwrap();
        // Without that word this would be an error, as it is in the logs of many servers.
        sender.send(tls.read_to_end(&mut Vec::new()).map_err(|error| error.kind())).unwrap();
    });
    assert_eq!(proof(&[&format!("https://localhost:{}#insecure", server.port())]), "HTTP 200");
    assert_eq!(ends.recv_timeout(DEADLINE), Ok(Ok(0)));
}

#[test]
fn a_server_that_goes_without_an_answer_is_told_also_where_its_last_word_of_tls_is_missing() {
    let config = Authority::new().server(&["localhost"]);
    let server = Server::start(move |mut stream, _| {
        let mut connection = ServerConnection::new(config.clone()).unwrap();
        while connection.is_handshaking() && connection.complete_io(&mut stream).is_ok() {}
        let _ = rustls::Stream::new(&mut connection, &mut stream).read(&mut [0; 4096]);
    });
    for scheme in ["https", "rediss"] {
        let said = reason(&[&format!("{}#insecure", server.url(scheme))]);
        assert_eq!(said, "closed without an answer", "{scheme}");
    }
}

#[test]
fn a_server_without_tls_is_told() {
    let server = Server::start(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let url = format!("https://localhost:{}/#insecure", server.port());
    assert_eq!(reason(&[&url]), "the answer is not TLS; is the port a plain one? then write http://");
    assert_eq!(
        reason(&[&format!("{url}&not")]),
        "not proven gone: the answer is not TLS; is the port a plain one? then write http://"
    );
}

#[test]
fn a_bad_certificate_is_no_proof_that_a_server_is_gone() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = ready(&stranger, &["localhost"]);
    let said = reason(&[&server.url_tls(&format!("/#not&ca={}", authority.ca()))]);
    assert!(said.starts_with("not proven gone: the certificate"), "{said}");
}

#[test]
fn a_system_without_authorities_is_told_before_the_wait() {
    namespace::inside(|| {
        let ended = run(&["https://api.example/"]);
        assert_eq!(ended.code, Some(64), "{ended:#?}");
        assert!(ended.last_line().contains("mount a bundle and name it with ca=PATH or SSL_CERT_FILE"), "{ended:#?}");
    });
}

#[test]
fn a_key_that_is_none_ends_the_wait_at_once() {
    let authority = Authority::new();
    let (cert, _) = authority.identity_files(&["client"]);
    let directory = TempDir::new().unwrap();
    let empty = directory.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for (fragment, words) in [
        (format!("insecure&cert={cert}&key={cert}"), "holds no PEM private key"),
        (format!("ca={}", empty.display()), "holds no PEM certificate"),
    ] {
        let ended = run(&[&format!("https://localhost/#{fragment}")]);
        assert_eq!(ended.code, Some(64), "{ended:#?}");
        assert!(ended.last_line().contains(words), "{ended:#?}");
    }
}

#[test]
fn a_key_that_lost_its_line_breaks_is_not_printed() {
    let authority = Authority::new();
    let (cert, key) = authority.identity_files(&["client"]);
    let text = fs::read_to_string(&key).unwrap();
    let secret = text.lines().nth(1).unwrap();
    let bytes: Vec<_> = secret.bytes().take(8).map(|byte| byte.to_string()).collect();
    fs::write(&key, text.replace('\n', " ")).unwrap();
    let ended = run(&[&format!("https://localhost:1/#insecure&cert={cert}&key={key}")]);
    assert_eq!(ended.code, Some(64), "{ended:#?}");
    assert!(ended.last_line().contains("were its line breaks lost?"), "{ended:#?}");
    let everything = ended.everything();
    assert!(!everything.contains(&secret[..8]) && !everything.contains(&bytes.join(", ")), "{ended:#?}");
}

#[test]
fn an_alert_that_only_settings_mend_ends_the_wait_at_once() {
    for (alert, said) in [
        (40, "the server takes no TLS version, cipher and kind of signature of ours (its key may be P-521"),
        (70, "the server speaks neither TLS 1.2 nor TLS 1.3"),
        (112, "the server does not serve this name: ask for one of its names with sni=NAME"),
    ] {
        let server = Server::start(move |mut stream, _| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, alert]);
            hold(stream);
        });
        assert!(never(69, &[&format!("{}#insecure", server.url("https"))]).starts_with(said), "{alert}");
    }
}
