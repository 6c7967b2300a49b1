//! Properties of every format, with any lines.

use proptest::prelude::*;

use super::*;
use crate::format::record::Value;

fn format(parser: &str, multiline: Option<&str>, charset: &str) -> Format {
    let multiline = multiline.map(|multiline| multiline.parse().unwrap());
    Format::new(parser.parse().unwrap(), multiline, charset.parse().unwrap(), TimeFlags::default()).unwrap()
}

fn some_format() -> impl Strategy<Value = Format> {
    let simple = proptest::sample::select(vec![
        "raw",
        "json",
        "logfmt",
        "cri",
        "docker",
        "nginx",
        r"regex:^(?<time>\S+) ?(?<message>.*)",
    ]);
    let joined = proptest::sample::select(vec!["raw", "logfmt", r"regex:(?<message>\w+)"]);
    let multiline = proptest::sample::select(vec!["java", "python", "go", "rust", r"^\S"]);
    let charset = proptest::sample::select(vec!["utf-8", "windows-1252", "gbk"]);
    prop_oneof![
        (simple, charset.clone()).prop_map(|(parser, charset)| format(parser, None, charset)),
        (joined, multiline, charset).prop_map(|(parser, multiline, charset)| format(parser, Some(multiline), charset)),
    ]
}

fn some_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..30),
        "[ -~]{0,30}".prop_map(String::into_bytes),
        "(a\\.BError: x|a\\.B: x|\tat a\\.B\\(B\\.java:5\\)|Caused by: x|Traceback \\(most recent call last\\):|note: x|INFO x)\r?"
            .prop_map(String::into_bytes),
        "2026-11-24T09:58:45Z std(out|err) [PF] [a-z]{0,5}".prop_map(String::into_bytes),
        r#"\{"log":"[a-z]{0,5}(\\n|\\"|)","stream":"std(out|err)","time":"2026-11-24T09:58:45Z"\}"#
            .prop_map(String::into_bytes),
        r#"\{"(a|msg|time)": ?(1795514325|"[a-z]{0,5}"|\[\]),"b":"(\\n|é)"\}"#.prop_map(String::into_bytes),
        r#"(a|msg|ts)=(1795514325|"[a-z\\]{0,5}") b=[0-9.e+]{0,6}"#.prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn each_line_is_in_one_record(format in some_format(), lines in proptest::collection::vec(some_line(), 0..20)) {
        let lines: Vec<u8> = lines.into_iter().flat_map(|line| {
            line.into_iter().filter(|byte| *byte != b'\n').chain([b'\n'])
        }).collect();
        soundness::assert_sound(&format, &lines);
    }

    #[test]
    fn what_is_written_in_parts_is_joined(
        parts in proptest::collection::vec(("[ -~é]{0,9}", any::<bool>(), any::<bool>()), 1..30),
    ) {
        let (mut text, mut written, mut open) = (String::new(), vec![], [None, None]);
        let ends = [("", false, false), ("", true, false)];
        for (content, is_stderr, is_partial) in parts.iter().map(|(c, e, p)| (&**c, *e, *p)).chain(ends) {
            let (stream, tag) = (if is_stderr { "stderr" } else { "stdout" }, if is_partial { "P" } else { "F" });
            text.extend(["2026-11-24T09:58:45Z ", stream, " ", tag, " ", content, "\n"]);
            let at = *open[usize::from(is_stderr)].get_or_insert_with(|| {
                written.push(String::new());
                written.len() - 1
            });
            written[at] += content;
            if !is_partial {
                open[usize::from(is_stderr)] = None;
            }
        }
        let format = format("cri", None, "utf-8");
        prop_assert_eq!(format.extent(text.as_bytes()), text.len());
        let read = |extent: Extent| {
            let joined = format.join(text[extent.range.clone()].as_bytes()).map(|joined| String::from_utf8(joined).unwrap());
            let text = joined.as_deref().unwrap_or(&text[extent.range]);
            Some(format.unwrap(text.strip_suffix('\n')?)?.text.into_owned())
        };
        let found: Vec<Option<String>> = format.split(text.as_bytes()).map(read).collect();
        prop_assert_eq!(found, written.into_iter().map(Some).collect::<Vec<_>>());
    }
}

#[test]
fn the_first_line_is_read_and_the_rest_is_its_message() {
    let format = format(r"regex:^(?<time>\S+) (?<level>\w+) (?<message>.*)", Some("java"), "utf-8");
    let text = "2026-11-24T09:58:45Z ERROR failed\n\tat a(A.java:1)\n\tat b(B.java:2)";
    let parsed = format.read(text).unwrap();
    assert_eq!(parsed.message.as_deref(), Some("failed\n\tat a(A.java:1)\n\tat b(B.java:2)"));
    assert_eq!(parsed.fields, [("level".into(), Value::Text("ERROR".into()))]);
    assert_eq!(format.read("no time"), None);
}

#[test]
fn what_does_not_go_together() {
    let refused = |parser: &str| {
        Format::new(parser.parse().unwrap(), "java".parse().ok(), Charset::default(), TimeFlags::default())
    };
    let words = "multiline joins no lines of format json, where each is a record: drop one of them";
    assert_eq!(refused("json").unwrap_err(), words);
    assert!(refused("cri,json").unwrap_err().contains("format cri,json,") && refused("nginx").is_err());
    assert!(
        refused("cri").is_ok()
            && refused("docker,logfmt").is_ok()
            && refused("raw").is_ok()
            && refused("logfmt").is_ok()
    );
}

#[test]
fn formats_without_a_field_for_the_time() {
    let time_key = TimeFlags { key: "at".parse().ok(), ..TimeFlags::default() };
    let time_format = TimeFlags { form: "unix".parse().ok(), ..TimeFlags::default() };
    for time in [time_key, time_format] {
        let build = |parser: &str| Format::new(parser.parse().unwrap(), None, Charset::default(), time.clone());
        for parser in ["raw", "cri", "docker", "nginx"] {
            let error = build(parser).unwrap_err();
            let start = format!("format {parser} has no field of your choice for the time: ");
            assert!(error.starts_with(&start), "{error}");
        }
        for parser in ["json", "logfmt", "regex:(?<at>.*)"] {
            assert!(build(parser).is_ok(), "{parser}");
        }
    }
}

#[test]
fn words_that_name_no_format() {
    let error = |text: &str| text.parse::<Parsers>().unwrap_err();
    assert_eq!(error("jsno"), "this is the name of no format; did you mean json?");
    assert_eq!(
        error("?"),
        "this is the name of no format; there are raw, json, logfmt, cri, docker, nginx and regex:PATTERN"
    );
    assert_eq!(error("cri,jsno"), "this is the name of no format; did you mean json?");
    assert_eq!(error("json,cri"), "only cri and docker have another format inside: write cri,json");
    assert_eq!(error("cri,docker"), "docker stands around the lines of an app, and not inside another format");
    assert_eq!("docker,regex:(?<a>b,c)".parse::<Parsers>().unwrap().to_string(), "docker,regex");
    assert_eq!("regex:(?<a>cri,docker)".parse::<Parsers>().unwrap().to_string(), "regex");
    assert_eq!("cri,raw".parse::<Parsers>().unwrap().to_string(), "cri");
    assert_eq!(error("regex"), "regex lacks its pattern: write regex:^(?<level>[A-Z]+) (?<message>.*)");
    assert!(error("regex:(").starts_with("this is no regular expression: "));
}
