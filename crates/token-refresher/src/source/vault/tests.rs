//! The sources against a server on loopback that answers as Vault and OpenBao do, also in odd ways.

use std::{
    collections::HashMap,
    future::Future as _,
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Waker},
    time::Duration,
};

use harness::{Asked, HttpServer, Reply};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{KvSource, LoginSource};
use crate::{
    value::fetch_error::FetchError,
    value::fetched::Fetched,
    value::fields::Fields,
    value::input::{Inputs, Published},
};

fn login(server: &HttpServer, method: &Value) -> LoginSource {
    LoginSource::deserialize(json!({"url": server.url("/"), "login": method})).unwrap()
}

fn approle() -> Value {
    json!({"approle": {"role-id": "billing"}})
}

fn auth(token: &str, seconds: u64) -> Reply {
    Reply::json(200, &json!({"auth": {"client_token": token, "lease_duration": seconds, "renewable": true}}))
}

fn errors(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({"errors": [text]}))
}

fn fetched(token: &str) -> Fetched {
    Fetched { fields: Fields::single("token", token.into()), life: Some(Duration::from_secs(60)), renewable: true }
}

fn value(fetched: &Fetched) -> &str {
    fetched.fields.get(None).unwrap().expose()
}

fn paths(server: &HttpServer) -> Vec<String> {
    server.asked().into_iter().map(|asked| asked.path).collect()
}

