//! `--config`: the same inputs and outputs as YAML, and what becomes of a change.

use std::fs;

use harness::{Program, fifo, until};
use serde_json::Value;

use crate::{
    collector::Collector,
    receiver::Receiver,
    support::{Pod, Writer, http, ledger, line, log_forwarder, start, stop},
};

/// log-forwarder with this configuration and nothing else of inputs and outputs
pub(crate) fn configured(pod: &Pod, text: &str) -> Program {
    fs::write(pod.beside("config.yaml"), text).unwrap();
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--quiet-period", "200ms"]);
    command.arg("--config").arg(pod.beside("config.yaml")).arg("--state-dir").arg(pod.beside("state"));
    start(&mut command)
}

pub(crate) fn change(pod: &Pod, text: &str) {
    fs::write(pod.beside("config.yaml.new"), text).unwrap();
    fs::rename(pod.beside("config.yaml.new"), pod.beside("config.yaml")).unwrap();
}

#[track_caller]
fn check(pod: &Pod, text: &str) -> (Option<i32>, String) {
    fs::write(pod.beside("config.yaml"), text).unwrap();
    let output = log_forwarder(&["check", "--config"]).arg(pod.beside("config.yaml")).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

#[test]
fn inputs_and_outputs_with_what_is_their_own() {
    let pod = Pod::new();
    for name in ["one.log", "two.log"] {
        Writer::new(&pod.log(name)).write(3);
    }
    let (one, two) = (pod.log("one.log"), pod.log("two.log"));
    let text = format!(
        "inputs:\n- path: {}\n  fields: {{team: shop, tier: web}}\n- path: {}\noutputs:\n- url: {}\n  as: ndjson\n",
        one.display(),
        two.display(),
        pod.file_output()
    );
    let program = configured(&pod, &text);
    pod.wait_for_lines(6);
    stop(program);
    let records: Vec<Value> = pod.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for record in records {
        let is_one = record["file"] == one.to_str().unwrap();
        assert_eq!(record["team"] == "shop" && record["tier"] == "web", is_one, "{record}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_without_its_value() {
    let pod = Pod::new();
    for (text, expected) in [
        (
            "outputs:\n- url: http://a/\n  proxy: http://me:hunter2@proxy:3128\n",
            "3:3: option proxy: a URL holds no user and no password: write proxy-user=NAME and proxy-password-file=PATH",
        ),
        ("outputs:\n- url: http://a/\n  final-status: hunter2\n", "3:3: option final-status: write a list such as 400"),
        ("outputs:\n- url: tcp://a:1\n  retry-limit: -1\n", "3:3: option retry-limit: this is not a number in range"),
        ("inputs:\n- path: logs/*.log\n", "not an absolute path"),
        ("inputs:\n- path: /logs/*.log\n  pth: x\n", "unknown key"),
        ("inputs:\n- path: /logs/*.log\n  fields: {message: x}\n", "of its own"),
        ("inputs:\n- {path: /logs/*.log, exclude: ['*.gz']}\n", "begin it with /, or with /**/"),
        ("inputs:\n- {path: /logs/*.log, start-at: tail}\n", "write beginning or end"),
        ("inputs:\n- {path: /logs/*.log, ignore-older: 1d}\n", "write it as 250ms"),
        ("inputs:\n- path: /logs/*.log\n  format: jsno\n", "did you mean json?"),
        ("inputs:\n- {path: /logs/*.log, format: json, multiline: java}\n", "multiline joins no lines of format json"),
        ("inputs:\n- {path: /logs/*.log, encoding: utf-16}\n", "can't be read by lines"),
        ("inputs:\n- {path: /logs/*.log, time-zone: Europe/Berlim}\n", "did you mean Europe/Berlin?"),
        ("inputs:\n- {path: /logs/*.log, time-format: '%H:%M'}\n", "this pattern reads no time"),
        ("inputs:\n- {path: /logs/*.log, format: nginx, time-key: at}\n", "format nginx has no field of your choice"),
        ("outputs:\n- url: http://collector/x\n  gzp: true\n", "gzp"),
        ("outputs:\n- gopher://collector\n", "unknown scheme"),
        ("outputs:\n- [http://user:hunter2@collector/x]\n", "a URL such as"),
        ("outputs:\n- http://user:hunter2@collector/x\n", "no user and no password"),
        ("output: []\n", "did you mean outputs?"),
    ] {
        let (code, said) = check(&pod, text);
        assert_eq!(code, Some(78), "{text} {said}");
        assert!(said.contains(expected) && said.contains("config.yaml:"), "{text} {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let limits = "final-status: [400, 420-424], retry-limit: 3, retry-age: 24h, max-connection-age: 10m, proxy: 'http://proxy:3128'";
    let (code, said) = check(&pod, &format!("inputs: [/logs/*.log]\noutputs: [{{url: http://a/, {limits}}}]\n"));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = check(&pod, "inputs: [{path: /logs/*.log}, /var/log/*.log]\noutputs: ['stdout://']\n");
    assert_eq!((code, said.contains("ok")), (Some(0), true), "{said}");
    let schema = log_forwarder(&["schema"]).output().unwrap().stdout;
    assert_eq!(serde_json::from_slice::<Value>(&schema).unwrap()["properties"]["inputs"]["type"], "array");
}

#[test]
fn what_is_missing_in_both_is_a_fault_of_the_file() {
    let pod = Pod::new();
    fs::write(pod.beside("config.yaml"), "inputs: [{path: /logs/a.log}]\n").unwrap();
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--config"]);
    let ended = Program::start(command.arg(pod.beside("config.yaml"))).end();
    assert_eq!(ended.code, Some(78));
    assert!(format!("{ended:?}").contains("there is no output: give --output, or outputs in --config"), "{ended:?}");
}

#[test]
fn outputs_come_and_go_while_the_others_go_on() {
    let pod = Pod::new();
    let (first, second) = (Collector::start(), Collector::start());
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let inputs = format!("inputs: [{{path: {}}}]\n", pod.log("app.log").display());
    let mut program = configured(&pod, &format!("{inputs}outputs: ['{}']\n", first.url()));
    first.wait_for(&line(9));
    // One more, and another setting of the first: both without a line twice.
    change(&pod, &format!("{inputs}outputs: ['{}#as=ndjson', '{}']\n", first.url(), second.url()));
    second.wait_for(&line(9));
    writer.write(10);
    second.wait_for(&line(19));
    first.wait_for(&line(19));
    change(&pod, &format!("{inputs}outputs: ['{}']\n", second.url()));
    program.wait_for_message("is no longer delivered to");
    writer.write(10);
    second.wait_for(&line(29));
    let ended = stop(program);
    assert_eq!((first.messages().len(), second.messages().len()), (20, 30));
    assert_eq!(ledger(&ended)["lines"], 50);
}

#[test]
fn what_an_output_that_goes_had_in_flight_is_counted() {
    let pod = Pod::new();
    let (first, busy) = (Collector::start(), Receiver::start(|_| Some((429, String::new(), String::new()))));
    Writer::new(&pod.log("app.log")).write(10);
    let size = fs::metadata(pod.log("app.log")).unwrap().len();
    let inputs = format!("inputs: [{{path: {}}}]\n", pod.log("app.log").display());
    let mut program =
        configured(&pod, &format!("{inputs}outputs: ['{}', 'http://{}/']\n", first.url(), busy.address()));
    first.wait_for(&line(9));
    program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
    change(&pod, &format!("{inputs}outputs: ['{}']\n", first.url()));
    program.wait_for_message("is no longer delivered to");
    let ended = stop(program);
    assert_eq!((ledger(&ended)["delivered"], ledger(&ended)["lost"]), (size, size));
}

#[test]
fn a_configuration_that_is_wrong_is_refused_and_the_old_one_stays() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    let inputs = format!("inputs: [{{path: {}}}]\n", pod.log("app.log").display());
    let mut program = configured(&pod, &format!("{inputs}outputs: ['{}']\n", pod.file_output()));
    let address = program.address("health");
    pod.wait_for_checkpoint();
    let metric = |text: &str| http::get(address, "/metrics").body.contains(text).then_some(());
    change(&pod, "outputs: [nowhere]\n");
    until("the refusal is counted", || metric("result=\"refused\"} 1"));
    // Well written, but nothing that could run
    change(&pod, "outputs: ['stdout://']\n");
    until("the second refusal is counted", || metric("result=\"refused\"} 2"));
    change(&pod, &format!("{inputs}outputs: ['tcp://127.0.0.1:1', 'tcp://127.0.0.1:1#as=raw']\n"));
    until("the third refusal is counted", || metric("result=\"refused\"} 3"));
    assert!(metric("result=\"accepted\"} 0").is_some());
    writer.write(10);
    pod.wait_for_lines(10);
    stop(program);
}

#[test]
fn an_output_that_comes_back_is_counted_once() {
    let pod = Pod::new();
    let (first, second) = (Collector::start(), Collector::start());
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let inputs = format!("inputs: [{{path: {}}}]\n", pod.log("app.log").display());
    let one = format!("{inputs}outputs: ['{}']\n", first.url());
    let both = format!("{inputs}outputs: ['{}', '{}']\n", first.url(), second.url());
    let mut program = configured(&pod, &both);
    second.wait_for(&line(9));
    change(&pod, &one);
    program.wait_for_message("is no longer delivered to");
    writer.write(10);
    first.wait_for(&line(19));
    change(&pod, &both);
    second.wait_for(&line(19));
    let ended = stop(program);
    // It has forgotten where it was.
    assert_eq!((first.messages().len(), second.messages().len()), (20, 30));
    assert_eq!(ledger(&ended)["lines"], 50);
}

#[test]
fn a_configuration_that_does_not_fit_is_refused_alike_at_check_and_start() {
    let pod = Pod::new();
    let text = "inputs: [/logs/*.log]\noutputs:\n- tcp://127.0.0.1:1\n- tcp://127.0.0.1:1#as=raw\n";
    let (code, said) = check(&pod, text);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("config.yaml:4:3: output tcp://127.0.0.1:1 is there twice"), "{said}");
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--config"]);
    let ended = Program::start(command.arg(pod.beside("config.yaml"))).end();
    assert_eq!(ended.log.len(), 1, "a start that is refused has no start line: {ended:#?}");
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    assert!(ended.last_line().contains("config.yaml:4:3: output tcp://127.0.0.1:1 is there twice"), "{ended:#?}");
}

#[test]
fn check_does_not_wait_for_a_file_that_could_keep_it_waiting_for_ever() {
    let pod = Pod::new();
    let (directory, fifo) = fifo();
    let text = format!(
        "inputs: [/logs/*.log]\noutputs:\n- url: https://collector\n  token-file: {}\n  ca: {fifo}\n",
        directory.path().display()
    );
    let (code, said) = check(&pod, &text);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("cannot be read: is a directory"), "{said}");
    assert!(said.contains("cannot be read: it is a FIFO, not a regular file"), "{said}");
}

#[test]
fn check_asks_for_the_files_that_outputs_name_unless_told_not_to() {
    let pod = Pod::new();
    let text =
        "inputs: [/logs/*.log]\noutputs:\n- url: https://collector\n  token-file: /none/token\n  ca: /none/ca.pem\n";
    let (code, said) = check(&pod, text);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("this names /none/token") && said.contains("this names /none/ca.pem"), "{said}");
    let output = log_forwarder(&["check", "--no-files"]).arg(pod.beside("config.yaml")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn each_input_has_times_of_its_own() {
    let pod = Pod::new();
    let (one, two) = (pod.log("one.log"), pod.log("two.log"));
    fs::write(&one, "{\"at\":1795514325,\"msg\":\"one\"}\n").unwrap();
    fs::write(&two, "time=\"2026-11-24 18:58:45\" msg=two\n").unwrap();
    let text = format!(
        "inputs:\n- {{path: {}, format: json, time-key: at, time-format: unix}}\n- {{path: {}, format: logfmt, time-zone: Asia/Tokyo}}\n\
         outputs: ['{}#as=ndjson']\n",
        one.display(),
        two.display(),
        pod.file_output()
    );
    let program = configured(&pod, &text);
    pod.wait_for_lines(2);
    stop(program);
    for line in pod.out().lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["time"], "2026-11-24T09:58:45.000Z", "{record}");
    }
}
