//! The content of lines: fields and times of each format, traces in one record, other
//! characters; and lines of another form.

use std::{fs, io::Write};

use harness::Program;
use serde_json::{Value, json};

use crate::support::{self, Pod, append, http, ledger, log_forwarder, messages, stop, until};

pub(crate) fn start(pod: &Pod, arguments: &[&str]) -> Program {
    let output = pod.file_output() + "#as=ndjson";
    pod.start(&[arguments, &["--output", &output]].concat())
}

/// The records that are delivered, once there is this number of them; of each only these members
#[track_caller]
pub(crate) fn records(pod: &Pod, count: usize, names: &[&str]) -> Vec<Value> {
    pod.wait_for_lines(count);
    let pick = |line: &str| -> Value {
        let record: Value = serde_json::from_str(line).unwrap();
        names.iter().map(|name| record[*name].clone()).collect()
    };
    pod.out().lines().map(pick).collect()
}

#[test]
fn fields_and_times_are_what_the_lines_say() {
    for (format, line, message, fields) in [
        (
            "json",
            r#"{"ts":1795514325.5,"msg":"paid","order":{"id":8812,"sum":19.90},"level":"info"}"#,
            "paid",
            json!({"order": {"id": 8812, "sum": 19.90}, "level": "info"}),
        ),
        (
            "logfmt",
            r#"time=2026-11-24T09:58:45.5Z level=info msg="a \"b\"" took=1.25"#,
            "a \"b\"",
            json!({"level": "info", "took": 1.25}),
        ),
        (
            "json",
            r#"{"log":"GET /\n","stream":"stdout","time":"2026-11-24T09:58:45.5Z"}"#,
            "GET /",
            json!({"stream": "stdout"}),
        ),
        ("cri", "2026-11-24T09:58:45.5Z stderr F oh no", "oh no", json!({"stream": "stderr"})),
        (
            "regex:^(?<time>[^|]+)\\|(?<level>\\w+)\\|(?<message>.*)",
            "1795514325500|WARN|low",
            "low",
            json!({"level": "WARN"}),
        ),
    ] {
        let pod = Pod::new();
        fs::write(pod.log("app.log"), format!("{line}\nsomething else\n")).unwrap();
        let mut program = start(&pod, &["--format", format]);
        let found = records(&pod, 2, &["time", "message", "fields"]);
        assert_eq!(found[0], json!(["2026-11-24T09:58:45.500Z", message, fields]), "{format}");
        assert_eq!((&found[1][1], &found[1][2]), (&json!("something else"), &Value::Null), "{format}");
        let address = program.address("health");
        let metrics = || http::get(address, "/metrics").body;
        until("the line that does not parse is counted", || {
            metrics().lines().any(|line| line.contains("unparsed_records_total") && line.ends_with(" 1")).then_some(())
        });
        assert_eq!(ledger(&stop(program))["lines"], 2);
    }
}

#[test]
fn the_time_is_where_and_what_the_flags_say() {
    let pod = Pod::new();
    let lines = [
        r#"{"at":"24.11.2026 10:58:45","time":"2020-01-01T00:00:00Z","msg":"autumn"}"#,
        r#"{"at":"24.07.2026 10:58:45","msg":"summer"}"#,
        r#"{"at":"soon","msg":"no time"}"#,
    ];
    fs::write(pod.log("app.log"), lines.join("\n") + "\n").unwrap();
    let flags = ["--format", "json", "--time-key", "at", "--time-format", "%d.%m.%Y %H:%M:%S"];
    let mut program = start(&pod, &[&flags[..], &["--time-zone", "Europe/Berlin"]].concat());
    let found = records(&pod, 3, &["time", "message", "fields"]);
    assert_eq!(found[0], json!(["2026-11-24T09:58:45.000Z", "autumn", {"time": "2020-01-01T00:00:00Z"}]));
    assert_eq!(found[1], json!(["2026-07-24T08:58:45.000Z", "summer", null]));
    assert_eq!((&found[2][1], &found[2][2]), (&json!("no time"), &json!({"at": "soon"})));
    let address = program.address("health");
    until("the line without its time is counted", || {
        let metrics = http::get(address, "/metrics").body;
        metrics.lines().any(|line| line.contains("unparsed_records_total") && line.ends_with(" 1")).then_some(())
    });
    stop(program);
}

