//! Replies as servers gave them, and some that none should give.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn item(status: u16, kind: &str, reason: &str) -> Value {
    match kind {
        "" => json!({"create": {"status": status}}),
        _ => json!({"create": {"status": status, "error": {"type": kind, "reason": reason}}}),
    }
}

fn reply(items: &[Value]) -> String {
    let errors = items.iter().any(|item| item["create"]["error"].is_object());
    json!({"errors": errors, "items": items}).to_string()
}

fn reason(attempt: Attempt) -> String {
    match attempt {
        Attempt::Again { reason, .. } | Attempt::Mixed { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_is_delivered_when_each_is_created_or_was_there() {
    let created = reply(&[item(201, "", ""), item(201, "", "")]);
    assert!(all_are_created(created.as_bytes(), 2));
    assert_eq!(read(created.as_bytes(), 2, None), Attempt::Delivered);
    let conflict = item(409, "version_conflict_engine_exception", "[1-0]: version conflict, document already exists");
    let again = reply(&[item(201, "", ""), conflict]);
    assert!(!all_are_created(again.as_bytes(), 2));
    assert_eq!(read(again.as_bytes(), 2, None), Attempt::Delivered);
    let long = br#"{"took":30,"errors":false,"items":[{"create":{"_index":"logs","_id":"1-0","_version":1,"result":"created","_shards":{"total":2,"successful":1,"failed":0},"_seq_no":0,"_primary_term":1,"status":201}}]}"#;
    assert_eq!(read(long, 1, None), Attempt::Delivered);
}

#[test]
fn each_document_has_an_answer_of_its_own() {
    let mapping = "failed to parse field [fields.status] of type [long] in document with id '1-9'";
    let items = [
        item(201, "", ""),
        item(400, "mapper_parsing_exception", mapping),
        item(429, "es_rejected_execution_exception", "rejected execution"),
        item(503, "unavailable_shards_exception", "primary shard is not active"),
        item(409, "version_conflict_engine_exception", "exists"),
        item(413, "", ""),
    ];
    let after = Some(Duration::from_secs(7));
    let attempt = read(reply(&items).as_bytes(), 6, after);
    let refused = vec![(1, format!("400 mapper_parsing_exception: {mapping}")), (5, "413".into())];
    let reason = "429 es_rejected_execution_exception: rejected execution".into();
    assert_eq!(attempt, Attempt::Mixed { refused, again: vec![2, 3], reason, after });
}

#[test]
fn what_is_wrong_with_the_index_buries_no_line() {
    for (status, kind, text) in [
        (403, "cluster_block_exception", "index [logs] blocked by: [FORBIDDEN/8/index write (api)];"),
        (403, "security_exception", "action is unauthorized"),
        (404, "index_not_found_exception", "no such index [logs]"),
        (400, "index_closed_exception", "closed"),
        (400, "validation_exception", "this cluster currently has [1000]/[1000] maximum normal shards open;"),
        (400, "illegal_argument_exception", "no write index is defined for alias [logs]. The write index may be"),
        (400, "illegal_argument_exception", "pipeline with id [missing] does not exist"),
        (500, "", ""),
        (302, "", ""),
    ] {
        let attempt = read(reply(&[item(status, kind, text)]).as_bytes(), 1, None);
        assert!(reason(attempt).starts_with(&status.to_string()), "{kind}");
    }
}

#[test]
fn a_reply_that_is_none_delivers_nothing() {
    let one = reply(&[item(201, "", "")]);
    for (garbage, count) in [
        ("", 1),
        ("<html>404</html>", 1),
        ("{}", 1),
        ("[]", 1),
        (r#"{"errors":false}"#, 1),
        (r#"{"errors":false,"items":[]}"#, 1),
        (r#"{"errors":false,"items":[{}]}"#, 1),
        (r#"{"errors":false,"items":[{"create":{}}]}"#, 1),
        (r#"{"errors":false,"items":[{"create":{"status":"201"}}]}"#, 1),
        (r#"{"errors":false,"items":[{"create":{"status":201},"index":{"status":201}}]}"#, 1),
        (r#"{"errors":false,"items":[{"create":{"status":201}}"#, 1),
        (&one, 2),
        (&one.repeat(2), 2),
        (&reply(&[item(201, "", ""), item(201, "", "")]), 1),
        (&format!(r#"{{"items":{}"#, "[".repeat(100_000)), 1),
    ] {
        let attempt = read(garbage.as_bytes(), count, None);
        assert!(reason(attempt).starts_with("the reply"), "{garbage:.60}");
    }
}

#[test]
fn a_reason_has_its_cause() {
    let reply = r#"{"errors":true,"items":[{"create":{"status":400,"error":{"type":"mapper_parsing_exception",
        "reason":"failed to parse","caused_by":{"reason":"Duplicate field 'a'"}}}}]}"#;
    let Attempt::Mixed { refused, .. } = read(reply.as_bytes(), 1, None) else { panic!() };
    assert_eq!(refused[0].1, "400 mapper_parsing_exception: failed to parse: Duplicate field 'a'");
}

#[test]
fn reasons_are_short_and_on_one_line() {
    let long = "a\nb".repeat(1000);
    let Attempt::Mixed { refused, .. } = read(reply(&[item(400, "x", &long)]).as_bytes(), 1, None) else { panic!() };
    assert!(refused[0].1.len() < 400 && !refused[0].1.contains('\n'), "{refused:?}");
    let text = format!("\"{}\\n\"", "x".repeat(1 << 20));
    let reason = reason(read(text.as_bytes(), 1, None));
    assert!(reason.len() < 400 && !reason.contains('\n'), "{reason}");
}

proptest! {
    #[test]
    fn every_document_is_delivered_refused_or_goes_again(statuses in proptest::collection::vec(100..600u16, 0..40)) {
        let items: Vec<_> = statuses.iter().map(|status| item(*status, "", "")).collect();
        let attempt = read(reply(&items).as_bytes(), items.len(), None);
        let (refused, again) = match attempt {
            Attempt::Delivered => (Vec::new(), Vec::new()),
            Attempt::Mixed { refused, again, .. } => (refused.into_iter().map(|(number, _)| number).collect(), again),
            other => panic!("{other:?}"),
        };
        for (number, status) in statuses.iter().enumerate() {
            let there = matches!(status, 200..=299 | 409);
            prop_assert_eq!(there, !refused.contains(&number) && !again.contains(&number), "{}", status);
            prop_assert!(!(refused.contains(&number) && again.contains(&number)));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), count in 0..5usize) {
        assert_sound(&bytes, count);
    }

    #[test]
    fn no_torn_reply_delivers(at in 0..100usize, count in 1..5usize) {
        let whole = reply(&vec![item(201, "", ""); count]);
        let torn = &whole.as_bytes()[..at.min(whole.len() - 1)];
        prop_assert_ne!(read(torn, count, None), Attempt::Delivered);
    }
}
