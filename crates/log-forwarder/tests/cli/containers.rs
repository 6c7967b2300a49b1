//! Files of container runtimes with another format inside, and traces in two streams.

use std::fs;

use serde_json::{Value, json};

use crate::{
    formats::{records, start},
    support::{Pod, ledger, stop},
};

#[test]
fn a_format_stands_inside_that_of_a_runtime() {
    let cri = |text: &str| format!("2026-11-24T09:58:45Z stdout F {text}\n");
    let docker = |text: &str| {
        format!(
            "{{\"log\":{},\"stream\":\"stderr\",\"time\":\"2026-11-24T09:58:45Z\"}}\n",
            json!(text.to_owned() + "\n")
        )
    };
    let own = r#"{"time":"2026-11-24T10:00:00Z","stream":"own","msg":"a","n":1}"#;
    for (format, line, expected) in [
        ("cri,json", cri(own), json!(["2026-11-24T10:00:00.000Z", "a", {"stream": "own", "n": 1}])),
        (
            "cri,json",
            cri(r#"{"msg":"b","n":2}"#),
            json!(["2026-11-24T09:58:45.000Z", "b", {"stream": "stdout", "n": 2}]),
        ),
        ("cri,json", cri("prose"), json!(["2026-11-24T09:58:45.000Z", "prose", {"stream": "stdout"}])),
        ("docker,json", docker(own), json!(["2026-11-24T10:00:00.000Z", "a", {"stream": "own", "n": 1}])),
        ("docker,logfmt", docker("msg=c n=3"), json!(["2026-11-24T09:58:45.000Z", "c", {"stream": "stderr", "n": 3}])),
        (
            "cri,regex:^(?<level>\\w+), (?<message>.*)",
            cri("WARN, d"),
            json!(["2026-11-24T09:58:45.000Z", "d", {"stream": "stdout", "level": "WARN"}]),
        ),
        (
            "cri, nginx",
            cri(r#"10.1.2.3 - - [24/Nov/2026:10:00:00 +0000] "-" 400 0 "-" "-""#),
            json!([
                "2026-11-24T10:00:00.000Z",
                r#"10.1.2.3 - - [24/Nov/2026:10:00:00 +0000] "-" 400 0 "-" "-""#,
                {"stream": "stdout", "remote_addr": "10.1.2.3", "status": 400, "body_bytes_sent": 0}
            ]),
        ),
    ] {
        let pod = Pod::new();
        fs::write(pod.log("app.log"), line).unwrap();
        let program = start(&pod, &["--format", format]);
        assert_eq!(records(&pod, 1, &["time", "message", "fields"]), [expected], "{format}");
        stop(program);
    }
}

#[test]
fn traces_of_two_streams_of_a_container_are_joined_each() {
    let pod = Pod::new();
    let lines = [
        "stdout F INFO 1",
        "stderr F a.BException: c",
        "stdout F INFO 2",
        "stderr P \tat D.e",
        "stdout F INFO 3",
        "stderr F (D.java:1)",
        "stdout F INFO 4",
    ];
    let text = lines.iter().fold(String::new(), |text, line| text + "2026-11-24T09:58:45Z " + line + "\n");
    fs::write(pod.log("app.log"), text).unwrap();
    let program = start(&pod, &["--format", "cri", "--multiline", "java"]);
    let mut found: Vec<_> = records(&pod, 5, &["message", "fields"]).iter().map(Value::to_string).collect();
    found.sort();
    let of = |stream: &str, message: &str| json!([message, {"stream": stream}]).to_string();
    let trace = of("stderr", "a.BException: c\n\tat D.e(D.java:1)");
    let info = (1..5).map(|number| of("stdout", &format!("INFO {number}")));
    assert_eq!(found, info.chain([trace]).collect::<Vec<_>>());
    assert_eq!(ledger(&stop(program))["lines"], 7);
}
