//! Records as the body of a bulk request: an action and a document for each, named by the Elastic
//! Common Schema where it has a name.

use super::names::{possible, write_fields};
use crate::{
    outputs::encoding::{escape, write_text},
    records::{
        span::{Mark, Span},
        timestamp::{rfc3339, write_rfc3339},
    },
};

/// The keys of a pod's labels follow; their dots would make objects of them, and `app` can't be a
/// text and hold `app.name`.
const LABEL: &str = "k8s.pod.label.";
/// Names at the top of each document
const OURS: [&str; 4] = ["@timestamp", "message", "log", "fields"];

/// Writes an action and a document for each record, and says how many there are. Because of its
/// `_id`, a document that is delivered twice is there once.
pub(super) fn write_documents(span: &Span, out: &mut Vec<u8>) -> usize {
    let time = rfc3339(span.time);
    let action = format!("{{\"create\":{{\"_id\":\"{}-", span.source.generation);
    let tail = tail(span);
    let (mut number, mut count) = (itoa::Buffer::new(), 0);
    span.records(|record| {
        count += 1;
        let offset = number.format(record.offset).as_bytes();
        out.extend_from_slice(action.as_bytes());
        out.extend_from_slice(offset);
        out.extend_from_slice(b"\"}}\n{\"@timestamp\":\"");
        if record.time == span.time {
            out.extend_from_slice(time.as_bytes());
        } else {
            write_rfc3339(record.time, out);
        }
        out.extend_from_slice(b"\",\"message\":\"");
        escape(&record.message, out);
        out.extend_from_slice(b"\",\"log.offset\":");
        out.extend_from_slice(offset);
        if !record.fields.is_empty() {
            out.extend_from_slice(b",\"fields\":");
            write_fields(&record.fields, out);
        }
        out.extend_from_slice(&tail);
    });
    count
}

/// The end that all documents of a span have in common
fn tail(span: &Span) -> Vec<u8> {
    let mut tail = b",\"log.file.path\":\"".to_vec();
    escape(&span.source.path.to_string_lossy(), &mut tail);
    tail.extend_from_slice(b"\",\"log.generation\":\"");
    tail.extend_from_slice(span.source.generation.as_bytes());
    tail.push(b'"');
    for (name, value) in &span.source.treatment.attributes {
        tail.push(b',');
        write_text(&field_name(name), &mut tail);
        tail.push(b':');
        write_text(value, &mut tail);
    }
    tail.extend_from_slice(match span.mark {
        Mark::Whole => b"}\n",
        Mark::Cut => b",\"log.flags\":\"truncated\"}\n",
        Mark::Unfinished => b",\"log.flags\":\"unfinished\"}\n",
    });
    tail
}

/// The name of an attribute in a document: one that neither is ours nor the server's own
fn field_name(attribute: &str) -> String {
    if let Some(key) = attribute.strip_prefix(LABEL) {
        return format!("{LABEL}{}", key.replace('.', "_"));
    }
    let name = possible(attribute);
    let top = name.split('.').next().unwrap_or_default();
    if OURS.contains(&top) || top.starts_with('_') { format!("labels.{name}") } else { name.into_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::records::span::{of, with_attributes};

    fn lines(span: &Span) -> Vec<Value> {
        let mut out = Vec::new();
        let count = write_documents(span, &mut out);
        assert_eq!(count * 2, String::from_utf8_lossy(&out).lines().count());
        assert_eq!(out.last(), Some(&b'\n'));
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn each_record_is_an_action_and_a_document() {
        let lines = lines(&of(b"one\n\"two\"\n", Mark::Whole));
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[2], json!({"create": {"_id": "0123456789abcdef-4"}}));
        let document = lines[3].as_object().unwrap();
        assert_eq!((&document["message"], &document["log.offset"]), (&json!("\"two\""), &json!(4)));
        assert_eq!(document["log.file.path"], "/logs/app.log");
        assert_eq!(document["log.generation"], "0123456789abcdef");
        assert_eq!(document["@timestamp"].as_str().unwrap().chars().last(), Some('Z'));
        assert_eq!(document.len(), 5);
    }

    #[test]
    fn marks_are_flags() {
        assert_eq!(lines(&of(b"on", Mark::Cut))[1]["log.flags"], "truncated");
        assert_eq!(lines(&of(b"on", Mark::Unfinished))[1]["log.flags"], "unfinished");
    }

    #[test]
    fn attributes_collide_with_nothing() {
        let attributes = [
            ("k8s.pod.name", "web-1"),
            ("k8s.pod.label.app", "web"),
            ("k8s.pod.label.app.kubernetes.io/name", "shop"),
            ("message", "mine"),
            ("log.level", "info"),
            ("_index", "other"),
            ("team.", "a"),
        ];
        let document = &lines(&with_attributes(of(b"one\n", Mark::Whole), &attributes))[1];
        assert_eq!(document["k8s.pod.name"], "web-1");
        assert_eq!(document["k8s.pod.label.app"], "web");
        assert_eq!(document["k8s.pod.label.app_kubernetes_io/name"], "shop");
        assert_eq!((&document["message"], &document["labels.message"]), (&json!("one"), &json!("mine")));
        assert_eq!(document["team_"], "a");
        assert_eq!((&document["labels.log.level"], &document["labels._index"]), (&json!("info"), &json!("other")));
    }
}
