//! `log-forwarder try`: the records of a file, the lines that do not parse, and how it ends.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
};

use crate::support::{Pod, log_forwarder, stop, until};

fn trial(arguments: &[&str]) -> Command {
    let mut command = log_forwarder(&["try"]);
    command.args(arguments);
    command
}

#[track_caller]
fn ended(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, log) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{log}");
    (out, log)
}

#[test]
fn records_are_those_that_would_be_sent() {
    let pod = Pod::new();
    let file = pod.log("app.log");
    let lines = concat!(
        "{\"time\":\"2026-11-24T09:58:45Z\",\"level\":\"info\",\"msg\":\"token=abc\",\"n\":1.50}\n",
        "{\"level\":\"debug\",\"msg\":\"x\"}\n",
        "{\"msg\":\"unfinished\"}",
    );
    fs::write(&file, lines).unwrap();
    let flags = ["--format", "json", "--drop-below", "info", "--redact", "token=(?<secret>.*)"];
    let (out, log) = ended(&trial(&flags).arg(&file).output().unwrap(), 0);
    let expected = concat!(
        "{\"time\":\"2026-11-24T09:58:45.000Z\",\"message\":\"token=[REDACTED]\",\"fields\":{\"level\":\"info\",\"n\":1.50}}\n",
        "{\"message\":\"unfinished\"}\n",
    );
    assert_eq!(out, expected);
    assert!(log.contains("3 records, 1 dropped, 1 redacted, 0 that do not parse"), "{log}");
    // Flags before the command and variables give the rest.
    let mut command = log_forwarder(&["--format", "json", "try"]);
    command.arg(&file).env("SIDEKIT_LOG_FORWARDER_DROP", "debug").env("SIDEKIT_LOG_FORWARDER_REDACT", "token=.*");
    assert_eq!(ended(&command.output().unwrap(), 0).0.matches("[REDACTED]").count(), 1);
}

#[test]
fn no_blank_of_a_pattern_and_no_line_of_a_flag_is_lost() {
    let pod = Pod::new();
    let file = pod.log("app.log");
    fs::write(&file, "GET / 200\nGET /orders\n ERROR x\nERRORS\n").unwrap();
    let messages = |flags: &[&str], variable: (&str, &str)| {
        let mut command = trial(flags);
        let (out, _) = ended(&command.arg(&file).env(variable.0, variable.1).output().unwrap(), 0);
        out.lines().map(|line| line.replace("{\"message\":\"", "").replace("\"}", "")).collect::<Vec<_>>()
    };
    let none = ("SIDEKIT_LOG_FORWARDER_DROP", "");
    assert_eq!(messages(&["--drop", "GET / "], none), ["GET /orders", " ERROR x", "ERRORS"]);
    assert_eq!(messages(&["--keep", " ERROR "], none), [" ERROR x"]);
    let format = ["--format", "regex:(?<message>.*)", "--keep-field", "message= ERROR x"];
    assert_eq!(messages(&format, none), [" ERROR x"]);
    assert_eq!(messages(&[], ("SIDEKIT_LOG_FORWARDER_DROP", "GET / \n\n ERROR \r\n")), ["GET /orders", "ERRORS"]);
    let lines = "GET /orders\n(?<secret> ERROR)";
    let found = messages(&["--multiline", "^GET / ", "--redact", lines], none);
    assert_eq!(found, ["GET / 200\\nGET /orders\\n[REDACTED] x\\nERRORS"]);
}

#[test]
fn lines_of_another_form_are_named_without_their_secrets() {
    let mut command = trial(&["--format", "logfmt", "--redact", "hunter2", "-"]);
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let prose = format!("pin hunter2 {}\n", "x".repeat(200));
    program.stdin.take().unwrap().write_all(format!("a=1\n{prose}b=2\n\n").as_bytes()).unwrap();
    let (out, log) = ended(&program.wait_with_output().unwrap(), 65);
    assert_eq!(out.lines().count(), 4);
    assert!(
        log.contains("\"line\":2") && log.contains("\"begins\":\"pin [REDACTED] xxx") && log.contains("\"line\":4"),
        "{log}"
    );
    assert!(!log.contains(&"x".repeat(100)) && !log.contains("hunter2"), "{log}");
    assert!(
        log.contains("code=65 reason=data last=\\\"4 records, 0 dropped, 1 redacted, 2 that do not parse\\\""),
        "{log}"
    );
}

