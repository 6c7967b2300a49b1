//! A server's words, made fit for an error: short, on one line, and without anything that may be a secret.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use endpoint::one_line;
use lifecycle::Secret;
use percent_encoding::percent_decode_str;
use url::form_urlencoded;
use zeroize::Zeroizing;

/// Letters and digits: a shorter part of a secret is part of many words.
const SHORTEST: usize = 6;
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
    one_line(&without_tokens(&without_sent(text, sent)))
}

/// The text with `…` in place of the secrets that were sent. Nothing is left of a text that has one in pieces, or in an
/// encoding that is not replaced.
pub(crate) fn without_sent(text: &str, sent: &[Secret]) -> String {
    let text = sent.iter().flat_map(encodings).fold(text.to_owned(), |text, form| form.blotted_out_as_it_is(&text));
    // Twice, because an answer in a redirect or in a page may be encoded once more.
    let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
    let decoded = percent_decode_str(&decoded).decode_utf8_lossy();
    let views = [skeleton(&text), skeleton(&decoded), skeleton(&without_escapes(&decoded))];
    let is_repeated = |secret: &Secret| {
        let found = |part: &Secret| views.iter().any(|view| view.expose().contains(part.expose()));
        traces(secret).iter().any(found)
    };
    if sent.iter().any(is_repeated) { HIDDEN.into() } else { text }
}

/// What is left of a secret in every spelling: its letters and digits, those of its bytes in hexadecimal digits, and those of
/// its base64 at each place in a longer text. One that is too short for a comparison has none.
fn traces(secret: &Secret) -> Vec<Secret> {
    use std::fmt::Write as _;
    let bytes = secret.expose().as_bytes();
    let hex = bytes.iter().fold(Zeroizing::new(String::new()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let base64 = (0..3).map(|shift| {
        let shifted = Zeroizing::new([&[0; 2][..shift], bytes].concat());
        let encoded = Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(&*shifted));
        // The characters at both ends have bits of the neighbours.
        let (start, end) = ([0, 2, 3][shift], shifted.len() * 8 / 6);
        skeleton(encoded.get(start..end).unwrap_or_default())
    });
    let all = base64.chain([skeleton(secret.expose()), skeleton(&hex)]);
    all.filter(|trace| trace.expose().len() >= SHORTEST).collect()
}

/// The letters and digits of a text, all small
fn skeleton(text: &str) -> Secret {
    let kept = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    Zeroizing::new(kept.collect::<String>()).as_str().into()
}

/// The text without the escapes of HTML and of JSON, which stand for other characters than letters and digits.
fn without_escapes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '\\']) {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = rest.get(length_of_escape(rest)..).unwrap_or_default();
    }
    kept + rest
}

/// The bytes of the escape that the text begins with, or of its first character.
fn length_of_escape(text: &str) -> usize {
    /// Bytes of the longest name of a character that matters, such as `&quot;` or `&#x0027;`
    const LONGEST: usize = 8;
    let is_unicode = text
        .strip_prefix("\\u")
        .and_then(|digits| digits.get(..4))
        .is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let end = text.find(';').filter(|end| text.starts_with('&') && *end < LONGEST);
    match end {
        _ if is_unicode => "\\u0000".len(),
        Some(end) => end + 1,
        None => 1,
    }
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
        // {"token": "abc"}, token=abc, <token>abc, and the token 'abc'
        let is_quoted = between.ends_with(['"', '\'', '`']) && between.starts_with(char::is_whitespace);
        let is_value = names_secret && (between.contains([':', '=', '>']) || is_quoted);
        let quote = between.chars().next_back().filter(|c| is_value && ['"', '\'', '`'].contains(c));
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
            ("<Password>abc</Password>", "<Password>…</Password>"),
            ("the refresh token 'abc def' is old", "the refresh token '…' is old"),
            ("\"token\" is missing", "\"token\" is missing"),
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

    #[test]
    fn a_secret_in_pieces_or_in_any_encoding_takes_the_words_along() {
        let secret = [Secret::from("Hunter2&<ö>/x")];
        for text in [
            "bad Hunter2%26%3c%C3%B6%3e%2fx",
            "bad Hunter2%2526%253C%25C3%25B6%253E%252Fx",
            "bad Hunter2&amp;&lt;ö&gt;/x",
            "bad Hunter2&#38;&#x3c;ö&#62;/x",
            "bad Hunter2\\u0026\\u003cö\\u003e\\/x",
            "bad Hunt\n  er2&<ö>/x",
            "bad Hunt: er2&<ö>/x",
            "bad HUNTER2&<Ö>/X",
            "bad 48756e746572 32263cc3b63e2f78",
            // Basic credentials that are not ours, with the secret in them
            "bad YWJjOkh1bnRlcjImPMO2Pi94OmFiYw",
            "bad aWQ6SHVu\ndGVyMiY8w7Y-L3g",
        ] {
            assert_eq!(scrubbed(text, &secret), "…", "{text}");
        }
        assert_eq!(scrubbed("bad Hunter3&amp;<ö>/x &\\u00", &secret), "bad Hunter3&amp;<ö>/x &\\u00");
        assert_eq!(scrubbed("bad", &[Secret::from(""), Secret::from("ba-d")]), "bad");
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,80}", secret in "\\PC{0,20}") {
            let _ = scrubbed(&text, &[Secret::from(secret.as_str())]);
        }

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