#[test]
fn a_line_of_nginx() {
    let pod = Pod::new();
    let line = r#"10.1.2.3 - - [24/Nov/2026:10:58:45 +0100] "GET /a?b HTTP/1.1" 200 612 "-" "curl \xC3\xBC""#;
    fs::write(pod.log("app.log"), format!("{line}\n")).unwrap();
    let program = start(&pod, &["--format", "nginx"]);
    let fields = json!({
        "remote_addr": "10.1.2.3", "request_method": "GET", "request_uri": "/a?b", "server_protocol": "HTTP/1.1",
        "status": 200, "body_bytes_sent": 612, "http_user_agent": "curl ü",
    });
    assert_eq!(records(&pod, 1, &["time", "message", "fields"]), [json!(["2026-11-24T09:58:45.000Z", line, fields])]);
    stop(program);
}

#[test]
fn a_trace_is_one_record_and_waits_for_its_end() {
    let pod = Pod::new();
    let mut file = append(&pod.log("app.log"));
    let trace =
        "ERROR failed\njava.lang.Exception: a\n\tat A.b(A.java:1)\nCaused by: java.io.IOException: b\n\t... 9 more";
    file.write_all(format!("INFO one\n{trace}\nINFO two\nINFO three\n").as_bytes()).unwrap();
    let program = start(&pod, &["--multiline", "java"]);
    let expected = [json!([0, "INFO one"]), json!([9, trace]), json!([10 + trace.len(), "INFO two"])];
    assert_eq!(records(&pod, 3, &["offset", "message"])[..3], expected);
    // The last one is complete once nothing has come for a while.
    assert_eq!(records(&pod, 4, &["message"])[3], json!(["INFO three"]));
    let ended = stop(program);
    assert_eq!(ledger(&ended)["lines"], 8);
}

#[test]
fn traces_in_a_row_are_records_of_their_own() {
    let java = "java.lang.Exception: first\nsecond\n\tat A.b(A.java:1)";
    let python = "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'";
    for (language, trace) in [("java", java), ("python", python)] {
        let pod = Pod::new();
        fs::write(pod.log("app.log"), format!("{trace}\n").repeat(3)).unwrap();
        let program = start(&pod, &["--multiline", language]);
        assert_eq!(records(&pod, 3, &["message"]), vec![json!([trace]); 3], "{language}");
        assert_eq!(ledger(&stop(program))["lines"], 9);
    }
}

#[test]
fn what_a_runtime_wrote_in_parts_is_joined_even_where_streams_alternate() {
    let pod = Pod::new();
    let lines = ["stdout P one ", "stderr P bad ", "stderr F thing", "stdout F and two", "stdout F three"];
    let text = lines.iter().fold(String::new(), |text, line| text + "2026-11-24T09:58:45Z " + line + "\n");
    fs::write(pod.log("app.log"), text).unwrap();
    let program = start(&pod, &["--format", "cri"]);
    let found = records(&pod, 3, &["message", "fields"]);
    let of = |stream: &str, message: &str| json!([message, {"stream": stream}]);
    assert_eq!(found, [of("stdout", "one and two"), of("stderr", "bad thing"), of("stdout", "three")]);
    assert_eq!(ledger(&stop(program))["lines"], 5);
}

