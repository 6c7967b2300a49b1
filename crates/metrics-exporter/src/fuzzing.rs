//! Entry points for the fuzz targets, which are a crate of their own: pages, rules and files of the kernel.
#![expect(clippy::missing_panics_doc, reason = "a panic is how a fuzz target fails")]

use std::time::Duration;

use bumpalo::Bump;
use serde_json::json;

use crate::{
    collect::{cgroup, network, processes, volumes},
    exposition::{
        encode::encode,
        page::{Bounds, Page},
        page_format::PageFormat,
        parse::parse,
    },
    merge::{Caps, MergeMemory, MergeSettings, OnDuplicate, Rule, SourcePage, merge},
};

const BOUNDS: Bounds = Bounds { series: 1000, labels: 30, label_bytes: 1000, memory: usize::MAX };
/// Bounds for reading a written page again. It may have more series, because times of creation become series of their own.
const WIDER: Bounds = Bounds { series: 10_000, labels: 40, label_bytes: 10_000, memory: usize::MAX };
const FORMATS: [PageFormat; 3] = [PageFormat::Text, PageFormat::OpenMetrics, PageFormat::Protobuf];
/// A page with a metric of each type
const PAGE: &str = "# TYPE a_total counter\na_total{b=\"1\",c=\"x.y\"} 1\na_total{b=\"2\"} 2\n# TYPE h histogram\n\
h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 1\ns_count 1\nu 1\n";
const ACTIONS: [&str; 11] = [
    "replace",
    "keep",
    "drop",
    "keepequal",
    "dropequal",
    "hashmod",
    "labelmap",
    "labeldrop",
    "labelkeep",
    "lowercase",
    "uppercase",
];

/// Reads any bytes as a page of text format 0.0.4. A valid page must be readable after it was written in each format.
pub fn text(body: &[u8]) {
    page(PageFormat::Text, body);
}

/// Like [`text`], for `OpenMetrics`
pub fn openmetrics(body: &[u8]) {
    page(PageFormat::OpenMetrics, body);
}

/// Like [`text`], for delimited protobuf
pub fn protobuf(body: &[u8]) {
    page(PageFormat::Protobuf, body);
}

/// Reads any texts as a relabelling rule and merges two pages by it. The result must be readable after it was written in each
/// format.
pub fn relabel(action: u8, [source_label, regex, target_label, replacement]: [&str; 4]) {
    let action = ACTIONS[usize::from(action) % ACTIONS.len()];
    let mut rule = json!({"action": action});
    for (key, value) in [("regex", regex), ("target_label", target_label), ("replacement", replacement)] {
        if !value.is_empty() {
            rule[key] = value.into();
        }
    }
    if !source_label.is_empty() {
        rule["source_labels"] = json!([source_label]);
    }
    if action == "hashmod" {
        rule["modulus"] = 7.into();
    }
    let Ok(rule) = serde_json::from_value::<Rule>(rule) else { return };
    let arena = Bump::new();
    let rules = [rule];
    let source = |name| {
        let page = parse(&arena, PageFormat::Text, PAGE.as_bytes(), &BOUNDS).expect("a page");
        SourcePage { name, families: page.families, rules: &rules, is_own: false }
    };
    let caps = Caps { source: 1000, metric: 1000, page: 1000 };
    let settings = MergeSettings { on_duplicate: OnDuplicate::Label, caps, rule_time: Duration::from_secs(60) };
    let merged = merge(&arena, vec![source("one"), source("two")], &settings, &mut MergeMemory::default());
    assert_can_be_read(&Page { families: merged.families, notes: Vec::new(), cost: 0 });
}

/// Reads any bytes as files of /proc and of cgroups. No content may cause a panic.
pub fn kernel_files(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    cgroup::parse_as_each_file(&text);
    network::parse_as_each_file(&text);
    processes::parse_as_each_file(bytes);
    let _ = volumes::parse(bytes);
}

fn page(format: PageFormat, body: &[u8]) {
    let arena = Bump::new();
    if let Ok(page) = parse(&arena, format, body, &BOUNDS) {
        assert_can_be_read(&page);
    }
}

fn assert_can_be_read(page: &Page) {
    for format in FORMATS {
        let mut body = Vec::new();
        encode(&page.families, format, &mut body);
        let read = parse(&Bump::new(), format, &body, &WIDER).map(|page| page.families.len());
        assert!(read.is_ok(), "{read:?} {format:?} {}", String::from_utf8_lossy(&body));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn pages_of_each_format_pass() {
        text(PAGE.as_bytes());
        text(b"half{");
        openmetrics(b"# TYPE a counter\na_total 1\n# EOF\n");
        openmetrics(PAGE.as_bytes());
        let arena = Bump::new();
        let page = parse(&arena, PageFormat::Text, PAGE.as_bytes(), &BOUNDS).unwrap();
        let mut body = Vec::new();
        encode(&page.families, PageFormat::Protobuf, &mut body);
        protobuf(&body);
        protobuf(&body[..body.len() - 1]);
    }

    #[test]
    fn rules_of_each_action_pass() {
        for action in 0..=u8::MAX {
            relabel(action, ["b", "(.*)", "c", "$1"]);
            relabel(action, ["", "b(", "", ""]);
        }
    }

    #[test]
    fn files_of_this_kernel_pass() {
        for file in
            ["stat", "status", "io", "limits", "cmdline", "mountinfo", "cgroup", "net/dev", "net/snmp", "net/netstat"]
        {
            kernel_files(&fs::read(format!("/proc/self/{file}")).unwrap_or_default());
        }
        kernel_files(b"some avg10=1.00 avg60=2.00 avg300=3.00 total=4\n8:0 rbytes=1 wbytes=2\n\xff");
    }
}