#[test]
fn the_lines_of_a_stream_are_shown_when_they_come() {
    let mut command = trial(&["--format", "json", "-"]);
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = program.stdin.take().unwrap();
    let (shown, lines) = mpsc::channel();
    let stdout = BufReader::new(program.stdout.take().unwrap());
    let reader = thread::spawn(move || stdout.lines().map(Result::unwrap).for_each(|line| shown.send(line).unwrap()));
    for number in 0..3 {
        writeln!(stdin, "{{\"n\":{number},\"msg\":\"a\"}}").unwrap();
        let line = until("the record is shown", || lines.try_recv().ok());
        assert_eq!(line, format!("{{\"message\":\"a\",\"fields\":{{\"n\":{number}}}}}"));
    }
    drop(stdin);
    reader.join().unwrap();
    ended(&program.wait_with_output().unwrap(), 0);
}

#[test]
fn traces_are_one_record_and_long_lines_are_cut() {
    let pod = Pod::new();
    let file = pod.log("app.log");
    let trace = "INFO a\njava.lang.Exception: b\n\tat C.d(C.java:1)\n";
    fs::write(&file, format!("\u{feff}{}{}\nINFO z\n", trace.repeat(20_000), "y".repeat(2_000_000))).unwrap();
    let (out, log) = ended(&trial(&["--multiline", "java"]).arg(&file).output().unwrap(), 0);
    let first = "{\"message\":\"INFO a\\njava.lang.Exception: b\\n\\tat C.d(C.java:1)\"}";
    assert_eq!(out.lines().next(), Some(first));
    assert_eq!(out.lines().filter(|line| *line == first).count(), 20_000);
    assert_eq!(out.lines().last(), Some("{\"message\":\"INFO z\"}"));
    assert!(log.contains("20002 records"), "{log}");
}

#[test]
fn holes_and_long_records_are_those_of_the_forwarder() {
    let pod = Pod::new();
    let trace = format!("java.lang.Exception: a\n{}", "\tat B.c(B.java:1)\n".repeat(30));
    let hole = |length| "\0".repeat(length);
    // The last NULs are not text yet.
    let text = [
        "one\n",
        &hole(300_000),
        "two\0\n",
        &trace,
        "three",
        &hole(64),
        &"4".repeat(200),
        &hole(70),
        "five\n",
        &hole(9),
    ];
    fs::write(pod.log("app.log"), text.concat()).unwrap();
    let flags = ["--max-line", "128", "--multiline", "java"];
    let messages = |records: &str| -> Vec<String> {
        let record = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
        records.lines().map(|line| record(line)["message"].as_str().unwrap().to_owned()).collect()
    };
    let mut command = log_forwarder(&flags);
    let tried = messages(&ended(&command.arg("try").arg(pod.log("app.log")).output().unwrap(), 0).0);
    let output = format!("{}#as=ndjson", pod.file_output());
    let program = pod.start(&[&flags[..], &["--output", &output]].concat());
    pod.wait_for_lines(tried.len());
    stop(program);
    assert_eq!(tried, messages(&pod.out()));
    assert_eq!(tried.first().unwrap(), "one");
    assert_eq!(tried[tried.len() - 3..], ["three", &"4".repeat(128), "five"]);
    assert!(tried.iter().all(|message| message.len() <= 128), "{tried:?}");
}

#[test]
fn what_cannot_be_tried() {
    let pod = Pod::new();
    let (gone, packed, empty) = (pod.log("gone.log"), pod.log("app.log.gz"), pod.log("empty.log"));
    fs::write(&empty, "").unwrap();
    let unpack = format!("as lines: it is compressed with gzip: gzip -dc {} | log-forwarder try -", packed.display());
    fs::write(&packed, b"\x1f\x8b\x08\0\0\0\0\0\0\0\0\0\n").unwrap();
    for (flags, file, code, words) in [
        (&["--format", "jsno"][..], &gone, 64, "did you mean json?"),
        (&["--drop-below", "info"], &gone, 64, "drop-below finds no level"),
        (&[], &gone, 74, "cannot read"),
        (&[], &packed, 65, &unpack),
        (&[], &empty, 65, &format!("what=\\\"{}\\\" last=\\\"it holds no lines\\\"", empty.display())),
    ] {
        let (out, log) = ended(&trial(flags).arg(file).output().unwrap(), code);
        assert!(out.is_empty() && log.contains(words), "{log}");
    }
    let piped = |path| trial(&["-"]).stdin(fs::File::open(path).unwrap()).output().unwrap();
    let unpack = "cannot read standard input as lines: it is compressed with gzip: gzip -dc FILE | log-forwarder try -";
    for (path, words) in [(&packed, unpack), (&empty, "what=\\\"standard input\\\" last=\\\"it holds no lines")] {
        let log = ended(&piped(path), 65).1;
        assert!(log.contains(words), "{log}");
    }
}
