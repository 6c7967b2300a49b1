//! The table of collectors: a name, the metrics and the reading of each.

use std::{fmt, path::PathBuf, str::FromStr};

use tokio::time::Instant;

use crate::collect::{
    cgroup::{self, Cgroup},
    collected::Collected,
    fault::CollectFault,
    metric::Metric,
    network::{self, Network},
    processes::{self, Processes},
    roots::Roots,
    textfile::{self, Textfiles},
    volumes::{self, Mount, Volumes},
};

/// The collectors of this exporter. A new collector is a variant here and a file beside this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Collector {
    Cgroup,
    Network,
    Volumes,
    Processes,
    Textfile,
}

/// A collector's roots, and the state that it keeps between scrapes
#[derive(Debug)]
pub(crate) enum Instrument {
    Cgroup(Box<Cgroup>),
    Network(Network),
    Volumes(Volumes),
    Processes(Roots, Box<Processes>),
    Textfile(Textfiles),
}

/// The result of a reading, and the mounts that may hang and are asked later
#[derive(Debug)]
pub(crate) struct Reading {
    collected: Collected,
    remote: Vec<Mount>,
}

impl Collector {
    pub(crate) const ALL: &[Self] = &[Self::Cgroup, Self::Network, Self::Volumes, Self::Processes, Self::Textfile];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::Network => "network",
            Self::Volumes => "volumes",
            Self::Processes => "processes",
            Self::Textfile => "textfile",
        }
    }

    /// Every metric that the collector may send, in groups.
    pub(crate) const fn metrics(self) -> &'static [&'static [Metric]] {
        match self {
            Self::Cgroup => cgroup::METRICS,
            Self::Network => network::METRICS,
            Self::Volumes => &[volumes::METRICS],
            Self::Processes => &[processes::METRICS],
            Self::Textfile => &[textfile::METRICS],
        }
    }

    pub(crate) fn instrument(self, roots: &Roots, textfile_directories: &[PathBuf], memory: usize) -> Instrument {
        match self {
            Self::Cgroup => Instrument::Cgroup(Box::new(Cgroup::new(roots.clone()))),
            Self::Network => Instrument::Network(Network::new(roots)),
            Self::Volumes => Instrument::Volumes(Volumes::new(roots)),
            Self::Processes => Instrument::Processes(roots.clone(), Box::default()),
            Self::Textfile => Instrument::Textfile(Textfiles::new(textfile_directories.to_vec(), memory)),
        }
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(self.name())
    }
}

impl FromStr for Collector {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|collector| collector.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|collector| collector.name()).collect();
            format!("not a collector; the collectors are {}", names.join(", "))
        })
    }
}

impl Instrument {
    /// Reads on the calling thread, which a hung file system may block for ever.
    pub(crate) fn read(&mut self) -> Result<Reading, CollectFault> {
        match self {
            Self::Cgroup(cgroup) => cgroup.read(Instant::now().into_std()).map(Reading::whole),
            Self::Network(network) => network.read().map(Reading::whole),
            Self::Processes(roots, processes) => processes.read(roots).map(Reading::whole),
            Self::Textfile(textfiles) => Ok(Reading::whole(textfiles.read())),
            Self::Volumes(volumes) => {
                volumes.read(Instant::now()).map(|(collected, remote)| Reading { collected, remote })
            }
        }
    }
}

impl Reading {
    fn whole(collected: Collected) -> Self {
        Self { collected, remote: Vec::new() }
    }

    /// Asks the remaining mounts, each on a thread of its own, and ends before the deadline.
    pub(crate) async fn finish(mut self, deadline: Instant) -> Collected {
        volumes::ask_remote(self.remote, deadline, &mut self.collected).await;
        self.collected
    }
}
