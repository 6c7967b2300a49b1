//! The metrics of metrics-exporter about its own container, compared with those of the kubelet's cAdvisor.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use e2e::cluster::{Namespace, Profile, kubectl};
use harness::http;

use crate::examples::{changed, example};

/// Where metrics-exporter serves the page
const PORT: u16 = 9474;
/// The metric whose time says when cAdvisor measured the container
const CLOCK: &str = "container_cpu_usage_seconds_total";
/// Labels of cAdvisor that name the container, which the exporter does not know
const OF_THE_POD: [&str; 6] = ["container", "id", "image", "name", "namespace", "pod"];
/// Names that must be compared, of CPU, throttling, memory, faults and settings
const COMPARED: [&str; 18] = [
    "container_cpu_usage_seconds_total",
    "container_cpu_user_seconds_total",
    "container_cpu_system_seconds_total",
    "container_cpu_cfs_periods_total",
    "container_cpu_cfs_throttled_periods_total",
    "container_cpu_cfs_throttled_seconds_total",
    "container_memory_usage_bytes",
    "container_memory_working_set_bytes",
    "container_memory_rss",
    "container_memory_cache",
    "container_memory_mapped_file",
    "container_memory_max_usage_bytes",
    "container_memory_failcnt",
    "container_memory_failures_total",
    "container_oom_events_total",
    "container_spec_cpu_quota",
    "container_spec_cpu_shares",
    "container_spec_memory_limit_bytes",
];

/// The series of a page: name and labels, and the value
type Series = BTreeMap<String, f64>;

#[test]
fn the_page_says_of_its_container_what_the_kubelet_says() {
    let namespace = Namespace::new("cadvisor", Profile::Restricted);
    let limits = "limits: { memory: 24Mi, cpu: 200m }";
    namespace.create(&changed(&example("metrics-exporter.yaml"), "limits: { memory: 24Mi }", limits));
    namespace.until_pod("web", "it is ready", |pod| pod.is_ready().then_some(()));
    let address = SocketAddr::new(namespace.pod("web").ip().unwrap(), PORT);
    // Work at the start, so that the counters of the quota are not all 0.
    for _ in 0..200 {
        assert_eq!(http::get(address, "/metrics").status, 200);
    }
    let settled = next_measurements(&namespace, 2);
    let ours_page = http::get(address, "/metrics").body;
    let last = next_measurements(&namespace, 2);

    let (before, after, ours) = (of_the_exporter(&settled), of_the_exporter(&last), series(&ours_page, |_| true));
    let (mut complaints, mut compared) = (Vec::new(), BTreeSet::new());
    for (key, ours_value) in &ours {
        let name = key.split('{').next().unwrap();
        let (Some(before), Some(after)) = (before.get(key), after.get(key)) else {
            if before.keys().any(|theirs| theirs.split('{').next() == Some(name)) {
                complaints.push(format!("{key}: not at the kubelet"));
            }
            continue;
        };
        compared.insert(name);
        if let Some(complaint) = complaint(name, *ours_value, *before, *after, &ours_page) {
            complaints.push(format!("{key}: {ours_value} here, {before} and {after} at the kubelet: {complaint}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let missing: Vec<_> = COMPARED.iter().filter(|name| !compared.contains(*name)).collect();
    assert!(missing.is_empty(), "not compared: {missing:?} of {compared:?}");
}

/// The difference between a value of ours and the kubelet's, measured before and after it, that time does not explain
fn complaint(name: &str, ours: f64, before: f64, after: f64, page: &str) -> Option<String> {
    // Memory of an exporter that is idle moves by less than this between two looks.
    let tolerance = match name {
        _ if !page.contains(&format!("# TYPE {name} gauge\n")) => {
            let is_between = (before..=after).contains(&ours);
            return (!is_between).then(|| "not between them".to_owned());
        }
        "container_threads" => most_threads_of_a_scrape(page) + 1.0,
        _ if name.starts_with("container_memory_") => 2e6,
        // Settings of a container stay.
        _ => 0.5,
    };
    ((ours - after).abs() >= tolerance).then(|| format!("a difference of {tolerance} or more"))
}

/// A scrape reads its collectors on one thread, and the rest on one each where that takes long: the container's CPU is limited.
fn most_threads_of_a_scrape(page: &str) -> f64 {
    let collectors = page.lines().filter(|line| line.starts_with("sidekit_metrics_exporter_collector_success{"));
    1.0 + collectors.map(|_| 1.0).sum::<f64>()
}

/// The kubelet's page after cAdvisor has measured the container this number of times more; it measures every ten seconds or so.
/// The second measurement began after this call.
fn next_measurements(namespace: &Namespace, count: usize) -> String {
    let mut times = BTreeSet::new();
    namespace.until("cAdvisor measures the container", || {
        let page = kubelet(namespace);
        let own = page.lines().find(|line| line.starts_with(CLOCK) && is_of_the_exporter(line, namespace.name()))?;
        times.insert(own.rsplit_once(' ')?.1.to_owned());
        (times.len() > count).then(|| lines_of(&page, namespace.name()))
    })
}

fn kubelet(namespace: &Namespace) -> String {
    let node = namespace.find("pod/web").unwrap()["spec"]["nodeName"].as_str().unwrap().to_owned();
    let output = kubectl(["get", "--raw", &format!("/api/v1/nodes/{node}/proxy/metrics/cadvisor")]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn is_of_the_exporter(line: &str, namespace: &str) -> bool {
    line.contains("container=\"metrics-exporter\"") && line.contains(&format!("namespace=\"{namespace}\""))
}

/// The lines of the exporter's container
fn lines_of(page: &str, namespace: &str) -> String {
    page.split_inclusive('\n').filter(|line| is_of_the_exporter(line, namespace)).collect()
}

/// The kubelet's series with the labels that the exporter has too
fn of_the_exporter(page: &str) -> Series {
    series(page, |label| !OF_THE_POD.contains(&label))
}

/// The series of a page, with the labels that `has_label` keeps, in the order of their names
fn series(page: &str, has_label: impl Fn(&str) -> bool) -> Series {
    let lines = page.lines().filter(|line| line.starts_with("container_"));
    let samples = lines.filter_map(|line| {
        // No label of a container holds a brace or a quote.
        let (name, labels, rest) = match line.split_once('{') {
            Some((name, rest)) => rest.split_once("} ").map(|(labels, rest)| (name, labels, rest))?,
            None => line.split_once(' ').map(|(name, rest)| (name, "", rest))?,
        };
        let labels: BTreeSet<_> = labels
            .split_inclusive("\",")
            .map(|label| label.trim_end_matches(','))
            .filter(|label| label.split_once('=').is_some_and(|(label, _)| has_label(label)))
            .collect();
        let labels = labels.into_iter().collect::<Vec<_>>().join(",");
        let value = rest.split(' ').next()?.parse().ok()?;
        Some((format!("{name}{{{labels}}}"), value))
    });
    samples.collect()
}
