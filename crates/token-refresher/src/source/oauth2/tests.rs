//! The source against a strict issuer.

mod discovery;
mod failures;
mod issuer;
mod refresh;

use std::{path::PathBuf, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use harness::{Authority, HttpServer, Reply};
use serde_json::{Value, json};

use self::issuer::{CLIENT, Issuer, KEY, SECRET};
use super::*;

fn source(settings: Value) -> OAuth2Source {
    OAuth2Source::deserialize(settings).unwrap()
}

async fn fetch(settings: Value) -> Result<Fetched, FetchError> {
    source(settings).fetch(&Inputs::default()).await
}

fn value<'a>(fetched: &'a Fetched, name: &str) -> Option<&'a str> {
    fetched.fields.get(Some(name)).map(lifecycle::Secret::expose)
}

/// Files of inputs
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for (name, content) in [("secret", SECRET), ("wrong", "sesame-not"), ("key", KEY), ("seed", issuer::SEED)] {
            files.write(name, content);
        }
        files
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn input(&self, name: &str) -> Value {
        json!({"file": self.path(name)})
    }
}

#[tokio::test]
async fn each_way_of_logging_in_is_taken() {
    let (issuer, files) = (Issuer::start(), Files::new());
    let key = json!({"key": files.input("key"), "key-id": "k1"});
    for settings in [
        json!({"client-secret": files.input("secret")}),
        json!({"client-secret": files.input("secret"), "client-auth": "client_secret_post"}),
        json!({"private-key": key}),
    ] {
        let source = source(issuer.settings(&settings));
        // Twice: an assertion has a new identifier each time.
        for _ in 0..2 {
            let fetched = source.fetch(&Inputs::default()).await.unwrap();
            assert_eq!((fetched.life, fetched.renewable), (Some(Duration::from_secs(60)), false));
            assert_eq!(value(&fetched, "token_type"), Some("bearer"));
            assert!(fetched.fields.get(None).unwrap().expose().starts_with("token-"));
        }
    }
    assert_eq!(issuer.requests(), 6);
}

#[tokio::test]
async fn a_client_can_log_in_by_its_certificate() {
    let authority = Authority::new();
    let (cert, key) = authority.identity_files(&["client"]);
    let server = HttpServer::with_tls(Some(authority.server_for_known_clients(&["localhost"])), |asked| {
        let is_known = asked.certificate.is_some() && asked.body.contains("client_id=billing%3Aeu");
        if is_known {
            Reply::json(200, &json!({"access_token": "a", "token_type": "Bearer"}))
        } else {
            Reply::status(401)
        }
    });
    let url = format!("{}#ca={}&cert={cert}&key={key}", server.url("/token"), authority.ca());
    let settings = json!({"token-endpoint": url, "client-id": CLIENT, "client-auth": "tls_client_auth"});
    let source = source(settings);
    assert_eq!(source.files().count(), 3);
    let fetched = source.fetch(&Inputs::default()).await.unwrap();
    assert_eq!((value(&fetched, "access_token"), fetched.life), (Some("a"), None));
}

#[tokio::test]
async fn parameters_are_sent() {
    let (issuer, files) = (Issuer::start(), Files::new());
    let more = json!({
        "client-secret": files.input("secret"), "scope": "read write", "audience": "https://api",
        "resource": ["urn:a", "urn:b"], "parameters": {"x": "y&z"},
    });
    let fetched = fetch(issuer.settings(&more)).await.unwrap();
    assert_eq!(value(&fetched, "scope"), Some("read write"));
    let body = &issuer.server.asked()[0].body;
    let sent = "scope=read+write&audience=https%3A%2F%2Fapi&resource=urn%3Aa&resource=urn%3Ab&x=y%26z&grant_type=client_credentials";
    assert_eq!(body, sent);
}

#[tokio::test]
async fn an_assertion_is_a_grant() {
    let (issuer, files) = (Issuer::start(), Files::new());
    let key = json!({"key": files.input("key"), "key-id": "k1"});
    let mut signed = issuer.settings(&json!({"private-key": key, "signed-assertion": {"subject": "joe"}}));
    let source = source(signed.clone());
    for _ in 0..2 {
        source.fetch(&Inputs::default()).await.unwrap();
    }
    signed["client-auth"] = "private_key_jwt".into();
    fetch(signed).await.unwrap();
    let body = issuer.server.asked().pop().unwrap().body;
    let assertion = form_urlencoded(&body, "assertion").unwrap();
    // Another party's assertion, which this issuer has seen already
    files.write("assertion", &assertion);
    let settings = json!({"client-secret": files.input("secret"), "assertion": files.input("assertion")});
    assert_eq!(fetch(issuer.settings(&settings)).await.unwrap_err().label(), "refused");
    issuer.state().next.clear();
    let asked = issuer.server.asked().pop().unwrap().body;
    assert_eq!(form_urlencoded(&asked, "assertion"), Some(assertion));
}

