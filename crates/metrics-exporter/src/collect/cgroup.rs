//! The own cgroup: the container's use of CPU, memory, I/O and threads, and the limit of each.
//!
//! A controller is in a hierarchy of version 1 or in the unified one of version 2, and a system may have both. Files are read
//! under the directory of the own cgroup and nowhere else, each once. A file that cannot be read, and a value that a file does
//! not have, is noted with its reason and has no series.

mod amounts;
#[cfg(test)]
mod as_root;
mod block_io;
mod cpu;
mod device;
mod directory;
#[cfg(test)]
mod fixtures;
mod flaw;
mod located;
mod memory;
mod metrics;
mod pids;
mod place;
mod pressure;
mod readings;
#[cfg(test)]
mod systems;
#[cfg(test)]
mod tests;
mod throttling;
mod values;
mod version1;
mod version2;

use std::{io, time::Instant};

use self::{
    amounts::Amounts,
    block_io::Devices,
    located::{Found, Located},
    readings::Readings,
    throttling::Throttling,
    values::Limit,
};
use crate::collect::{collected::Collected, fault::CollectFault, roots::Roots};

pub(crate) use metrics::METRICS;

/// The collector of the own cgroup, with the throttling counters of earlier scrapes
#[derive(Debug)]
pub(crate) struct Cgroup {
    roots: Roots,
    located: Located,
    throttling: Throttling,
}

/// The smallest memory limit in bytes of the own cgroup and of those above it; `None` without a limit, or if it cannot be read.
pub(crate) fn memory_limit(roots: &Roots) -> Option<u64> {
    let mut cgroup = Cgroup::new(roots.clone());
    cgroup.located.follow(Instant::now()).ok()?;
    match cgroup.read_controllers(&mut Readings::new()).memory_limit? {
        Limit::Of(bytes) => Some(bytes),
        Limit::None => None,
    }
}

impl Cgroup {
    pub(crate) fn new(roots: Roots) -> Self {
        let located = Located::under(&roots);
        Self { roots, located, throttling: Throttling::default() }
    }

    /// Reads each file once. The error means that no controller has a cgroup at all.
    pub(crate) fn read(&mut self, now: Instant) -> Result<Collected, CollectFault> {
        self.located.follow(now)?;
        let mut readings = Readings::new();
        let amounts = self.read_controllers(&mut readings);
        amounts.put(&mut readings, &mut self.throttling, now);
        if readings.collected.families.is_empty() {
            return Err(CollectFault::Unreadable { file: "sys/fs/cgroup", error: io::ErrorKind::NotFound.into() });
        }
        Ok(readings.collected)
    }

    fn read_controllers(&self, readings: &mut Readings) -> Amounts {
        let mut devices = Devices::new(&self.roots.sys);
        let mut amounts = Amounts::default();
        match self.located.find("cpu", readings) {
            Found::Version1(directory) => version1::cpu(directory, readings, &mut amounts),
            Found::Version2(directory, _) => version2::cpu(directory, readings, &mut amounts),
            Found::Nowhere => {}
        }
        // Only version 1 has the controller cpuacct; in version 2 the controller cpu has CPU time.
        if let Found::Version1(directory) = self.located.find("cpuacct", readings) {
            version1::cpuacct(directory, readings);
        }
        match self.located.find("memory", readings) {
            Found::Version1(directory) => version1::memory(directory, readings, &mut amounts),
            Found::Version2(directory, above) => version2::memory(directory, above, readings, &mut amounts),
            Found::Nowhere => {}
        }
        match self.located.find("blkio", readings) {
            Found::Version1(directory) => version1::blkio_throttle(directory, &mut devices, readings),
            Found::Version2(directory, _) => version2::io(directory, &mut devices, readings),
            Found::Nowhere => {}
        }
        match self.located.find("pids", readings) {
            Found::Version1(directory) | Found::Version2(directory, _) => {
                pids::pids(directory, readings, &mut amounts);
            }
            Found::Nowhere => {}
        }
        version2::pressures(self.located.own_pressure(), readings);
        amounts
    }
}

/// Reads a text as if each of the collector's files had it. The entry of fuzz targets: no text may cause a panic.
#[cfg(any(test, fuzzing))]
pub(crate) fn parse_as_each_file(text: &str) {
    use std::{hint::black_box, path::Path};

    use self::place::Hierarchies;

    let hierarchies = Hierarchies::parse(text, text, Path::new("/sys"));
    let _ = black_box((hierarchies.controller("cpu"), hierarchies.unified()));
    let _ = black_box((
        values::number(text),
        values::limit(text),
        values::quota(text),
        values::keyed(text, ["some", "full"]),
    ));
    let _ = black_box((pressure::pressure(text), device::io_stat(text, &["rbytes"]), device::blkio(text, &["Read"])));
}
