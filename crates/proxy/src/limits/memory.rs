//! Whether the container's memory limit is near, so that new work is refused before the kernel kills the process.
//!
//! A thread of its own reads the files of the cgroup; requests look at one atomic. Memory that only caches files does not count,
//! because the kernel takes it back (the kubelet's working set: usage less inactive file pages).

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use anyhow::Context as _;

use crate::limits::room::Room;

/// The part of the limit that is kept free, as a divisor: what requests in flight may still take
const KEPT_FREE: u64 = 10;
/// Between two looks, while more than half of the limit is in use: a look costs some ten microseconds. Requests that begin between
/// two looks are the guard's blind spot, so each takes its part of the [`Room`].
const LOOK: Duration = Duration::from_millis(5);
/// Bytes that the process itself takes after its start: workers, listeners, metrics
const GROWTH: u64 = 1024 * 1024;
/// The same, while less is in use
const CALM_LOOK: Duration = Duration::from_millis(100);

/// The meaning of the memory limit for new work; nothing where there is no limit
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    is_near: Arc<AtomicBool>,
    pub(crate) room: Room,
}

/// A cgroup with a memory limit
#[derive(Debug)]
struct Level {
    limit: PathBuf,
    usage: PathBuf,
    stat: PathBuf,
    /// The line of `stat` with the inactive file pages
    inactive: &'static str,
}

/// The names of the files
struct Files {
    limit: &'static str,
    usage: &'static str,
    inactive: &'static str,
}

/// Of cgroup v2 (cgroup-v2.rst of the kernel's documentation)
const V2: Files = Files { limit: "memory.max", usage: "memory.current", inactive: "inactive_file" };
/// Of cgroup v1 (cgroup-v1/memory.rst)
const V1: Files =
    Files { limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", inactive: "total_inactive_file" };
/// cgroup v1 writes "no limit" as about 2^63; no machine has so much.
const NO_LIMIT: u64 = 1 << 60;

impl Memory {
    /// Looks at the limits of this process until it ends, if there are any.
    pub(crate) fn watch() -> anyhow::Result<Self> {
        let memory = Self::default();
        let levels = levels(Path::new("/proc/self"));
        let limits = levels.iter().filter_map(|level| level.limit().ok().flatten());
        let Some(limit) = limits.min() else { return Ok(memory) };
        let bases = levels.iter().map(Level::working_set).collect::<io::Result<Vec<_>>>();
        let bases = bases.context("cannot read the use of memory")?;
        tracing::debug!(
            limit,
            ?bases,
            "new work is refused when nine tenths of the memory limit are in use or promised"
        );
        let seen = memory.clone();
        let look = move || {
            // A look that fails, for want of a descriptor, changes nothing.
            let looks: io::Result<Vec<_>> = levels.iter().map(Level::look).collect();
            looks.map_or(LOOK, |looks| {
                let rooms = looks.iter().zip(&bases).filter_map(|(look, base)| look.room(*base));
                seen.room.set(rooms.min());
                seen.is_near.store(looks.iter().any(|look| look.usage == Use::Near), Relaxed);
                if looks.iter().all(|look| look.usage == Use::Calm) { CALM_LOOK } else { LOOK }
            })
        };
        look();
        let looks = move || {
            loop {
                thread::sleep(look());
            }
        };
        thread::Builder::new()
            .name("memory".into())
            .spawn(looks)
            .context("cannot start the thread that looks at memory")?;
        Ok(memory)
    }

    pub(crate) fn is_near(&self) -> bool {
        self.is_near.load(Relaxed)
    }
}

/// How much of a limit is in use
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Calm,
    OverHalf,
    Near,
}

/// The findings of a look at a cgroup
struct Look {
    limit: Option<u64>,
    usage: Use,
}

impl Look {
    /// The part of the limit that was not in use at the start
    fn room(&self, base: u64) -> Option<u64> {
        self.limit.map(|limit| (limit - limit / KEPT_FREE).saturating_sub(base + GROWTH))
    }
}

impl Level {
    fn look(&self) -> io::Result<Look> {
        let (limit, usage) = (self.limit()?, number(&fs::read_to_string(&self.usage)?)?);
        let Some(bytes) = limit else { return Ok(Look { limit, usage: Use::Calm }) };
        let most = bytes - bytes / KEPT_FREE;
        let usage = match usage {
            usage if usage < bytes / 2 => Use::Calm,
            // The larger file is read only where it may matter.
            usage if usage > most && usage - self.inactive()?.min(usage) > most => Use::Near,
            _ => Use::OverHalf,
        };
        Ok(Look { limit, usage })
    }

    /// Bytes that the kernel cannot take back
    fn working_set(&self) -> io::Result<u64> {
        let usage = number(&fs::read_to_string(&self.usage)?)?;
        Ok(usage - self.inactive()?.min(usage))
    }

    /// The limit, which may change while the process runs (KEP-1287)
    fn limit(&self) -> io::Result<Option<u64>> {
        match fs::read_to_string(&self.limit)?.trim() {
            "max" => Ok(None),
            text => number(text).map(|limit| Some(limit).filter(|limit| *limit < NO_LIMIT)),
        }
    }

    fn inactive(&self) -> io::Result<u64> {
        let stat = fs::read_to_string(&self.stat)?;
        let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(name, _)| *name == self.inactive).map_or(Ok(0), |(_, bytes)| number(bytes))
    }
}

