//! Endpoints that an issuer names.

use std::sync::{Arc, Mutex};

use super::*;

/// An issuer with metadata at this path, whose identifier and endpoint are as given; `ORIGIN` is its own.
fn issuer(path: &'static str, identifier: &'static str, endpoint: &'static str) -> HttpServer {
    let origin = Arc::new(Mutex::new(String::new()));
    let shared = origin.clone();
    let server = HttpServer::start(move |asked| {
        let own = |text: &str| text.replace("ORIGIN", &shared.lock().unwrap());
        match asked.path.as_str() {
            at if at == path => Reply::json(200, &json!({"issuer": own(identifier), "token_endpoint": own(endpoint)})),
            "/oauth/token" => Reply::json(200, &json!({"access_token": "a", "token_type": "Bearer"})),
            _ => Reply::status(404),
        }
    });
    *origin.lock().unwrap() = server.url("");
    server
}

fn settings(server: &HttpServer, path: &str) -> Value {
    json!({"issuer": server.url(path), "client-id": "a", "client-secret": {"file": "/proc/self/comm"}})
}

#[tokio::test]
async fn an_endpoint_is_found_in_both_places_and_kept() {
    for (path, at, identifier) in [
        ("", "/.well-known/openid-configuration", "ORIGIN"),
        ("/", "/.well-known/openid-configuration", "ORIGIN/"),
        ("/realm", "/realm/.well-known/openid-configuration", "ORIGIN/realm"),
        ("", "/.well-known/oauth-authorization-server", "ORIGIN"),
        ("/realm", "/.well-known/oauth-authorization-server/realm", "ORIGIN/realm"),
    ] {
        let server = issuer(at, identifier, "ORIGIN/oauth/token");
        let source = source(settings(&server, path));
        source.fetch(&Inputs::default()).await.unwrap();
        let asked = server.asked().len();
        source.fetch(&Inputs::default()).await.unwrap();
        assert_eq!(server.asked().len(), asked + 1, "{at}");
    }
}

#[tokio::test]
async fn metadata_that_is_wrong_leads_nowhere() {
    const AT: &str = "/.well-known/openid-configuration";
    for (identifier, endpoint, fault) in [
        ("https://evil.example/?a=b", "ORIGIN/oauth/token", "another issuer, https://evil.example/:"),
        ("ORIGIN/", "ORIGIN/oauth/token", "another issuer"),
        ("ORIGIN", "http://10.0.0.1/oauth/token", "its token_endpoint has no TLS"),
        ("ORIGIN", "ftp://localhost/oauth/token", "its token_endpoint has no TLS"),
        ("ORIGIN", "/oauth/token", "without a token_endpoint"),
    ] {
        let server = issuer(AT, identifier, endpoint);
        let error = fetch(settings(&server, "")).await.unwrap_err();
        assert_eq!(error.label(), "bad_answer", "{error}");
        assert!(error.to_string().contains(fault), "{error}");
        assert!(server.asked().iter().all(|asked| asked.method == "GET"), "no secret has left");
    }
    let nowhere = issuer("/other", "ORIGIN", "ORIGIN/oauth/token");
    assert_eq!(fetch(settings(&nowhere, "")).await.unwrap_err().label(), "bad_answer");
}

#[tokio::test]
async fn an_endpoint_that_has_moved_is_looked_for_again() {
    let moved = Arc::new(Mutex::new(("/old", String::new())));
    let shared = moved.clone();
    let server = HttpServer::start(move |asked| {
        let (at, origin) = shared.lock().unwrap().clone();
        match asked.path.as_str() {
            "/.well-known/openid-configuration" => {
                Reply::json(200, &json!({"issuer": origin, "token_endpoint": format!("{origin}{at}")}))
            }
            path if path == at => Reply::json(200, &json!({"access_token": "a", "token_type": "Bearer"})),
            _ => Reply::status(404),
        }
    });
    moved.lock().unwrap().1 = server.url("");
    let source = source(settings(&server, ""));
    source.fetch(&Inputs::default()).await.unwrap();
    moved.lock().unwrap().0 = "/new";
    assert!(source.fetch(&Inputs::default()).await.is_err());
    source.fetch(&Inputs::default()).await.unwrap();
}
