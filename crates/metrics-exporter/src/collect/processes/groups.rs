//! The state of process groups, pure. Counters of a group continue when one of its processes ends or its number is reused.
//!
//! A counter is the sum of the amounts that each process added between scrapes. A process that began before the first scrape adds
//! only its later use, so that a restart of the exporter is a reset to zero and never a jump upwards. A process that began later
//! adds all of its use. The use between the last scrape and the end of a process is lost.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::collect::{
    collected::{Collected, Labels},
    metric::Metric,
    number::float,
    processes::{
        look::Look,
        metrics::{
            CPU, DESCRIPTORS, MAJOR_FAULTS, MEMORY, MINOR_FAULTS, OLDEST_START, PROCESSES, READ, STATES, THREADS,
            WORST_DESCRIPTOR_RATIO, WRITTEN,
        },
        name,
        parse::State,
    },
};

/// The most groups; each has some twenty series. Beyond it new groups replace groups without processes.
const GROUP_LIMIT: usize = 128;

/// The counters of a process, in the order of `COUNTERS`; `None` where the exporter may not read one
type Counts = [Option<u64>; COUNTERS.len()];

/// The metric of each counter, and its second label
const COUNTERS: [(&Metric, Option<(&str, &str)>); 6] = [
    (&CPU, Some(("mode", "user"))),
    (&CPU, Some(("mode", "system"))),
    (&MAJOR_FAULTS, None),
    (&MINOR_FAULTS, None),
    (&READ, None),
    (&WRITTEN, None),
];
const MEMORY_TYPES: [&str; 3] = ["resident", "virtual", "swapped"];
const STATE_NAMES: [&str; 5] = ["Running", "Sleeping", "Waiting", "Zombie", "Other"];

/// Constants of all scrapes
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) ticks_per_second: u64,
    pub(super) page_bytes: u64,
    /// The time of the system's start, since the epoch
    pub(super) boot_seconds: Option<u64>,
    /// The time of the first scrape, since the system's start
    pub(super) first_look_ticks: u64,
}

/// All groups, and the processes of the last round and those that it could not look at
#[derive(Debug)]
pub(super) struct Groups {
    scale: Scale,
    round: u64,
    /// Keyed by number and start, because numbers are reused
    known: HashMap<(u32, u64), Known>,
    by_name: BTreeMap<String, Group>,
}

/// A process of this round or an earlier one
#[derive(Debug)]
struct Known {
    comm: Vec<u8>,
    group: String,
    counts: Counts,
    round: u64,
}

#[derive(Debug)]
struct Group {
    /// The last round in which the group had a process
    round: u64,
    totals: [u64; COUNTERS.len()],
    /// True for each counter that was ever read
    is_counted: [bool; COUNTERS.len()],
    gauges: Gauges,
    labels: GroupLabels,
}

/// Sums over the processes of this round
#[derive(Debug, Default)]
struct Gauges {
    processes: u64,
    threads: u64,
    states: [u64; STATE_NAMES.len()],
    resident_pages: u64,
    virtual_bytes: u64,
    swapped_bytes: Sum,
    descriptors: Sum,
    /// The highest ratio of one process
    descriptor_ratio: Option<f64>,
    oldest_start_ticks: Option<u64>,
    /// True for each counter that is unknown for one of the processes
    unknown: [bool; COUNTERS.len()],
}

/// A sum that is unknown when one of its parts is
#[derive(Clone, Copy, Debug)]
struct Sum(Option<u64>);

/// The labels of a group's series, shared by all of them
#[derive(Debug)]
struct GroupLabels {
    name: Labels,
    counters: [Labels; COUNTERS.len()],
    memory: [Labels; MEMORY_TYPES.len()],
    states: [Labels; STATE_NAMES.len()],
}

impl Groups {
    pub(super) fn new(scale: Scale) -> Self {
        Self { scale, round: 0, known: HashMap::new(), by_name: BTreeMap::new() }
    }

    pub(super) fn begin_round(&mut self) {
        self.round += 1;
        for group in self.by_name.values_mut() {
            group.gauges = Gauges::default();
        }
    }

    /// Adds a process to its group. `command_line` is read only for a new process or a new name. `false`: the limit of groups
    /// leaves no room for the name.
    pub(super) fn enter(&mut self, look: &Look, command_line: impl FnOnce() -> Vec<u8>) -> bool {
        let counts = counts(look);
        let key = (look.id, look.stat.start_ticks);
        // execve(2) keeps number and start, so a replaced program shows by its name only.
        if self.known.get(&key).is_none_or(|known| known.comm != look.stat.comm) {
            let name = name::of(&look.stat.comm, &command_line());
            let began_later = look.stat.start_ticks > self.scale.first_look_ticks;
            let known = self.known.entry(key).or_insert_with(|| Known::new(counts, began_later));
            known.comm.clone_from(&look.stat.comm);
            known.group = name;
        }
        let Some(known) = self.known.get_mut(&key) else { return false };
        known.round = self.round;
        let Some(group) = group(&mut self.by_name, &known.group, self.round) else { return false };
        let is_zombie = look.stat.state == State::Zombie;
        for (index, count) in counts.into_iter().enumerate() {
            let Some(count) = count else {
                group.gauges.unknown[index] |= !is_zombie;
                continue;
            };
            // A counter that could not be read before adds nothing this time, because its value at the last scrape is unknown.
            let before = known.counts[index].replace(count).unwrap_or(count);
            group.totals[index] = group.totals[index].saturating_add(count.saturating_sub(before));
            group.is_counted[index] = true;
        }
        group.gauges.add(look);
        true
    }

