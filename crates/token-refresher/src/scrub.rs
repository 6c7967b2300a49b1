//! A server's words, made fit for an error: short, on one line, and without anything that may be a secret.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use endpoint::one_line;
use lifecycle::Secret;
use url::form_urlencoded;

/// What replaces a secret
const HIDDEN: &str = "…";
/// Bytes: a longer word with letters and digits may be a token
const LONGEST_WORD: usize = 19;
/// A name that has one of these in it has a secret for its value. "key" would also be part of many words.
const SECRET_NAMES: [&str; 10] =
    ["token", "secret", "passw", "assertion", "jwt", "credential", "authorization", "cookie", "signature", "apikey"];
/// The word behind one of these is a secret
const SCHEMES: [&str; 2] = ["bearer", "basic"];

/// At most 200 bytes of a text, on one line, without the secrets that were sent, whatever their encoding, and without
/// whatever looks like a token.
pub(crate) fn scrubbed(text: &str, sent: &[Secret]) -> String {
    let without_sent = sent.iter().flat_map(encodings).fold(text.to_owned(), |text, form| form.blotted_out(&text));
    one_line(&without_tokens(&without_sent))
}

/// The forms in which a server may repeat a secret
fn encodings(secret: &Secret) -> [Secret; 6] {
    let text = secret.expose();
    let json = serde_json::Value::from(text).to_string();
    [
        secret.clone(),
        json.trim_matches('"').into(),
        form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().as_str().into(),
        BASE64_STANDARD.encode(text).as_str().into(),
        BASE64_STANDARD_NO_PAD.encode(text).as_str().into(),
        BASE64_URL_SAFE_NO_PAD.encode(text).as_str().into(),
    ]
}

/// The text without values of names such as `access_token`, and without long words that have letters and digits.
fn without_tokens(text: &str) -> String {
    let mut scrubbed = String::with_capacity(text.len());
    let mut rest = text;
    // Whether the word before names a secret, and what stands between has made it a name with a value
    let (mut names_secret, mut is_scheme) = (false, false);
    while !rest.is_empty() {
        let gap = rest.find(is_of_word).unwrap_or(rest.len());
        let (between, from_word) = rest.split_at(gap);
        let is_value = names_secret && between.contains([':', '=']);
        let quote = between.chars().next_back().filter(|c| is_value && ['"', '\''].contains(c));
        // A value in quotes may have blanks in it.
        let end = from_word.find(|c| quote.map_or_else(|| !is_of_word(c), |quote| c == quote));
        let (word, after) = from_word.split_at(end.unwrap_or(from_word.len()));
        let is_credentials = is_scheme && between.chars().all(char::is_whitespace);
        scrubbed.push_str(between);
        let hide = !word.is_empty() && (is_value || is_credentials || may_be_token(word));
        scrubbed.push_str(if hide { HIDDEN } else { word });
        let lower = word.to_ascii_lowercase();
        // "Authorization: Bearer abc": the scheme is the value, and the secret comes behind it.
        is_scheme = SCHEMES.contains(&lower.as_str());
        names_secret = SECRET_NAMES.iter().any(|name| lower.contains(name));
        rest = after;
    }
    scrubbed
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "_-.+/~%…".contains(c)
}

fn may_be_token(word: &str) -> bool {
    let has = |is: fn(char) -> bool| word.chars().any(is);
    word.len() > LONGEST_WORD && has(|c| c.is_ascii_digit()) && has(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_stay_and_secrets_go() {
        let sent = [Secret::from("hunter2 & Söhne"), Secret::from("pw\"quoted")];
        for (text, expected) in [
            ("client authentication failed", "client authentication failed"),
            (r#"{"error":"invalid_client"}"#, r#"{"error":"invalid_client"}"#),
            (r#"{"access_token":"abc","token_type":"x"}"#, r#"{"access_token":"…","token_type":"…"}"#),
            ("bad hunter2 & Söhne here", "bad … here"),
            ("bad hunter2+%26+S%C3%B6hne here", "bad … here"),
            ("bad aHVudGVyMiAmIFPDtmhuZQ== here", "bad … here"),
            (r#"{"secret2":"pw\"quoted"}"#, r#"{"secret2":"…"}"#),
            ("Authorization: Bearer abc, refused", "Authorization: … …, refused"),
            ("password=abc&user=b", "password=…&user=b"),
            (r#"[{"password": "correct horse", "user": "b"}]"#, r#"[{"password": "…", "user": "b"}]"#),
            (r#"{"password": "correct hor"#, r#"{"password": "…"#),
            ("the token expired\r\nat noon", "the token expired  at noon"),
            ("see hvs.CAESIJ0123456789abcdef", "see …"),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "…"),
            ("in vault-0.vault-internal:8200", "in …:8200"),
            ("", ""),
        ] {
            assert_eq!(scrubbed(text, &sent), expected, "{text}");
        }
        assert!(scrubbed(&"é ".repeat(500), &[]).len() <= 210);
    }

    proptest! {
        #[test]
        fn no_answer_brings_back_what_was_sent(
            secret in "[!-~]{8,30}",
            before in "[ -~\n]{0,40}",
            after in "\\PC{0,300}",
            form in 0..6_usize,
        ) {
            let secret = Secret::from(secret.as_str());
            let echo = encodings(&secret)[form].expose().to_owned();
            prop_assume!(!before.contains(&echo) && !after.contains(&echo));
            let said = scrubbed(&format!("{before}{echo}{after}"), std::slice::from_ref(&secret));
            prop_assert!(!said.contains(&echo) && !said.contains(secret.expose()), "{}", said);
        }

        #[test]
        fn no_field_of_a_secret_survives(name in "(access_token|client_secret|id_token|Password|JWT)", value in "[a-z]{6,12}") {
            prop_assume!(!name.contains(&value));
            let said = scrubbed(&format!("x {{\"{name}\" : \"{value}\"}}"), &[]);
            prop_assert!(!said.contains(&value), "{}", said);
        }
    }
}
