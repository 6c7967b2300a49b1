//! Sockets in use: `/proc/net/{sockstat,sockstat6}`.
//!
//! The kernel counts the memory of TCP and UDP, and allocated and orphaned TCP sockets, for the whole node. The other numbers are
//! those of the network namespace.

use rustix::param::page_size;

use crate::{
    collect::{
        collected::{Collected, Labels},
        metric::Metric,
        number::{float, number},
    },
    exposition::model::Kind,
};

pub(super) const METRICS: &[Metric] = &[
    of("node_sockstat_sockets_used", "", "Sockets in use"),
    of("node_sockstat_TCP_inuse", "", "TCP sockets in use over IPv4"),
    of("node_sockstat_TCP_orphan", "", "TCP sockets that no process holds any more, of the whole node"),
    of("node_sockstat_TCP_tw", "", "TCP sockets in TIME_WAIT"),
    of("node_sockstat_TCP_alloc", "", "TCP sockets allocated, of the whole node"),
    of("node_sockstat_TCP_mem", "pages", "Memory of TCP sockets, of the whole node"),
    of("node_sockstat_TCP_mem_bytes", "bytes", "Memory of TCP sockets, of the whole node"),
    of("node_sockstat_UDP_inuse", "", "UDP sockets in use over IPv4"),
    of("node_sockstat_UDP_mem", "pages", "Memory of UDP sockets, of the whole node"),
    of("node_sockstat_UDP_mem_bytes", "bytes", "Memory of UDP sockets, of the whole node"),
    of("node_sockstat_UDPLITE_inuse", "", "UDP-Lite sockets in use over IPv4"),
    of("node_sockstat_RAW_inuse", "", "Raw sockets in use over IPv4"),
    of("node_sockstat_FRAG_inuse", "", "IPv4 packets that wait for fragments"),
    of("node_sockstat_FRAG_memory", "bytes", "Memory of IPv4 fragments"),
    of("node_sockstat_TCP6_inuse", "", "TCP sockets in use over IPv6"),
    of("node_sockstat_UDP6_inuse", "", "UDP sockets in use over IPv6"),
    of("node_sockstat_UDPLITE6_inuse", "", "UDP-Lite sockets in use over IPv6"),
    of("node_sockstat_RAW6_inuse", "", "Raw sockets in use over IPv6"),
    of("node_sockstat_FRAG6_inuse", "", "IPv6 packets that wait for fragments"),
    of("node_sockstat_FRAG6_memory", "bytes", "Memory of IPv6 fragments"),
];

const PREFIX: &str = "node_sockstat_";

const fn of(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, help, labels: &[] }
}

/// Adds the numbers of lines `PROTOCOL: KEY VALUE …`. A last line without a newline was cut off and is left out.
pub(super) fn parse(text: &str, collected: &mut Collected) {
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let Some((protocol, pairs)) = line.split_once(':') else { continue };
        let mut words = pairs.split_ascii_whitespace();
        while let (Some(key), Some(value)) = (words.next(), words.next()) {
            let Some(value) = number(value) else { continue };
            add(protocol, key, value, collected);
            if key == "mem" {
                add(protocol, "mem_bytes", value * float(page_size() as u64), collected);
            }
        }
    }
}

fn add(protocol: &str, key: &str, value: f64, collected: &mut Collected) {
    let is_it = |metric: &&Metric| {
        let rest = metric.name[PREFIX.len()..].strip_prefix(protocol);
        rest.and_then(|rest| rest.strip_prefix('_')) == Some(key)
    };
    if let Some(metric) = METRICS.iter().find(is_it) {
        collected.push(metric, &Labels::none(), value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOCKSTAT: &str = "\
sockets: used 19
TCP: inuse 1 orphan 0 tw 5 alloc 1 mem 72
UDP: inuse 0 mem 0
FRAG: inuse 0 memory 64
SMC: inuse 3
FRAG6: inuse 2 memory 0
";

    fn values(text: &str) -> Vec<(&'static str, f64)> {
        let mut collected = Collected::default();
        parse(text, &mut collected);
        collected.families.iter().map(|family| (family.metric.name, family.samples[0].value)).collect()
    }

    #[test]
    fn memory_is_in_pages_and_in_bytes() {
        let values = values(SOCKSTAT);
        let value = |name: &str| values.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        assert_eq!(value("node_sockstat_sockets_used"), Some(19.0));
        assert_eq!(value("node_sockstat_TCP_tw"), Some(5.0));
        assert_eq!(value("node_sockstat_TCP_mem"), Some(72.0));
        assert_eq!(value("node_sockstat_TCP_mem_bytes"), Some(72.0 * float(page_size() as u64)));
        assert_eq!(value("node_sockstat_FRAG_memory"), Some(64.0));
        assert_eq!(value("node_sockstat_FRAG6_inuse"), Some(2.0));
        assert_eq!(values.len(), 14);
    }

    #[test]
    fn a_line_without_a_newline_is_left_out() {
        assert_eq!(values("sockets: used 19\nTCP: inuse 1"), [("node_sockstat_sockets_used", 19.0)]);
        assert_eq!(values("TCP: inuse x orphan\n"), []);
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in "[A-Z6a-z:0-9 \n-]{0,300}") {
            parse(&text, &mut Collected::default());
        }
    }
}
