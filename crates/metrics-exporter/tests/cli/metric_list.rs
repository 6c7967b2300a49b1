//! The README's list of metrics beside a whole page.

use std::{collections::HashMap, fs};

use crate::support::{Exporter, HttpServer, exporter, text_page};

const README: &str = include_str!("../../README.md");

/// Beginnings of names, one from each part of the page
const PARTS: [&str; 8] = [
    "sidekit_build_info",
    "sidekit_config_reloads_total",
    "process_open_fds",
    "sidekit_metrics_exporter_source_fault",
    "node_network_",
    "node_filesystem_",
    "namedprocess_",
    "node_textfile_",
];

/// The type of each metric in the README's tables
fn listed() -> HashMap<&'static str, &'static str> {
    let rows = README.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    rows.filter_map(|(name, rest)| Some((name, rest.split_once(" |")?.0))).collect()
}

#[test]
fn every_metric_of_a_whole_page_is_in_the_readme_with_its_type() {
    let app = HttpServer::start(|_| text_page("# TYPE app_orders_total counter\napp_orders_total 1\n"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sources.yaml");
    let source = format!("scrape:\n- url: {}\n  name: app\n- url: http://127.0.0.1:1/\n  name: dead\n", app.url("/"));
    fs::write(&file, source).unwrap();
    fs::write(directory.path().join("backup.prom"), "# TYPE backup_seconds gauge\nbackup_seconds 7\n").unwrap();
    fs::write(directory.path().join("half.prom"), "half{").unwrap();
    let (file, textfiles) = (file.to_str().unwrap(), directory.path().to_str().unwrap());
    let exporter = Exporter::start_command(&mut exporter(&["--config", file, "--textfile-directory", textfiles]));
    let page = exporter.page();

    let foreign = ["app_orders_total", "backup_seconds"];
    let (listed, mut own) = (listed(), 0);
    let types: HashMap<_, _> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        if !foreign.contains(&name) {
            let kind = types.get(name).copied().unwrap_or("untyped");
            assert_eq!(listed.get(name), Some(&kind), "{name}");
            own += 1;
        }
    }
    for part in PARTS {
        assert!(types.keys().any(|name| name.starts_with(part)), "no {part}: {page}");
    }
    assert!(own > 100, "{own} series: {page}");
}
