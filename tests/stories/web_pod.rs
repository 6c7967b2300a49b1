//! The pod of the examples in which log-forwarder stands beside nginx, with visitors whose every request has a number.

use e2e::cluster::{Ended, Namespace, Pod};
use serde_json::Value;

use crate::{
    collector::Collector,
    examples::{changed, example},
};

/// In a sidecar that starts before and ends after all others: asks nginx as fast as it can, until the stop signal. Then it prints
/// the numbers that nginx has written: how many different ones, their sum, and how many came after a higher one, because the request of a
/// visitor may be answered late.
const VISITORS: &str = r#"    - name: visitors
      image: busybox:1.36
      restartPolicy: Always
      command:
        - sh
        - -c
        - |
          next=0
          trap 'over=1' TERM
          while [ -z "$over" ]; do
            awk -v from=$next 'BEGIN { for (n = from; n < from + 100; n++)
              printf "GET /?seq=web:%d HTTP/1.1\r\nHost: web\r\nConnection: %s\r\n\r\n", n, n < from + 99 ? "keep-alive" : "close"
            }' | nc -w 2 127.0.0.1 8080 >/dev/null 2>&1
            next=$((next + 100))
            sleep 0.05
          done
          sed -n 's/.*seq=web:\([0-9]*\) .*/\1/p' /var/log/nginx/access.log | awk '
            !seen[$1]++ { count++; sum += $1; if ($1 + 0 < highest) late++; else highest = $1 + 0 }
            END { printf "%d %.0f %d", count, sum, late }' >/dev/termination-log
      securityContext:
        runAsUser: 65532
        readOnlyRootFilesystem: true
        allowPrivilegeEscalation: false
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: logs, mountPath: /var/log/nginx, readOnly: true }
"#;

/// An example with visitors; it has its name
pub(crate) fn with_visitors(file: &str) -> String {
    let manifest = example(file);
    if manifest.contains("  initContainers:\n") {
        changed(&manifest, "  initContainers:\n", &format!("  initContainers:\n{VISITORS}"))
    } else {
        changed(&manifest, "  containers:\n", &format!("  initContainers:\n{VISITORS}  containers:\n"))
    }
}

/// Deletes the pod, and fails unless all that nginx wrote is at the collector, in order. Gives the pod, and what the collector has.
pub(crate) fn delete_and_compare(namespace: &Namespace, collector: &Collector) -> (Pod, Value) {
    let (pod, _) = namespace.delete_pod("web");
    let Ended { message, .. } = pod.ended("visitors").unwrap();
    let numbers: Vec<u64> = message.split(' ').map(|number| number.parse().unwrap()).collect();
    let [count, sum, late] = numbers[..] else { panic!("{message:?}") };
    assert!(count > 1000, "only {count} lines: there was no load");
    let (report, end) = (collector.report(), pod.ended("log-forwarder").unwrap());
    let web = &report["sources"]["web"];
    let there = (web["distinct"].as_u64().unwrap(), web["sum"].as_u64().unwrap());
    assert_eq!(there, (count, sum), "lines that nginx wrote are missing: {web}\n{end:?}");
    assert_eq!(web["late"], late, "not in the order in which nginx wrote them: {web}");
    (pod, report)
}
