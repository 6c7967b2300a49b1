//! The configuration file: sources with their rules, faults, and new contents.

use std::fs;

use harness::{Program, command, until};

use crate::support::{Exporter, HttpServer, exporter, has, text_page};

fn check(file: &str) -> harness::Ended {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sources.yaml");
    fs::write(&path, file).unwrap();
    let mut command = command(env!("CARGO_BIN_EXE_metrics-exporter"), &["check", path.to_str().unwrap()]);
    Program::start(&mut command).end()
}

#[test]
fn sources_of_a_file_have_names_and_rules() {
    let app = HttpServer::start(|_| text_page("app_a 1\napp_b 2\n"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sources.yaml");
    let file = format!(
        r"
scrape:
- url: {}
  name: app
  metric_relabel_configs:
  - {{source_labels: [__name__], regex: app_b, action: drop}}
metric_relabel_configs:
- {{target_label: pod, replacement: mine}}
",
        app.url("/metrics")
    );
    fs::write(&path, file).unwrap();
    let exporter = Exporter::start(&["--config", path.to_str().unwrap()]);
    let page = exporter.page();
    assert!(has(&page, "app_a{pod=\"mine\"}") && !page.contains("app_b"), "{page}");
    assert!(has(&page, "sidekit_metrics_exporter_source_up{source=\"app\"}"), "own series have no rules: {page}");
}

#[test]
fn a_new_content_is_in_force_and_a_bad_one_is_refused() {
    let (old, new) = (HttpServer::start(|_| text_page("old 1\n")), HttpServer::start(|_| text_page("new 1\n")));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sources.yaml");
    let write = |text: &str| fs::write(&path, text).unwrap();
    write(&format!("scrape: [{{url: '{}', name: old}}]", old.url("/")));
    let mut exporter = Exporter::start(&["--config", path.to_str().unwrap()]);
    assert!(has(&exporter.page(), "old"));
    write(&format!("scrape: [{{url: '{}', name: new}}]", new.url("/")));
    exporter.program.wait_for_message("new configuration in force");
    let page = until("the new source is scraped", || Some(exporter.page()).filter(|page| has(page, "new")));
    assert!(!has(&page, "old"), "{page}");
    write("scrape: [{url: 'http://a:1/', nmae: x}]");
    exporter.program.wait_for_line("new configuration refused");
    let page = exporter.page();
    assert!(has(&page, "new"), "{page}");
    assert!(page.contains("sidekit_config_reloads_total{") && page.contains("result=\"refused\"} 1\n"), "{page}");
}

#[test]
fn check_names_each_fault_with_its_place() {
    for (file, fault) in [
        ("scrape: [{url: 'http://a:1/', nmae: x}]", ":1:31: unknown key"),
        ("scrap: []", ":1:1: unknown key"),
        ("scrape: [{url: 'http://a:1/', name: a}, {url: 'http://b:1/', name: a}]", ":1:41: two sources are named a"),
        ("scrape: [{url: 'app:8080/metrics'}]", "a source is a URL, such as http://127.0.0.1:8080/metrics or"),
        ("metric_relabel_configs: [{action: drop, regex: '('}]", ":1:41: this is no regular expression"),
    ] {
        let ended = check(file);
        assert_eq!(ended.code, Some(78), "{file}: {ended:#?}");
        assert!(ended.stdout.contains(fault), "{fault} in {ended:#?}");
    }
    assert_eq!(check("scrape: [{url: 'http://a:1/#name=app'}]").code, Some(0));
    assert_eq!(check("{}").code, Some(0));
}

#[test]
fn two_flags_with_one_name_are_a_fault_of_usage() {
    let flags = ["--scrape", "http://a:1/#name=app", "--scrape", "http://b:1/#name=app"];
    let ended = Program::start(&mut exporter(&flags)).end();
    ended.ended_with(64, r#"reason=usage last="two sources are named app: each needs a name of its own""#);
}

#[test]
fn textfiles_without_their_collector_are_a_fault_of_usage() {
    let ended =
        Program::start(&mut exporter(&["--collect", "cgroup,network", "--textfile-directory", "/textfiles"])).end();
    ended.ended_with(
        64,
        r#"reason=usage last="--textfile-directory: no collector reads it: add textfile to --collect""#,
    );
}

#[test]
fn a_fault_of_usage_names_the_remedy() {
    for (flag, value, remedy) in [
        ("--scrape", "localhost:8080/metrics", "a source is a URL, such as http://127.0.0.1:8080/metrics or"),
        ("--scrape", "unix:///run/app.sock", "http+unix:///run/app.sock:/metrics"),
        ("--max-series", "0", "0 would leave out every series"),
        ("--max-source-series", "10k", "write a number without a unit, such as 100000"),
        (
            "--scrape",
            "http://me:secret@127.0.0.1:1/",
            "a password in an argument is visible to all who can list processes",
        ),
        ("--scrape", "http://127.0.0.1:99999/", "this is not a URL"),
        ("--textfile-directory", "", "no directory has this name"),
        ("--max-source-size", "0", "no page has this size: give at least 1"),
        ("--max-memory", "1000KiB", "a page of a few hundred series takes 1MiB: give at least that"),
        ("--collect", "disk", "not a collector; the collectors are cgroup, network, volumes, processes, textfile"),
        ("--collector.textfile.directory", "/tmp", "unexpected argument '--collector.textfile.directory'"),
    ] {
        let ended = Program::start(&mut exporter(&[flag, value])).end();
        assert!(ended.code == Some(64) && ended.everything().contains(remedy), "{flag} {value}: {ended:?}");
    }
}
