//! Refresh tokens that rotate, and answers that get lost.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{
    issuer::{Fault, SEED},
    *,
};

fn settings(issuer: &Issuer, files: &Files) -> Value {
    issuer.settings(&json!({
        "client-secret": files.input("secret"),
        "refresh-token": files.input("seed"),
        "rotated-token-file": files.path("rotated"),
    }))
}

async fn again(source: &OAuth2Source) -> Result<Fetched, FetchError> {
    source.fetch(&Inputs::default()).await
}

#[tokio::test]
async fn a_rotated_token_outlives_a_restart() {
    let (issuer, files) = (Issuer::start(), Files::new());
    for _ in 0..3 {
        let source = source(settings(&issuer, &files));
        for _ in 0..2 {
            again(&source).await.unwrap();
            let saved = fs::read_to_string(files.path("rotated")).unwrap();
            assert!(saved.contains(issuer.state().refresh_token.as_deref().unwrap()), "{saved}");
            assert!(!saved.contains(SEED));
            assert_eq!(fs::metadata(files.path("rotated")).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    assert_eq!(issuer.requests(), 6);
}

#[tokio::test]
async fn a_new_seed_replaces_the_chain() {
    let (issuer, files) = (Issuer::start(), Files::new());
    let source = source(settings(&issuer, &files));
    again(&source).await.unwrap();
    issuer.state().refresh_token = Some("another-seed".into());
    files.write("seed", "another-seed");
    again(&source).await.unwrap();
    assert!(form_urlencoded(&issuer.server.asked().pop().unwrap().body, "refresh_token").unwrap() == "another-seed");
}

#[tokio::test]
async fn a_token_that_was_refused_is_not_sent_again() {
    let (issuer, files) = (Issuer::start(), Files::new());
    issuer.state().refresh_token = None;
    let source = source(settings(&issuer, &files));
    for _ in 0..3 {
        assert_eq!(again(&source).await.unwrap_err().label(), "refused");
    }
    assert_eq!(issuer.requests(), 1);
    issuer.state().refresh_token = Some("given-anew".into());
    files.write("seed", "given-anew");
    again(&source).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_once_more_and_then_left() {
    let (issuer, files) = (Issuer::start(), Files::new());
    let source = source(settings(&issuer, &files));
    again(&source).await.unwrap();
    issuer.next(Fault::Lost);
    issuer.next(Fault::Reply(Reply::Bytes(String::new())));
    assert_eq!(again(&source).await.unwrap_err().label(), "unavailable");
    assert_eq!(again(&source).await.unwrap_err().label(), "unavailable");
    assert_eq!(issuer.requests(), 3);
    // The grace is used up, and values are held that the issuer would revoke.
    let error = again(&source).await.unwrap_err();
    assert!(error.to_string().contains("may be used up"), "{error}");
    assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_secs(30)), "{error:?}");
    assert_eq!(issuer.requests(), 3);
}

#[tokio::test]
async fn an_issuer_with_a_grace_gives_the_answer_again() {
    let (issuer, files) = (Issuer::start(), Files::new());
    let source = source(settings(&issuer, &files));
    again(&source).await.unwrap();
    let before = issuer.state().refresh_token.clone();
    issuer.next(Fault::Lost);
    again(&source).await.unwrap_err();
    issuer.state().refresh_token = before;
    again(&source).await.unwrap();
}

#[tokio::test]
async fn an_outage_uses_up_nothing() {
    let (issuer, files) = (Issuer::start(), Files::new());
    let source = source(settings(&issuer, &files));
    again(&source).await.unwrap();
    for _ in 0..5 {
        issuer.next(Fault::Reply(Reply::status(503)));
        assert_eq!(again(&source).await.unwrap_err().label(), "unavailable");
    }
    again(&source).await.unwrap();
    assert_eq!(issuer.requests(), 7);
}

#[tokio::test]
async fn a_token_that_does_not_rotate_may_be_sent_any_number_of_times() {
    let (issuer, files) = (Issuer::start(), Files::new());
    issuer.state().rotates = false;
    let source = source(settings(&issuer, &files));
    again(&source).await.unwrap();
    for _ in 0..4 {
        issuer.next(Fault::Lost);
        again(&source).await.unwrap_err();
    }
    again(&source).await.unwrap();
    assert!(!files.path("rotated").exists());
}

#[tokio::test]
async fn a_new_token_is_saved_before_its_values_are_used() {
    let (issuer, files) = (Issuer::start(), Files::new());
    let source = source(settings(&issuer, &files));
    again(&source).await.unwrap();
    // A directory in its place cannot be replaced by a file.
    fs::remove_file(files.path("rotated")).unwrap();
    fs::create_dir_all(files.path("rotated/full")).unwrap();
    assert_eq!(again(&source).await.unwrap_err().label(), "input");
    let requests = issuer.requests();
    // Nothing is asked until the token is safe.
    assert_eq!(again(&source).await.unwrap_err().label(), "input");
    assert_eq!(issuer.requests(), requests);
    fs::remove_dir_all(files.path("rotated")).unwrap();
    again(&source).await.unwrap();
}

#[tokio::test]
async fn a_new_token_of_a_wrong_answer_is_saved_too() {
    let (issuer, files) = (Issuer::start(), Files::new());
    issuer.state().answer = json!({"token_type": "mac"});
    let source = source(settings(&issuer, &files));
    assert_eq!(again(&source).await.unwrap_err().label(), "bad_answer");
    issuer.state().answer = json!({});
    again(&source).await.unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_no_reason_to_send_the_seed() {
    let (issuer, files) = (Issuer::start(), Files::new());
    files.write("rotated", "not ours");
    let error = fetch(settings(&issuer, &files)).await.unwrap_err();
    assert!(error.label() == "input" && error.to_string().contains("remove it"), "{error}");
    fs::remove_file(files.path("rotated")).unwrap();
    let first = source(settings(&issuer, &files));
    again(&first).await.unwrap();
    let error = fetch(settings(&issuer, &files)).await.unwrap_err();
    assert!(error.to_string().contains("another process keeps its tokens there"), "{error}");
    assert_eq!(issuer.requests(), 1);
}
