//! Records as messages of RFC 5424.

use crate::{
    format::{
        record::Value,
        severity::{Severity, level},
    },
    records::{
        span::{Mark, Span},
        timestamp::rfc3339,
    },
};

/// Bytes of a HOSTNAME, an APP-NAME, and the name of a parameter (section 6)
const HOST_LIMIT: usize = 255;
const APP_LIMIT: usize = 48;
const NAME_LIMIT: usize = 32;

/// The names of facilities by their numbers, of which 12 to 15 have none that all agree on
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "", "", "",
    "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// The parts of each message that settings give
#[derive(Clone, Debug)]
pub(crate) struct Header {
    facility: u8,
    /// Of this machine, where the pod does not say its name
    host: String,
    app: Option<String>,
    /// The SD-ID of an element with all other facts
    element: Option<String>,
}

impl Header {
    pub(crate) fn new(
        facility: Option<&str>,
        host: &str,
        app: Option<String>,
        element: Option<String>,
    ) -> Result<Self, String> {
        let facility = facility.unwrap_or("local0");
        let number = FACILITIES.iter().position(|name| *name == facility && !name.is_empty());
        let number = number.and_then(|number| u8::try_from(number).ok());
        let known = || FACILITIES.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ");
        let number = number.ok_or_else(|| format!("option facility: known are {}", known()))?;
        if let Some(element) = &element {
            let number = element.split_once('@').is_some_and(|(name, number)| {
                let number = number.strip_prefix(|first: char| ('1'..='9').contains(&first));
                !name.is_empty()
                    && number.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
            });
            if !number || *element != sanitized(element, NAME_LIMIT, is_name) {
                return Err("option sd-id is NAME@NUMBER, with the enterprise number that IANA gave you, \
                            and at most 32 bytes"
                    .into());
            }
        }
        Ok(Self { facility: number, host: host.to_owned(), app, element })
    }

    /// Writes a message for each record, and says where each of them ends. `counted` puts its
    /// length before it (RFC 6587, section 3.4.1): so it may hold newlines.
    pub(crate) fn write(&self, span: &Span, counted: bool, out: &mut Vec<u8>, mut ended: impl FnMut(usize)) {
        let (before, after) = (self.names(span), self.known(span));
        let (mut message, mut number) = (Vec::new(), itoa::Buffer::new());
        span.records(|record| {
            message.clear();
            let severity = level(&record.fields).and_then(Severity::of).unwrap_or(Severity::Info);
            message.push(b'<');
            message.extend_from_slice(number.format(self.facility * 8 + severity.syslog()).as_bytes());
            message.extend_from_slice(b">1 ");
            write_time(record.time, &mut message);
            message.extend_from_slice(&before);
            if let Some(known) = &after {
                message.extend_from_slice(known);
                write_parameter("offset", number.format(record.offset), &mut message);
                for (name, value) in &record.fields {
                    let (Value::Text(value) | Value::Json(value)) = value;
                    write_parameter(name, value, &mut message);
                }
                message.push(b']');
            } else {
                message.push(b'-');
            }
            message.push(b' ');
            // Without a byte order mark this is MSG-ANY (section 6.4). Receivers take a mark for a
            // part of the text.
            message.extend_from_slice(record.message.as_bytes());
            if counted {
                out.extend_from_slice(number.format(message.len()).as_bytes());
                out.push(b' ');
            }
            out.extend_from_slice(&message);
            ended(out.len());
        });
    }

    /// HOSTNAME APP-NAME PROCID MSGID, each with a space before and behind
    fn names(&self, span: &Span) -> Vec<u8> {
        let attribute = |name: &str| {
            let attributes = &span.source.treatment.attributes;
            attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
        };
        let host = attribute("k8s.pod.name").unwrap_or(&self.host);
        let app = self.app.as_deref().or_else(|| attribute("k8s.container.name")).unwrap_or("-");
        let (host, app) = (sanitized(host, HOST_LIMIT, is_print), sanitized(app, APP_LIMIT, is_print));
        format!(" {host} {app} - - ").into_bytes()
    }

