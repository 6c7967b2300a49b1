//! When a tree is trusted without a look, and when a finished run says so on its root.

use crate::{
    capabilities::error_text,
    directory::Directory,
    fixer::{Fixer, Treatment},
    id_maps::{IdMaps, OVERFLOW},
    mounts::{self, Place},
    stamp::Stamp,
    volume::{Policy, Volume},
};
use rustix::io::Errno;

/// The stamp of all settings that decide what a run does, and what it leaves wrong without a
/// failure; none where no run shall trust one.
pub(super) fn stamp(volume: &Volume, fixer: &Fixer, root: &Directory) -> Option<Stamp> {
    if volume.policy() != Policy::Stamp || fixer.treatment == Treatment::Verify {
        return None;
    }
    let mounts = mounts_left_out(volume, root).map_err(|reason| no_stamp(root, reason)).ok()?;
    Some(stamp_beside(volume, fixer, mounts))
}

fn stamp_beside(volume: &Volume, fixer: &Fixer, mounts: Vec<Place>) -> Stamp {
    let Volume { max_depth, one_file_system, skip_read_only, .. } = volume;
    let (hard_links, on_denied) = (volume.hard_links.unwrap_or_default(), volume.on_denied.unwrap_or_default());
    // At a place that is no longer mounted, something else is there to be looked at.
    let (wanted, excludes, left_out) = (fixer.wanted, volume.excludes(), (one_file_system, skip_read_only, mounts));
    Stamp::of(&format!("{wanted:?} {excludes:?} {max_depth:?} {left_out:?} {hard_links:?} {on_denied:?}"))
}

/// The mounts below the root, if all are left out, because another volume may be mounted at the
/// place of one that is looked at the next time; else why the tree cannot be trusted.
fn mounts_left_out(volume: &Volume, root: &Directory) -> Result<Vec<Place>, &'static str> {
    let is_left_out = |place: &Place| volume.one_file_system || volume.skip_read_only && place.is_read_only;
    match mounts::below(root) {
        Ok(mounts) if mounts.iter().all(is_left_out) => Ok(mounts),
        Ok(_) => Err("something is mounted below: give it a PATH of its own, and --one-file-system to this one"),
        Err(_) => Err("the table of mounts, /proc/self/mountinfo, cannot be read"),
    }
}

/// Why nothing below the root is looked at.
pub(super) fn reason(volume: &Volume, fixer: &Fixer, stamp: Option<&Stamp>, root: &Directory) -> Option<&'static str> {
    match volume.policy() {
        _ if fixer.treatment == Treatment::Verify || !fixer.is_right(root) => None,
        Policy::Always => None,
        Policy::RootMatch => match mounts_left_out(volume, root) {
            Ok(_) => Some("the root is right"),
            Err(reason) => {
                tracing::warn!(path = root.about.trail.printed(), reason, "a right root is not trusted");
                None
            }
        },
        Policy::Stamp => stamp?.is_on(root).then_some("the root is right and has the stamp of a finished run"),
    }
}

/// Puts the stamp of a finished run, if a later one can trust it. Without a stamp the next run
/// looks at everything; that is no failure.
pub(super) fn put(volume: &Volume, fixer: &Fixer, stamp: &Stamp, root: &Directory) {
    if let Some(reason) = doubt(fixer) {
        no_stamp(root, reason);
        return fixer.stamps.remove();
    }
    // A mount that came in the meantime may have covered something.
    let now = mounts_left_out(volume, root).map(|mounts| stamp_beside(volume, fixer, mounts));
    if now.as_ref() != Ok(stamp) {
        no_stamp(root, "the mounts below have changed during the run");
        return fixer.stamps.remove();
    }
    if stamp.is_on(root) {
        return;
    }
    if let Err(error) = stamp.put(root) {
        let reason = match error {
            Errno::OPNOTSUPP => "the file system keeps no extended attributes".to_owned(),
            error => error_text(error),
        };
        no_stamp(root, &reason);
    }
}

/// Why something may be wrong that a trusted stamp would keep so for ever.
fn doubt(fixer: &Fixer) -> Option<&'static str> {
    let counts = fixer.ledger.counts();
    if counts.left_alone > 0 || fixer.mounts.has_hidden() {
        return Some("files or mounts were left alone, see above");
    }
    if counts.warned > 0 {
        return Some("entries were left as they are, see above");
    }
    if counts.vanished > 0 {
        return Some("entries vanished during the run, and may only have moved");
    }
    hides_owners(fixer).then_some("65534 stands for more than one owner here, see above")
}

/// Whether the wanted owner stands for others too, in a user namespace that lacks them.
pub(super) fn hides_owners(fixer: &Fixer) -> bool {
    let (user, group) = (fixer.wanted.user, fixer.wanted.group);
    // The maps are read where they matter alone.
    let is_overflow = user == Some(OVERFLOW) || group == Some(OVERFLOW);
    is_overflow && IdMaps::of_this_process().may_hide(user, group)
}

fn no_stamp(root: &Directory, reason: &str) {
    tracing::warn!(path = root.about.trail.printed(), reason, "no stamp: the next run looks at everything again");
}
