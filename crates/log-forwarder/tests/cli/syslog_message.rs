//! Reads syslog as strictly as RFC 5424 (section 6) and RFC 6587 (section 3.4.1) write it; made from these documents.

use std::io::BufRead;

/// A message, taken apart
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) priority: u8,
    pub(crate) host: String,
    pub(crate) app: String,
    /// SD-ID and parameters of the only element, if there is one
    pub(crate) element: Option<(String, Vec<(String, String)>)>,
    pub(crate) text: String,
}

impl Message {
    #[track_caller]
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let message = std::str::from_utf8(bytes).unwrap();
        let (priority, rest) = message.strip_prefix('<').unwrap().split_once('>').unwrap();
        assert!(priority == "0" || !priority.starts_with('0'), "{message}");
        let words: Vec<_> = rest.splitn(7, ' ').collect();
        let [version, time, host, app, process, id, rest] = words[..] else { panic!("{message}") };
        assert_eq!((version, process, id), ("1", "-", "-"), "{message}");
        assert_time(time);
        for (name, limit) in [(host, 255), (app, 48)] {
            assert!((1..=limit).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()), "{message}");
        }
        let (element, rest) = element(rest);
        let text = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{message}")).to_owned();
        let priority = priority.parse().unwrap();
        assert!(priority <= 191, "{message}");
        Self { priority, host: host.into(), app: app.into(), element, text }
    }

    /// The next message of a connection; `None` at its end
    pub(crate) fn read(stream: &mut impl BufRead) -> Option<Self> {
        let mut count = Vec::new();
        stream.read_until(b' ', &mut count).unwrap();
        if count.is_empty() {
            return None;
        }
        let count = std::str::from_utf8(&count).unwrap().strip_suffix(' ').unwrap();
        assert!(!count.starts_with('0') && count.bytes().all(|byte| byte.is_ascii_digit()), "{count}");
        let mut message = vec![0; count.parse().unwrap()];
        stream.read_exact(&mut message).unwrap();
        Some(Self::parse(&message))
    }
}

/// FULL-DATE "T" FULL-TIME, in UTC, with one to six digits of a second
fn assert_time(time: &str) {
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let (whole, fraction) = shape.strip_suffix('Z').unwrap().split_once('.').unwrap();
    assert_eq!(whole, "0000-00-00T00:00:00", "{time}");
    assert!((1..=6).contains(&fraction.len()) && fraction.bytes().all(|digit| digit == b'0'), "{time}");
}

/// STRUCTURED-DATA of one element at most, and what follows
type Element = Option<(String, Vec<(String, String)>)>;

fn element(text: &str) -> (Element, &str) {
    if let Some(rest) = text.strip_prefix('-') {
        return (None, rest);
    }
    let mut rest = text.strip_prefix('[').unwrap();
    let end = rest.find([' ', ']']).unwrap();
    let (id, mut parameters) = (rest[..end].to_owned(), Vec::new());
    assert_name(&id);
    rest = &rest[end..];
    while let Some(parameter) = rest.strip_prefix(' ') {
        let (name, value) = parameter.split_once("=\"").unwrap();
        assert_name(name);
        let (value, after) = value_of(value);
        parameters.push((name.to_owned(), value));
        rest = after;
    }
    (Some((id, parameters)), rest.strip_prefix(']').unwrap())
}

fn assert_name(name: &str) {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'=' | b']' | b'"');
    assert!((1..=32).contains(&name.len()) && name.bytes().all(is_allowed), "{name}");
}

/// PARAM-VALUE up to its closing quote, and what follows
fn value_of(text: &str) -> (String, &str) {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(chars.next().unwrap().1),
            ']' => panic!("a bare ] in {text}"),
            c => value.push(c),
        }
    }
    panic!("no end of {text}")
}
