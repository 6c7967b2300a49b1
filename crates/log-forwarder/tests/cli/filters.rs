//! Which records are sent, and what is hidden in them: dropped lines have an account, and no secret leaves the pod.

use std::{fs, io::Write as _};

use crate::{
    receiver::Receiver,
    support::{Pod, append, ledger, log_forwarder, messages, start, stop, until, wait_for_metric},
};

const SECRET: &str = "hunter2";

/// The messages of these lines that are sent with these flags, and the ledger
#[track_caller]
fn sent(lines: &str, flags: &[&str]) -> (Vec<String>, std::collections::BTreeMap<String, u64>) {
    let pod = Pod::new();
    fs::write(pod.log("app.log"), lines).unwrap();
    let output = pod.file_output() + "#as=ndjson";
    let program = pod.start(&[flags, &["--output", &output]].concat());
    pod.wait_for_checkpoint();
    let ledger = ledger(&stop(program));
    (messages(&pod.out()), ledger)
}

#[test]
fn lines_are_kept_and_dropped_by_patterns() {
    let lines = "GET /healthz 200\nGET / 200\nPOST / 500\nPOST /healthz 500\n";
    let (found, ledger) = sent(lines, &["--drop", "/healthz", "--keep", "^POST", "--keep", " 200$"]);
    assert_eq!(found, ["GET / 200", "POST / 500"]);
    assert_eq!((ledger["lines"], ledger["dropped"], ledger["lost"]), (2, 35, 0), "{ledger:?}");
    let (found, _) = sent("Error a\nÄRGER b\nok\n", &["--drop", "(?i)error", "--drop", "(?i)ärger"]);
    assert_eq!(found, ["ok"]);
}

#[test]
fn records_are_kept_and_dropped_by_fields_and_levels() {
    let lines = concat!(
        "{\"level\":\"debug\",\"msg\":\"a\",\"status\":200}\n",
        "{\"level\":\"INFO\",\"msg\":\"b\",\"status\":200}\n",
        "{\"level\":\"warn\",\"msg\":\"c\",\"status\":404,\"user\":\"probe-1\"}\n",
        "{\"msg\":\"d\",\"status\":500}\n",
        "no object\n",
    );
    let json = |flags: &[&str]| sent(lines, &[&["--format", "json"], flags].concat()).0;
    assert_eq!(json(&["--drop-below", "info"]), ["b", "c", "d", "no object"]);
    assert_eq!(json(&["--keep-field", "status=200"]), ["a", "b"]);
    assert_eq!(json(&["--keep-field", "status~^[45]", "--drop-field", "user~^probe-"]), ["d"]);
    assert_eq!(json(&["--drop-field", "message~^[ab]$", "--drop", "object"]), ["c", "d"]);
}

#[test]
fn a_batch_without_records_makes_no_request() {
    let pod = Pod::new();
    fs::write(pod.log("app.log"), "noise 1\nnoise 2\n").unwrap();
    let receiver = Receiver::start(|_| Some((200, String::new(), String::new())));
    let output = format!("http://{}/", receiver.address());
    let arguments = ["--output", &output, "--drop", "^noise"];
    let mut program = pod.start(&arguments);
    wait_for_metric(program.address("health"), "dropped_lines_total", 2);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["read"], ledger(&ended)["dropped"], receiver.requests().len()), (16, 16, 0));
    // They are settled: a restart does not read them again.
    append(&pod.log("app.log")).write_all(b"news\nnoise 3\n").unwrap();
    let program = pod.start(&arguments);
    until("the line arrives", || (receiver.requests().len() == 1).then_some(()));
    let ended = stop(program);
    assert_eq!((ledger(&ended)["read"], ledger(&ended)["dropped"]), (13, 8));
    assert_eq!(messages(&String::from_utf8(receiver.requests()[0].body.clone()).unwrap()), ["news"]);
}

