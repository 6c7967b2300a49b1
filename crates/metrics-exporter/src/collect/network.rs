//! The network that the containers of a pod share, with `node_exporter`'s names.
//!
//! `/proc/self/net` is the network namespace of this process, which is the pod's unless the pod has the node's (`hostNetwork`).

mod devices;
mod protocols;
mod sockets;

use std::{io, path::PathBuf};

use rustix::fs::{Mode, OFlags, open};

use crate::collect::{
    collected::Collected,
    fault::CollectFault,
    kept_file::{Buffer, Extent, KeptFile},
    metric::Metric,
    roots::Roots,
};

pub(crate) const METRICS: &[&[Metric]] = &[devices::METRICS, protocols::METRICS, sockets::METRICS];

/// The parser of one file, which adds its samples
type Parse = fn(&str, &mut Collected);

/// A file below `/proc/self/net`
struct NetFile {
    name: &'static str,
    /// The name with its folder, for reports
    path: &'static str,
    extent: Extent,
    parse: Parse,
}

/// The files below `/proc/self/net`. A missing file of IPv6 is no failure, because a kernel without IPv6 has none. `dev` is a
/// list, because the kernel writes it device by device.
const FILES: [NetFile; 6] = [
    NetFile { name: "dev", path: "proc/self/net/dev", extent: Extent::List, parse: devices::parse },
    NetFile { name: "snmp", path: "proc/self/net/snmp", extent: Extent::Whole, parse: protocols::parse },
    NetFile { name: "netstat", path: "proc/self/net/netstat", extent: Extent::Whole, parse: protocols::parse },
    NetFile { name: "snmp6", path: "proc/self/net/snmp6", extent: Extent::Whole, parse: protocols::parse_version_6 },
    NetFile { name: "sockstat", path: "proc/self/net/sockstat", extent: Extent::Whole, parse: sockets::parse },
    NetFile { name: "sockstat6", path: "proc/self/net/sockstat6", extent: Extent::Whole, parse: sockets::parse },
];

/// The most bytes of a file, which hold some thousand devices; a longer file is cut off there.
const FILE_LIMIT: usize = 1024 * 1024;

/// Reads the network of the pod from files that stay open
#[derive(Debug)]
pub(crate) struct Network {
    folder: PathBuf,
    files: [KeptFile; FILES.len()],
    buffer: Buffer,
}

impl Network {
    pub(crate) fn new(roots: &Roots) -> Self {
        Self { folder: roots.proc.join("self/net"), files: Default::default(), buffer: Buffer::up_to(FILE_LIMIT) }
    }

    pub(crate) fn read(&mut self) -> Result<Collected, CollectFault> {
        let mut collected = Collected::default();
        for (NetFile { name, path, extent, parse }, file) in FILES.iter().zip(&mut self.files) {
            let open = || open(self.folder.join(name), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            match file.read(open, *extent, &mut self.buffer).map_err(io::Error::from) {
                // Names of devices need not be UTF-8.
                Ok(content) => parse(&String::from_utf8_lossy(content), &mut collected),
                Err(error) if name.ends_with('6') && error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if collected.families.is_empty() => {
                    return Err(CollectFault::Unreadable { file: path, error });
                }
                Err(error) => collected.cannot_read(path, &error),
            }
        }
        Ok(collected)
    }
}

/// Reads a text as if each of the collector's files had it. The entry of fuzz targets: no text may cause a panic.
#[cfg(any(test, fuzzing))]
pub(crate) fn parse_as_each_file(text: &str) {
    for file in &FILES {
        (file.parse)(text, &mut Collected::default());
    }
}
