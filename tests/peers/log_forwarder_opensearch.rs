//! log-forwarder before OpenSearch: it holds what the ledger says was delivered, each line once, however often it came.

use std::fs;

use e2e::{
    forwarder::{Logs, assert_lines, finish},
    peers::opensearch::OpenSearch,
};
use harness::until;
use serde_json::{Value, json};

const LINES: usize = 9000;

fn assert_all(documents: &[Value]) {
    assert_lines(&documents.iter().map(|document| document["message"].as_str().unwrap()).collect::<Vec<_>>(), LINES);
}

/// One server for all: it takes longer to start than to be asked.
#[test]
fn opensearch_has_each_line_once_or_says_why_not() {
    let mut opensearch = OpenSearch::new();
    lines_are_there_once_however_often_they_come(&mut opensearch);
    a_data_stream_takes_each_line_once(&opensearch);
    names_of_all_kinds_are_taken(&opensearch);
    what_does_not_fit_the_mapping_goes_to_the_dead_letters_and_what_is_blocked_waits(&opensearch);
}

fn lines_are_there_once_however_often_they_come(opensearch: &mut OpenSearch) {
    let logs = Logs::new();
    logs.write_lines(LINES / 2);
    let output = opensearch.output("logs");
    let mut forwarder = logs.forward(&["--output", &output]);
    forwarder.says("cannot deliver");
    opensearch.start();
    until("something is there", || (opensearch.count("logs") > 0).then_some(()));
    // Killed in the middle, or not: the next one does not know all that arrived.
    drop(forwarder);
    logs.write(LINES / 2..LINES);
    let forwarder = logs.forward(&["--output", &format!("{output}#gzip")]);
    until("all lines are there", || (opensearch.count("logs") == LINES).then_some(()));
    assert_eq!(finish(forwarder)["rejected"], 0);
    // One that knows nothing sends everything again.
    fs::remove_dir_all(logs.join("state")).unwrap();
    let forwarder = logs.forward(&["--output", &output]);
    let ledger = finish(forwarder);
    assert_eq!((ledger["lines"], ledger["rejected"]), (LINES as u64, 0));
    assert_all(&opensearch.documents("logs"));
}

/// Names that some version of the server refuses as they are
fn names_of_all_kinds_are_taken(opensearch: &OpenSearch) {
    let logs = Logs::new();
    let names = ["", " ", ".", "..", ".a", "a.", "a..b", "a. .b", "\\u001f", "\\t"];
    for name in names {
        logs.append(&format!(r#"{{"msg":"top","{name}":1}}"#));
        logs.append(&format!("\n{{\"msg\":\"nested\",\"o\":[{{\"{name}\":1,\"x\":1,\"x\":2}}]}}\n"));
    }
    let dead = logs.join("dead").display().to_string();
    let output = opensearch.output("odd-names");
    let forwarder = logs.forward(&["--format", "json", "--output", &output, "--dead-letter", &dead]);
    until("all documents are there", || (opensearch.count("odd-names") == 2 * names.len()).then_some(()));
    assert_eq!((finish(forwarder)["rejected"], logs.read("dead")), (0, String::new()));
    let documents = opensearch.documents("odd-names");
    let is_kept = |document: &&Value| document["fields"].to_string().contains(":1");
    assert_eq!(documents.iter().filter(is_kept).count(), 2 * names.len(), "{documents:?}");
}

fn a_data_stream_takes_each_line_once(opensearch: &OpenSearch) {
    let logs = Logs::new();
    let template = json!({"index_patterns": ["logs-*"], "data_stream": {}, "priority": 200});
    opensearch.ask("PUT", "/_index_template/logs", &template);
    logs.write_lines(LINES);
    for _ in 0..2 {
        let forwarder = logs.forward(&["--output", &opensearch.output("logs-web-shop")]);
        assert_eq!(finish(forwarder)["lines"], LINES as u64);
        fs::remove_dir_all(logs.join("state")).unwrap();
    }
    assert_all(&opensearch.documents("logs-web-shop"));
    let stream = opensearch.ask("GET", "/_data_stream/logs-web-shop", &Value::Null);
    assert_eq!(stream["data_streams"][0]["timestamp_field"]["name"], "@timestamp");
}

fn what_does_not_fit_the_mapping_goes_to_the_dead_letters_and_what_is_blocked_waits(opensearch: &OpenSearch) {
    let logs = Logs::new();
    let labels = "app=\"web\"\napp.kubernetes.io/name=\"shop\"\n";
    fs::write(logs.join("labels"), labels).unwrap();
    let object = |number: usize| match number {
        500 => r#"{"msg":"500","time":"2026-11-24T09:58:45.5Z","status":"none"}"#.to_owned(),
        _ => format!(r#"{{"msg":"{number}","time":"2026-11-24T09:58:45.5Z","status":{number}}}"#),
    };
    let text: Vec<_> = (0..1000).map(object).collect();
    fs::write(logs.join("app.log"), text.join("\n") + "\n").unwrap();
    let (dead, labels) = (logs.join("dead").display().to_string(), logs.join("labels").display().to_string());
    let arguments =
        ["--format", "json", "--labels-file", &labels, "--dead-letter", &dead, "--output", &opensearch.output("typed")];
    let mut forwarder = logs.forward(&arguments);
    until("all but one are there", || (opensearch.count("typed") == 999).then_some(()));
    opensearch.ask("PUT", "/typed/_settings", &json!({"index.blocks.write": true}));
    logs.append(&(object(1000) + "\n"));
    forwarder.says("403 cluster_block_exception");
    opensearch.ask("PUT", "/typed/_settings", &json!({"index.blocks.write": false}));
    until("what was blocked is there", || (opensearch.count("typed") == 1000).then_some(()));
    let ledger = finish(forwarder);
    assert_eq!((ledger["lines"], ledger["rejected"]), (1000, object(500).len() as u64 + 1));
    let letter: Value = serde_json::from_str(logs.read("dead").trim_end()).unwrap();
    assert_eq!(letter["message"], object(500));
    let reason = letter["reason"].as_str().unwrap();
    assert!(reason.starts_with("400 mapper_parsing_exception: failed to parse field [fields.status]"), "{reason}");
    let document = &opensearch.documents("typed")[0];
    assert_eq!((&document["message"], &document["fields"]["status"]), (&json!("0"), &json!(0)));
    assert_eq!(document["k8s.pod.label.app_kubernetes_io/name"], "shop");
    let range = json!({"query": {"range": {"@timestamp": {"gte": "2026-11-24T09:58:45.500Z", "lte": "2026-11-24T09:58:45.500Z"}}}});
    assert_eq!(opensearch.ask("POST", "/typed/_count", &range)["count"], 1000);
}
