//! One tree: the entries below its root first, and the root itself last.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Instant,
};

use lifecycle::{Exit, elapsed};
use rustix::{fs::Mode, io::Errno, process::umask};

use crate::{
    capabilities::{Action, Capabilities, error_text},
    directory::Directory,
    filesystem,
    fixer::{Fixer, Treatment, restore},
    id_maps::{IdMaps, OVERFLOW},
    ledger::Ledger,
    links::HardLinks,
    mounts::{Mounts, read_only_below},
    refusal::Refusal,
    report::Report,
    root::{self, Root},
    sample::Sample,
    selinux,
    stamp::Stamp,
    stat::Stat,
    trail::printed,
    visitor::Visitor,
    volume::{HardLinkRule, Policy, Volume},
    walk::Walk,
};

/// The parts that all trees of a run share
pub(crate) struct Run {
    pub(crate) treatment: Treatment,
    pub(crate) sample: Option<u32>,
    pub(crate) threads: Option<u16>,
    pub(crate) capabilities: Capabilities,
    pub(crate) report: Report,
    /// Set at a stop signal, and once enough is known
    pub(crate) stopped: AtomicBool,
}

/// Sets a tree right, or says what is wrong with it. An error is a PATH that can't be one; all else
/// is in the ledger.
pub(crate) fn fix(volume: &Volume, run: &Run, ledger: &Ledger) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut wanted = volume.wanted(current_umask());
    if wanted.label.is_some() && !selinux::is_in_kernel() {
        // As the kubelet does: one manifest serves nodes with and without it.
        tracing::warn!(path = printed(&volume.path), "the kernel has no SELinux: labels are left as they are");
        wanted.label = None;
    }
    let fixer = Fixer {
        wanted: &wanted,
        treatment: run.treatment,
        on_denied: volume.on_denied,
        capabilities: run.capabilities,
        mounts: Mounts::of(volume, ledger),
        file_system: OnceLock::new(),
        ledger,
        report: &run.report,
        stopped: &run.stopped,
    };
    warn_of_missing(volume, &fixer);
    warn_of_hidden_owners(volume, &fixer);
    match root::open(volume, &fixer)? {
        Root::Directory { root, forced } => fix_directory(volume, run, fixer, &root, forced),
        Root::Single(file) => {
            let links = leaves_hard_links(volume, run).then(HardLinks::begin);
            let visitor = Visitor::new(&fixer, links.as_ref());
            // Waits for changes that were begun before the moment.
            match file.parent.settle() {
                Ok(()) => drop(visitor.look(&file.parent, &file.name)),
                Err(error) => visitor.refused(error, None, &file.parent, &file.name),
            }
            visitor.tell_seen();
            tell_left_alone(links, ledger);
        }
        Root::None => {}
    }
    let counts = ledger.counts();
    tracing::info!(
        path = printed(&volume.path),
        seen = counts.seen,
        changed = counts.changed,
        different = (run.treatment != Treatment::Apply).then_some(counts.different),
        vanished = counts.vanished,
        tolerated = counts.tolerated,
        warned = counts.warned,
        read_only = volume.skip_read_only.then_some(counts.read_only),
        left_alone = (counts.left_alone > 0).then_some(counts.left_alone),
        failed = counts.failed,
        took = elapsed(start.elapsed()),
        "looked at"
    );
    Ok(())
}

/// `forced` is what the root was before it had to be set right to be opened: only then it is not
/// the last.
fn fix_directory(volume: &Volume, run: &Run, fixer: Fixer, root: &Arc<Directory>, forced: Option<Stat>) {
    let fixer = Fixer { mounts: fixer.mounts.below(&root.about.stat), ..fixer };
    let ledger = fixer.ledger;
    ledger.seen.fetch_add(1, Relaxed);
    warn_of_closed_directories(volume, &fixer);
    let excludes = volume.excludes();
    if run.treatment == Treatment::Verify {
        fixer.set_directory(root);
    }
    if let Some(count) = run.sample {
        let max_depth = volume.max_depth.unwrap_or(usize::MAX);
        return Sample { fixer, excludes, max_depth }.look(root, count);
    }
    let stamp = stamp(volume, &fixer, root);
    if let Some(reason) = trusted(volume, &fixer, &stamp, root).filter(|_| forced.is_none()) {
        return tracing::info!(path = root.about.trail.printed(), reason, "trusted");
    }
    if run.treatment == Treatment::Apply
        && let Err(error) = stamp.remove_others(root)
    {
        let refusal = Refusal { action: Action::Stamp, error };
        fixer.refused(refusal, None, &|| root.about.trail.printed());
    }
    let walk = Walk {
        fixer,
        excludes,
        max_depth: volume.max_depth.unwrap_or(usize::MAX),
        links: leaves_hard_links(volume, run).then(HardLinks::begin),
        threads: run.threads.map_or_else(|| filesystem::threads(root), usize::from),
    };
    walk.run(root, &run.stopped);
    let Walk { fixer, links, excludes, .. } = walk;
    let is_stopped = run.stopped.load(SeqCst);
    if !is_stopped && run.treatment != Treatment::Verify {
        for pattern in excludes.unused() {
            tracing::info!(path = root.about.trail.printed(), ?pattern, "nothing matches a pattern of exclude");
        }
    }
    // A run that was stopped has not seen all names of anything.
    tell_left_alone(links.filter(|_| !is_stopped), ledger);
    let counts = ledger.counts();
    match run.treatment {
        Treatment::Verify => {}
        Treatment::DryRun => fixer.set_directory(root),
        Treatment::Apply if is_stopped || ledger.exit() != Exit::Done => {
            if let Some(before) = forced {
                restore(root, &before);
            }
            tracing::warn!(path = root.about.trail.printed(), "the root is left as it was: not all below it is right");
        }
        Treatment::Apply => {
            match volume.policy {
                Policy::Stamp if counts.left_alone > 0 || fixer.mounts.has_hidden() => {
                    // Some of them may only have moved, or be writable the next time, and a trusted
                    // stamp would keep them wrong for ever.
                    no_stamp(root, "files or mounts were left alone, see above");
                    stamp.remove(root);
                }
                Policy::Stamp if counts.warned == 0 => put(&stamp, root),
                _ => {}
            }
            fixer.set_directory(root);
            // The stamp comes before the root's own change, which can take the right to write it
            // away. A root that stays wrong keeps none.
            if ledger.exit() != Exit::Done || ledger.counts().warned > 0 {
                stamp.remove(root);
            }
        }
    }
}

