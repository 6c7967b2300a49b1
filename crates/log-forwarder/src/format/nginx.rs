//! nginx's `combined` format, and those that begin like it, as `main` does.
//!
//! `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"
//! "$http_x_forwarded_for"`; the last three may be missing, and the rest stays in the message alone. nginx writes
//! quotes, backslashes, controls and all that is not ASCII as `\xXX` (`log_format`, `escape=default`).

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};

use super::time;
use crate::format::record::{Field, Parsed, Value};

/// Of `24/Nov/2026:09:58:45 +0100`
const TIME_LENGTH: usize = 26;
const TRAILING: [&str; 3] = ["http_referer", "http_user_agent", "http_x_forwarded_for"];

pub(super) fn read(line: &str) -> Option<Parsed<'_>> {
    let (address, rest) = line.split_once(" - ")?;
    let bracket = memmem::find(rest.as_bytes(), b" [")?;
    let (user, rest) = (&rest[..bracket], &rest[bracket + 2..]);
    let time = time::common_log(rest.as_bytes().get(..TIME_LENGTH)?)?;
    let rest = rest.get(TIME_LENGTH..)?.strip_prefix("] ")?;
    let (request, rest) = quoted(rest)?;
    let (status, rest) = number(rest)?;
    let (bytes, mut rest) = number(rest).or_else(|| Some(("-", rest.strip_prefix(" -")?)))?;

    let mut fields = Vec::with_capacity(12);
    let (vhost, address) = virtual_host(address);
    push(&mut fields, "vhost", vhost);
    push(&mut fields, "remote_addr", address);
    push(&mut fields, "remote_user", user);
    push_request(&mut fields, request);
    fields.push(("status".into(), Value::Json(status.into())));
    if bytes != "-" {
        fields.push(("body_bytes_sent".into(), Value::Json(bytes.into())));
    }
    for name in TRAILING {
        let Some((value, behind)) = rest.strip_prefix(' ').and_then(quoted) else { break };
        push(&mut fields, name, value);
        rest = behind;
    }
    Some(Parsed { time: Some(time), message: None, fields })
}

/// The virtual host that Apache's `vhost_combined` writes before the address: `example.com:443 1.2.3.4`. A list of addresses
/// (`1.2.3.4, 5.6.7.8`) has none.
fn virtual_host(address: &str) -> (&str, &str) {
    match address.split_once(' ') {
        Some((vhost, address)) if !vhost.ends_with(',') && !address.contains(' ') => (vhost, address),
        _ => ("-", address),
    }
}

/// `GET /path HTTP/1.1` in its three parts, or as `request` where it is something else, as from a port scan
fn push_request<'a>(fields: &mut Vec<Field<'a>>, request: &'a str) {
    let parts = request.split_once(' ').and_then(|(method, rest)| Some((method, rest.rsplit_once(' ')?)));
    match parts {
        Some((method, (uri, protocol))) if protocol.starts_with("HTTP/") => {
            push(fields, "request_method", method);
            push(fields, "request_uri", uri);
            push(fields, "server_protocol", protocol);
        }
        _ => push(fields, "request", request),
    }
}

/// A hyphen is nothing.
fn push<'a>(fields: &mut Vec<Field<'a>>, name: &'static str, value: &'a str) {
    if value != "-" && !value.is_empty() {
        fields.push((name.into(), Value::Text(unescape(value))));
    }
}

/// The inside of the quotes at the beginning, and the rest. Apache writes a quote inside as `\"`.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', inside.as_bytes().get(at..)?)?;
        if inside.as_bytes()[at] == b'"' {
            return Some((&inside[..at], &inside[at + 1..]));
        }
        at += 2;
    }
}

/// An integer behind a space. More digits than any size has are none, nor are leading zeros, which JSON does not know.
fn number(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix(' ')?;
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(length);
    let is_number = (1..=19).contains(&length) && (length == 1 || !number.starts_with('0'));
    (is_number && (rest.is_empty() || rest.starts_with([' ', '\r']))).then_some((number, rest))
}