#[test]
fn a_line_that_was_rotated_away_in_the_middle_is_one_record() {
    let pod = Pod::new();
    let line = |content: &str| format!("2026-11-24T09:58:45Z stdout {content}\n");
    let mut file = append(&pod.log("app.log"));
    file.write_all((line("F zero") + &line("P one ")).as_bytes()).unwrap();
    // Long enough for a busy machine to rename the file, because a quiet file's parts are sent as they are.
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--format", "cri", "--quiet-period", "4s"]);
    command.arg("--input").arg(pod.log("app.log")).arg("--output").arg(pod.file_output() + "#as=ndjson");
    let program = support::start(&mut command);
    pod.wait_for_lines(1);
    fs::rename(pod.log("app.log"), pod.log("app.log.20261124-095845")).unwrap();
    let next = line("P and ") + &line("F two") + &line("F three");
    append(&pod.log("app.log")).write_all(next.as_bytes()).unwrap();
    let found = records(&pod, 3, &["message"]);
    assert_eq!(found, [json!(["zero"]), json!(["one and two"]), json!(["three"])]);
    assert_eq!(ledger(&stop(program))["lines"], 5);
}

#[test]
fn a_character_that_the_runtime_cut_is_whole_again() {
    let pod = Pod::new();
    let text = "日本語のログ".repeat(2000);
    let parts: Vec<&[u8]> = text.as_bytes().chunks(16384).collect();
    let mut file = append(&pod.log("app.log"));
    for (nth, part) in parts.iter().enumerate() {
        let tag = if nth + 1 == parts.len() { "F" } else { "P" };
        let line = [format!("2026-11-24T09:58:45Z stdout {tag} ").as_bytes(), part, b"\n"].concat();
        file.write_all(&line).unwrap();
    }
    let program = start(&pod, &["--format", "cri"]);
    assert_eq!(records(&pod, 1, &["message"]), [json!([text])]);
    stop(program);
}

