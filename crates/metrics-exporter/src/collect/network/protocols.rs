//! Counters of IP, ICMP, TCP and UDP: `/proc/net/{snmp,netstat,snmp6}`.
//!
//! The kernel has some 400 such counters. The metrics here are those that `node_exporter` sends by default, with its types.

use memchr::{memchr, memchr_iter, memchr2};

use crate::{
    collect::{
        collected::{Collected, Labels},
        metric::Metric,
        number::number,
    },
    exposition::model::Kind,
};

pub(super) const METRICS: &[Metric] = &[
    of("node_netstat_Icmp6_InErrors", "ICMPv6 messages received with errors"),
    of("node_netstat_Icmp6_InMsgs", "ICMPv6 messages received"),
    of("node_netstat_Icmp6_OutMsgs", "ICMPv6 messages sent"),
    of("node_netstat_Icmp_InErrors", "ICMP messages received with errors"),
    of("node_netstat_Icmp_InMsgs", "ICMP messages received"),
    of("node_netstat_Icmp_OutMsgs", "ICMP messages sent"),
    of("node_netstat_Ip6_InOctets", "Bytes received in IPv6 packets"),
    of("node_netstat_Ip6_OutOctets", "Bytes sent in IPv6 packets"),
    of("node_netstat_IpExt_InOctets", "Bytes received in IPv4 packets"),
    of("node_netstat_IpExt_OutOctets", "Bytes sent in IPv4 packets"),
    of("node_netstat_Ip_Forwarding", "1 where packets are forwarded, 2 where they are not"),
    of("node_netstat_TcpExt_ListenDrops", "Connections to listeners that were dropped"),
    of("node_netstat_TcpExt_ListenOverflows", "Connections dropped because the queue of a listener was full"),
    of("node_netstat_TcpExt_SyncookiesFailed", "Invalid SYN cookies received"),
    of("node_netstat_TcpExt_SyncookiesRecv", "SYN cookies received"),
    of("node_netstat_TcpExt_SyncookiesSent", "SYN cookies sent"),
    of("node_netstat_TcpExt_TCPOFOQueue", "TCP segments queued because they came out of order"),
    of("node_netstat_TcpExt_TCPRcvQDrop", "TCP segments dropped because a receive queue was full"),
    of("node_netstat_TcpExt_TCPSynRetrans", "SYN segments sent again"),
    of("node_netstat_TcpExt_TCPTimeouts", "Timeouts of TCP retransmission"),
    of("node_netstat_Tcp_ActiveOpens", "TCP connections opened by this side"),
    of("node_netstat_Tcp_CurrEstab", "TCP connections that are established or wait to be closed"),
    of("node_netstat_Tcp_InErrs", "TCP segments received with errors"),
    of("node_netstat_Tcp_InSegs", "TCP segments received"),
    of("node_netstat_Tcp_OutRsts", "TCP segments sent with a reset"),
    of("node_netstat_Tcp_OutSegs", "TCP segments sent, without those that were sent again"),
    of("node_netstat_Tcp_PassiveOpens", "TCP connections opened by the other side"),
    of("node_netstat_Tcp_RetransSegs", "TCP segments sent again"),
    of("node_netstat_Udp6_InDatagrams", "UDP datagrams over IPv6 delivered"),
    of("node_netstat_Udp6_InErrors", "UDP datagrams over IPv6 received with errors"),
    of("node_netstat_Udp6_NoPorts", "UDP datagrams over IPv6 to ports without a listener"),
    of("node_netstat_Udp6_OutDatagrams", "UDP datagrams over IPv6 sent"),
    of("node_netstat_Udp6_RcvbufErrors", "UDP datagrams over IPv6 dropped because a receive buffer was full"),
    of("node_netstat_Udp6_SndbufErrors", "UDP datagrams over IPv6 not sent because a send buffer was full"),
    of("node_netstat_UdpLite6_InErrors", "UDP-Lite datagrams over IPv6 received with errors"),
    of("node_netstat_UdpLite_InErrors", "UDP-Lite datagrams received with errors"),
    of("node_netstat_Udp_InDatagrams", "UDP datagrams delivered"),
    of("node_netstat_Udp_InErrors", "UDP datagrams received with errors"),
    of("node_netstat_Udp_NoPorts", "UDP datagrams to ports without a listener"),
    of("node_netstat_Udp_OutDatagrams", "UDP datagrams sent"),
    of("node_netstat_Udp_RcvbufErrors", "UDP datagrams dropped because a receive buffer was full"),
    of("node_netstat_Udp_SndbufErrors", "UDP datagrams not sent because a send buffer was full"),
];

const PREFIX: &str = "node_netstat_";

const fn of(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Unknown, unit: "", help, labels: &[] }
}