/// The bytes that `\xXX` stands for; those that are not UTF-8 are replaced.
fn unescape(text: &str) -> Cow<'_, str> {
    let mut rest = text.as_bytes();
    if memchr(b'\\', rest).is_none() {
        return text.into();
    }
    let mut plain = Vec::with_capacity(rest.len());
    while let Some(at) = memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (byte, length) = match *rest {
            [_, b'x', high, low, ..] => hex(high).zip(hex(low)).map_or((b'\\', 1), |(high, low)| (high << 4 | low, 4)),
            [_, byte @ (b'"' | b'\\'), ..] => (byte, 2),
            _ => (b'\\', 1),
        };
        plain.push(byte);
        rest = &rest[length..];
    }
    plain.extend_from_slice(rest);
    match String::from_utf8_lossy(&plain) {
        Cow::Owned(replaced) => replaced.into(),
        Cow::Borrowed(text) => text.to_owned().into(),
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(line: &str) -> Vec<String> {
        let parsed = read(line).unwrap();
        assert_eq!((parsed.time, parsed.message), (Some(1_795_510_725_000_000_000), None), "{line}");
        let show = |(name, value): &Field<'_>| match value {
            Value::Text(text) => format!("{name}={text:?}"),
            Value::Json(text) => format!("{name}={text}"),
        };
        parsed.fields.iter().map(show).collect()
    }

    #[test]
    fn combined_and_main() {
        let main = r#"10.1.2.3 - jane doe [24/Nov/2026:09:58:45 +0100] "GET /a?b=c d HTTP/1.1" 200 612 "https://a.example/" "Mozilla/5.0 (X11)" "10.9.8.7" rt=0.001"#;
        assert_eq!(
            shown(main),
            [
                r#"remote_addr="10.1.2.3""#,
                r#"remote_user="jane doe""#,
                r#"request_method="GET""#,
                r#"request_uri="/a?b=c d""#,
                r#"server_protocol="HTTP/1.1""#,
                "status=200",
                "body_bytes_sent=612",
                r#"http_referer="https://a.example/""#,
                r#"http_user_agent="Mozilla/5.0 (X11)""#,
                r#"http_x_forwarded_for="10.9.8.7""#,
            ]
        );
        let combined = r#"::1 - - [24/Nov/2026:09:58:45 +0100] "GET / HTTP/2.0" 304 0 "-" "curl/8.5.0""#;
        let expected = [
            r#"remote_addr="::1""#,
            r#"request_method="GET""#,
            r#"request_uri="/""#,
            r#"server_protocol="HTTP/2.0""#,
            "status=304",
            "body_bytes_sent=0",
            r#"http_user_agent="curl/8.5.0""#,
        ];
        assert_eq!(shown(combined), expected);
    }

    #[test]
    fn a_virtual_host_stands_in_front() {
        let line = |front: &str| format!(r#"{front} - - [24/Nov/2026:09:58:45 +0100] "GET / HTTP/1.1" 200 5"#);
        let vhost = shown(&line("example.com:443 1.2.3.4"));
        assert_eq!(vhost[..2], [r#"vhost="example.com:443""#, r#"remote_addr="1.2.3.4""#]);
        assert_eq!(shown(&line("1.2.3.4, 5.6.7.8"))[0], r#"remote_addr="1.2.3.4, 5.6.7.8""#);
    }

    #[test]
    fn what_scanners_send() {
        let tls = r#"1.2.3.4 - - [24/Nov/2026:09:58:45 +0100] "\x16\x03\x01\x22\xC3\xBC\x5C\xFF\x" 400 157 "-" "-""#;
        let expected =
            ["remote_addr=\"1.2.3.4\"", r#"request="\u{16}\u{3}\u{1}\"ü\\�\\x""#, "status=400", "body_bytes_sent=157"];
        assert_eq!(shown(tls), expected);
        assert_eq!(
            shown(r#"unix: - - [24/Nov/2026:09:58:45 +0100] "" 408 - "-" "a \"b\"""#),
            [r#"remote_addr="unix:""#, "status=408", r#"http_user_agent="a \"b\"""#,]
        );
    }

    #[test]
    fn what_is_none() {
        let whole = r#"1.2.3.4 - - [24/Nov/2026:09:58:45 +0100] "GET / HTTP/1.1" 200 5"#;
        assert!(read(whole).is_some());
        assert!((0..whole.len() - 2).all(|end| read(&whole[..end]).is_none()));
        for line in [
            &whole.replace("200", "2000000000000000000000"),
            &whole.replace("200", "0200"),
            &whole.replace(" 5", " 5k"),
            &whole.replace("Nov", "Növ"),
        ] {
            assert!(read(line).is_none(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_nginx_escapes_is_read(agent in proptest::collection::vec(any::<char>(), 1..30)) {
            let agent: String = agent.into_iter().chain(['x']).collect();
            let escape = |byte: u8| match byte {
                b'"' | b'\\' | 0..32 | 127.. => format!("\\x{byte:02X}"),
                _ => char::from(byte).to_string(),
            };
            let written: String = agent.bytes().map(escape).collect();
            let line = format!(r#"1.2.3.4 - - [24/Nov/2026:09:58:45 +0100] "GET / HTTP/1.1" 200 5 "-" "{written}""#);
            let parsed = read(&line).unwrap();
            prop_assert_eq!(parsed.fields.last().unwrap(), &("http_user_agent".into(), Value::Text(agent.into())));
        }

        #[test]
        fn nothing_panics(text in "[ -~]{0,20}( - - \\[24/Nov/2026:09:58:45 \\+0100\\] \"[\\\\\"xXfé]{0,9}\"? [0-9]{0,3}\\PC{0,20})?") {
            let _ = read(&text);
        }
    }
}
