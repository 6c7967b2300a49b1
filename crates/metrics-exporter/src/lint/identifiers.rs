//! Values of labels that look like identifiers. Each new value makes a new series, so their number grows without bound.

use crate::{
    exposition::model::{Family, Kind},
    lint::findings::Findings,
};

/// The number of characters of a value that are shown. The rest is hidden, because it may be personal or a secret.
const SHOWN: usize = 4;
/// The least length of a hexadecimal identifier; shorter ones may be colours or short hashes
const HEX_DIGITS: usize = 16;
/// The least length of a decimal identifier; shorter numbers are codes, ports and sizes
const DIGITS: usize = 8;

/// Adds a finding for each label, about its first value that looks like an identifier.
pub(super) fn judge_identifiers(family: &Family, findings: &mut Findings) {
    // An info has one series, and its labels are versions and revisions.
    if family.kind == Kind::Info || family.name.ends_with("_info") {
        return;
    }
    let mut judged: Vec<&str> = Vec::new();
    for label in family.series.iter().flat_map(|series| series.labels) {
        if judged.contains(&label.name) {
            continue;
        }
        if let Some(what) = identifier(label.value) {
            judged.push(label.name);
            let cut: String = label.value.chars().take(SHOWN).collect();
            let label = label.name;
            findings.add(
                family.name,
                format!(
                    "the label {label} holds {what} ({cut:?}…), so that series grow without bound: leave the label out"
                ),
            );
        }
    }
}

/// The kind of identifier that the value looks like; `None` for other values.
fn identifier(value: &str) -> Option<&'static str> {
    if is_uuid(value) {
        Some("a UUID")
    } else if is_email(value) {
        Some("an e-mail address")
    } else if is_number(value) {
        Some("a long number")
    } else if is_hex(value) {
        Some("a long hexadecimal number")
    } else if is_path_with_identifier(value) {
        Some("a path with an identifier")
    } else {
        None
    }
}

fn is_uuid(value: &str) -> bool {
    let lengths =
        value.split('-').map(|part| if part.bytes().all(|byte| byte.is_ascii_hexdigit()) { part.len() } else { 0 });
    value.len() == 36 && lengths.eq([8, 4, 4, 4, 12])
}

fn is_email(value: &str) -> bool {
    let Some((user, domain)) = value.split_once('@') else { return false };
    let is_usual = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte));
    !user.is_empty() && is_usual(user) && is_usual(domain) && domain.trim_matches('.').contains('.')
}

fn is_number(value: &str) -> bool {
    value.len() >= DIGITS && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// True for a hexadecimal number with a digit and a letter, so that no word counts.
fn is_hex(value: &str) -> bool {
    value.len() >= HEX_DIGITS
        && value.bytes().all(|byte| byte.is_ascii_hexdigit())
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// True for a path in which a part is an identifier, as from an HTTP server without templates for routes. Shorter numbers count
/// here, because templates of routes have no numbers.
fn is_path_with_identifier(value: &str) -> bool {
    let path = value.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let Some((_, path)) = path.split_once('/') else { return false };
    let is_short_number = |part: &str| part.len() >= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    path.split('/').any(|part| is_short_number(part) || is_uuid(part) || is_hex(part) || is_email(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_told_from_names() {
        for (value, expected) in [
            ("123e4567-e89b-12d3-a456-426614174000", Some("a UUID")),
            ("alice.smith@mail.example.com", Some("an e-mail address")),
            ("4155550123", Some("a long number")),
            ("9f86d081884c7d65", Some("a long hexadecimal number")),
            ("/users/12345/orders", Some("a path with an identifier")),
            ("https://shop.example/orders/9f86d081884c7d65?x=1", Some("a path with an identifier")),
            ("/users/123e4567-e89b-12d3-a456-426614174000", Some("a path with an identifier")),
            ("", None),
            ("200", None),
            ("127.0.0.1:8080", None),
            ("/api/v1/users/{id}", None),
            ("/var/lib/docker", None),
            ("http://127.0.0.1:8080/metrics", None),
            ("user@host", None),
            ("@example.com", None),
            ("deadbeefdeadbeef", None),
            ("go1.22.3", None),
            ("1.5", None),
            ("pod-7d4b9c-x2x9z", None),
        ] {
            assert_eq!(identifier(value), expected, "{value}");
        }
    }
}