    /// The beginning of the element, with what is the same for all records of a span
    fn known(&self, span: &Span) -> Option<Vec<u8>> {
        let element = self.element.as_ref()?;
        let mut known = format!("[{element}").into_bytes();
        write_parameter("file", &span.source.path.to_string_lossy(), &mut known);
        write_parameter("generation", &span.source.generation, &mut known);
        for (name, value) in &span.source.treatment.attributes {
            write_parameter(name, value, &mut known);
        }
        match span.mark {
            Mark::Whole => {}
            Mark::Cut => write_parameter("cut", "true", &mut known),
            Mark::Unfinished => write_parameter("unfinished", "true", &mut known),
        }
        Some(known)
    }
}

/// RFC 3339, but with six digits of a second at most
fn write_time(time: i64, out: &mut Vec<u8>) {
    let time = rfc3339(time);
    let digits = time.len().min("2026-11-24T09:58:45.123456".len() + 1) - 1;
    out.extend_from_slice(&time.as_bytes()[..digits]);
    out.push(b'Z');
}

/// A space, and `name="value"` as section 6.3.3 wants it
fn write_parameter(name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(sanitized(name, NAME_LIMIT, is_name).as_bytes());
    out.extend_from_slice(b"=\"");
    for byte in value.bytes() {
        if matches!(byte, b'"' | b'\\' | b']') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// The text with `_` in place of each character that is not allowed, or `-` if it is empty
fn sanitized(text: &str, limit: usize, allowed: fn(char) -> bool) -> String {
    let text: String = text.chars().take(limit).map(|c| if allowed(c) { c } else { '_' }).collect();
    if text.is_empty() { "-".into() } else { text }
}

fn is_print(c: char) -> bool {
    c.is_ascii_graphic()
}

fn is_name(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '=' | ']' | '"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::span::of;

    fn written(header: &Header, text: &str, mark: Mark, counted: bool) -> (String, Vec<usize>) {
        let (mut out, mut ends) = (Vec::new(), Vec::new());
        let mut span = of(text.as_bytes(), mark);
        span.time = 1_795_514_325_123_456_789;
        header.write(&span, counted, &mut out, |end| ends.push(end));
        (String::from_utf8(out).unwrap(), ends)
    }

    #[test]
    fn a_message_is_as_the_standard_has_it() {
        let header = Header::new(None, "web-0", Some("shop api".into()), None).unwrap();
        let (text, ends) = written(&header, "one\nzwei ü\n", Mark::Whole, false);
        let head = "<134>1 2026-11-24T09:58:45.123456Z web-0 shop_api - - - ";
        assert_eq!(text, format!("{head}one{head}zwei ü"));
        assert_eq!(ends, [head.len() + 3, text.len()]);
        let (text, _) = written(&header, "one\n", Mark::Whole, true);
        assert_eq!(text, format!("{} {head}one", head.len() + 3));
    }

    #[test]
    fn what_is_known_besides_stands_under_ones_own_number() {
        let header = Header::new(Some("daemon"), "", None, Some("log@99999".into())).unwrap();
        let (text, _) = written(&header, "end", Mark::Unfinished, false);
        let known = r#"file="/logs/app.log" generation="0123456789abcdef" unfinished="true" offset="0""#;
        assert_eq!(text, format!("<30>1 2026-11-24T09:58:45.123456Z - - - - [log@99999 {known}] end"));
        let mut out = Vec::new();
        write_parameter("k8s.pod.label.app=\u{e9}", "a\"b]c\\\n", &mut out);
        assert_eq!(out, b" k8s.pod.label.app__=\"a\\\"b\\]c\\\\\n\"");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let refusal =
            |facility, element: Option<&str>| Header::new(facility, "h", None, element.map(str::to_owned)).unwrap_err();
        assert!(refusal(Some("local8"), None).contains("known are kern, user"));
        assert!(refusal(Some(""), None).contains("known are"));
        for element in ["log", "@1", "log@", "log@x", "a b@1", "log@0", &"x".repeat(40)] {
            assert!(refusal(None, Some(element)).contains("NAME@NUMBER"), "{element}");
        }
    }
}