#[test]
fn raw_lines_are_those_that_are_kept_without_their_secrets() {
    let cri = |stream: &str, tag: &str, text: &str| format!("2026-11-24T09:58:45Z {stream} {tag} {text}\n");
    for (flags, lines, expected) in [
        (
            &["--redact", "key=(?<secret>\\w+)", "--drop", "^b"][..],
            "a key=1 key=2\r\nb key=3\nc\r\n\u{e9} key=4".to_owned(),
            "a key=[REDACTED] key=[REDACTED]\r\nc\r\n\u{e9} key=[REDACTED]\n".to_owned(),
        ),
        (
            &["--encoding", "windows-1252", "--redact", "b+", "--redact-with", "*"],
            "ab\nc\n".to_owned(),
            "a*\nc\n".to_owned(),
        ),
        (
            &["--format", "cri", "--drop-field", "stream=stderr", "--redact", SECRET],
            [cri("stdout", "P", "hun"), cri("stderr", "F", "x"), cri("stdout", "F", "ter2"), cri("stdout", "F", "y")]
                .concat(),
            [cri("stdout", "F", "[REDACTED]"), cri("stdout", "F", "y")].concat(),
        ),
        (
            &["--format", "docker,json", "--redact", "key=\\S+"],
            "{\"log\":\"{\\\"a\\\":\\\"key=1\\\",\\\"b\\\":2}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T09:58:45Z\"}\n".to_owned(),
            "{\"log\":\"{\\\"a\\\":\\\"[REDACTED]\\\",\\\"b\\\":2}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T09:58:45Z\"}\n".to_owned(),
        ),
        (
            &["--format", "cri", "--multiline", "java", "--redact", SECRET],
            [cri("stdout", "F", "a.BException: hunter2"), cri("stdout", "F", "\tat C.d(C.java:1)")].concat(),
            [cri("stdout", "F", "a.BException: [REDACTED]"), cri("stdout", "F", "\tat C.d(C.java:1)")].concat(),
        ),
        (
            // Lines of two streams alternate, and none is sent with the other's record.
            &["--format", "cri", "--drop", "^err"],
            [cri("stdout", "P", "a"), cri("stderr", "F", "err"), cri("stdout", "F", "b")].concat(),
            [cri("stdout", "P", "a"), cri("stdout", "F", "b")].concat(),
        ),
    ] {
        let pod = Pod::new();
        fs::write(pod.log("app.log"), lines).unwrap();
        let program = pod.start(&[flags, &["--output", &pod.file_output()]].concat());
        pod.wait_for_checkpoint();
        stop(program);
        assert_eq!(pod.out(), expected, "{flags:?}");
    }
}

#[test]
fn an_input_has_filters_of_its_own_and_hides_what_the_flags_say_too() {
    let pod = Pod::new();
    for name in ["one.log", "two.log"] {
        fs::write(pod.log(name), "INFO key=1 pin=2\nDEBUG a\n").unwrap();
    }
    let (one, two) = (pod.log("one.log"), pod.log("two.log"));
    let text = format!(
        "inputs:\n- {{path: {}, keep: ['DEBUG|key'], redact: ['pin=\\d'], redact-with: '*'}}\n- {}\noutputs:\n- {}#as=ndjson\n",
        one.display(),
        two.display(),
        pod.file_output()
    );
    fs::write(pod.beside("config.yaml"), text).unwrap();
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--quiet-period", "200ms"]);
    command.args(["--drop", "DEBUG", "--redact", "key=\\d"]).arg("--config").arg(pod.beside("config.yaml"));
    let program = start(&mut command);
    pod.wait_for_lines(3);
    stop(program);
    let mut found = messages(&pod.out());
    found.sort();
    assert_eq!(found, ["DEBUG a", "INFO * *", "INFO [REDACTED] pin=2"]);
}

#[test]
fn wrong_filters_are_refused_with_their_place() {
    let pod = Pod::new();
    for (setting, expected) in [
        ("keep: [a, '(b']", "config.yaml:3:13: this is no regular expression: unclosed group, at character 1"),
        ("keep-field: [level]", "this names no field: write NAME=VALUE, or NAME~PATTERN"),
        ("drop-field: ['a~[']", "unclosed character class, at character 1"),
        ("keep-field: [level=error]", "keep-field and drop-field find no fields in format raw"),
        ("drop-below: info", "drop-below finds no level without a format that has fields"),
        ("drop-below: loud", "this is no level: write trace, debug"),
        ("redact: ['hunter2(']", "this is no regular expression: unclosed group, at character 8"),
        ("redact: ['[A-Z]{4}']", "redact finds a secret in [REDACTED]"),
        ("redact-with: hunter2\n  redact: [hunter]", "redact finds a secret in the text of redact-with"),
        ("redact: ['']", "an empty pattern hides nothing"),
        ("redact-with: \"a\\nb\"", "a control character, such as a newline, would tear lines"),
    ] {
        fs::write(
            pod.beside("config.yaml"),
            format!("inputs:\n- path: /logs/*.log\n  {setting}\noutputs: ['stdout://']\n"),
        )
        .unwrap();
        let output = log_forwarder(&["check", "--config"]).arg(pod.beside("config.yaml")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{setting}: {text}");
        assert!(text.contains(expected), "{setting}: {text}");
        assert!(!text.contains(SECRET), "{setting}: {text}");
    }
}
