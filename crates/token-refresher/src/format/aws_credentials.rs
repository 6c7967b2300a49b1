//! A profile of an AWS credentials file (`~/.aws/credentials`).

use super::{Keys, settings::Fault};

/// What the SDKs read, and whether it must be there
const KEYS: [(&str, bool); 3] =
    [("aws_access_key_id", true), ("aws_secret_access_key", true), ("aws_session_token", false)];

pub(super) fn refuse_key(key: &str) -> Option<&'static str> {
    let is_known = KEYS.iter().any(|(known, _)| *known == key);
    (!is_known).then_some("the keys are aws_access_key_id, aws_secret_access_key and aws_session_token")
}

/// Refuses keys without which no SDK takes the profile.
pub(super) fn complete(keys: Keys) -> Result<Keys, Fault> {
    match KEYS.iter().find(|(key, is_needed)| *is_needed && !keys.contains_key(*key)) {
        Some((key, _)) => Err(Fault::new("keys", format!("the key {key} is missing"))),
        None => Ok(keys),
    }
}

/// Why a text cannot be a value. The SDKs differ in comments, quotes and spaces; AWS's own values have none of these.
pub(super) fn unfit(text: &str) -> Option<&'static str> {
    let is_fit = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'#' | b';' | b'\\');
    (text.is_empty() || !text.bytes().all(is_fit))
        .then_some("is empty, or holds spaces, quotes, backslashes, # or ; or other than ASCII")
}

pub(super) fn unfit_profile(text: &str) -> Option<&'static str> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@' | b'/' | b'+');
    (text.is_empty() || !text.bytes().all(is_fit)).then_some("has letters, digits and - _ . @ / + only")
}
