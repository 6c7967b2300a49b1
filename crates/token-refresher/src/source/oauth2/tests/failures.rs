//! What an issuer can do wrong. No error holds a secret.

use super::{
    issuer::{Fault, SEED},
    *,
};

/// Errors of these replies to a login by secret, each checked for secrets
async fn errors(reply: Reply) -> Vec<FetchError> {
    let (issuer, files) = (Issuer::start(), Files::new());
    let mut errors = Vec::new();
    for settings in [
        json!({"client-secret": files.input("secret")}),
        json!({"client-secret": files.input("secret"), "client-auth": "client_secret_post"}),
        json!({"client-secret": files.input("secret"), "refresh-token": files.input("seed")}),
        json!({"client-secret": files.input("secret"), "assertion": files.input("seed")}),
    ] {
        issuer.next(Fault::Reply(reply.clone()));
        let error = fetch(issuer.settings(&settings)).await.unwrap_err();
        assert!(!holds_secret(&error.to_string()), "{error}");
        assert!(!holds_secret(&format!("{error:?}")), "{error:?}");
        errors.push(error);
    }
    errors
}

fn holds_secret(text: &str) -> bool {
    // Parts of what was sent, plain and encoded, and of tokens that an answer had
    ["hunter2", "p%25q", "Ymlsb", "cCUyNXE", "eyJ", "sesame"].iter().any(|part| text.contains(part))
}

/// A body that repeats everything that could have been sent
fn echo() -> String {
    let basic = "Basic YmlsbGluZyUzQWV1OnAlMjVxK3IlMkIlQzMlQkMtaHVudGVyMg==";
    format!(
        "{SECRET} {SEED} p%25q+r%2B%C3%BC-hunter2 {basic} eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJiaWxsaW5nIn0.c2ln \
         client_secret=sesame1 \"access_token\": \"sesame 2\""
    )
}

#[tokio::test]
async fn each_failure_has_a_meaning_and_no_secret() {
    let text = |status, body: String| Reply::Answer(status, vec![("Retry-After", "7".into())], body);
    let coded = |status, code: &str| Reply::json(status, &json!({"error": code, "error_description": echo()}));
    let rows = [
        (coded(400, "invalid_grant"), "refused"),
        (coded(400, "invalid_scope"), "refused"),
        (coded(400, "unauthorized_client"), "refused"),
        (coded(401, "invalid_client"), "refused"),
        (coded(403, "access_denied"), "refused"),
        (coded(200, "bad_verification_code"), "refused"),
        (coded(400, "temporarily_unavailable"), "unavailable"),
        (coded(400, "something_else"), "bad_answer"),
        (text(400, echo()), "bad_answer"),
        (text(401, echo()), "refused"),
        (text(404, echo()), "bad_answer"),
        (text(429, echo()), "unavailable"),
        (text(500, echo()), "unavailable"),
        (text(503, echo()), "unavailable"),
        (text(200, echo()), "bad_answer"),
        (text(200, String::new()), "bad_answer"),
        (text(200, "[]".into()), "bad_answer"),
        (Reply::Answer(302, vec![("Location", format!("https://other.example/?code={SECRET}"))], echo()), "refused"),
        (Reply::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{}", echo())), "unavailable"),
        (Reply::Bytes(echo()), "unavailable"),
        (Reply::Bytes(String::new()), "unavailable"),
    ];
    for (reply, label) in rows {
        for error in errors(reply.clone()).await {
            assert_eq!(error.label(), label, "{reply:?}: {error}");
            let has_wait = matches!(&reply, Reply::Answer(429 | 503, ..));
            assert!(!has_wait || error.retry_after() == Some(Duration::from_secs(7)));
        }
    }
}

#[tokio::test]
async fn tokens_that_are_wrong_are_none() {
    for answer in [
        json!({"access_token": null}),
        json!({"access_token": ""}),
        json!({"access_token": "sesame\nSet-Cookie: a"}),
        json!({"id_token": "sesame\nSet-Cookie: a"}),
        json!({"access_token": 7}),
        json!({"token_type": null}),
        json!({"token_type": "DPoP"}),
        json!({"expires_in": 0}),
        json!({"expires_in": -1}),
        json!({"expires_in": "soon"}),
    ] {
        let (issuer, files) = (Issuer::start(), Files::new());
        issuer.state().answer = answer.clone();
        let error = fetch(issuer.settings(&json!({"client-secret": files.input("secret")}))).await.unwrap_err();
        assert_eq!(error.label(), "bad_answer", "{answer}: {error}");
        assert!(!holds_secret(&error.to_string()), "{error}");
    }
    for (answer, life) in [
        (json!({"expires_in": null}), None),
        (json!({"expires_in": "90"}), Some(90)),
        (json!({"expires_in": 315_360_000}), Some(366 * 24 * 3600)),
        (json!({"expires_in": 59.9}), Some(59)),
    ] {
        let (issuer, files) = (Issuer::start(), Files::new());
        issuer.state().answer = answer;
        let fetched = fetch(issuer.settings(&json!({"client-secret": files.input("secret")}))).await.unwrap();
        assert_eq!(fetched.life, life.map(Duration::from_secs));
    }
}

#[tokio::test]
async fn inputs_that_cannot_be_used_ask_nobody() {
    let (issuer, files) = (Issuer::start(), Files::new());
    for settings in [
        json!({"client-secret": {"file": "/no/such/file"}}),
        json!({"private-key": {"key": files.input("secret")}}),
        json!({"private-key": {"key": files.input("key"), "algorithm": "RS256"}}),
    ] {
        let error = fetch(issuer.settings(&settings)).await.unwrap_err();
        assert_eq!(error.label(), "input", "{error}");
        assert!(!holds_secret(&error.to_string()), "{error}");
    }
    assert_eq!(issuer.requests(), 0);
    let wrong = json!({"client-secret": files.input("wrong")});
    let error = fetch(issuer.settings(&wrong)).await.unwrap_err();
    assert!(error.label() == "refused" && !holds_secret(&error.to_string()), "{error}");
    files.write("key", include_str!("../../../../tests/keys/p384.pem"));
    let error = fetch(issuer.settings(&json!({"private-key": {"key": files.input("key")}}))).await.unwrap_err();
    assert!(error.label() == "refused" && !holds_secret(&error.to_string()), "{error}");
    assert!(error.to_string().contains("client_assertion"), "the issuer repeats it: {error}");
    // The file is read anew.
    let source = source(issuer.settings(&wrong));
    files.write("wrong", SECRET);
    source.fetch(&Inputs::default()).await.unwrap();
}