fn form_urlencoded(body: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(body.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn issued(assertion: &str) -> u64 {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()["iat"].as_u64().unwrap()
}

#[tokio::test]
async fn assertions_go_by_the_servers_clock() {
    let files = Files::new();
    let in_an_hour = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
    let server = HttpServer::start(move |_| Reply::Answer(503, vec![("Date", in_an_hour.clone())], String::new()));
    let key = json!({"key": files.input("key")});
    let source = source(json!({"token-endpoint": server.url("/"), "client-id": "a", "private-key": key}));
    let mut times = Vec::new();
    for _ in 0..2 {
        source.fetch(&Inputs::default()).await.unwrap_err();
        let assertion = form_urlencoded(&server.asked().pop().unwrap().body, "client_assertion").unwrap();
        let from_start = crate::value::life::of_jwt(&assertion, SystemTime::now() - Duration::from_secs(60));
        times.push(issued(&assertion));
        assert_eq!(from_start, Some(Ok(Duration::from_secs(60))), "no longer than it was issued for");
    }
    let ahead = times[1] - times[0];
    assert!((3590..=3610).contains(&ahead), "{ahead}");
}

#[test]
fn wrong_settings_are_refused() {
    let secret = json!({"env": "SECRET"});
    let endpoint = "https://a/token#insecure";
    for (settings, fault) in [
        (json!({"client-id": "a", "client-secret": secret}), "an issuer or a token-endpoint is missing"),
        (
            json!({"issuer": endpoint, "token-endpoint": endpoint, "client-id": "a", "client-secret": secret}),
            "issuer and token-endpoint exclude",
        ),
        (
            json!({"token-endpoint": "http://a/token", "client-id": "a", "client-secret": secret}),
            "secrets would travel in the clear",
        ),
        (json!({"token-endpoint": endpoint, "client-secret": secret}), "client-id is missing"),
        (json!({"token-endpoint": endpoint, "client-id": "a"}), "client credentials need client-secret"),
        (
            json!({"token-endpoint": endpoint, "client-id": "a", "client-auth": "client_secret_post"}),
            "client-secret is missing",
        ),
        (
            json!({"token-endpoint": endpoint, "client-id": "a", "refresh-token": secret, "assertion": secret}),
            "refresh-token, assertion",
        ),
        (
            json!({"token-endpoint": endpoint, "client-id": "a", "signed-assertion": {}}),
            "signed-assertion needs a private-key",
        ),
        (
            json!({"token-endpoint": endpoint, "client-id": "a", "client-secret": secret, "rotated-token-file": "/a"}),
            "rotated-token-file goes together",
        ),
        (
            json!({"token-endpoint": endpoint, "client-id": "a", "refresh-token": secret, "rotated-token-file": "a"}),
            "rotated-token-file is no absolute path",
        ),
        (
            json!({"token-endpoint": endpoint, "client-id": "a", "client-secret": secret, "parameters": {"scope": "a"}}),
            "parameters: scope is set",
        ),
        (
            json!({"token-endpoint": "https://u:p@a/#insecure", "client-id": "a", "client-secret": secret}),
            "client-secret and a login",
        ),
        (
            json!({"issuer": "https://a/?b#insecure", "client-id": "a", "client-secret": secret}),
            "an issuer has no query",
        ),
    ] {
        let error = OAuth2Source::deserialize(settings).unwrap_err().to_string();
        assert!(error.starts_with(fault), "{error}");
    }
    let allowed =
        json!({"token-endpoint": "http://a/token", "client-id": "a", "client-secret": secret, "insecure-http": true});
    assert!(OAuth2Source::deserialize(allowed).is_ok());
    let dependent = source(json!({"token-endpoint": endpoint, "client-id": "a", "client-secret": {"secret": "other"}}));
    assert_eq!(dependent.depends_on().collect::<Vec<_>>(), ["other"]);
}
