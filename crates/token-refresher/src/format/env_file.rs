//! The kubelet's env-file grammar for `fileKeyRef` (KEP-3721, since Kubernetes 1.35): `KEY='value'`, all of the value literal.
//!
//! The parser is `pkg/kubelet/util/env` on top of Go's `bufio.Scanner`, whose limits hold here too.

/// Bytes of a line with its end (`bufio.MaxScanTokenSize`)
const LINE_LIMIT: usize = 64 * 1024;

/// A name as the API server accepts it, without what the grammar gives another meaning
pub(super) fn refuse_key(key: &str) -> Option<&'static str> {
    // While the feature was alpha, a key had at most this length.
    let is_name = (1..=128).contains(&key.len())
        && !key.starts_with('#')
        && key.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'=' | b'\''));
    (!is_name).then_some("a key has at most 128 printable ASCII characters without spaces, quotes and =")
}

/// The parts of a row
pub(super) fn row<'a>(key: &'a str, value: &'a str) -> Result<[&'a str; 5], &'static str> {
    // The kubelet treats an empty value as a key that is not there.
    if value.is_empty() {
        return Err("is empty, which counts as missing");
    }
    if value.contains('\'') {
        return Err("holds a single quote, which the grammar has no escape for");
    }
    if value.contains('\0') || value.contains("\r\n") {
        return Err("holds a zero byte, or a carriage return at the end of a line");
    }
    // The longest line is at most this long with the key and the quotes.
    let around = key.len() + "=''\n".len();
    if value.split('\n').any(|line| line.len() + around > LINE_LIMIT) {
        return Err("has a line of more than 64 KiB");
    }
    Ok([key, "='", value, "'", "\n"])
}
