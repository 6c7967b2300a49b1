//! Spans as an `ExportLogsServiceRequest` of `logs_service.proto`, written without a copy of its
//! records.

use super::{
    protobuf::{bytes, delimited_length, fixed_64, head, number},
    value::{attribute, text, typed_attribute},
};
use crate::{
    format::{
        record::{Field, Record, Value},
        severity::{Severity, level},
    },
    records::span::{Mark, Span},
};

/// The field of a request, and those of `ResourceLogs`
const RESOURCE_LOGS: u32 = 1;
const RESOURCE: u32 = 1;
const SCOPE_LOGS: u32 = 2;
/// Fields of `ScopeLogs`, and those of `InstrumentationScope`
const SCOPE: u32 = 1;
const LOG_RECORDS: u32 = 2;
const SCOPE_NAME: u32 = 1;
const SCOPE_VERSION: u32 = 2;
/// The field of `Resource`
const RESOURCE_ATTRIBUTES: u32 = 1;
/// Fields of `LogRecord`
const TIME: u32 = 1;
const SEVERITY_NUMBER: u32 = 2;
const SEVERITY_TEXT: u32 = 3;
const BODY: u32 = 5;
const ATTRIBUTES: u32 = 6;
const TRACE_ID: u32 = 9;
const SPAN_ID: u32 = 10;
const OBSERVED_TIME: u32 = 11;

/// Writes a `ResourceLogs` of a request, of which others may follow: the fields of a message may
/// stand in any number.
pub(super) fn write(span: &Span, out: &mut Vec<u8>) {
    /// Bytes of the longest head of a field
    const HEAD: usize = 1 + 10;
    let resource = resource(span);
    // Lengths stand before what they are of, and are known when that is written.
    let start = out.len();
    let room = start + HEAD + resource.len() + HEAD;
    out.resize(room, 0);
    write_scope(out);
    write_records(span, out);
    let scope_logs = out.len() - room;
    let mut before = Vec::with_capacity(room - start);
    head(RESOURCE_LOGS, resource.len() + delimited_length(scope_logs), &mut before);
    before.extend_from_slice(&resource);
    head(SCOPE_LOGS, scope_logs, &mut before);
    let spare = room - before.len();
    out[spare..room].copy_from_slice(&before);
    out.drain(start..spare);
}

/// The field with what all records have in common: the pod, as OpenTelemetry's conventions name it,
/// and `--field`
fn resource(span: &Span) -> Vec<u8> {
    let mut attributes = Vec::new();
    for (name, value) in &span.source.treatment.attributes {
        attribute(RESOURCE_ATTRIBUTES, name, value, &mut attributes);
    }
    let mut resource = Vec::new();
    bytes(RESOURCE, &attributes, &mut resource);
    resource
}

fn write_scope(out: &mut Vec<u8>) {
    let mut scope = Vec::new();
    bytes(SCOPE_NAME, b"log-forwarder", &mut scope);
    bytes(SCOPE_VERSION, env!("CARGO_PKG_VERSION").as_bytes(), &mut scope);
    bytes(SCOPE, &scope, out);
}

fn write_records(span: &Span, out: &mut Vec<u8>) {
    let file = file(span);
    let mut id = format!("{}-", span.source.generation);
    let (prefix, mut number) = (id.len(), itoa::Buffer::new());
    let mut log_record = Vec::new();
    span.records(|record| {
        log_record.clear();
        fixed_64(TIME, unsigned(record.time), &mut log_record);
        fixed_64(OBSERVED_TIME, unsigned(span.time), &mut log_record);
        text(BODY, &record.message, &mut log_record);
        write_meaning(record, &mut log_record);
        for (name, value) in &record.fields {
            typed_attribute(ATTRIBUTES, name, value, &mut log_record);
        }
        log_record.extend_from_slice(&file);
        id.truncate(prefix);
        id.push_str(number.format(record.offset));
        attribute(ATTRIBUTES, "log.record.uid", &id, &mut log_record);
        bytes(LOG_RECORDS, &log_record, out);
    });
}

/// Attributes that are the same for all records of a span
fn file(span: &Span) -> Vec<u8> {
    let mut file = Vec::new();
    attribute(ATTRIBUTES, "log.file.path", &span.source.path.to_string_lossy(), &mut file);
    let name = span.source.path.file_name().unwrap_or_default();
    attribute(ATTRIBUTES, "log.file.name", &name.to_string_lossy(), &mut file);
    let mark = Value::Json("true".into());
    match span.mark {
        Mark::Whole => {}
        Mark::Cut => typed_attribute(ATTRIBUTES, "cut", &mark, &mut file),
        Mark::Unfinished => typed_attribute(ATTRIBUTES, "unfinished", &mark, &mut file),
    }
    file
}

/// Writes the meaning of fields that have a place of their own in a record. They stay attributes,
/// too. The names are those of "Trace Context in non-OTLP Log Formats".
fn write_meaning(record: &Record, out: &mut Vec<u8>) {
    if let Some(level) = level(&record.fields) {
        if let Some(severity) = Severity::of(level) {
            number(SEVERITY_NUMBER, severity.otlp().into(), out);
        }
        bytes(SEVERITY_TEXT, level.as_bytes(), out);
    }
    if let Some(id) = identifier::<16>(&record.fields, "trace_id") {
        bytes(TRACE_ID, &id, out);
    }
    if let Some(id) = identifier::<8>(&record.fields, "span_id") {
        bytes(SPAN_ID, &id, out);
    }
}

/// An identifier of this number of bytes, which a field has as hexadecimal digits
fn identifier<const N: usize>(fields: &[Field], name: &str) -> Option<[u8; N]> {
    let (_, Value::Text(text)) = fields.iter().find(|(key, _)| key == name)? else { return None };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut id = [0; N];
    for (byte, pair) in id.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(id)
}

fn unsigned(nanoseconds: i64) -> u64 {
    u64::try_from(nanoseconds).unwrap_or_default()
}