#[test]
fn what_docker_wrote_in_parts_is_one_record_of_the_first_time() {
    let pod = Pod::new();
    let long = "x".repeat(16384);
    let lines =
        [(long.as_str(), "out", 1), ("oh \\\"no\\\"\\n", "err", 2), (&long, "out", 3), ("\\\\ end\\r\\n", "out", 4)];
    let line = |(log, stream, milli): (&str, &str, u32)| {
        format!(r#"{{"log":"{log}","stream":"std{stream}","time":"2026-11-24T09:58:45.00{milli}Z"}}"#) + "\n"
    };
    fs::write(pod.log("app.log"), lines.map(line).concat()).unwrap();
    let program = start(&pod, &["--format", "docker"]);
    let of = |milli: u32, stream: &str, message: &str| json!([format!("2026-11-24T09:58:45.00{milli}Z"), message, {"stream": stream}]);
    let expected = [of(1, "stdout", &(long.repeat(2) + "\\ end")), of(2, "stderr", "oh \"no\"")];
    assert_eq!(records(&pod, 2, &["time", "message", "fields"]), expected);
    assert_eq!(ledger(&stop(program))["lines"], 4);
}

#[test]
fn parts_without_an_end_are_no_longer_than_a_line_may_be() {
    let pod = Pod::new();
    let part = format!(r#"{{"log":"{}","stream":"stdout","time":"2026-11-24T09:58:45Z"}}"#, "x".repeat(1000));
    fs::write(pod.log("app.log"), format!("{part}\n").repeat(100)).unwrap();
    let program = start(&pod, &["--format", "docker", "--max-line", "16KiB"]);
    // A longer record than one line is cut where a line of the file ends.
    let written = || Some(pod.out()).filter(|out| out.ends_with('\n')).map(|out| messages(&out));
    let is_all = |found: &Vec<String>| found.iter().map(String::len).sum::<usize>() == 100_000;
    let found = until("all parts are there", || written().filter(is_all));
    assert!(found.iter().all(|message| message.len() <= 16384) && found.len() < 20, "{}", found.len());
    stop(program);
}

#[test]
fn other_characters_become_utf8() {
    let pod = Pod::new();
    fs::write(pod.log("app.log"), b"caf\xe9 5 \x80\n").unwrap();
    let program = start(&pod, &["--encoding", "latin1"]);
    assert_eq!(records(&pod, 1, &["message"]), [json!(["café 5 €"])]);
    stop(program);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    const MARK: char = '\u{feff}';
    for (arguments, line, message) in [
        (&[][..], "one", "one"),
        (&["--format", "json"], r#"{"msg":"one"}"#, "one"),
        (&["--format", "logfmt"], "msg=one", "one"),
        (&["--format", "cri"], "2026-11-24T09:58:45Z stdout F one", "one"),
        (&["--multiline", r"^\S"], "one", "one"),
    ] {
        let pod = Pod::new();
        fs::write(pod.log("app.log"), format!("{MARK}{line}\n{line}\n")).unwrap();
        let raw = format!("file://{}", pod.beside("raw").display());
        let program = start(&pod, &[arguments, &["--output", &raw]].concat());
        assert_eq!(records(&pod, 2, &["message", "offset"])[0], json!([message, 3]), "{arguments:?}");
        // Each content has its own; elsewhere it is text.
        fs::rename(pod.log("app.log"), pod.log("app.log.1")).unwrap();
        fs::write(pod.log("app.log"), format!("{MARK}{line}\n{MARK}x\n")).unwrap();
        let found = records(&pod, 4, &["message"]);
        assert_eq!(found[2..], [json!([message]), json!([format!("{MARK}x")])], "{arguments:?}");
        let expected = format!("{line}\n{line}\n{line}\n{MARK}x\n");
        until("the raw lines are there", || (fs::read_to_string(pod.beside("raw")).ok()? == expected).then_some(()));
        stop(program);
    }
}

#[test]
fn utf16_is_named_once_and_not_sent() {
    let pod = Pod::new();
    let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    // One was there before, another gets its text while it is followed.
    fs::write(pod.log("old.log"), utf16("\u{feff}one\r\n")).unwrap();
    let mut late = append(&pod.log("late.log"));
    let input = pod.log("*.log").display().to_string();
    let mut program = start(&pod, &["--input", &input]);
    let said = program.wait_for_message("the file is not read");
    assert_eq!(said["reason"], "it is UTF-16: let the app write UTF-8");
    late.write_all(&utf16("\u{feff}two\r\n")).unwrap();
    program.wait_for_message("the file is not read");
    late.write_all(&utf16("three\r\n")).unwrap();
    append(&pod.log("app.log")).write_all(b"text\n").unwrap();
    assert_eq!(records(&pod, 1, &["message"]), [json!(["text"])]);
    // Once it is another file, it is read.
    fs::write(pod.beside("new"), "utf-8\n").unwrap();
    fs::rename(pod.beside("new"), pod.log("old.log")).unwrap();
    assert_eq!(records(&pod, 2, &["message"])[1], json!(["utf-8"]));
    let ended = stop(program);
    assert_eq!(ended.log.iter().filter(|line| line.message() == "the file is not read").count(), 2);
    assert_eq!((ledger(&ended)["read"], ledger(&ended)["lines"]), (11, 2));
}

#[test]
fn the_carriage_return_before_a_newline_is_no_part_of_a_line() {
    for (arguments, text, expected) in [
        (&[][..], "one\r\n\r\nt\rwo\r\n", &["one", "", "t\rwo"][..]),
        (&["--format", "json"], "{\"msg\":\"a\\r\"}\r\nelse\r\n", &["a\r", "else"]),
        (&["--format", "logfmt"], "msg=a\r\nmsg=\"b\"\r\n", &["a", "b"]),
        (&["--format", r"regex:^(?<level>\w) (?<message>.*)$"], "I a\r\nW b\r\n", &["a", "b"]),
        (&["--format", "cri"], "2026-11-24T09:58:45Z stdout F a\r\n", &["a"]),
        (&["--multiline", "java"], "one\r\n\tat a.B\r\ntwo\r\n", &["one\n\tat a.B", "two"]),
    ] {
        let pod = Pod::new();
        fs::write(pod.log("app.log"), text).unwrap();
        let program = start(&pod, arguments);
        let expected: Vec<Value> = expected.iter().map(|message| json!([message])).collect();
        assert_eq!(records(&pod, expected.len(), &["message"]), expected, "{arguments:?}");
        stop(program);
    }
}
