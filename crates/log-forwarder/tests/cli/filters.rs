//! Which records are sent, and what is hidden in them: dropped lines have an account, and no secret leaves the pod.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write as _},
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::{Arc, Mutex},
    thread,
};

use harness::Signal;

use crate::{
    receiver::Receiver,
    support::{Pod, append, http, ledger, log_forwarder, messages, start, stop, until},
};

const SECRET: &str = "hunter2";

#[track_caller]
fn wait_for_metric(address: SocketAddr, name: &str, value: usize) {
    let is_there = |line: &str| line.contains(name) && line.ends_with(&format!(" {value}"));
    until(&format!("{name} is {value}"), || http::get(address, "/metrics").body.lines().any(is_there).then_some(()));
}

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

/// Keeps all bytes that come to it on any connection
fn listen() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, heard) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
    let all = heard.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let heard = heard.clone();
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut bytes) {
                    heard.lock().unwrap().extend_from_slice(&bytes[..length]);
                }
            });
        }
    });
    (address, all)
}

/// Files of all formats, in each of which the secret is in several places, also with escapes and in two parts
const FILES: [(&str, &str, &str); 8] = [
    ("raw", "format: raw", "login password=hunter2 from eve\n"),
    (
        "json",
        "format: json",
        "{\"password\":\"hunter\\u0032\",\"note\":\"password=hunter2\",\"deep\":{\"a\":[\"hunter\\u0032\",1]},\"id\":5}\n",
    ),
    ("logfmt", "format: logfmt", "password=\"hunter2\" note=\"the password is \\\"hunter2\\\"\" id=5\n"),
    (
        "nginx",
        "format: nginx",
        "10.0.0.1 - - [24/Nov/2026:10:58:45 +0100] \"GET /?password=\\x68unter2 HTTP/1.1\" 200 5 \"-\" \"curl\"\n",
    ),
    ("regex", "format: 'regex:^(?<word>\\S+) (?<message>.*)'", "password=hunter2 is hunter2\n"),
    ("cri", "format: cri", "2026-11-24T09:58:45Z stdout P password=hun\n2026-11-24T09:58:45Z stdout F ter2 ok\n"),
    (
        "docker",
        "format: docker",
        "{\"log\":\"{\\\"password\\\":\\\"hunter\\\\u0032\\\"} hunter2\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T09:58:45Z\"}\n",
    ),
    ("trace", "multiline: java", "ERROR a\njava.lang.Exception: password=\n\tat hunter2(A.java:1)\n"),
];

#[test]
fn a_secret_is_in_no_output_dead_letter_or_log() {
    let pod = Pod::new();
    let mut config = String::from("inputs:\n");
    for (name, format, lines) in FILES {
        let path = pod.log(&format!("{name}.log"));
        fs::write(&path, lines).unwrap();
        writeln!(config, "- path: {}\n  {format}", path.display()).unwrap();
    }
    // Refuses every line for good, and repeats it as servers do in their reasons.
    let receiver =
        Receiver::start(|request| Some((400, String::new(), String::from_utf8_lossy(&request.body).into_owned())));
    let (lines, heard) = listen();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    datagrams.set_read_timeout(Some(harness::DEADLINE)).unwrap();
    config += "outputs:\n";
    let refusing = receiver.address();
    for output in [
        format!("http://{refusing}/lines"),
        format!("http://{refusing}/raw#as=raw"),
        format!("elasticsearch+http://{refusing}/logs"),
        format!("loki+http://{refusing}"),
        format!("otlp+http://{refusing}"),
        format!("forward://{lines}#ack-timeout=1s"),
        format!("tcp://{lines}"),
        format!("syslog+tcp://{lines}#sd-id=log@99999"),
        format!("syslog+udp://{}", datagrams.local_addr().unwrap()),
        pod.file_output(),
        format!("file://{}#as=ndjson", pod.beside("objects").display()),
    ] {
        writeln!(config, "- {output:?}").unwrap();
    }
    fs::write(pod.beside("config.yaml"), config).unwrap();
    let letters = pod.beside("letters");
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--quiet-period", "200ms"]);
    command.args(["--log-level", "debug", "--shutdown-timeout", "2s", "--linger", "100ms", "--max-line", "64KiB"]);
    command.args(["--redact", SECRET, "--redact", "password\"?[=:]\"?(?<secret>[^\"&\\s]+)"]);
    command.arg("--config").arg(pod.beside("config.yaml")).arg("--dead-letter").arg(&letters);
    let mut program = start(&mut command);
    let objects = || fs::read_to_string(pod.beside("objects")).unwrap_or_default();
    until("each record is in the file", || (objects().lines().count() == FILES.len()).then_some(()));
    let count = || fs::read_to_string(&letters).unwrap_or_default().lines().count();
    until("each line is a dead letter of each output", || (count() == 5 * FILES.len()).then_some(()));
    wait_for_metric(program.address("health"), "redacted_records_total", FILES.len());
    let forwarded = || heard.lock().unwrap().windows(9).filter(|bytes| bytes == b"[REDACTED").count();
    until("the streams are there", || (forwarded() >= 3 * FILES.len()).then_some(()));
    let mut datagram = [0; 4096];
    let length = datagrams.recv(&mut datagram).unwrap();
    program.signal(Signal::TERM);
    let ended = program.end();
    let mut places = vec![
        ("raw file", pod.out().into_bytes()),
        ("objects", objects().into_bytes()),
        ("dead letters", fs::read(&letters).unwrap()),
        ("streams", heard.lock().unwrap().clone()),
        ("datagram", datagram[..length].to_vec()),
        ("log", ended.everything().into_bytes()),
    ];
    places.extend(receiver.requests().into_iter().map(|request| ("request", request.body)));
    for (place, bytes) in places {
        let text = String::from_utf8_lossy(&bytes);
        for secret in [SECRET, "hunter\\u0032", "hunter\\\\u0032", "\\x68unter2", "ter2"] {
            assert!(!text.contains(secret), "{secret} is in {place}: {text}");
        }
    }
    // What is no secret is still there.
    let json = objects().lines().find(|line| line.contains("json.log")).unwrap().to_owned();
    assert!(
        json.contains(
            r#""fields":{"password":"[REDACTED]","note":"password=[REDACTED]","deep":{"a":["[REDACTED]",1]},"id":5}"#
        ),
        "{json}"
    );
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
        ("redact: ['[A-Z]{4}']", "redact finds a secret in \"[REDACTED]\""),
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