/// The metrics of one protocol, each with the kernel's name for it. They are few, so a linear search is cheap.
struct Protocol<'a> {
    name: &'a str,
    metrics: Vec<(&'static str, &'static Metric)>,
}

/// Adds the counters of pairs of lines, `PROTOCOL: NAME …` and `PROTOCOL: VALUE …`. A pair whose lines have
/// different lengths is left out, for example the last pair of a text that was cut off.
pub(super) fn parse(text: &str, collected: &mut Collected) {
    let labels = Labels::none();
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let (Some((protocol, names)), Some((_, values))) = (names.split_once(": "), values.split_once(": ")) else {
            continue;
        };
        let protocol = Protocol::of(protocol);
        let count = |text: &str| memchr_iter(b' ', text.as_bytes()).count();
        if protocol.metrics.is_empty() || count(names) != count(values) {
            continue;
        }
        for (name, value) in names.split(' ').zip(values.split(' ')) {
            protocol.add(name, value, &labels, collected);
        }
    }
}

/// Adds the counters of lines such as `Ip6InOctets VALUE`. The protocol's name ends with the first `6`.
pub(super) fn parse_version_6(text: &str, collected: &mut Collected) {
    let labels = Labels::none();
    let mut protocol = Protocol::of("");
    // A last line without a newline was cut off, maybe within its value.
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let Some((key, value)) = split_key(line) else { continue };
        let Some(end) = memchr(b'6', key.as_bytes()) else { continue };
        let (protocol_name, name) = key.split_at(end + 1);
        // The lines of a protocol stand together, so the table of the last one mostly fits.
        if protocol.name != protocol_name {
            protocol = Protocol::of(protocol_name);
        }
        protocol.add(name, value.trim_ascii(), &labels, collected);
    }
}

/// The key of a line ends at the first space or tab, and is filled up with them.
fn split_key(line: &str) -> Option<(&str, &str)> {
    let end = memchr2(b' ', b'\t', line.as_bytes())?;
    Some(line.split_at(end))
}

impl<'a> Protocol<'a> {
    fn of(name: &'a str) -> Self {
        let metrics = METRICS.iter().filter_map(|metric| {
            let rest = metric.name[PREFIX.len()..].strip_prefix(name)?;
            Some((rest.strip_prefix('_')?, metric))
        });
        Self { name, metrics: metrics.collect() }
    }

    fn add(&self, name: &str, value: &str, labels: &Labels, collected: &mut Collected) {
        let metric = self.metrics.iter().find(|(known, _)| *known == name);
        if let (Some((_, metric)), Some(value)) = (metric, number(value)) {
            collected.push(metric, labels, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SNMP: &str = "\
Ip: Forwarding DefaultTTL InReceives
Ip: 2 64 244687783
Tcp: RtoAlgorithm MaxConn ActiveOpens InErrs CurrEstab
Tcp: 1 -1 4204759 17121 0
";
    const SNMP6: &str =
        "Ip6InOctets                     \t15824\nIcmp6OutType134                 \t3\nUdp6NoPorts\t7\n";

    fn values(parse: fn(&str, &mut Collected), text: &str) -> Vec<(&'static str, f64)> {
        let mut collected = Collected::default();
        parse(text, &mut collected);
        collected.families.iter().map(|family| (family.metric.name, family.samples[0].value)).collect()
    }

    #[test]
    fn the_counters_of_node_exporter_are_found() {
        let tcp = [
            ("node_netstat_Ip_Forwarding", 2.0),
            ("node_netstat_Tcp_ActiveOpens", 4_204_759.0),
            ("node_netstat_Tcp_InErrs", 17121.0),
            ("node_netstat_Tcp_CurrEstab", 0.0),
        ];
        assert_eq!(values(parse, SNMP), tcp);
        let version_6 = [("node_netstat_Ip6_InOctets", 15824.0), ("node_netstat_Udp6_NoPorts", 7.0)];
        assert_eq!(values(parse_version_6, SNMP6), version_6);
    }

    #[test]
    fn a_text_that_is_cut_off_gives_no_half_values() {
        assert_eq!(values(parse, &SNMP[..SNMP.len() - 3]), [("node_netstat_Ip_Forwarding", 2.0)]);
        assert_eq!(values(parse_version_6, &SNMP6[..SNMP6.len() - 1]), [("node_netstat_Ip6_InOctets", 15824.0)]);
    }

    #[test]
    fn every_metric_of_the_table_can_be_found() {
        for metric in METRICS {
            let (protocol, name) = metric.name[PREFIX.len()..].split_once('_').unwrap();
            let text = format!("{protocol}: {name}\n{protocol}: 7\n");
            assert_eq!(values(parse, &text), [(metric.name, 7.0)]);
        }
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in "[A-Za-z:0-9 \n-]{0,300}") {
            parse(&text, &mut Collected::default());
            parse_version_6(&text, &mut Collected::default());
        }
    }
}
