//! No secret of a source is in the log, on `/metrics` or on `/debug/…`.

use std::{collections::BTreeMap, fs};

use harness::Program;

use crate::support::{Exporter, HttpServer, Reply, exporter, text_page};

const SECRET: &str = "hunter2-sesame";

#[test]
fn logins_reach_their_source_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, SECRET).unwrap();
    // A source that repeats the headers of the request
    let app = HttpServer::start(|asked| Reply::Answer(401, vec![], format!("no: {:?}", asked.headers)));
    let broken = HttpServer::start(|asked| {
        let got = asked.header("x-tenant").unwrap_or_default().to_owned();
        Reply::Answer(200, vec![], format!("app{{ {got} 1\n"))
    });
    let with_token = format!("{}?tenant={SECRET}#name=app&token-file={}", app.url("/metrics"), token.display());
    let with_header = format!("{}#name=broken&header=X-Tenant: {SECRET}", broken.url("/metrics"));
    let mut command = exporter(&["--collect", "none", "--log-level", "debug"]);
    command.env("SIDEKIT_METRICS_EXPORTER_SCRAPE", format!("{with_token}\n{with_header}"));
    let exporter = Exporter::start_command(&mut command);
    let pages: BTreeMap<_, _> =
        ["/metrics", "/debug/merge", "/debug/cardinality"].into_iter().map(|path| (path, exporter.get(path))).collect();
    for (path, page) in &pages {
        assert!(!page.contains(SECRET), "{path}: {page}");
    }
    assert!(pages["/metrics"].contains("reason=\"http_status\",source=\"app\""), "{pages:#?}");
    assert!(pages["/metrics"].contains("reason=\"malformed\",source=\"broken\""), "{pages:#?}");
    assert_eq!(app.asked()[0].header("authorization"), Some(&*format!("Bearer {SECRET}")));
    assert_eq!(broken.asked()[0].header("x-tenant"), Some(SECRET));
    exporter.program.signal("TERM");
    let ended = exporter.program.end();
    assert_eq!(ended.code, Some(0));
    assert!(!ended.everything().contains(SECRET), "{ended:#?}");
}

#[test]
fn a_password_in_an_argument_is_refused_unprinted() {
    let url = format!("http://me:{SECRET}@127.0.0.1:1/metrics");
    let ended = Program::start(&mut exporter(&["--scrape", &url])).end();
    assert_eq!(ended.code, Some(64), "{ended:#?}");
    let said = ended.everything();
    assert!(said.contains("password-file=PATH") && !said.contains(SECRET), "{said}");
}

/// A page may repeat a series, and name its labels only after the rules of its source have dropped some of them.
#[test]
fn a_label_that_a_rule_drops_is_on_no_page() {
    let twice = format!("a{{token=\"{SECRET}\"}} 1\na{{token=\"{SECRET}\"}} 2\nb{{token=\"{SECRET}\"}} 1\n");
    let app = HttpServer::start(move |_| text_page(&twice));
    let rules = "metric_relabel_configs:\n- { regex: token, action: labeldrop }\n- { source_labels: [__name__], regex: b, \
                 target_label: __name__, replacement: '-' }\n";
    let (_directory, config) =
        harness::config_file(&format!("scrape:\n- {{ url: '{}', name: app }}\n{rules}", app.url("/")));
    let exporter = Exporter::start(&["--config", &config]);
    for path in ["/metrics", "/debug/merge", "/debug/cardinality"] {
        let page = exporter.get(path);
        assert!(!page.contains(SECRET), "{path}: {page}");
    }
    let why = exporter.get("/debug/merge");
    assert!(why.contains("a: repeated series, 1 series, such as a{token}") && why.contains("invalid_name"), "{why}");
}
