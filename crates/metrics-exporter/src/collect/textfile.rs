//! Pages that other programs write into directories, as for `node_exporter`: each file `*.prom` is a page in text format.
//!
//! A file counts as a whole or not at all. Values with timestamps are refused, because they would make a file that is no longer
//! written look fresh; the time of the last write is a metric instead. No entry of a directory can hang the collector: it opens
//! files without waiting for a writer, and reads regular files only, also through links.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bumpalo::Bump;
use lifecycle::LogThrottle;
use rustix::fs::OFlags;
use tracing::{info, warn};

use crate::{
    collect::{
        bytes::text_of,
        collected::{Collected, CollectedPage, FaultyFile, Labels, reason},
        metric::Metric,
    },
    exposition::{
        model::Kind,
        page::{Bounds, LACKS_MEMORY},
        page_format::PageFormat,
        parse::parse,
    },
};

pub(crate) const METRICS: &[Metric] = &[MODIFIED, ERROR, FAULT];

const MODIFIED: Metric = Metric {
    name: "node_textfile_mtime_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    help: "Time of the last write to the file, since the epoch",
    labels: &["file"],
};
const ERROR: Metric = Metric {
    name: "node_textfile_scrape_error",
    kind: Kind::Gauge,
    unit: "",
    help: "1 when a file or a directory could not be read, or a file is no page",
    labels: &[],
};

const FAULT: Metric = Metric {
    name: "sidekit_metrics_exporter_textfile_fault",
    kind: Kind::Gauge,
    unit: "",
    help: "1 for a file or a directory that is left out, with the reason; the details are at /debug/merge",
    labels: &["file", "reason"],
};

/// The most bytes of one file. A page of 10,000 series has about one million.
const FILE_LIMIT: usize = 4 * 1024 * 1024;
/// The most bytes of all files together, because they are all in memory at once
const ALL_LIMIT: usize = 8 * 1024 * 1024;
/// The divisor for the files' part of the memory for a page, because the pages of sources need memory too
const MEMORY_PART: usize = 4;
/// The most files of all directories together
const FILES_LIMIT: usize = 256;
/// The default cap of a source's series
const BOUNDS: Bounds = Bounds::of_series(50_000);

const NO_END: Fault =
    Fault::of("no newline at the end", ": write to another name, and rename the file when it is complete");
const TIMESTAMPS: Fault = Fault::of("timestamps", ": write values without times, or old ones would look fresh");
const NOT_REGULAR: Fault = Fault::of("not a regular file", "");
const TOO_LARGE: Fault = Fault::of("too large", ": a file has at most 4 MiB");
const NO_ROOM: Fault =
    Fault::of("no room beside the other files", ": all files together have at most 8 MiB, and a sixth of --max-memory");
const NO_MEMORY: Fault = Fault::of(LACKS_MEMORY, ": raise the container's memory limit or --max-memory");
const TOO_MANY: Fault = Fault::of("too many files", ": this one and those after it; there are at most 256");

/// The directories, and the throttles of their log lines
#[derive(Debug)]
pub(crate) struct Textfiles {
    directories: Vec<PathBuf>,
    /// Bytes of memory for the page that is made
    memory: usize,
    /// One for each file and directory that gave no page at the last scrape
    throttles: BTreeMap<PathBuf, LogThrottle>,
}

/// The reason why a file is left out
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    /// The value of the label `reason`, from a small fixed set
    reason: &'static str,
    /// The line and the remedy, or an empty text
    detail: String,
    remedy: &'static str,
}

/// A file that is a valid page
struct Textfile {
    body: Vec<u8>,
    modified: SystemTime,
}

impl Textfiles {
    pub(crate) fn new(directories: Vec<PathBuf>, memory: usize) -> Self {
        Self { directories, memory, throttles: BTreeMap::new() }
    }

    pub(crate) fn read(&mut self) -> Collected {
        let mut collected = Collected::default();
        if self.directories.is_empty() {
            return collected;
        }
        let mut faults = BTreeMap::new();
        let mut sources = BTreeSet::new();
        let mut room = ALL_LIMIT.min(self.memory / MEMORY_PART);
        for path in files(&self.directories, &mut faults) {
            match read(&path, room, self.memory) {
                Ok(file) => {
                    room -= file.body.len();
                    add(&path, file, &mut sources, &mut collected);
                }
                Err(fault) => {
                    faults.insert(path, fault);
                }
            }
        }
        for (path, fault) in &faults {
            let labels = Labels::new([("file", &text_of(path)), ("reason", fault.reason)]);
            collected.push(&FAULT, &labels, 1.0);
            let path = path.to_string_lossy().into_owned();
            collected.faulty_files.push(FaultyFile { path, fault: fault.to_string() });
        }
        collected.push(&ERROR, &Labels::none(), f64::from(u8::from(!faults.is_empty())));
        self.log(faults);
        collected
    }

