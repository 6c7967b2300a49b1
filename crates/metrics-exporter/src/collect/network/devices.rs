//! Traffic of each device: `/proc/net/dev`.

use crate::{
    collect::{
        collected::{Collected, Labels},
        metric::Metric,
        number::number,
    },
    exposition::model::Kind,
};

/// The metrics, in the order of the file's columns (`dev_seq_printf_stats` in net/core/net-procfs.c)
pub(super) const METRICS: &[Metric] = &[
    of("node_network_receive_bytes_total", "bytes", "Network device statistic receive_bytes"),
    of("node_network_receive_packets_total", "", "Network device statistic receive_packets"),
    of("node_network_receive_errs_total", "", "Network device statistic receive_errs"),
    of("node_network_receive_drop_total", "", "Network device statistic receive_drop"),
    of("node_network_receive_fifo_total", "", "Network device statistic receive_fifo"),
    of("node_network_receive_frame_total", "", "Network device statistic receive_frame"),
    of("node_network_receive_compressed_total", "", "Network device statistic receive_compressed"),
    of("node_network_receive_multicast_total", "", "Network device statistic receive_multicast"),
    of("node_network_transmit_bytes_total", "bytes", "Network device statistic transmit_bytes"),
    of("node_network_transmit_packets_total", "", "Network device statistic transmit_packets"),
    of("node_network_transmit_errs_total", "", "Network device statistic transmit_errs"),
    of("node_network_transmit_drop_total", "", "Network device statistic transmit_drop"),
    of("node_network_transmit_fifo_total", "", "Network device statistic transmit_fifo"),
    of("node_network_transmit_colls_total", "", "Network device statistic transmit_colls"),
    of("node_network_transmit_carrier_total", "", "Network device statistic transmit_carrier"),
    of("node_network_transmit_compressed_total", "", "Network device statistic transmit_compressed"),
];

/// The most devices. Only a node's own network namespace has more, and a pod's exporter is not made for that.
const DEVICE_LIMIT: usize = 256;

const fn of(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit, help, labels: &["device"] }
}

/// Adds the counters of each device. Incomplete lines are left out, for example the last line of a text that was cut off.
pub(super) fn parse(text: &str, collected: &mut Collected) {
    let mut devices = text.lines().filter_map(device);
    for (name, counts) in devices.by_ref().take(DEVICE_LIMIT) {
        let labels = Labels::new([("device", name)]);
        for (metric, count) in METRICS.iter().zip(counts) {
            collected.push(metric, &labels, count);
        }
    }
    if devices.next().is_some() {
        collected.leave_out("proc/self/net/dev", "too many devices");
    }
}

/// Reads `NAME: COUNT …`. A name may hold a colon, for example that of an alias.
fn device(line: &str) -> Option<(&str, Vec<f64>)> {
    let (name, counts) = line.rsplit_once(':')?;
    let counts: Vec<_> = counts.split_ascii_whitespace().map_while(number).collect();
    (counts.len() == METRICS.len()).then_some((name.trim(), counts))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The file of a pod, and a line of a device with an alias
    const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1045669146366 244588091    0 29784    0     0          0         0 1045669146366 244588091    0    0    0     0       0          0
  eth0:18446744073709551615  102445    1    2    3     4          5         6  7281506   67398    7    8    9     10       11          12
eth0:1:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
";

    #[test]
    fn each_device_has_sixteen_counters() {
        let mut collected = Collected::default();
        parse(DEV, &mut collected);
        let values = |name: &str| -> Vec<_> {
            let family = collected.families.iter().find(|family| family.metric.name == name).unwrap();
            family.samples.iter().map(|sample| (&*sample.labels.pairs()[0].1, sample.value)).collect()
        };
        let received = [("lo", 1_045_669_146_366.0), ("eth0", 18_446_744_073_709_551_615.0), ("eth0:1", 0.0)];
        assert_eq!(values("node_network_receive_bytes_total"), received);
        assert_eq!(values("node_network_receive_drop_total")[0], ("lo", 29784.0));
        assert_eq!(values("node_network_transmit_compressed_total")[1], ("eth0", 12.0));
        assert_eq!(collected.families.len(), 16);
    }

    #[test]
    fn a_text_that_is_cut_off_costs_its_last_line() {
        let mut collected = Collected::default();
        parse(&DEV[..DEV.len() - 12], &mut collected);
        assert!(collected.families.iter().all(|family| family.samples.len() == 2));
    }

    #[test]
    fn devices_have_a_bound() {
        let line = |number| format!("veth{number}:{}\n", " 0".repeat(16));
        let mut collected = Collected::default();
        parse(&(0..DEVICE_LIMIT).map(line).collect::<String>(), &mut collected);
        assert_eq!((collected.families[0].samples.len(), collected.unreadable.len()), (DEVICE_LIMIT, 0));
        let mut collected = Collected::default();
        parse(&(0..=DEVICE_LIMIT).map(line).collect::<String>(), &mut collected);
        assert_eq!((collected.families[0].samples.len(), collected.unreadable.len()), (DEVICE_LIMIT, 1));
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in "[a-z:0-9 \n-]{0,300}") {
            parse(&text, &mut Collected::default());
        }
    }
}
