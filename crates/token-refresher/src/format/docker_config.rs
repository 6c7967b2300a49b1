//! `config.json` of docker, with one registry: `auth` is `user:password` in base64.

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::{Content, Unfit};

/// Host, port and path need no escape in JSON.
pub(super) fn unfit_registry(text: &str) -> Option<&'static str> {
    let is_fit =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'/' | b'[' | b']');
    (text.is_empty() || !text.bytes().all(is_fit)).then_some("is not a registry, such as registry.example:5000")
}

pub(super) fn unfit_login(text: &str) -> Option<&'static str> {
    (text.is_empty() || text.contains([':', '\0'])).then_some("is empty, or holds a colon, which ends the user's name")
}

/// docker cuts zero bytes off.
pub(super) fn unfit_password(text: &str) -> Option<&'static str> {
    (text.is_empty() || text.contains('\0')).then_some("is empty, or holds a zero byte")
}

/// The file with one registry.
pub(super) fn write(registry: &str, login: &str, password: &str) -> Result<Content, Unfit> {
    let pair = super::content(&[login, ":", password]);
    let mut auth = Zeroizing::new(vec![0; pair.len().div_ceil(3) * 4]);
    let written = BASE64_STANDARD.encode_slice(&*pair, &mut auth);
    let auth = written.ok().and_then(|length| str::from_utf8(auth.get(..length)?).ok());
    let auth = auth.ok_or_else(|| Unfit("the login cannot be written as base64".into()))?;
    Ok(super::content(&["{\"auths\":{\"", registry, "\":{\"auth\":\"", auth, "\"}}}\n"]))
}
