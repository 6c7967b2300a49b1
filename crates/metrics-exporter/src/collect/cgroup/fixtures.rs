//! Containers as files below a root, in the formats of real systems, and the collector's samples of them.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use super::Cgroup;
use crate::collect::{collected::Collected, fault::CollectFault, roots::Roots};

/// Paths below the root, each with its content
pub(super) type Files<'a> = &'a [(&'a str, &'a str)];

/// A root directory, with a collector that lasts for several scrapes
pub(super) struct Container {
    root: tempfile::TempDir,
    cgroup: Cgroup,
    clock: Instant,
}

impl Container {
    pub(super) fn with(files: Files) -> Self {
        let root = tempfile::tempdir().unwrap();
        let cgroup = Cgroup::new(Roots::under(root.path()));
        let container = Self { root, cgroup, clock: Instant::now() };
        for (file, content) in files {
            container.write(file, content);
        }
        container
    }

    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(super) fn content(&self, file: &str) -> Vec<u8> {
        fs::read(self.root().join(file)).unwrap()
    }

    pub(super) fn remove(&self, file: &str) {
        fs::remove_file(self.root().join(file)).unwrap();
    }

    pub(super) fn files_below(&self, folder: &str) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![self.root().join(folder)];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            let (inner, found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
            folders.extend(inner);
            files.extend(found.iter().map(|path| path.strip_prefix(self.root()).unwrap().display().to_string()));
        }
        files
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.clock += Duration::from_secs(seconds);
    }

    pub(super) fn read(&mut self) -> Result<Collected, CollectFault> {
        self.cgroup.read(self.clock)
    }

    /// The samples as text, in the order of the collector
    pub(super) fn samples(&mut self) -> Vec<String> {
        samples(&self.read().unwrap())
    }

    /// The sample of this name
    pub(super) fn sample(&mut self, name: &str) -> Option<f64> {
        value(&self.read().unwrap(), name)
    }

    /// The files and values that could not be read, each with the reason
    pub(super) fn unreadable(&mut self) -> Vec<(&'static str, &'static str)> {
        self.read().unwrap().unreadable.iter().map(|place| (place.file, place.reason)).collect()
    }
}

pub(super) fn samples(collected: &Collected) -> Vec<String> {
    let families = collected.families.iter();
    let samples = families.flat_map(|family| family.samples.iter().map(|sample| (family.metric.name, sample)));
    samples
        .map(|(name, sample)| {
            let labels: Vec<_> =
                sample.labels.pairs().iter().map(|(label, value)| format!("{label}={value}")).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            format!("{name}{labels} {}", sample.value)
        })
        .collect()
}

/// The only sample of this metric
pub(super) fn value(collected: &Collected, name: &str) -> Option<f64> {
    let family = collected.families.iter().find(|family| family.metric.name == name)?;
    let [sample] = &family.samples[..] else { panic!("{family:?}") };
    Some(sample.value)
}
