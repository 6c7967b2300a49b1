//! log-forwarder in little memory: before a flood of lines and a collector that takes none, beside a writer of another user; and
//! with 20,000 files.

use e2e::cluster::{Namespace, Profile};

use crate::{collector::Collector, examples::example_with, log_forwarder_metrics::metric};

/// Of 110 bytes: more than three times what the container may have
const LINES: u64 = 1_000_000;

/// Lets only its user and its group read, so that the forwarder has to be of the pod's `fsGroup`.
const WRITER: &str = r#"      image: busybox:1.36
      command:
        - sh
        - -c
        - |
          umask 027
          awk 'BEGIN { rest = sprintf("%80s", ""); gsub(" ", "x", rest)
            for (n = 0; n < LINES; n++) printf "seq=app:%d the flood %s\n", n, rest }' >/var/log/nginx/app.log
          echo "all is written, $(stat -c '%u:%g %a' /var/log/nginx/app.log)"
          exec sleep 1000
"#;

#[test]
fn a_flood_before_a_dead_collector_fits_in_32_mib_and_arrives_once_it_lives() {
    let namespace = Namespace::new("flood", Profile::Restricted);
    let collector = Collector::start(&namespace);
    collector.tell("hang");
    let writer = WRITER.replace("LINES", &LINES.to_string());
    namespace.create(&with_writer(&writer).replace("memory: 48Mi", "memory: 32Mi"));
    let written = namespace.until_log("web", "nginx", "all is written");
    assert!(written.ends_with("101:2000 640"), "{written}");
    namespace.until("the forwarder has a batch that it can't deliver, and has seen the rest", || {
        let lag = metric(&namespace, "web", "lag_bytes")?;
        (metric(&namespace, "web", "in_flight_bytes")? > 0.0 && lag > 100.0 * 1e6).then_some(())
    });
    is_the_first(&namespace);
    assert_eq!(collector.report()["lines"], 0);

    collector.tell("keep");
    collector.until_distinct("app", LINES);
    is_the_first(&namespace);
    assert_eq!(collector.source("app")["late"], 0);
}

/// Makes files with a line each.
const FILES_WRITER: &str = r#"      image: busybox:1.36
      command:
        - sh
        - -c
        - |
          awk 'BEGIN { for (n = 0; n < FILES; n++) {
            file = "/var/log/nginx/" n ".log"; printf "seq=app:%d a line\n", n >file; close(file) } }'
          trap exit TERM
          echo "all is written"
          sleep 1000 &
          wait
"#;

#[test]
fn twenty_thousand_files_fit_into_the_limit_of_the_manifest() {
    const FILES: u64 = 20_000;
    let namespace = Namespace::new("many-files", Profile::Restricted);
    let collector = Collector::start(&namespace);
    namespace.create(&with_writer(&FILES_WRITER.replace("FILES", &FILES.to_string())));
    namespace.until_log("web", "nginx", "all is written");
    collector.until_distinct("app", FILES);
    // A scrape has two series of each file.
    namespace.until("no file has more to read", || (metric(&namespace, "web", "lag_bytes")? == 0.0).then_some(()));
    is_the_first(&namespace);
    let (pod, _) = namespace.delete_pod("web");
    assert_eq!(pod.ended("log-forwarder").unwrap().code, 0);
}

/// The example, whose app is this writer
fn with_writer(writer: &str) -> String {
    example_with("log-forwarder.yaml", "      image: nginxinc/nginx-unprivileged:1.29\n", writer)
}

/// Fails if the forwarder's container was ever ended, for its memory or anything else.
fn is_the_first(namespace: &Namespace) {
    let pod = namespace.pod("web");
    let forwarder = pod.container("log-forwarder").unwrap();
    let end = forwarder.previous_end();
    assert!(forwarder.restarts() == 0 && end.is_none() && forwarder.running_since().is_some(), "{end:?}");
}