    /// Logs each fault when it is new, when its reason changes, every 30 s, and when it has ended.
    fn log(&mut self, faults: BTreeMap<PathBuf, Fault>) {
        self.throttles.retain(|path, _| {
            let remains = faults.contains_key(path);
            if !remains {
                info!(file = %path.display(), "the textfile is a page again, or gone");
            }
            remains
        });
        for (path, fault) in faults {
            let file = path.display().to_string();
            if self.throttles.entry(path).or_default().is_due(fault.reason, Instant::now()) {
                warn!(file, reason = fault.reason, "no page of a textfile: {fault}");
            }
        }
    }
}

impl Fault {
    const fn of(reason: &'static str, remedy: &'static str) -> Self {
        Self { reason, detail: String::new(), remedy }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, detail, remedy } = self;
        write!(f, "{reason}{detail}{remedy}")
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => ": is its volume mounted into this container?",
            io::ErrorKind::PermissionDenied => ": let the exporter's user read it",
            _ => "",
        };
        Self::of(reason(&error), remedy)
    }
}

/// The files of all directories, sorted within each. A directory that is given twice is read once.
fn files(directories: &[PathBuf], faults: &mut BTreeMap<PathBuf, Fault>) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    for directory in directories.iter().filter(|directory| seen.insert(*directory)) {
        match list(directory) {
            Ok(files) => all.extend(files),
            Err(error) => {
                faults.insert(directory.clone(), error.into());
            }
        }
    }
    if let Some(first) = all.get(FILES_LIMIT) {
        faults.insert(first.clone(), TOO_MANY);
        all.truncate(FILES_LIMIT);
    }
    all
}

fn list(directory: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if name.as_encoded_bytes().ends_with(b".prom") {
            files.insert(directory.join(name));
            // One more than the limit shows that there are too many.
            if files.len() > FILES_LIMIT + 1 {
                files.pop_last();
            }
        }
    }
    Ok(files)
}

/// Reads a file of at most `room` bytes, and checks that it is a complete page without timestamps.
fn read(path: &Path, room: usize, memory: usize) -> Result<Textfile, Fault> {
    let no_wait = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(no_wait.bits()).unwrap_or_default();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(NOT_REGULAR);
    }
    let body = read_body(&mut file, room)?;
    judge(&body, memory)?;
    Ok(Textfile { body, modified: metadata.modified()? })
}

fn read_body(file: &mut File, room: usize) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    let length = file.take(FILE_LIMIT.min(room) as u64 + 1).read_to_end(&mut body)?;
    match length {
        _ if length > FILE_LIMIT => Err(TOO_LARGE),
        _ if length > room => Err(NO_ROOM),
        _ => Ok(body),
    }
}

/// Checks that a body is a complete page without timestamps. A file that is still being written mostly ends within a line.
fn judge(body: &[u8], memory: usize) -> Result<(), Fault> {
    if body.last().is_some_and(|last| *last != b'\n') {
        return Err(NO_END);
    }
    let arena = Bump::new();
    let page = parse(&arena, PageFormat::Text, body, &Bounds { memory, ..BOUNDS });
    let page = page.map_err(|fault| match &*fault.fault {
        LACKS_MEMORY => NO_MEMORY,
        _ => Fault { detail: format!(": {fault}"), ..Fault::of("malformed", "") },
    })?;
    let mut series = page.families.iter().flat_map(|family| &family.series);
    if series.any(|series| series.timestamp.is_some()) {
        return Err(TIMESTAMPS);
    }
    Ok(())
}

/// Adds the page of a file. Its source is the file's name, or the whole path where another directory has a file of that name.
fn add(path: &Path, file: Textfile, sources: &mut BTreeSet<String>, collected: &mut Collected) {
    let whole = text_of(path);
    let name = path.file_name().map_or_else(|| whole.clone(), text_of);
    let source = if sources.insert(name.clone()) { name } else { whole.clone() };
    let modified = file.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    collected.push(&MODIFIED, &Labels::new([("file", &whole)]), modified.as_secs_f64());
    collected.pages.push(CollectedPage { source, body: file.body });
}

#[cfg(test)]
mod tests;
