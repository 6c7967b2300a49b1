//! I/O of block devices: the counts that `device.rs` reads become samples with the names of devices.

use std::{fs, path::Path};

use super::{
    device::{Device, Entry},
    metrics::BLKIO_BYTES,
    readings::Readings,
};
use crate::collect::{collected::Labels, metric::Metric, number::float};

/// The names of devices, from `/sys/dev/block`, each looked up once
#[derive(Debug)]
pub(super) struct Devices<'a> {
    sys: &'a Path,
    known: Vec<(Device, String)>,
}

impl<'a> Devices<'a> {
    pub(super) fn new(sys: &'a Path) -> Self {
        Self { sys, known: Vec::new() }
    }

    /// Adds a sample of a device: the count divided by `per_unit`.
    pub(super) fn put(&mut self, readings: &mut Readings, metric: &'static Metric, entry: &Entry, per_unit: f64) {
        let labels = Labels::new([("device", self.name(entry.device))]);
        readings.collected.push(metric, &labels, float(entry.value) / per_unit);
    }

    /// Adds the bytes of an operation.
    pub(super) fn put_operation(&mut self, readings: &mut Readings, entry: &Entry, operation: &str) {
        let Device { major, minor } = entry.device;
        let [major, minor] = [major, minor].map(|number| number.to_string());
        let device = self.name(entry.device);
        let labels = [("device", device), ("major", &major), ("minor", &minor), ("operation", operation)];
        readings.collected.push(&BLKIO_BYTES, &Labels::new(labels), float(entry.value));
    }

    /// The device's name, for example `/dev/sda`; `8:0` where sysfs has none
    fn name(&mut self, device: Device) -> &str {
        let index = self.known.iter().position(|(known, _)| *known == device).unwrap_or_else(|| {
            let name = name(self.sys, device).unwrap_or_else(|| device.to_string());
            self.known.push((device, name));
            self.known.len() - 1
        });
        &self.known[index].1
    }
}

/// The name from sysfs: the link leads to the device's directory, whose name has exclamation marks for slashes.
fn name(sys: &Path, device: Device) -> Option<String> {
    let link = fs::read_link(sys.join("dev/block").join(device.to_string())).ok()?;
    Some(format!("/dev/{}", link.file_name()?.to_str()?.replace('!', "/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_the_name_that_sysfs_links_to() {
        let sys = tempfile::tempdir().unwrap();
        let folder = sys.path().join("dev/block");
        fs::create_dir_all(&folder).unwrap();
        for (numbers, target) in
            [("8:0", "../../devices/pci0000:00/block/sda"), ("104:0", "../../devices/x/block/cciss!c0d0")]
        {
            std::os::unix::fs::symlink(target, folder.join(numbers)).unwrap();
        }
        let mut devices = Devices::new(sys.path());
        for (major, minor, name) in
            [(8, 0, "/dev/sda"), (104, 0, "/dev/cciss/c0d0"), (8, 16, "8:16"), (8, 0, "/dev/sda")]
        {
            assert_eq!(devices.name(Device { major, minor }), name);
        }
        assert_eq!(devices.known.len(), 3);
    }
}
