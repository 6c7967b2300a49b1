//! Which files have a descriptor when there are more files than descriptors.
//!
//! A file that was read to its end gives its descriptor to one that waits. When an output has read all that is open and
//! another output has not, because its server is away, the first one still gets its turn. A file that waits is known by its
//! inode and its head, so that it is found again after a rename; a file that is deleted while it waits is counted as lost.

use std::{collections::BTreeSet, path::PathBuf, time::Instant};

use crate::{
    content::Content,
    files::{
        catalog::Catalog,
        closed::Listing,
        generation::{Generation, Place},
    },
};

/// Gives descriptors to files that wait for one. True if there is something new to read.
pub(crate) fn share(catalog: &mut Catalog, now: Instant) -> bool {
    let open = catalog.generations.values().filter(|generation| generation.file.is_some()).count();
    let budget = catalog.descriptors.budget;
    catalog.descriptors.left = budget.saturating_sub(open);
    let waiting = waiting(catalog, None);
    if waiting.is_empty() && open <= budget {
        report(catalog, 0, now);
        return false;
    }
    // Files that were read to their end make room first, because no output waits for them.
    let missing = (open + waiting.len()).saturating_sub(budget);
    close(catalog, missing, Generation::is_all_settled);
    let mut is_news = reopen(catalog, &waiting);
    for output in 0..catalog.outlets.len() {
        let waiting = self::waiting(catalog, Some(output));
        if !waiting.is_empty() && is_starved(catalog, output) {
            // The open files are of no use to this output now.
            close(catalog, waiting.len(), |_| true);
            is_news |= reopen(catalog, &waiting);
        }
    }
    // Copies are opened without asking, because the truncated file is gone otherwise.
    let open = catalog.generations.values().filter(|generation| generation.file.is_some()).count();
    close(catalog, open.saturating_sub(budget), |_| true);
    let count = self::waiting(catalog, None).len();
    report(catalog, count, now);
    is_news
}

/// The files without a descriptor in which an output, or any of them, would find something to read now, in turn.
fn waiting(catalog: &Catalog, output: Option<usize>) -> Vec<u64> {
    let outputs = output.map_or(0..catalog.outlets.len(), |output| output..output + 1);
    let may_read = |generation: &Generation| {
        outputs.clone().any(|output| generation.wants(output) && !catalog.must_wait(generation, output))
    };
    let waits = |(key, generation): (&u64, &Generation)| (generation.parked && may_read(generation)).then_some(*key);
    let turn = catalog.descriptors.turn;
    let (from, before) = (catalog.generations.range(turn..), catalog.generations.range(..turn));
    from.chain(before).filter_map(waits).collect()
}

/// Whether an output has no batch under way and finds nothing to read in the files that are open.
fn is_starved(catalog: &Catalog, output: usize) -> bool {
    let is_busy = |generation: &Generation| {
        !generation.cursors[output].is_idle()
            || (generation.is_readable(output) && !catalog.must_wait(generation, output))
    };
    !catalog.generations.values().any(is_busy)
}

/// Closes at most this many of the files that may be closed, first those that have not grown for longest.
fn close(catalog: &mut Catalog, count: usize, may_close: impl Fn(&Generation) -> bool) {
    if count == 0 {
        return;
    }
    // A deleted file would be gone, and a compressed copy is not found again by its inode.
    let can_close = |generation: &Generation| {
        matches!(generation.place, Place::Live | Place::Rotated)
            && matches!(generation.file, Some(Content::Plain(_)))
            && generation.cursors.iter().all(|cursor| cursor.closed || cursor.is_idle())
    };
    let candidates =
        catalog.generations.iter().filter(|(_, generation)| can_close(generation) && may_close(generation));
    let mut candidates: Vec<_> = candidates.map(|(key, generation)| (generation.grown, *key)).collect();
    candidates.sort();
    for (_, key) in candidates.into_iter().take(count) {
        if let Some(generation) = catalog.generations.get_mut(&key) {
            generation.park();
            catalog.descriptors.left += 1;
        }
    }
}

/// Opens these files as far as descriptors are left. True if one was opened.
fn reopen(catalog: &mut Catalog, waiting: &[u64]) -> bool {
    let rotated = waiting.iter().filter_map(|key| catalog.generations.get(key));
    let rotated = rotated.filter(|generation| generation.place == Place::Rotated);
    let homes: BTreeSet<PathBuf> = rotated.map(|generation| generation.home.clone()).collect();
    // What a rotated file is called now is not known.
    let listing = if catalog.descriptors.left > 0 { Listing::of(&homes) } else { Listing::default() };
    let mut is_news = false;
    for key in waiting {
        let Some(generation) = catalog.generations.get(key) else { continue };
        let path = match generation.place {
            Place::Live => Some(generation.source.path.clone()),
            _ => listing.files.get(&generation.inode).map(|(path, _)| path.clone()),
        };
        let Some(path) = path else { continue };
        if catalog.descriptors.left == 0 {
            break;
        }
        is_news |= catalog.open_again(*key, &path);
        catalog.descriptors.turn = *key + 1;
    }
    is_news
}

/// Sets the metric, and says so in the log while files wait.
fn report(catalog: &mut Catalog, waiting: usize, now: Instant) {
    catalog.descriptors.waiting = waiting;
    catalog.ledger.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    let budget = catalog.descriptors.budget;
    let what =
        "more files have unread lines than may be open at once; they are read in turn: raise the limit of open files";
    if waiting > 0 && catalog.descriptors.throttle.is_due(what, now) {
        tracing::warn!(waiting, open_at_most = budget, "{what}");
    }
}