/// Why nothing below the root is looked at.
fn trusted(volume: &Volume, fixer: &Fixer, stamp: &Stamp, root: &Directory) -> Option<&'static str> {
    match volume.policy {
        _ if fixer.treatment == Treatment::Verify || !fixer.is_right(root) => None,
        Policy::Always => None,
        Policy::RootMatch => Some("the root is right"),
        Policy::Stamp => stamp.is_on(root).then_some("the root is right and has the stamp of a finished run"),
    }
}

/// The stamp of all settings that decide what a run does, and what it leaves wrong without a
/// failure.
fn stamp(volume: &Volume, fixer: &Fixer, root: &Directory) -> Stamp {
    let Volume { max_depth, one_file_system, skip_read_only, hard_links, on_denied, .. } = volume;
    let (wanted, excludes) = (fixer.wanted, volume.excludes());
    // One that is mounted writable the next time is looked at then.
    let read_only = skip_read_only.then(|| read_only_below(root));
    let mounts = (one_file_system, skip_read_only, read_only);
    Stamp::of(&format!("{wanted:?} {excludes:?} {max_depth:?} {mounts:?} {hard_links:?} {on_denied:?}"))
}

/// Without a stamp the next run looks at everything; that is no failure.
fn put(stamp: &Stamp, root: &Directory) {
    if !stamp.is_on(root)
        && let Err(error) = stamp.put(root)
    {
        let reason = match error {
            Errno::OPNOTSUPP => "the file system keeps no extended attributes".to_owned(),
            error => error_text(error),
        };
        no_stamp(root, &reason);
    }
}

fn no_stamp(root: &Directory, reason: &str) {
    tracing::warn!(path = root.about.trail.printed(), reason, "no stamp: the next run looks at everything again");
}

fn leaves_hard_links(volume: &Volume, run: &Run) -> bool {
    // A verification reports them like any other file.
    volume.hard_links == HardLinkRule::Leave && run.treatment != Treatment::Verify
}

/// Warns of the files that were left alone, and counts them.
fn tell_left_alone(links: Option<HardLinks>, ledger: &Ledger) {
    let left = links.map(HardLinks::left_alone).unwrap_or_default();
    if left.files > 0 {
        let such_as = left.examples.join(", ");
        tracing::warn!(
            files = left.files,
            such_as,
            "left alone: they have names outside the tree, or moved (--hard-links allow)"
        );
    }
    ledger.left_alone.fetch_add(left.files, Relaxed);
}

fn warn_of_missing(volume: &Volume, fixer: &Fixer) {
    let missing = match fixer.treatment {
        Treatment::Verify => Vec::new(),
        _ => fixer.capabilities.missing(fixer.wanted),
    };
    if !missing.is_empty() {
        let (remedy, missing) = (fixer.capabilities.remedy(&missing), missing.join(", "));
        tracing::warn!(
            path = printed(&volume.path),
            missing,
            remedy,
            "lacks capabilities: changes that need them will be refused"
        );
    }
}

/// In a user namespace, one number stands for all owners that it lacks, and for itself.
fn warn_of_hidden_owners(volume: &Volume, fixer: &Fixer) {
    let wanted = (fixer.wanted.user, fixer.wanted.group);
    // The maps are read where they matter alone.
    let is_overflow = wanted.0 == Some(OVERFLOW) || wanted.1 == Some(OVERFLOW);
    if is_overflow && IdMaps::of_this_process().may_hide(wanted.0, wanted.1) {
        let remedy = "choose another owner, or set it right from a pod with hostUsers: true";
        tracing::warn!(
            path = printed(&volume.path),
            remedy,
            "the wanted owner 65534 also stands for all that the user namespace of the pod lacks: theirs count as right"
        );
    }
}

/// `--mode 640` is meant for files more often than not.
fn warn_of_closed_directories(volume: &Volume, fixer: &Fixer) {
    if let Some(mode) = fixer.wanted.closed_directory_mode().filter(|_| fixer.treatment != Treatment::Verify) {
        let (path, mode) = (printed(&volume.path), format!("{mode:04o}"));
        let remedy = "write X, as in u=rwX,g=rX,o=, or set directories apart with --dir-mode";
        tracing::warn!(path, mode, remedy, "directories cannot be entered with this mode");
    }
}

/// umask(2) can only be read by setting it; no other thread makes a file at that time.
fn current_umask() -> u16 {
    let mask = umask(Mode::empty());
    umask(mask);
    u16::try_from(mask.as_raw_mode()).unwrap_or_default()
}
