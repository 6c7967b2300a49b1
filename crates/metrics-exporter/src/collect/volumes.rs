//! Space and inodes of the volumes that the container sees, with `node_exporter`'s names.
//!
//! Single files that the kubelet mounts (`/etc/hosts`) are left out, because they lie on the node's disk, like the container's
//! root, and fill up only together with it. A volume without a size of its own (an `emptyDir` on disk) has the numbers of the
//! node's disk.

mod mount;

use std::{cmp, convert::identity, io, path::Path, time::Duration};

use futures_util::future::join_all;
use rustix::{
    fs::{StatVfs, StatVfsMountFlags, statvfs},
    io::Errno,
};
use tokio::time::Instant;

pub(crate) use self::mount::Mount;
#[cfg(any(test, fuzzing))]
pub(crate) use self::mount::parse;
use crate::{
    collect::{
        bytes::text_of,
        collected::{Collected, Labels, reason},
        fault::CollectFault,
        metric::Metric,
        mount_table::MountTable,
        number::float,
        roots::Roots,
    },
    exposition::model::Kind,
};

pub(crate) const METRICS: &[Metric] =
    &[SIZE, FREE, AVAILABLE, FILES, FILES_FREE, READ_ONLY, DEVICE_ERROR, USED_RATIO, INODES_USED_RATIO];

const SIZE: Metric = of("node_filesystem_size_bytes", "bytes", "Size of the file system");
const FREE: Metric = of("node_filesystem_free_bytes", "bytes", "Free space, with the space that is reserved for root");
const AVAILABLE: Metric = of("node_filesystem_avail_bytes", "bytes", "Free space for users other than root");
const FILES: Metric = of("node_filesystem_files", "", "Inodes; 0 where the file system has no fixed number of them");
const FILES_FREE: Metric = of("node_filesystem_files_free", "", "Free inodes");
const READ_ONLY: Metric = of("node_filesystem_readonly", "", "1 when the container may only read the file system");
const DEVICE_ERROR: Metric = Metric {
    labels: &["device", "device_error", "fstype", "mountpoint"],
    ..of("node_filesystem_device_error", "", "1 when the volume gave no numbers to this scrape, with the reason")
};
const USED_RATIO: Metric = of(
    "sidekit_metrics_exporter_volume_used_ratio",
    "ratio",
    "Used space to all space that users other than root can have; 1 is full",
);
const INODES_USED_RATIO: Metric =
    of("sidekit_metrics_exporter_volume_inodes_used_ratio", "ratio", "Used inodes to all inodes; 1 is full");

/// The most mounts that are asked; a pod has far fewer
const MOUNT_LIMIT: usize = 256;
/// The longest time that a scrape waits for a server. Only one scrape waits that long, because a volume that hangs is not asked
/// again before it has answered.
const SERVER_LIMIT: Duration = Duration::from_secs(2);
const MOUNTINFO: &str = "proc/self/mountinfo";

const fn of(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, help, labels: &["device", "fstype", "mountpoint"] }
}

/// The volumes, parsed again when the mounts change
#[derive(Debug)]
pub(crate) struct Volumes {
    table: MountTable,
    mounts: Vec<Mount>,
    are_too_many: bool,
}

impl Volumes {
    pub(crate) fn new(roots: &Roots) -> Self {
        Self { table: MountTable::below(&roots.proc), mounts: Vec::new(), are_too_many: false }
    }

