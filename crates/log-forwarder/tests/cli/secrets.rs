//! No secret leaves the pod: however a line is written, broken or cut, and wherever the record goes.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, UdpSocket},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use harness::Signal;

use crate::{
    receiver::Receiver,
    support::{Pod, log_forwarder, messages, start, stop, until, wait_for_metric},
};

const SECRET: &str = "hunter2";
/// Bytes of the longest line
const LONGEST: usize = 64 * 1024;

/// What `try` prints of a text, on stdout and on stderr
fn tried(text: &str, arguments: &[&str]) -> (String, String) {
    let mut command = log_forwarder(&["try"]);
    command.args(arguments).arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = command.spawn().unwrap();
    program.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = program.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn neither_escapes_nor_broken_strings_hide_a_secret() {
    let (word, value, name) = ("hunter2", r#"password="(?<secret>[^"]*)""#, r#""contraseña":"(?<secret>[^"]*)""#);
    for (format, line, pattern, expected) in [
        ("json", r#"{"msg":"password=\"hunter2\" \ud83d"}"#, value, r#"{"message":"password=\"[REDACTED]\" �"}"#),
        (
            "json",
            r#"{"msg":"x","req":["hunter\u0032 \ud83d"]}"#,
            word,
            r#"{"message":"x","fields":{"req":["[REDACTED] �"]}}"#,
        ),
        ("json", "{\"msg\":\"password=\\\"hunter2\\\"\t\"}", value, r#"{"message":"password=\"[REDACTED]\"\t"}"#),
        ("json", r#"{"msg":"hunter\u0032 and mo"#, word, r#"{"message":"{\"msg\":\"[REDACTED] and mo"}"#),
        ("json", r#"hunter\u0032 {"msg":1}"#, word, r#"{"message":"[REDACTED]"}"#),
        (
            "json",
            r#"{"contrase\u00f1a":"hunter2","id":5}"#,
            name,
            r#"{"message":"{\"contraseña\":\"[REDACTED]\",\"id\":5}","fields":{"contraseña":"[REDACTED]","id":5}}"#,
        ),
        (
            "json",
            r#"{"msg":"{\"a\":\"hunter\\u0032\"}","id":5}"#,
            word,
            r#"{"message":"[REDACTED]","fields":{"id":5}}"#,
        ),
        ("raw", r#"{"contrase\u00f1a":"hunter2"}"#, name, r#"{"message":"[REDACTED]"}"#),
        ("logfmt", r#"id=5 msg="hunter\u0032"#, word, r#"{"message":"[REDACTED]"}"#),
        ("docker", r#"{"log":"hunter\u0032\n","stream":"stdo"#, word, r#"{"message":"[REDACTED]"}"#),
    ] {
        let (records, log) = tried(line, &["--format", format, "--redact", pattern]);
        assert_eq!(records.trim_end(), expected, "{format} {line}");
        assert!(!log.contains(SECRET) && !log.contains("hunter\\u0032"), "{log}");
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

/// Files of all formats, in each of which a secret is in several places, also with escapes, in two parts, and in broken lines
const FILES: [(&str, &str, &str); 18] = [
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
    // JavaScript makes half a surrogate pair where it cuts an emoji.
    ("half", "format: json", "{\"msg\":\"a\",\"req\":{\"body\":\"password=\\\"hunter\\u0032\\\" \\ud83d\"}}\n"),
    ("tab", "format: json", "{\"msg\":\"password=\\\"hunter\\u0032\\\"\t\"}\n"),
    ("cut", "format: json", "{\"msg\":\"password=\\\"swordfish\\\" and hunter\\u0032 mo\n"),
    ("long", "format: json", "{\"msg\":\"hunter\\u0032 LONG\"}\n"),
    ("name", "format: json", "{\"pass\\u0077ord\":\"swordfish\",\"hunter\\u0032\":{\"hunter\\u0032\":1}}\n"),
    ("quote", "format: json", "{\"password\":\"sword\\\"fish\",\"id\":5}\n"),
    ("cri-json", "format: 'cri,json'", "2026-11-24T09:58:45Z stdout F {\"msg\":\"password=\\\"hunter\\u0032\\\" and\n"),
    ("open", "format: logfmt", "id=5 msg=\"hunter\\u0032 and\n"),
    (
        "torn",
        "format: docker",
        "{\"log\":\"hunter\\u0032\\n\",\"stream\":\"stdo{\"log\":\"b\\n\",\"stream\":\"stdout\"}\n",
    ),
    (
        "twice",
        "format: docker",
        "{\"log\":\"hunter2\\n\",\"stream\":\"stdout\",\"log\":\"x\\n\",\"hunter2\":{\"hunter\\u0032\":1},\"time\":\"2026-11-24T09:58:45Z\"}\n",
    ),
];

/// All files, and an output of each kind
#[track_caller]
fn config(pod: &Pod, refusing: SocketAddr, lines: SocketAddr, datagrams: SocketAddr) -> String {
    let mut config = String::from("inputs:\n");
    for (name, format, lines) in FILES {
        let path = pod.log(&format!("{name}.log"));
        fs::write(&path, lines.replace("LONG", &"x".repeat(LONGEST))).unwrap();
        config.extend(["- path: ", &path.display().to_string(), "\n  ", format, "\n"]);
    }
    let outputs = [
        format!("http://{refusing}/lines"),
        format!("http://{refusing}/raw#as=raw"),
        format!("elasticsearch+http://{refusing}/logs"),
        format!("loki+http://{refusing}"),
        format!("otlp+http://{refusing}"),
        format!("forward://{lines}#ack-timeout=1s"),
        format!("tcp://{lines}"),
        format!("syslog+tcp://{lines}#sd-id=log@99999"),
        format!("syslog+udp://{datagrams}"),
        pod.file_output(),
        format!("file://{}#as=ndjson", pod.beside("objects").display()),
    ];
    format!("{config}outputs: {outputs:?}\n")
}

#[test]
fn a_secret_is_in_no_output_dead_letter_or_log() {
    let pod = Pod::new();
    // Refuses every line for good, and repeats it as servers do in their reasons.
    let receiver =
        Receiver::start(|request| Some((400, String::new(), String::from_utf8_lossy(&request.body).into_owned())));
    let (lines, heard) = listen();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    datagrams.set_read_timeout(Some(harness::DEADLINE)).unwrap();
    let config = config(&pod, receiver.address(), lines, datagrams.local_addr().unwrap());
    fs::write(pod.beside("config.yaml"), config).unwrap();
    let letters = pod.beside("letters");
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--quiet-period", "200ms"]);
    command.args(["--log-level", "debug", "--shutdown-timeout", "2s", "--linger", "100ms"]);
    command.args(["--max-line", &LONGEST.to_string()]);
    command.args(["--redact", SECRET, "--redact", "password\"?[=:]\"?(?<secret>[^\"&\\s]+)"]);
    command.arg("--config").arg(pod.beside("config.yaml")).arg("--dead-letter").arg(&letters);
    let mut program = start(&mut command);
    let objects = || fs::read_to_string(pod.beside("objects")).unwrap_or_default();
    until("each record is in the file", || (objects().lines().count() == FILES.len()).then_some(()));
    let count = || fs::read_to_string(&letters).unwrap_or_default().lines().count();
    // No datagram holds the longest line.
    until("each line is a dead letter of each output", || (count() == 5 * FILES.len() + 1).then_some(()));
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
        for secret in [SECRET, "hunter\\u0032", "hunter\\\\u0032", "\\x68unter2", "ter2", "fish"] {
            assert!(!text.contains(secret), "{secret} is in {place}: {text}");
        }
    }
    // What is no secret is still there.
    let json = objects().lines().find(|line| line.contains("/json.log")).unwrap().to_owned();
    assert!(
        json.contains(
            r#""fields":{"password":"[REDACTED]","note":"password=[REDACTED]","deep":{"a":["[REDACTED]",1]},"id":5}"#
        ),
        "{json}"
    );
}

/// Writes another configuration in place of the one before, as an editor does.
#[track_caller]
fn configure(pod: &Pod, inputs: &str, outputs: &[String]) {
    let text = format!("inputs:\n- {{path: {}{inputs}}}\noutputs: {outputs:?}\n", pod.log("app.log").display());
    fs::write(pod.beside("new.yaml"), text).unwrap();
    fs::rename(pod.beside("new.yaml"), pod.beside("config.yaml")).unwrap();
}

#[test]
fn a_new_configuration_holds_for_lines_that_wait() {
    let pod = Pod::new();
    fs::write(pod.log("app.log"), "key=1 one\nDEBUG two\nkey=3 three\n").unwrap();
    let is_away = Arc::new(AtomicBool::new(true));
    let away = is_away.clone();
    let receiver = Receiver::start(move |request| {
        let refuses = request.target == "/refuse";
        let status = if away.load(Relaxed) {
            503
        } else if refuses {
            400
        } else {
            200
        };
        Some((status, String::new(), String::new()))
    });
    let outputs = ["lines", "refuse"].map(|path| format!("http://{}/{path}", receiver.address()));
    configure(&pod, "", &outputs);
    let letters = pod.beside("letters");
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--quiet-period", "200ms"]);
    command.arg("--config").arg(pod.beside("config.yaml")).arg("--dead-letter").arg(&letters);
    let mut program = start(&mut command);
    let health = program.address("health");
    until("both outputs have tried", || {
        let requests = receiver.requests();
        ["/lines", "/refuse"].iter().all(|path| requests.iter().any(|request| request.target == *path)).then_some(())
    });
    configure(&pod, ", drop: [DEBUG], redact: ['key=(?<secret>\\d)']", &outputs);
    program.wait_for_message("new configuration in force");
    let before = receiver.requests().len();
    is_away.store(false, Relaxed);
    let written = || fs::read_to_string(&letters).unwrap_or_default();
    until("the lines are dead letters", || (written().lines().count() == 2).then_some(()));
    wait_for_metric(health, "dropped_lines_total", 1);
    let bodies = || -> Vec<_> {
        let requests = receiver.requests().into_iter().skip(before);
        requests.map(|request| (request.target, String::from_utf8(request.body).unwrap())).collect()
    };
    let delivered = until("the lines are delivered", || bodies().into_iter().find(|(path, _)| path == "/lines"));
    assert_eq!(messages(&delivered.1), ["key=[REDACTED] one", "key=[REDACTED] three"]);
    stop(program);
    let after = format!("{:?}{}", bodies(), written());
    assert!(["key=1", "key=3", "DEBUG"].iter().all(|hidden| !after.contains(hidden)), "{after}");
}

#[test]
fn a_new_configuration_holds_for_lines_that_wait_for_others() {
    let pod = Pod::new();
    fs::write(pod.log("app.log"), "key=1 one\nDEBUG two\n").unwrap();
    let receiver = Receiver::start(|_| Some((200, String::new(), String::new())));
    let outputs = [format!("http://{}/", receiver.address())];
    configure(&pod, "", &outputs);
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--quiet-period", "200ms", "--linger", "1h"]);
    let mut program = start(command.arg("--config").arg(pod.beside("config.yaml")));
    let health = program.address("health");
    wait_for_metric(health, "read_lines_total", 2);
    configure(&pod, ", drop: [DEBUG], redact: ['key=(?<secret>\\d)']", &outputs);
    program.wait_for_message("new configuration in force");
    stop(program);
    let bodies: Vec<_> =
        receiver.requests().into_iter().map(|request| String::from_utf8(request.body).unwrap()).collect();
    assert_eq!(messages(&bodies.concat()), ["key=[REDACTED] one"]);
}