#[tokio::test]
async fn each_login_has_its_path_and_its_texts() {
    let server = HttpServer::start(|_| auth("s.new", 60));
    let directory = tempfile::tempdir().unwrap();
    let jwt = directory.path().join("jwt");
    std::fs::write(&jwt, "ey.a.b\n").unwrap();
    let file = json!({"file": jwt});
    for (method, path, body) in [
        (
            json!({"kubernetes": {"role": "billing", "jwt": file}}),
            "/v1/auth/kubernetes/login",
            json!({"role": "billing", "jwt": "ey.a.b"}),
        ),
        (json!({"jwt": {"jwt": file, "mount": "/team/ci/"}}), "/v1/auth/team/ci/login", json!({"jwt": "ey.a.b"})),
        (
            json!({"approle": {"role-id": "billing", "secret-id": file}}),
            "/v1/auth/approle/login",
            json!({"role_id": "billing", "secret_id": "ey.a.b"}),
        ),
        (json!({"cert": {"role": "billing"}}), "/v1/auth/cert/login", json!({"name": "billing"})),
    ] {
        let settings = json!({"url": server.url("/"), "namespace": "team-a/", "login": method});
        let source = LoginSource::deserialize(settings).unwrap();
        assert_eq!(value(&source.fetch(&Inputs::default()).await.unwrap()), "s.new");
        let asked = server.asked().pop().unwrap();
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", path));
        assert_eq!(serde_json::from_str::<Value>(&asked.body).unwrap(), body);
        assert_eq!((asked.header("x-vault-namespace"), asked.header("x-vault-token")), (Some("team-a"), None));
        assert_eq!(asked.header("x-vault-request"), Some("true"));
    }
    let own = login(&server, &json!({"kubernetes": {"role": "billing"}}));
    let files: Vec<_> = own.files().collect();
    assert_eq!(files, [Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token")]);
}

#[tokio::test]
async fn a_status_has_a_meaning_and_no_secret() {
    for (status, label) in [
        (400, "refused"),
        (403, "refused"),
        (404, "refused"),
        (412, "unavailable"),
        (429, "unavailable"),
        (472, "unavailable"),
        (473, "unavailable"),
        (500, "unavailable"),
        (503, "unavailable"),
    ] {
        let server = HttpServer::start(move |asked| errors(status, &format!("you sent {}", asked.body)));
        let method = json!({"approle": {"role-id": "billing", "secret-id": {"file": "/proc/self/comm"}}});
        let error = login(&server, &method).fetch(&Inputs::default()).await.unwrap_err();
        assert_eq!(error.label(), label, "{status}");
        let secret = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert!(!error.to_string().contains(secret.trim()), "{error}");
    }
    let redirect = vec![("Location", "http://active:8200/v1/auth/approle/login".to_owned())];
    let server = HttpServer::start(move |_| Reply::Answer(307, redirect.clone(), String::new()));
    let error = login(&server, &approle()).fetch(&Inputs::default()).await.unwrap_err();
    assert!(error.to_string().contains("a redirect (307) to http://active:8200, which is not followed"), "{error}");
}

#[tokio::test]
async fn a_renewal_keeps_the_token_until_its_maximum() {
    let lives = Arc::new(AtomicUsize::new(0));
    let next = lives.clone();
    let server = HttpServer::start(move |_| auth("s.old", [60, 60, 20, 0][next.fetch_add(1, Relaxed)]));
    let source = login(&server, &approle());
    let first = source.fetch(&Inputs::default()).await.unwrap();
    let second = source.renew(&first, &Inputs::default()).await.unwrap();
    assert_eq!((second.life, second.renewable), (Some(Duration::from_secs(60)), true));
    let last = source.renew(&second, &Inputs::default()).await.unwrap();
    assert_eq!((last.life, last.renewable), (Some(Duration::from_secs(20)), false));
    let in_its_last_second = source.renew(&last, &Inputs::default()).await.unwrap();
    assert_eq!((in_its_last_second.life, in_its_last_second.renewable), (Some(Duration::from_secs(1)), false));
    let asked = server.asked();
    assert_eq!(
        (asked[1].path.as_str(), asked[1].header("x-vault-token")),
        ("/v1/auth/token/renew-self", Some("s.old"))
    );
}

/// A server that refuses renewals, and knows the token or not
fn refusing(lookup: u16) -> HttpServer {
    HttpServer::start(move |asked| match asked.path.as_str() {
        "/v1/auth/token/renew-self" => errors(403, "permission denied"),
        "/v1/auth/token/lookup-self" if lookup == 200 => {
            Reply::json(200, &json!({"data": {"ttl": 20, "renewable": true}}))
        }
        "/v1/auth/token/lookup-self" => errors(lookup, "no"),
        _ => auth("s.new", 60),
    })
}

#[tokio::test]
async fn a_refused_renewal_costs_at_most_one_login() {
    let server = refusing(200);
    let kept = login(&server, &approle()).renew(&fetched("s.old"), &Inputs::default()).await.unwrap();
    assert_eq!((value(&kept), kept.life, kept.renewable), ("s.old", Some(Duration::from_secs(20)), false));
    assert_eq!(paths(&server), ["/v1/auth/token/renew-self", "/v1/auth/token/lookup-self"]);
    let server = refusing(403);
    let replaced = login(&server, &approle()).renew(&fetched("s.old"), &Inputs::default()).await.unwrap();
    assert_eq!(value(&replaced), "s.new");
    assert_eq!(paths(&server), ["/v1/auth/token/renew-self", "/v1/auth/token/lookup-self", "/v1/auth/approle/login"]);
    // A server that cannot tell now is asked again later.
    let server = refusing(503);
    let error = login(&server, &approle()).renew(&fetched("s.old"), &Inputs::default()).await.unwrap_err();
    assert_eq!((error.label(), server.asked().len()), ("unavailable", 2));
}

#[tokio::test]
async fn a_token_that_is_there_is_looked_up() {
    let server = refusing(200);
    let method = json!({"token": {"file": "/proc/self/comm"}});
    let source = login(&server, &method);
    let token = source.fetch(&Inputs::default()).await.unwrap();
    assert_eq!((token.life, token.renewable), (Some(Duration::from_secs(20)), true));
    let server = refusing(403);
    let source = login(&server, &json!({"token": {"file": "/proc/self/comm"}}));
    assert_eq!(source.fetch(&Inputs::default()).await.unwrap_err().label(), "refused");
}

/// A KV engine of version 2 at `secret/` whose data only these tokens may read
fn kv_server(is_allowed: impl Fn(&str) -> bool + Send + Sync + 'static, knows: bool) -> HttpServer {
    let logins = AtomicUsize::new(0);
    HttpServer::start(move |asked| {
        let token = asked.header("x-vault-token").unwrap_or_default();
        let path = asked.path.split('?').next().unwrap_or_default();
        match path {
            "/v1/auth/approle/login" => auth(&format!("s.{}", logins.fetch_add(1, Relaxed)), 60),
            "/v1/auth/token/lookup-self" if knows => Reply::json(200, &json!({"data": {"ttl": 20, "renewable": true}})),
            _ if !is_allowed(token) => errors(403, "permission denied"),
            "/v1/sys/internal/ui/mounts/secret/db" => {
                Reply::json(200, &json!({"data": {"path": "secret/", "type": "kv", "options": {"version": "2"}}}))
            }
            "/v1/secret/data/db" => data(asked),
            _ => errors(404, "no handler for route"),
        }
    })
}

fn data(asked: &Asked) -> Reply {
    if asked.path.ends_with("?version=1") {
        let metadata = json!({"version": 1, "deletion_time": "2026-11-26T23:00:00.1Z", "destroyed": false});
        return Reply::json(404, &json!({"data": {"data": null, "metadata": metadata}}));
    }
    Reply::json(200, &json!({"data": {"data": {"password": "hunter2"}, "metadata": {"version": 2}}}))
}

fn kv(server: &HttpServer, more: &Value) -> KvSource {
    let mut settings = json!({"url": server.url("/"), "login": approle(), "path": "secret/db"});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    KvSource::deserialize(settings).unwrap()
}

async fn read(source: &KvSource) -> Result<Fetched, FetchError> {
    source.fetch(&Inputs::default()).await
}

#[tokio::test]
async fn one_login_serves_many_reads() {
    let server = kv_server(|token| token == "s.0", true);
    let source = kv(&server, &json!({}));
    for _ in 0..2 {
        assert_eq!(value(&read(&source).await.unwrap()), "hunter2");
    }
    let preflight_and_read = ["/v1/sys/internal/ui/mounts/secret/db", "/v1/secret/data/db"];
    let all = [&["/v1/auth/approle/login"][..], &preflight_and_read, &preflight_and_read].concat();
    assert_eq!(paths(&server), all);
    // Without a preflight
    let source = kv(&server, &json!({"mount": "secret", "path": "db", "kv-version": 2}));
    assert!(read(&source).await.is_err(), "another login, which is not the first");
    assert!(!paths(&server)[5..].iter().any(|path| path.contains("/mounts/")));
}

#[tokio::test]
async fn an_absent_secret_has_a_reason() {
    let server = kv_server(|_| true, true);
    let error = read(&kv(&server, &json!({"version": 1}))).await.unwrap_err();
    let reason =
        "the secret secret/db, version 1: version 1 was deleted at 2026-11-26T23:00:00: undelete it or write a new one";
    assert_eq!((error.label(), error.to_string().as_str()), ("refused", reason));
    let error = read(&kv(&server, &json!({"mount": "secret", "path": "no", "kv-version": 2}))).await.unwrap_err();
    assert_eq!(error.to_string(), "the secret secret/no: there is none at this path, or no such version of it");
}

#[tokio::test]
async fn a_version_is_refused_where_there_are_none() {
    let server = kv_server(|_| true, true);
    let error = read(&kv(&server, &json!({"mount": "secret", "path": "db", "kv-version": 1, "version": 3}))).await;
    let reason = "secret/ is KV version 1, which keeps one value: remove version";
    assert_eq!(error.unwrap_err().to_string(), reason);
}

#[tokio::test]
async fn a_revoked_login_is_made_once_more_and_not_in_a_loop() {
    // The first token is revoked, and the second one serves.
    let server = kv_server(|token| token == "s.1", false);
    let source = kv(&server, &json!({}));
    assert_eq!(value(&read(&source).await.unwrap()), "hunter2");
    let logins = |server: &HttpServer| paths(server).iter().filter(|path| path.contains("login")).count();
    assert_eq!(logins(&server), 2);
    // All are refused, and the server lets no token look itself up.
    let server = kv_server(|_| false, false);
    let source = kv(&server, &json!({}));
    for _ in 0..5 {
        assert_eq!(read(&source).await.unwrap_err().label(), "refused");
    }
    assert_eq!(logins(&server), 2);
    // The policy refuses, and the token is known.
    let server = kv_server(|_| false, true);
    let source = kv(&server, &json!({}));
    for _ in 0..5 {
        assert_eq!(read(&source).await.unwrap_err().label(), "refused");
    }
    assert_eq!(logins(&server), 1);
}

#[tokio::test]
async fn a_shared_login_hears_once_that_its_token_is_revoked() {
    let server = kv_server(|token| token == "s.good", false);
    let published = Published { newest: watch::Sender::new(Some(fetched("s.revoked"))), ..Published::default() };
    let inputs = Inputs::new(HashMap::from([("vault-token".to_owned(), published.clone())]));
    let source = kv(&server, &json!({"login": {"token": {"secret": "vault-token"}}}));
    assert_eq!(source.depends_on().collect::<Vec<_>>(), ["vault-token"]);
    let is_doubted = || {
        let notified = pin!(published.doubt.notified());
        notified.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    };
    assert_eq!(source.fetch(&inputs).await.unwrap_err().label(), "refused");
    assert!(is_doubted());
    assert_eq!(source.fetch(&inputs).await.unwrap_err().label(), "refused");
    assert!(!is_doubted());
    published.newest.send_replace(Some(fetched("s.good")));
    assert_eq!(value(&source.fetch(&inputs).await.unwrap()), "hunter2");
    // After a success, the next revocation counts again; a value that is not the newest does not.
    published.newest.send_replace(Some(fetched("s.bad")));
    assert_eq!(source.fetch(&inputs).await.unwrap_err().label(), "refused");
    assert!(is_doubted());
}
