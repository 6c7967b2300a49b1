//! A server's words without the secrets that were sent to it, because a server that refuses a login may repeat it.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderMap;
use lifecycle::Secret;

/// The text with `…` in place of every value of a sensitive header: as it was sent, without its scheme (`Bearer`), and for
/// `Basic` also decoded. Values of less than four bytes stay, because they are parts of many words.
pub fn without_secrets(text: &str, sent: &HeaderMap) -> String {
    sent_secrets(sent).iter().fold(text.to_owned(), |text, secret| secret.blotted_out(&text))
}

/// Each value of a sensitive header in the forms that [`without_secrets`] looks for
pub fn sent_secrets(sent: &HeaderMap) -> Vec<Secret> {
    let values = sent.values().filter(|value| value.is_sensitive()).filter_map(|value| value.to_str().ok());
    let forms = values.flat_map(|value| {
        let (scheme, credentials) = value.split_once(' ').unwrap_or(("", value));
        let password = if scheme.eq_ignore_ascii_case("basic") { password(credentials) } else { Secret::from("") };
        [value.into(), credentials.into(), password]
    });
    forms.collect()
}

/// The password of `Basic` credentials (RFC 7617); empty if there is none.
fn password(credentials: &str) -> Secret {
    let decoded = BASE64_STANDARD.decode(credentials).unwrap_or_default();
    let decoded = str::from_utf8(&decoded).unwrap_or_default();
    decoded.split_once(':').map_or("", |(_, password)| password).into()
}

#[cfg(test)]
mod tests {
    use http::{
        HeaderValue,
        header::{ACCEPT, AUTHORIZATION},
    };

    use super::*;

    #[test]
    fn every_form_of_a_sensitive_value_is_blotted_out() {
        let said = |value: &str, text: &str| {
            let mut secret = HeaderValue::from_str(value).unwrap();
            secret.set_sensitive(true);
            let sent =
                HeaderMap::from_iter([(AUTHORIZATION, secret), (ACCEPT, HeaderValue::from_static("text/plain"))]);
            without_secrets(text, &sent)
        };
        assert_eq!(said("hunter2", "no hunter2, text/plain"), "no …, text/plain");
        assert_eq!(said("Bearer hunter2", "bad token: hunter2"), "bad token: …");
        let basic = BASE64_STANDARD.encode("user:hunter2");
        assert_eq!(said(&format!("Basic {basic}"), &format!("{basic} is user:hunter2")), "… is user:…");
        assert_eq!(said("Basic ???", "no"), "no");
    }
}
