//! Lines of web servers, and what looks like them.

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

/// Names and texts as regular expressions find them
fn by_regex(line: &str) -> Option<Vec<(&str, String)>> {
    const QUOTED: &str = r#""((?:[^"\\]|\\.)*)""#;
    const SIZE: &str = "0|[1-9][0-9]{0,18}";
    let regex = |text: &str| regex::Regex::new(text).unwrap();
    let head = format!(r"(?s)^(.*?) - (.*?) \[(.{{26}})\] {QUOTED} ({SIZE}) ({SIZE}|-)(.*)$");
    let (_, [address, user, time, request, status, bytes, rest]) = regex(&head).captures(line)?.extract();
    time::common_log(time.as_bytes())?;
    let is_apart = bytes == "-" || rest.is_empty() || rest.starts_with([' ', '\r']);
    is_apart.then_some(())?;
    let host =
        regex(r"(?s)^([^ ]*[^ ,]|) ([^ ]*)$").captures(address).map_or(["-", address], |found| found.extract().1);
    let mut fields = vec![("vhost", host[0]), ("remote_addr", host[1]), ("remote_user", user)];
    match regex(r"(?s)^([^ ]*) (.*) (HTTP/[^ ]*)$").captures(request) {
        Some(parts) => {
            fields.extend(["request_method", "request_uri", "server_protocol"].into_iter().zip(parts.extract::<3>().1));
        }
        None => fields.push(("request", request)),
    }
    fields.extend([("status", status), ("body_bytes_sent", bytes)]);
    let trailing = regex(&format!("(?s)^(?: {QUOTED}(?: {QUOTED}(?: {QUOTED})?)?)?")).captures(rest)?;
    let trailing = trailing.iter().skip(1).flatten().map(|group| group.as_str());
    fields.extend(TRAILING.into_iter().zip(trailing));
    fields.retain(|(_, text)| !matches!(*text, "-" | ""));
    Some(fields.into_iter().map(|(name, text)| (name, unescape(text).into_owned())).collect())
}

fn read_as_texts(line: &str) -> Option<Vec<(String, String)>> {
    let text = |(name, value)| match value {
        Value::Text(text) | Value::Json(text) => (String::from(name), String::from(text)),
    };
    Some(read(line)?.fields.into_iter().map(text).collect())
}

proptest! {
    #[test]
    fn lines_are_read_as_a_regex_reads_them(
        address in "[0-9.:a ,]{0,9}", user in "-|[a-zé ]{0,5}",
        request in r#"(GET|-)? ?(/[a-z "]{0,6}|\\x16\\"é)( HTTP/1\.1)?"#,
        status in "(200|0|-|[0-9]{1,21})", bytes in "(0|612|-|[0-9]{1,3}k?)",
        rest in r#"( "(-|\\"|[a-z\\é]{0,4})"){0,4}[ x\r]?"#,
        fault in proptest::option::of((any::<proptest::sample::Index>(), "[ \\[\"\\\\é-]?")),
    ) {
        let mut line = format!("{address} - {user} [24/Nov/2026:09:58:45 +0100] \"{request}\" {status} {bytes}{rest}");
        if let Some((at, with)) = fault {
            let (at, character) = line.char_indices().nth(at.index(line.chars().count())).unwrap();
            line.replace_range(at..at + character.len_utf8(), &with);
        }
        // A regex goes back and takes a later separator, where the first one leads to nothing.
        let is_clear = line.matches(" [").count() == 1 && line.matches(" - ").count() == 1;
        let (expected, found) = (by_regex(&line), read_as_texts(&line));
        if is_clear || found.is_some() {
            let expected = expected.map(|fields| fields.into_iter().map(|(name, text)| (name.to_owned(), text)).collect());
            prop_assert_eq!(found, expected, "{}", line);
        }
    }

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