/// The cgroup of this process and those above it, as far as they can be seen. Without any, there is no limit to keep.
fn levels(process: &Path) -> Vec<Level> {
    let [cgroups, mounts] =
        ["cgroup", "mountinfo"].map(|name| fs::read_to_string(process.join(name)).unwrap_or_default());
    [(V1, "cgroup"), (V2, "cgroup2")]
        .into_iter()
        .filter_map(|(files, kind)| {
            let (root, mount) = memory_mount(&mounts, kind)?;
            Some(levels_of(&files, &mount, path_below(&root, own_path(&cgroups, kind)?)))
        })
        .find(|levels| !levels.is_empty())
        .unwrap_or_default()
}

/// The own path in the hierarchy of this kind: `4:memory:/path` of v1, `0::/path` of v2 (`cgroups(7)`).
fn own_path<'a>(cgroups: &'a str, kind: &str) -> Option<&'a str> {
    let mut lines = cgroups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let is_own = |controllers: &str| match kind {
        "cgroup2" => controllers.is_empty(),
        _ => controllers.split(',').any(|name| name == "memory"),
    };
    lines.find(|(controllers, _)| is_own(controllers)).map(|(_, path)| path)
}

/// The root within its hierarchy and the place of the mount of this kind that has the memory controller (`proc_pid_mountinfo(5)`).
fn memory_mount(mounts: &str, kind: &str) -> Option<(String, PathBuf)> {
    mounts.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut filesystem = filesystem.split(' ');
        let is_kind = filesystem.next() == Some(kind);
        let has_memory = kind == "cgroup2" || filesystem.nth(1)?.split(',').any(|option| option == "memory");
        let mut fields = mount.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        (is_kind && has_memory).then(|| (root.to_owned(), place.into()))
    })
}

/// The path below the mount. In a container the mount's root often is the own cgroup, and the path
/// leads nowhere.
fn path_below<'a>(root: &str, path: &'a str) -> &'a str {
    let below = if root == "/" { Some(path) } else { path.strip_prefix(root) };
    below.unwrap_or_default().trim_start_matches('/')
}

fn levels_of(files: &Files, mount: &Path, path: &str) -> Vec<Level> {
    let own = mount.join(path);
    let level = |directory: &Path| Level {
        limit: directory.join(files.limit),
        usage: directory.join(files.usage),
        stat: directory.join("memory.stat"),
        inactive: files.inactive,
    };
    let visible = own.ancestors().take_while(|directory| directory.starts_with(mount));
    visible.map(level).filter(|level| matches!(level.limit(), Ok(Some(_)))).collect()
}

fn number(text: &str) -> io::Result<u64> {
    text.trim().parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "this is no number of bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process in a container: `/proc/self`, and a mount with these files.
    fn container(cgroup: &str, root: &str, kind: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let mount = directory.path().join("fs");
        let mountinfo = format!(
            "22 1 0:20 / /proc rw - proc proc rw\n32 31 0:29 {root} {} rw,relatime shared:9 - {kind} {kind} rw,memory\n",
            mount.display()
        );
        for (name, content) in files {
            let file = mount.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        fs::write(directory.path().join("cgroup"), cgroup).unwrap();
        fs::write(directory.path().join("mountinfo"), mountinfo).unwrap();
        directory
    }

    fn looks(container: &tempfile::TempDir) -> Vec<Use> {
        levels(container.path()).iter().map(|level| level.look().unwrap().usage).collect()
    }

    #[test]
    fn v2_in_a_container_with_a_namespace_of_its_own() {
        let files =
            [("memory.max", "1000\n"), ("memory.current", "950\n"), ("memory.stat", "anon 1\ninactive_file 20\n")];
        let container = container("0::/\n", "/", "cgroup2", &files);
        assert_eq!(looks(&container), [Use::Near]);
        let usage = |bytes: &str| fs::write(container.path().join("fs/memory.current"), bytes).unwrap();
        // File pages that the kernel can take back do not count.
        usage("915\n");
        assert_eq!(looks(&container), [Use::OverHalf]);
        usage("400\n");
        assert_eq!(looks(&container), [Use::Calm]);
    }

    #[test]
    fn v1_where_the_mount_is_the_own_cgroup() {
        let files = [
            ("memory.limit_in_bytes", "1000\n"),
            ("memory.usage_in_bytes", "950\n"),
            ("memory.stat", "inactive_file 900\ntotal_inactive_file 0\n"),
        ];
        let cgroup = "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/\n";
        assert_eq!(looks(&container(cgroup, "/docker/1", "cgroup", &files)), [Use::Near]);
    }

    #[test]
    fn the_limit_of_a_pod_above_its_containers_counts_too() {
        let files = [
            ("pod/memory.max", "1000\n"),
            ("pod/memory.current", "990\n"),
            ("pod/memory.stat", "inactive_file 0\n"),
            ("pod/app/memory.max", "max\n"),
            ("pod/app/memory.current", "10\n"),
        ];
        assert_eq!(looks(&container("0::/pod/app\n", "/", "cgroup2", &files)), [Use::Near]);
    }

    #[test]
    fn without_a_limit_there_is_nothing_to_look_at() {
        let unlimited = [("memory.limit_in_bytes", "9223372036854771712\n"), ("memory.usage_in_bytes", "950\n")];
        assert_eq!(looks(&container("4:memory:/\n", "/", "cgroup", &unlimited)), []);
        assert_eq!(looks(&container("0::/\n", "/", "cgroup2", &[("memory.max", "max\n")])), []);
        assert!(levels(Path::new("/nonexistent")).is_empty());
    }
}
