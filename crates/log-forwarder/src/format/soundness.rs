//! Properties of every format with any lines: for tests and fuzzing.

use super::{Extent, Format};
use crate::format::{amount::Amount, record::Value};

/// Each of these whole lines is in one record, no complete record continues, a record alone is the
/// same record, and a value of JSON is JSON.
pub(crate) fn assert_sound(format: &Format, lines: &[u8]) {
    let complete = format.extent(lines);
    assert!(complete == 0 || lines[complete - 1] == b'\n');
    let extents: Vec<Extent> = format.split(lines).collect();
    assert_eq!(extents.iter().fold(Amount::default(), |total, extent| total + extent.amount), Amount::of(lines));
    let mut covered = 0;
    for (nth, Extent { range, amount, is_apart }) in extents.iter().enumerate() {
        assert!(amount.bytes <= range.len() as u64 && amount.lines > 0);
        assert!(range.start >= complete || range.end <= complete);
        assert_eq!(*is_apart, covered <= range.start);
        covered = covered.max(range.end);
        let alone = format.split(&lines[range.clone()]).next().map(|extent| (extent.range.len(), extent.amount));
        assert_eq!(alone, Some((range.len(), *amount)));
        // Once is enough, since all of them would take long.
        if *is_apart && nth == extents.len() / 2 {
            assert_eq!(format.split(&lines[range.start..]).count(), extents.len() - nth);
        }
        assert_reads(format, &lines[range.clone()]);
    }
}

fn assert_reads(format: &Format, record: &[u8]) {
    let joined = format.join(record);
    let (text, invalid) = format.decode(joined.as_deref().unwrap_or(record));
    assert!(invalid <= record.len() as u64);
    let text = format.without_ends(&text);
    let wrapped = format.unwrap(&text);
    let parsed = wrapped.as_ref().and_then(|wrapped| format.read(&wrapped.text));
    for (name, value) in parsed.iter().flat_map(|parsed| &parsed.fields) {
        if let Value::Json(json) = value {
            let is_json = serde_json::from_str::<&serde_json::value::RawValue>(json).is_ok();
            assert!(is_json, "{name}: {json}");
        }
    }
}
