//! The source against servers on loopback.

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use harness::{Asked, HttpServer, Reply};
use serde_json::json;

use super::*;

fn source(settings: Value) -> HttpSource {
    HttpSource::deserialize(settings).unwrap()
}

async fn fetch(settings: Value) -> Result<Fetched, FetchError> {
    source(settings).fetch(&Inputs::default()).await
}

fn value<'a>(fetched: &'a Fetched, name: &str) -> &'a str {
    fetched.fields.get(Some(name)).unwrap().expose()
}

fn reply(document: Value) -> impl Fn(&Asked) -> Reply {
    move |_| Reply::json(200, &document)
}

#[tokio::test]
async fn values_and_their_life_are_pointed_at() {
    let document = json!({"data": {"token": "abc", "user": "me", "id": 7}, "ttl": "60", "until": 4_000_000_000_u64});
    let server = HttpServer::start(reply(document));
    let url = server.url("/token?a=b");
    let values = json!({"user": "/data/user", "id": "/data/id"});
    let fetched = fetch(json!({"url": url, "value": "/data/token", "values": values, "expires-in": "/ttl"})).await;
    let fetched = fetched.unwrap();
    assert_eq!(fetched.fields.get(None).unwrap().expose(), "abc");
    assert_eq!((value(&fetched, "user"), value(&fetched, "id")), ("me", "7"));
    assert_eq!((fetched.life, fetched.renewable), (Some(Duration::from_secs(60)), false));
    let asked = server.asked();
    assert_eq!((asked.len(), asked[0].method.as_str(), asked[0].path.as_str()), (1, "GET", "/token?a=b"));
    let both = json!({"url": url, "value": "/data/token", "expires-in": "/ttl", "expires-at": "/until"});
    assert_eq!(fetch(both).await.unwrap().life, Some(Duration::from_secs(60)));
    let whole = fetch(json!({"url": url})).await.unwrap();
    assert!(value(&whole, "value").starts_with(r#"{"data":"#));
}

#[tokio::test]
async fn a_jwt_says_itself_when_it_expires() {
    let expiry = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 100;
    let token = format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{expiry}}}")));
    let document = json!({"token": token, "ttl": 3600});
    let plain = HttpServer::start(move |_| Reply::Answer(200, Vec::new(), token.clone()));
    let server = HttpServer::start(reply(document));
    for settings in [
        json!({"url": server.url("/"), "value": "/token"}),
        json!({"url": server.url("/"), "value": "/token", "expires-in": "/ttl"}),
        json!({"url": plain.url("/")}),
    ] {
        let life = fetch(settings).await.unwrap().life.unwrap();
        assert!((80..=100).contains(&life.as_secs()), "{life:?}");
    }
}

#[tokio::test]
async fn a_request_has_its_method_its_headers_and_its_body() {
    let server = HttpServer::start(|_| Reply::Answer(200, Vec::new(), "hunter2\r\n".into()));
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    std::fs::write(&key, "k&y\n").unwrap();
    let common = |body: Value| json!({"url": server.url("/"), "headers": {"X-Key": {"file": key}}, "body": body});
    for (body, kind, sent) in [
        (
            json!({"form": {"key": {"file": key}, "a": "b c"}}),
            Some("application/x-www-form-urlencoded"),
            "a=b+c&key=k%26y",
        ),
        (json!({"json": {"key": {"file": key}, "a": "\""}}), Some("application/json"), r#"{"a":"\"","key":"k&y"}"#),
        (json!({"text": {"file": key}}), None, "k&y"),
    ] {
        let fetched = fetch(common(body)).await.unwrap();
        assert_eq!(fetched.fields.get(None).unwrap().expose(), "hunter2");
        let asked = server.asked().pop().unwrap();
        assert_eq!((asked.method.as_str(), asked.header("x-key")), ("POST", Some("k&y")));
        assert_eq!((asked.header("content-type"), asked.body.as_str()), (kind, sent));
    }
    fetch(json!({"url": server.url("/"), "method": "PUT", "headers": {"content-type": "a/b"}, "body": {"json": {}}}))
        .await
        .unwrap();
    let asked = server.asked().pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.header("content-type")), ("PUT", Some("a/b")));
}

#[tokio::test]
async fn an_answer_that_lacks_something_is_none() {
    let document = json!({"token": "abc", "empty": "", "ttl": 0, "until": "tomorrow", "past": 5});
    let server = HttpServer::start(reply(document));
    for (settings, fault) in [
        (json!({"value": "/no"}), "without /no"),
        (json!({"value": "/empty"}), "without /empty"),
        (json!({"value": "/token", "expires-in": "/no"}), "without /no"),
        (json!({"value": "/token", "expires-in": "/ttl"}), "/ttl is less than a second: the value has expired already"),
        (json!({"value": "/token", "expires-at": "/until"}), "/until is neither a date of RFC 3339 nor a Unix time"),
        (json!({"value": "/token", "expires-at": "/past"}), "/past is in the past: the value has expired already"),
    ] {
        let mut settings = settings;
        settings["url"] = server.url("/").into();
        let error = fetch(settings).await.unwrap_err();
        assert_eq!(error.label(), "bad_answer");
        assert!(error.to_string().ends_with(fault), "{error}");
    }
    for body in ["", "\n", "\u{0}"] {
        let server = HttpServer::start(move |_| Reply::Answer(200, Vec::new(), body.into()));
        let settings = if body == "\u{0}" { json!({"value": "/a"}) } else { json!({}) };
        let mut settings = settings;
        settings["url"] = server.url("/").into();
        assert_eq!(fetch(settings).await.unwrap_err().label(), "bad_answer");
    }
}

#[tokio::test]
async fn an_input_that_is_missing_asks_no_server() {
    let server = HttpServer::start(reply(json!({})));
    let source = source(json!({
        "url": server.url("/"),
        "headers": {"a": {"secret": "other"}},
        "body": {"form": {"b": {"file": "/no/such/file"}, "c": "d"}},
    }));
    assert_eq!(source.depends_on().collect::<Vec<_>>(), ["other"]);
    assert_eq!(source.files().collect::<Vec<_>>(), [Path::new("/no/such/file")]);
    assert_eq!(source.fetch(&Inputs::default()).await.unwrap_err().label(), "input");
    assert!(server.asked().is_empty());
}

#[test]
fn wrong_settings_are_refused() {
    for (settings, fault) in [
        (json!({"url": "ftp://a"}), "this is not a URL of http:// or https://"),
        (json!({"url": "http://a", "method": "get"}), "this is not a method such as GET or POST"),
        (json!({"url": "http://a", "value": "a"}), "this is no JSON pointer: write it as /data/token"),
        (json!({"url": "http://a", "valeu": "/a"}), "unknown field `valeu`"),
        (json!({"url": "http://a#what"}), "http does not know option number 1"),
    ] {
        let error = HttpSource::deserialize(settings).unwrap_err().to_string();
        assert!(error.starts_with(fault), "{error}");
    }
}
