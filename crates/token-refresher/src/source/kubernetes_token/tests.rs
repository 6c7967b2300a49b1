//! The source against an API server on loopback that answers as the real one does.

use harness::{Asked, HttpServer, Reply};

use super::*;

const DATE: &str = "Thu, 26 Nov 2026 23:00:00 GMT";

/// The answer to a request: a token until 23:10, by the server's clock
fn token(_: &Asked) -> Reply {
    let status = json!({"token": "ey.new.token", "expirationTimestamp": "2026-11-26T23:10:00Z"});
    Reply::Answer(201, vec![("Date", DATE.into())], json!({"kind": "TokenRequest", "status": status}).to_string())
}

fn source(server: &HttpServer, more: &Value) -> KubernetesToken {
    let mut settings = json!({
        "service-account": "billing", "namespace": "shop", "url": server.url("/"), "token": {"file": "/proc/self/comm"},
    });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    KubernetesToken::deserialize(settings).unwrap()
}

async fn failure(status: u16, document: Value) -> FetchError {
    let server = HttpServer::start(move |_| Reply::json(status, &document));
    source(&server, &json!({})).fetch(&Inputs::default()).await.unwrap_err()
}

#[tokio::test]
async fn a_token_has_an_audience_and_a_life_by_the_servers_clock() {
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join("token");
    std::fs::write(&own, "first\n").unwrap();
    let server = HttpServer::start(token);
    let more = json!({"audiences": ["vault"], "expiration": "10m", "pod": "web-0", "token": {"file": own}});
    let source = source(&server, &more);
    let fetched = source.fetch(&Inputs::default()).await.unwrap();
    assert_eq!(fetched.fields.get(None).unwrap().expose(), "ey.new.token");
    assert_eq!((fetched.life, fetched.renewable), (Some(Duration::from_secs(600)), false));
    // The token to ask with is read at every use.
    std::fs::write(&own, "second").unwrap();
    source.fetch(&Inputs::default()).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].header("authorization"), Some("Bearer first"));
    assert_eq!(asked[1].header("authorization"), Some("Bearer second"));
    assert_eq!(asked[0].path, "/api/v1/namespaces/shop/serviceaccounts/billing/token");
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    let bound = json!({"apiVersion": "v1", "kind": "Pod", "name": "web-0"});
    assert_eq!(body["spec"], json!({"audiences": ["vault"], "expirationSeconds": 600, "boundObjectRef": bound}));
}

#[tokio::test]
async fn a_clock_of_the_server_that_is_wrong_makes_no_life_longer() {
    for date in ["Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 26 Nov 2025 23:00:00 GMT"] {
        let expires = crate::value::date::text(std::time::SystemTime::now() + Duration::from_secs(3600));
        let status = json!({"token": "ey.new.token", "expirationTimestamp": expires});
        let answer = json!({"status": status}).to_string();
        let server = HttpServer::start(move |_| Reply::Answer(201, vec![("Date", date.into())], answer.clone()));
        let fetched = source(&server, &json!({"expiration": "1h"})).fetch(&Inputs::default()).await.unwrap();
        assert!(fetched.life.is_some_and(|life| life <= Duration::from_secs(3600)), "{date}: {:?}", fetched.life);
    }
}

#[tokio::test]
async fn a_refusal_has_a_remedy() {
    let status = |message: &str| json!({"kind": "Status", "status": "Failure", "message": message});
    let forbidden = failure(403, status("serviceaccounts \"billing\" is forbidden")).await;
    assert_eq!(forbidden.label(), "refused");
    let remedy = "the verb create on serviceaccounts/token, resourceNames [billing], in the namespace shop";
    assert!(forbidden.to_string().contains(remedy), "{forbidden}");
    for (code, label, part) in [
        (401, "refused", "has its service account been deleted?"),
        (404, "refused", "is there a service account billing in the namespace shop?"),
        (409, "refused", "is not this one"),
        (422, "bad_answer", "a reason"),
        (429, "unavailable", "a reason"),
        (500, "unavailable", "a reason"),
    ] {
        let error = failure(code, status("a reason")).await;
        assert_eq!(error.label(), label, "{code}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_lacks_something_is_none() {
    for (status, fault) in [
        (json!({}), "without status.token"),
        (json!({"token": "ey.new.token"}), "without status.expirationTimestamp"),
        (json!({"token": "ey.new.token\r\nX: y"}), "its status.token holds what no token can"),
        (json!({"token": "ey.new.token", "expirationTimestamp": "2001-01-01T00:00:00Z"}), "in the past"),
    ] {
        let error = failure(201, json!({"status": status})).await;
        assert_eq!(error.label(), "bad_answer");
        assert!(error.to_string().contains(fault) && !error.to_string().contains("ey.new"), "{error}");
    }
}

#[test]
fn settings_that_cannot_be_right() {
    let with = |more: Value| {
        let mut settings = json!({"service-account": "billing"});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        KubernetesToken::deserialize(settings)
    };
    assert_eq!(with(json!({})).unwrap().expiration, LIFE);
    for (wrong, fault) in [
        (json!({"expiration": "9m"}), "the API server gives tokens of 10 minutes or more"),
        (json!({"service-account": "../admin"}), "this is not a name such as billing"),
        (json!({"namespace": "a/b"}), "this is not a name such as billing"),
    ] {
        assert_eq!(with(wrong).unwrap_err().to_string(), fault);
    }
}

#[test]
fn the_cluster_of_the_pod() {
    assert_eq!(in_cluster("10.96.0.1", "443"), format!("https://10.96.0.1:443#ca={OWN_CA}"));
    assert_eq!(in_cluster("fd00::1", "443"), format!("https://[fd00::1]:443#ca={OWN_CA}"));
    let source = KubernetesToken::deserialize(json!({"service-account": "billing"})).unwrap();
    let files: Vec<_> = source.files().collect();
    assert_eq!(files, [OWN_CA, OWN_TOKEN, OWN_NAMESPACE].map(Path::new));
}
