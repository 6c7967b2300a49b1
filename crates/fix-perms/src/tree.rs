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
use rustix::{fs::Mode, process::umask};

mod trust;

use crate::{
    capabilities::Capabilities,
    directory::Directory,
    filesystem,
    fixer::{Fixer, Treatment, restore},
    ledger::Ledger,
    links::HardLinks,
    mounts::{self, Mounts},
    report::Report,
    root::{self, Root},
    sample::Sample,
    selinux,
    stamp::Stamps,
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
        ledger.are_labels_ignored.store(true, Relaxed);
    }
    let fixer = Fixer {
        wanted: &wanted,
        treatment: run.treatment,
        on_denied: volume.on_denied.unwrap_or_default(),
        capabilities: run.capabilities,
        mounts: Mounts::of(volume, ledger),
        stamps: Stamps::default(),
        file_system: OnceLock::new(),
        ledger,
        report: &run.report,
        stopped: &run.stopped,
        ignores_changes: AtomicBool::new(false),
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
    fixer.stamps.are_of(root);
    if forced.is_some() {
        fixer.stamps.end();
    }
    let stamp = trust::stamp(volume, &fixer, root);
    if let Some(reason) = trust::reason(volume, &fixer, stamp.as_ref(), root) {
        ledger.is_trusted.store(true, Relaxed);
        return tracing::info!(path = root.about.trail.printed(), reason, "trusted");
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
            tracing::info!(path = root.about.trail.printed(), %pattern, "nothing matches a pattern of exclude");
        }
    }
    // A run that was stopped has not seen all names of anything.
    tell_left_alone(links.filter(|_| !is_stopped), ledger);
    match run.treatment {
        Treatment::Verify => {}
        Treatment::DryRun => {
            fixer.set_directory(root);
            if ledger.counts().different > 0 && mounts::is_read_only(root) {
                let reason = "the file system of PATH is read-only";
                tracing::warn!(path = root.about.trail.printed(), reason, "changes there will be refused");
            }
        }
        Treatment::Apply => {
            if is_stopped || ledger.exit() != Exit::Done {
                fixer.stamps.remove();
                if let Some(before) = forced {
                    restore(root, &before);
                }
                let words = "the root is left as it was: not all below it is right";
                return tracing::warn!(path = root.about.trail.printed(), "{words}");
            }
            if fixer.stamps.have_ended() {
                // Other runs may have put theirs since.
                fixer.stamps.remove();
            }
            if let Some(stamp) = &stamp {
                trust::put(volume, &fixer, stamp, root);
            }
            fixer.stamps.stay();
            set_root(volume, &fixer, root);
        }
    }
}

/// Sets the root right, which has its stamp already, because its change can take the right to write
/// the stamp away. A root that stays wrong keeps none.
fn set_root(volume: &Volume, fixer: &Fixer, root: &Directory) {
    let was_right = fixer.is_right(root);
    fixer.set_directory(root);
    if fixer.ledger.exit() != Exit::Done || fixer.ledger.counts().warned > 0 {
        fixer.stamps.remove();
    }
    let counts = fixer.ledger.counts();
    if volume.policy() == Policy::RootMatch && !was_right && !mounts::below(root).is_ok_and(|all| all.is_empty()) {
        let remedy = "run once with --policy always when it is no longer mounted";
        tracing::warn!(
            path = root.about.trail.printed(),
            remedy,
            "something is mounted below: what lies under it was not looked at, and --policy root-match will trust it"
        );
    }
    if volume.policy() == Policy::RootMatch
        && counts.warned + counts.tolerated + counts.left_alone + counts.vanished > 0
    {
        let remedy = "find such entries by --verify, or use --policy stamp";
        tracing::warn!(
            path = root.about.trail.printed(),
            remedy,
            "the root is right, and perhaps not all below it: --policy root-match trusts it from now on"
        );
    }
}

fn leaves_hard_links(volume: &Volume, run: &Run) -> bool {
    // A verification reports them like any other file.
    volume.hard_links.unwrap_or_default() == HardLinkRule::Leave && run.treatment != Treatment::Verify
}

/// Warns of the files that were left alone, and counts them.
fn tell_left_alone(links: Option<HardLinks>, ledger: &Ledger) {
    let left = links.map(HardLinks::left_alone).unwrap_or_default();
    if left.files > 0 {
        let such_as = left.examples.join(", ");
        tracing::warn!(
            files = left.files,
            such_as,
            "left alone: not all of their names were found below PATH (--hard-links allow)"
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
    if trust::hides_owners(fixer) {
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
