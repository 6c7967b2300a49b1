//! The readings of one scrape: each value becomes a sample of its metric, and each missing file or value an entry in the list of
//! unreadable files.

use std::array;

use crate::collect::{
    cgroup::{
        directory::{Directory, buffer},
        flaw::Flaw,
        values::{self, Limit},
    },
    collected::{Collected, Labels},
    kept_file::{Buffer, Extent},
    metric::Metric,
    number::float,
};

/// The samples and the unreadable files so far
#[derive(Debug)]
pub(super) struct Readings {
    pub(super) collected: Collected,
    buffer: Buffer,
    none: Labels,
}

impl Readings {
    pub(super) fn new() -> Self {
        Self { collected: Collected::default(), buffer: buffer(), none: Labels::none() }
    }

    pub(super) fn put(&mut self, metric: &'static Metric, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into() {
            self.collected.push(metric, &self.none, value);
        }
    }

    /// Adds a count as a sample; above 2^53 it is rounded, as in Prometheus.
    pub(super) fn put_count(&mut self, metric: &'static Metric, count: Option<u64>) {
        self.put(metric, count.map(float));
    }

    /// Reads a file of one number.
    pub(super) fn number(&mut self, directory: &Directory, file: &'static str) -> Option<u64> {
        self.file(directory, file, values::number)
    }

    /// Reads a file of one number, or of a word that means no limit.
    pub(super) fn limit(&mut self, directory: &Directory, file: &'static str) -> Option<Limit> {
        self.file(directory, file, values::limit)
    }

    /// Reads the values of these keys. A flaw is noted as `FILE KEY`.
    pub(super) fn keyed<const N: usize>(
        &mut self,
        directory: &Directory,
        lines: [&'static str; N],
    ) -> [Option<u64>; N] {
        let file = lines.first().and_then(|line| line.split_once(' ')).map_or("", |(file, _)| file);
        let keys = lines.map(|line| line.rsplit_once(' ').map_or(line, |(_, key)| key));
        let values = self.file(directory, file, |text| Ok(values::keyed(text, keys)));
        let Some(values) = values else { return [None; N] };
        array::from_fn(|index| self.or_note(lines[index], values[index]))
    }

    /// Reads a file with `parse`. A flaw is noted under the file's name.
    pub(super) fn file<T>(
        &mut self,
        directory: &Directory,
        file: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Flaw>,
    ) -> Option<T> {
        let result = directory.read(file, Extent::Whole, &mut self.buffer).and_then(parse);
        self.or_note(file, result)
    }

    /// Reads the first of these files that exists.
    pub(super) fn first_file<T>(
        &mut self,
        directory: &Directory,
        [file, older]: [&'static str; 2],
        parse: impl FnOnce(&str) -> Result<T, Flaw>,
    ) -> Option<T> {
        let content = match directory.read(file, Extent::Whole, &mut self.buffer) {
            Err(Flaw::NOT_FOUND) => directory.read(older, Extent::Whole, &mut self.buffer),
            content => content,
        };
        let result = content.and_then(parse);
        self.or_note(file, result)
    }

    /// Counts the processes in a file with one process number a line. An empty file is a flaw, because the own cgroup always has
    /// the own process.
    pub(super) fn processes(&mut self, directory: &Directory, file: &'static str) -> Option<u64> {
        let count = directory.read(file, Extent::List, &mut self.buffer).and_then(|text| {
            let mut lines = text.lines().map(values::number);
            lines.try_fold(0, |count: u64, line| line.map(|_| count + 1))
        });
        let some = count.and_then(|count| if count == 0 { Err(Flaw::MISSING) } else { Ok(count) });
        self.or_note(file, some)
    }

    /// The smallest memory.max of the cgroups above, up to `above` levels. The root of the hierarchy has no such file.
    pub(super) fn limit_above(&mut self, directory: &Directory, above: usize) -> Limit {
        let limits = (1..=above).map(|levels| {
            let file = "../".repeat(levels) + "memory.max";
            directory.read(file, Extent::Whole, &mut self.buffer).and_then(values::limit).unwrap_or(Limit::None)
        });
        limits.fold(Limit::None, Limit::min)
    }

    pub(super) fn note(&mut self, what: &'static str, Flaw(reason): Flaw) {
        self.collected.leave_out(what, reason);
    }

    pub(super) fn or_note<T>(&mut self, what: &'static str, result: Result<T, Flaw>) -> Option<T> {
        result.map_err(|flaw| self.note(what, flaw)).ok()
    }
}