    /// Removes the processes that were not seen in this round, unless they still exist: otherwise their counters would count from
    /// their start again when they are seen the next time.
    pub(super) fn end_round(&mut self, unseen: &HashSet<u32>) {
        let round = self.round;
        self.known.retain(|(id, _), known| known.round == round || unseen.contains(id));
    }

    /// Adds the series of all groups. A group whose processes have all ended keeps its counters.
    pub(super) fn report(&self, collected: &mut Collected) {
        for group in self.by_name.values() {
            group.report(&self.scale, collected);
        }
        if self.scale.boot_seconds.is_none() {
            collected.leave_out("proc/stat", "malformed");
        }
    }
}

impl Known {
    fn new(counts: Counts, began_later: bool) -> Self {
        let before = counts.map(|count| count.map(|count| if began_later { 0 } else { count }));
        Self { comm: Vec::new(), group: String::new(), counts: before, round: 0 }
    }
}

/// The group of this name. `None` when it is new and every group at the limit had a process in this round or the last one.
fn group<'a>(groups: &'a mut BTreeMap<String, Group>, name: &str, round: u64) -> Option<&'a mut Group> {
    if !groups.contains_key(name) {
        if groups.len() >= GROUP_LIMIT {
            groups.retain(|_, group| group.round + 1 >= round);
        }
        if groups.len() >= GROUP_LIMIT {
            return None;
        }
        groups.insert(name.to_owned(), Group::new(name));
    }
    let group = groups.get_mut(name)?;
    group.round = round;
    Some(group)
}

fn counts(look: &Look) -> Counts {
    let (read, written) = look.disk_bytes.unzip();
    let stat = &look.stat;
    [Some(stat.user_ticks), Some(stat.system_ticks), Some(stat.major_faults), Some(stat.minor_faults), read, written]
}

impl Group {
    fn new(name: &str) -> Self {
        Self {
            round: 0,
            totals: [0; COUNTERS.len()],
            is_counted: [false; COUNTERS.len()],
            gauges: Gauges::default(),
            labels: GroupLabels::new(name),
        }
    }

    fn report(&self, scale: &Scale, collected: &mut Collected) {
        let Self { gauges, labels, .. } = self;
        for (index, (metric, _)) in COUNTERS.into_iter().enumerate() {
            if self.is_counted[index] && !gauges.unknown[index] {
                let unit = if metric.name == CPU.name { float(scale.ticks_per_second) } else { 1.0 };
                collected.push(metric, &labels.counters[index], float(self.totals[index]) / unit);
            }
        }
        collected.push(&PROCESSES, &labels.name, float(gauges.processes));
        collected.push(&THREADS, &labels.name, float(gauges.threads));
        for (count, labels) in gauges.states.into_iter().zip(&labels.states) {
            collected.push(&STATES, labels, float(count));
        }
        let resident = gauges.resident_pages.saturating_mul(scale.page_bytes);
        let memory = [Some(resident), Some(gauges.virtual_bytes), gauges.swapped_bytes.0];
        for (bytes, labels) in memory.into_iter().zip(&labels.memory) {
            if let Some(bytes) = bytes {
                collected.push(&MEMORY, labels, float(bytes));
            }
        }
        if let Some(descriptors) = gauges.descriptors.0 {
            collected.push(&DESCRIPTORS, &labels.name, float(descriptors));
        }
        if let Some(ratio) = gauges.descriptor_ratio {
            collected.push(&WORST_DESCRIPTOR_RATIO, &labels.name, ratio);
        }
        if let (Some(boot), Some(start)) = (scale.boot_seconds, gauges.oldest_start_ticks) {
            let start = float(boot) + float(start) / float(scale.ticks_per_second);
            collected.push(&OLDEST_START, &labels.name, start);
        }
    }
}

impl Gauges {
    fn add(&mut self, look: &Look) {
        let Look { stat, .. } = look;
        self.processes += 1;
        self.threads = self.threads.saturating_add(stat.threads);
        self.states[stat.state as usize] += 1;
        self.resident_pages = self.resident_pages.saturating_add(stat.resident_pages);
        self.virtual_bytes = self.virtual_bytes.saturating_add(stat.virtual_bytes);
        self.oldest_start_ticks = Some(self.oldest_start_ticks.unwrap_or(u64::MAX).min(stat.start_ticks));
        if stat.state == State::Zombie {
            return;
        }
        self.swapped_bytes.add(look.swapped_bytes);
        self.descriptors.add(look.descriptors);
        if let (Some(descriptors), Some(limit @ 1..)) = (look.descriptors, look.descriptor_limit) {
            let ratio = float(descriptors) / float(limit);
            self.descriptor_ratio = Some(self.descriptor_ratio.unwrap_or(0.0).max(ratio));
        }
    }
}

impl Default for Sum {
    fn default() -> Self {
        Self(Some(0))
    }
}

impl Sum {
    fn add(&mut self, part: Option<u64>) {
        self.0 = self.0.zip(part).map(|(sum, part)| sum.saturating_add(part));
    }
}

impl GroupLabels {
    fn new(name: &str) -> Self {
        let with = |label, value| Labels::new([("groupname", name), (label, value)]);
        Self {
            name: Labels::new([("groupname", name)]),
            counters: COUNTERS.map(|(_, second)| match second {
                Some((label, value)) => with(label, value),
                None => Labels::new([("groupname", name)]),
            }),
            memory: MEMORY_TYPES.map(|kind| with("memtype", kind)),
            states: STATE_NAMES.map(|state| with("state", state)),
        }
    }
}

#[cfg(test)]
mod tests;
