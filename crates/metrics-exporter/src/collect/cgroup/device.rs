//! Parsers for the I/O of a cgroup by block device: `io.stat` of version 2, and `blkio.throttle.*` of version 1.

use std::fmt;

use super::{flaw::Flaw, values::digits};

/// The major and the minor number of a block device
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) major: u32,
    pub(super) minor: u32,
}

/// A count of a device
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) device: Device,
    /// One of the names that the caller wants
    pub(super) name: &'static str,
    pub(super) value: u64,
}

impl Device {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once(':')?;
        let [major, minor] = [major, minor].map(|number| digits(number).ok().and_then(|number| number.try_into().ok()));
        Some(Self { major: major?, minor: minor? })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.major, self.minor)
    }
}

/// Reads `8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0`, and keeps the counts of these names. Some
/// kernels print devices without counts on the same line, before the device that has them.
pub(super) fn io_stat(text: &str, names: &[&'static str]) -> Result<Vec<Entry>, Flaw> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let mut device = None;
        for field in line.split_ascii_whitespace() {
            let Some((name, value)) = field.split_once('=') else {
                device = Some(Device::parse(field).ok_or(Flaw::MALFORMED)?);
                continue;
            };
            let device = device.ok_or(Flaw::MALFORMED)?;
            if let Some(name) = names.iter().find(|wanted| **wanted == name) {
                entries.push(Entry { device, name, value: digits(value)? });
            }
        }
    }
    Ok(entries)
}

/// Reads `8:16 Read 1459200`, and keeps the counts of these names. The last line is `Total` without a device.
pub(super) fn blkio(text: &str, names: &[&'static str]) -> Result<Vec<Entry>, Flaw> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (Some(device), Some(name)) = (fields.next(), fields.next()) else { return Err(Flaw::MALFORMED) };
        let Some(value) = fields.next().filter(|_| fields.next().is_none()) else {
            if device == "Total" {
                continue;
            }
            return Err(Flaw::MALFORMED);
        };
        let device = Device::parse(device).ok_or(Flaw::MALFORMED)?;
        if let Some(name) = names.iter().find(|wanted| **wanted == name) {
            entries.push(Entry { device, name, value: digits(value)? });
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDA: Device = Device { major: 8, minor: 0 };
    const SDB: Device = Device { major: 8, minor: 16 };

    fn entry(device: Device, name: &'static str, value: u64) -> Entry {
        Entry { device, name, value }
    }

    #[test]
    fn version_2_has_a_line_a_device() {
        let text = "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n\
            8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021 cost.usage=4711\n";
        let wanted =
            [entry(SDB, "rbytes", 1_459_200), entry(SDA, "rbytes", 90_430_464), entry(SDA, "cost.usage", 4711)];
        assert_eq!(io_stat(text, &["cost.usage", "rbytes"]), Ok(wanted.to_vec()));
        assert_eq!(io_stat("", &["rbytes"]), Ok(vec![]));
    }

    #[test]
    fn devices_without_counts_may_stand_before_one_with_counts() {
        let text = "7:7 7:6 7:5 8:0 rbytes=1 wbytes=2\n252:0\n";
        assert_eq!(io_stat(text, &["wbytes"]), Ok(vec![entry(SDA, "wbytes", 2)]));
    }

    #[test]
    fn version_1_has_a_line_an_operation() {
        let text = "8:16 Read 1459200\n8:16 Write 314773504\n8:16 Sync 316232704\n8:16 Async 0\n8:16 Discard 0\n8:16 Total 316232704\n\
            8:0 Read 5\nTotal 316232709\n";
        let wanted = [entry(SDB, "Read", 1_459_200), entry(SDB, "Total", 316_232_704), entry(SDA, "Read", 5)];
        assert_eq!(blkio(text, &["Read", "Total"]), Ok(wanted.to_vec()));
        assert_eq!(blkio("Total 0\n", &["Read", "Total"]), Ok(vec![]));
        assert_eq!(blkio("", &["Read"]), Ok(vec![]));
    }

    #[test]
    fn a_file_with_a_broken_line_has_no_counts() {
        for text in [
            "rbytes=1\n",
            "8:0 rbytes=\n",
            "8:0 rbytes=-1\n",
            "sda rbytes=1\n",
            "8:x rbytes=1\n",
            "8:+1 rbytes=1\n",
            "8:4294967296 rbytes=1\n",
            "8:0 rbytes=18446744073709551616\n",
        ] {
            assert_eq!(io_stat(text, &["rbytes"]), Err(Flaw::MALFORMED), "{text:?}");
        }
        for text in [
            "8:0\n",
            "\n",
            "8:0 Read\n",
            "8:0 Read x\n",
            "sda Read 1\n",
            "8:0 Read 1 2\n",
            "Total\n",
            "8:0 Read 18446744073709551616\n",
        ] {
            assert_eq!(blkio(text, &["Read"]), Err(Flaw::MALFORMED), "{text:?}");
        }
    }
}
