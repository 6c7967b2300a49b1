//! The processes of the PID namespace, grouped by name, with process-exporter's names.
//!
//! With `shareProcessNamespace: true` these are all processes of the pod; otherwise the exporter sees only itself. Context
//! switches are not among the metrics, because the kernel counts them by thread: a sum would need a read for each thread.

mod groups;
mod look;
mod metrics;
mod name;
mod own_namespace;
mod parse;
mod proc_folder;

use std::io;

use rustix::{
    fs::{Mode, OFlags, open},
    param::{clock_ticks_per_second, page_size},
};

use self::{
    groups::{Groups, Scale},
    look::{Failure, Files, Kernel},
    proc_folder::ProcFolder,
};
use crate::collect::{
    collected::Collected,
    fault::CollectFault,
    kept_file::{Buffer, Extent, KeptFile},
    roots::{Roots, read as read_file},
};

pub(crate) use self::metrics::METRICS;

/// The most processes that one scrape reads, which takes some 30 ms. Processes with higher numbers are left out.
const PROCESS_LIMIT: usize = 1024;

/// The most bytes of `/proc/swaps`; the first two lines decide
const SWAPS_LIMIT: usize = 16 * 1024;

/// The processes of earlier scrapes, because the counters of their groups continue, and the files that stay open
#[derive(Debug, Default)]
pub(crate) struct Processes {
    folder: Option<ProcFolder>,
    swaps: KeptFile,
    files: Option<Files>,
    groups: Option<Groups>,
}

impl Processes {
    pub(crate) fn read(&mut self, roots: &Roots) -> Result<Collected, CollectFault> {
        let unreadable = |error: io::Error| CollectFault::Unreadable { file: "proc", error };
        // Only procfs stays the same: in a test the path may lead to another directory by now.
        let folder = match self.folder.take().filter(|folder| folder.is_procfs) {
            Some(folder) => folder,
            None => ProcFolder::open(&roots.proc).map_err(unreadable)?,
        };
        let mut collected = Collected::default();
        let mut ids = folder.process_ids().map_err(unreadable)?;
        // Numbers of processes that exist, but are not counted in this round
        let mut unseen = ids.split_off(ids.len().min(PROCESS_LIMIT));
        if !unseen.is_empty() {
            collected.leave_out("proc/PID", "too many processes");
        }
        let kernel = Kernel {
            is_procfs: folder.is_procfs,
            knows_numbers: folder.knows_numbers,
            has_swap: has_swap(&mut self.swaps, roots),
        };
        let groups = self.groups.get_or_insert_with(|| Groups::new(scale(roots)));
        let files = self.files.get_or_insert_with(Files::new);
        groups.begin_round();
        files.begin_round(kernel);
        for id in ids {
            match files.look(&folder.folder, id, &mut collected) {
                Ok(look) if look.stat.is_kernel_thread => {}
                Ok(look) => {
                    let has_room = groups.enter(&look, || files.command_line(&folder.folder, id));
                    if !has_room {
                        collected.leave_out("proc/PID", "too many names");
                    }
                }
                Err(Failure::Ended) => {}
                Err(Failure::Unreadable(error)) => {
                    unseen.push(id);
                    collected.cannot_read("proc/PID/stat", &error);
                }
                Err(Failure::Malformed) => {
                    unseen.push(id);
                    collected.leave_out("proc/PID/stat", "malformed");
                }
            }
        }
        files.end_round();
        groups.end_round(&unseen.into_iter().collect());
        groups.report(&mut collected);
        self.folder = Some(folder);
        Ok(collected)
    }
}

/// False when the system has no swap. A system without this file may have some.
fn has_swap(swaps: &mut KeptFile, roots: &Roots) -> bool {
    let mut buffer = Buffer::up_to(SWAPS_LIMIT);
    let open = || open(roots.proc.join("swaps"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    // The first line is the table's header.
    let lines = |table: &[u8]| table.split_inclusive(|byte| *byte == b'\n').count();
    swaps.read(open, Extent::List, &mut buffer).map_or(true, |table| lines(table) != 1)
}

/// Reads the constants of all scrapes: the ticks per second, the time of the system's start, and the time of this first scrape.
fn scale(roots: &Roots) -> Scale {
    let ticks_per_second = clock_ticks_per_second();
    let stat = read_file(&roots.proc.join("stat")).ok();
    let uptime = read_file(&roots.proc.join("uptime")).ok();
    Scale {
        ticks_per_second,
        page_bytes: page_size() as u64,
        boot_seconds: stat.and_then(|stat| parse::boot_seconds(&stat)),
        first_look_ticks: uptime.and_then(|uptime| parse::uptime_ticks(&uptime, ticks_per_second)).unwrap_or(u64::MAX),
    }
}

/// Reads bytes as if each file of a process had them. The entry of fuzz targets: no bytes may cause a panic.
#[cfg(any(test, fuzzing))]
pub(crate) fn parse_as_each_file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = std::hint::black_box((parse::Stat::parse(bytes), parse::swapped_bytes(bytes), parse::disk_bytes(bytes)));
    let _ = std::hint::black_box((
        parse::descriptor_limit(bytes),
        parse::boot_seconds(&text),
        parse::uptime_ticks(&text, 100),
    ));
    let (comm, command_line) = bytes.split_at(bytes.len().min(15));
    std::hint::black_box(name::of(comm, command_line));
}

#[cfg(test)]
mod tests;