    /// Asks the local volumes, which answer at once, and returns the mounts that may hang.
    pub(crate) fn read(&mut self, now: Instant) -> Result<(Collected, Vec<Mount>), CollectFault> {
        let table = self.table.read_if_changed(now.into_std());
        if let Some(table) = table.map_err(|error| CollectFault::Unreadable { file: MOUNTINFO, error: error.into() })? {
            self.mounts = mount::parse(&table);
            self.are_too_many = self.mounts.len() > MOUNT_LIMIT;
            self.mounts.truncate(MOUNT_LIMIT);
        }
        let mut collected = Collected::default();
        if self.are_too_many {
            collected.leave_out(MOUNTINFO, "too many mounts");
        }
        for mount in self.mounts.iter().filter(|mount| !mount.is_remote) {
            add(mount, ask(&mount.path), &mut collected);
        }
        let remote = self.mounts.iter().filter(|mount| mount.is_remote).cloned().collect();
        Ok((collected, remote))
    }
}

/// Asks each mount that may hang on a thread of its own. Waits at most half of the time to the deadline, so that the numbers of
/// the other volumes are in time.
pub(crate) async fn ask_remote(mounts: Vec<Mount>, deadline: Instant, collected: &mut Collected) {
    let limit = cmp::min(SERVER_LIMIT, deadline.saturating_duration_since(Instant::now()) / 2);
    let answers = join_all(mounts.iter().map(|mount| {
        let path = mount.path.clone();
        lifecycle::on_volume(&mount.path, limit, move || ask(&path))
    }));
    for (mount, answer) in mounts.iter().zip(answers.await) {
        add(mount, answer.and_then(identity), collected);
    }
}

/// The numbers of a file system. A slash behind the path makes the call fail with `NotADirectory` for the mount of a single file.
fn ask(path: &Path) -> io::Result<StatVfs> {
    Ok(statvfs(path.join("."))?)
}

fn add(mount: &Mount, answer: io::Result<StatVfs>, collected: &mut Collected) {
    let path = text_of(&mount.path);
    let labels = Labels::new([("device", &mount.device), ("fstype", &mount.kind), ("mountpoint", &path)]);
    match answer {
        Ok(numbers) => add_numbers(&numbers, &labels, collected),
        Err(error) if is_single_file(&error) => {}
        Err(error) => {
            let labels_of_error = Labels::new([
                ("device", &mount.device),
                ("device_error", reason(&error)),
                ("fstype", &mount.kind),
                ("mountpoint", &path),
            ]);
            collected.push(&DEVICE_ERROR, &labels_of_error, 1.0);
            collected.push(&READ_ONLY, &labels, f64::from(u8::from(mount.is_read_only)));
        }
    }
}

fn is_single_file(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NOTDIR.raw_os_error())
}

/// Adds the numbers of a file system. POSIX counts blocks in units of `f_frsize`, as df(1) does.
fn add_numbers(numbers: &StatVfs, labels: &Labels, collected: &mut Collected) {
    let bytes = |blocks: u64| float(blocks) * float(numbers.f_frsize);
    let is_read_only = numbers.f_flag.contains(StatVfsMountFlags::RDONLY);
    collected.push(&SIZE, labels, bytes(numbers.f_blocks));
    collected.push(&FREE, labels, bytes(numbers.f_bfree));
    collected.push(&AVAILABLE, labels, bytes(numbers.f_bavail));
    collected.push(&FILES, labels, float(numbers.f_files));
    collected.push(&FILES_FREE, labels, float(numbers.f_ffree));
    collected.push(&READ_ONLY, labels, f64::from(u8::from(is_read_only)));
    collected.push(&DEVICE_ERROR, labels, 0.0);
    // Not less than 0, also when a broken file system reports more free blocks than blocks.
    let used = numbers.f_blocks.saturating_sub(numbers.f_bfree);
    if let Some(ratio) = ratio(used, used.saturating_add(numbers.f_bavail)) {
        collected.push(&USED_RATIO, labels, ratio);
    }
    if let Some(ratio) = ratio(numbers.f_files.saturating_sub(numbers.f_ffree), numbers.f_files) {
        collected.push(&INODES_USED_RATIO, labels, ratio);
    }
}

/// The ratio of used to all; `None` for a file system without a limit.
fn ratio(used: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| float(used) / float(all))
}

#[cfg(test)]
mod tests;
