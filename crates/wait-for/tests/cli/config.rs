//! `--config`, `check` and `schema`: the same targets as YAML.

use harness::{config_file, config_refusal};
use serde_json::Value;

use crate::support::{
    http::{Http, response},
    run,
    server::ClosedPort,
};

#[track_caller]
fn refusal(text: &str) -> String {
    config_refusal(text, run)
}

#[test]
fn targets_are_strings_and_maps() {
    let server = Http::start(|request| {
        let known = request.header("x-one") == Some("1") && request.header("x-two") == Some("2");
        response(if known { "201 Created" } else { "400 Bad Request" }, &[], r#"{"up":true}"#)
    });
    let (port, url) = (ClosedPort::new(), server.url("/healthz?q=1"));
    let (_directory, path) = config_file(&format!(
        "targets:\n\
         - file:///dev/null#min-size=0\n\
         - url: {url}\n  \
           status: 201\n  \
           json: /up=true\n  \
           header: ['X-One: 1', 'X-Two: 2']\n  \
           stable: 2\n  \
           interval: 1ms\n\
         - url: {}\n  \
           not: true\n",
        port.url()
    ));
    let ended = run(&["--config", &path, "file:///dev/zero"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.message("the wait is over")["ready"], 4);
    assert_eq!(server.requests.all().len(), 2);
    assert_eq!(server.requests.all()[0].line, "GET /healthz?q=1");
    let ended = run(&["check", "--config", &path]);
    assert_eq!((ended.code, ended.stdout), (Some(0), format!("{path}: ok\n")));
    assert_eq!(server.requests.all().len(), 2);
}

#[test]
fn an_unknown_key_is_told_with_line_and_column() {
    let said = refusal("targets: ['tcp://db:5432']\ntimeuot: 5m\n");
    assert_eq!(said, "2:1: unknown key \"timeuot\"; there are targets, groups");
    let said = refusal("targets: ['tcp://db:5432']\ntimeout: 5m\n");
    assert_eq!(said, "2:1: unknown key timeout, which is a flag: write --timeout; there are targets, groups");
}

#[test]
fn every_faulty_option_is_told_with_its_own_line_and_column() {
    let said = refusal("targets:\n- url: tcp://db:5432\n  hodl: 0s\n");
    assert_eq!(said, r#"3:3: tcp has no option "hodl"; did you mean hold?"#);
    let said = refusal(
        "targets:\n- url: http://api\n  statuss: 200\n  header: ['X-A: 1', 'X-B: 2']\n  metod: GET\n  stable: many\n  \
         sesame: 1\n  interval: [1s, 2s]\n- url: http://api\n  ca: /ca.pem\n",
    );
    let mut faults: Vec<_> = said.lines().collect();
    faults.sort_unstable();
    assert_eq!(faults[0], "10:3: option ca is for TLS only: write https://");
    assert_eq!(faults[1], r#"3:3: http has no option "statuss"; did you mean status?"#);
    assert_eq!(faults[2], "5:3: http does not know this option; did you mean method?");
    assert_eq!(faults[3], "6:3: option stable: this is not a number in range");
    assert!(faults[4].starts_with("7:3: http does not know this option; it takes "), "{said}");
    assert_eq!(faults[5], "8:3: option interval is given twice");
    assert_eq!(faults.len(), 6, "{said}");
}

#[test]
fn an_entry_in_the_place_of_the_list_is_told_the_form_of_a_list() {
    let said = refusal("targets:\n  url: tcp://db:1\n");
    assert_eq!(said, "2:3: expected a list: begin each entry with -");
}

#[test]
fn a_target_that_is_wrong_is_told_with_line_and_column() {
    let said = refusal("targets:\n- file:///dev/null\n- tcp://db\n");
    assert_eq!(said, "3:3: the port is missing: write tcp://db:PORT");
    let said = refusal("targets: [{url: 'tcp://db:1#hold=0s'}]\n");
    assert_eq!(said, "1:17: options stand beside url here, not in its fragment");
    let said = refusal("targets: [{hold: 0s}]\n");
    assert_eq!(said, "1:11: the key \"url\" is missing");
    let said = refusal("targets: [{url: 'tcp://db:1', hold: 1.5}]\n");
    let words = "expected a text, a whole number, true, false, or a list of those";
    assert_eq!(said, format!("1:37: {words}"));
    let said = refusal("targets: [5432]\n");
    let words = "expected a URL such as tcp://db:5432, or a map of url and options";
    assert_eq!(said, format!("1:11: {words}"));
}

#[test]
fn no_message_holds_a_value() {
    let url = "mysql://root:hunter2@db:3306";
    for text in [
        format!("targets: {url}\n"),
        format!("{url}\n"),
        format!("{url}: true\n"),
        format!("targets: [tcp://db:1]\n{url}: true\n"),
        format!("targets:\n  {url}: true\n"),
        format!("targets:\n- {url}: true\n"),
        format!("targets:\n- url: tcp://db:1\n  {url}: true\n"),
        format!("targets:\n- url: [{url}, [{url}]]\n"),
        format!("targets:\n- url: {{{url}: 1}}\n"),
        format!("targets:\n- url: {url}\n  url: {url}\n"),
        format!("targets:\n- - {url}\n"),
        format!("- {url}\n"),
        format!("targets: !!int {url}\n"),
        format!("targets: [!!bool {url}]\n"),
        format!("targets: [!!float \", expected {url} at line {url}\"]\n"),
        format!("targets: [!<{url}> [{url}]]\n"),
        format!("targets:\n- url: !!int {url}\n"),
        format!("targets:\n- url: tcp://db:1\n  hold: !!null {url}\n"),
        format!("? [{url}]\n: true\n"),
        format!("? !!int {url}\n: true\n"),
        format!("targets: [*{url}]\n"),
        "targets: &hunter2 [*hunter2]\n".to_owned(),
        format!("targets: ['{url}\n"),
    ] {
        let said = refusal(&text);
        assert!(!said.contains("hunter2"), "{text}: {said}");
        let (_directory, path) = config_file(&text);
        for ended in [run(&["--config", &path]), run(&["check", "--config", &path])] {
            assert!(!ended.everything().contains("hunter2"), "{text}: {ended:#?}");
        }
    }
    let said = refusal(&format!("targets: {url}\n"));
    assert_eq!(said, "1:10: expected a list: begin each entry with -");
    let said = refusal(&format!("targets: [tcp://db:1]\n{url}: true\n"));
    assert_eq!(said, "2:1: unknown key; there are targets, groups");
}

#[test]
fn what_is_given_twice_is_told() {
    let said = refusal("targets:\n- url: tcp://db:1\n  url: tcp://db:2\n");
    assert_eq!(said, "3:3: this key is given twice");
    assert!(refusal("targets: [tcp://db:1]\ntargets: [tcp://db:2]\n").starts_with("2:1: this key is given twice"));
}

#[test]
fn a_mode_is_a_text() {
    for number in ["640", "0o640", "0x1a0", "416"] {
        let said = refusal(&format!("targets: [{{url: file:///dev/null, mode: {number}}}]\n"));
        assert!(said.contains(r#"quote it, as in mode: "0644""#), "{number}: {said}");
    }
    // A number that begins with 0 is a text in this YAML.
    for text in ["'0666'", "\"666\"", "0666"] {
        let (_directory, path) = config_file(&format!("targets: [{{url: file:///dev/null, mode: {text}}}]\n"));
        assert_eq!(run(&["--config", &path]).code, Some(0), "{text}");
    }
}

#[test]
fn a_small_file_does_not_become_large_by_its_aliases() {
    let headers = "'X-Y: 1',".repeat(5000);
    let aliases = "- *bomb\n".repeat(5000);
    let said = refusal(&format!("targets:\n- &bomb\n  url: http://db\n  header: [{headers}]\n{aliases}"));
    assert!(said.contains("more than 20000 values, aliases counted"), "{said}");
    let said = refusal(&format!("targets:\n- &bomb {{url: http://db}}\n{aliases}"));
    assert_eq!(said, "2:3: at most 1000 targets");
    let value = "x".repeat(10_000);
    let said = refusal(&format!("targets:\n- &bomb {{url: http://db, body: {value}}}\n{aliases}"));
    assert!(said.contains("more than 1024 KiB of text, aliases counted"), "{said}");
    let said = refusal("targets: &bomb [*bomb]\n");
    assert!(said.contains("an alias within its own anchor"), "{said}");
}

#[test]
fn a_file_without_targets_or_that_is_no_yaml_is_told() {
    assert_eq!(refusal("{}\n"), "1:1: no targets: name one, such as tcp://db:5432");
    assert!(refusal("targets: [").contains("this is not YAML"));
    for none in ["targets: []\n", "targets:\n"] {
        assert!(refusal(none).contains(": no targets: name one, such as tcp://db:5432"));
    }
}

#[test]
fn a_file_that_is_missing_is_told() {
    for arguments in [&["--config", "/none.yaml"][..], &["check", "--config", "/none.yaml"]] {
        let ended = run(arguments);
        ended.ended_with(78, r#"reason=config last="cannot read /none.yaml: no such file or directory"#);
    }
}

#[test]
fn the_schema_describes_every_option() {
    let ended = run(&["schema"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let schema = ended.json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!((&schema["type"], &schema["additionalProperties"]), (&"object".into(), &Value::Bool(false)));
    assert_eq!(schema["properties"]["groups"]["additionalProperties"]["items"]["$ref"], "#/$defs/Target");
    assert_eq!(schema["properties"]["targets"]["items"]["$ref"], "#/$defs/Target");
    let [text, map] = schema["$defs"]["Target"]["anyOf"].as_array().unwrap().as_slice() else { panic!("{schema:#}") };
    assert_eq!((&text["type"], &map["type"]), (&"string".into(), &"object".into()));
    let options = map["properties"].as_object().unwrap();
    for name in ["url", "status", "hold", "ca", "password-file", "min", "settled", "tls", "stable", "not"] {
        assert!(options.contains_key(name), "{name} in {options:#?}");
    }
}

#[test]
fn check_asks_for_the_files_that_are_named_unless_told_not_to() {
    let text = "targets:\n- url: https://api\n  ca: /none/ca.pem\n  header-file: 'X-Key: /none/key'\n\
                - redis://cache#password-file=/none/password\n- file:///none/flag\n";
    let (_directory, path) = config_file(text);
    let ended = run(&["check", &path]);
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    for (place, file) in [("3:7", "/none/ca.pem"), ("4:16", "/none/key"), ("5:3", "/none/password")] {
        let line = format!("{path}:{place}: this names {file}, which cannot be read: ");
        assert!(ended.stdout.lines().any(|fault| fault.starts_with(&line)), "{file}: {ended:#?}");
    }
    assert_eq!(ended.stdout.lines().count(), 3, "{ended:#?}");
    let (_other, secret) = config_file("targets: ['redis://cache#password-file=hunter2']\n");
    let refused = run(&["check", &secret]);
    assert_eq!((refused.code, refused.everything().contains("hunter2")), (Some(78), false), "{refused:#?}");
    let (place, remedy) = (format!("{secret}:1:11: this names a file by a relative path"), "write an absolute path");
    assert!(refused.stdout.starts_with(&place) && refused.stdout.contains(remedy), "{refused:#?}");
    let ended = run(&["check", "--no-files", &path]);
    assert_eq!((ended.code, ended.stdout), (Some(0), format!("{path}: ok\n")));
}
