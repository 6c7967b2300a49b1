//! Names of metrics and labels on a text page. The names in quotes of Prometheus 3 are refused.

use crate::exposition::{page::PageFault, parse::cursor::Cursor};

/// Reads the name of a metric with at most `max_bytes`.
pub(super) fn metric<'a>(cursor: &mut Cursor<'a>, max_bytes: usize) -> Result<&'a str, PageFault> {
    let name = cursor.metric_name();
    if name.is_empty() {
        return Err(missing(cursor, "expected the name of a metric"));
    }
    if name.len() > max_bytes {
        return Err(cursor.fault("the name of a metric is too long"));
    }
    Ok(name)
}

/// Reads the name of a label.
pub(super) fn label<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, PageFault> {
    let name = cursor.label_name();
    if name.is_empty() { Err(missing(cursor, "expected the name of a label")) } else { Ok(name) }
}

fn missing(cursor: &Cursor, fault: &str) -> PageFault {
    let is_quoted = matches!(cursor.peek(), Some(b'"' | b'{'));
    cursor.fault(if is_quoted { QUOTED } else { fault })
}

const QUOTED: &str =
    "a name in quotes: names may have letters, digits, _ and : only; let the app escape them (escaping=underscores)";
