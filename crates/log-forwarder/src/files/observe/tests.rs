//! The rules of [`observe`], as tables: what the system says of a file, and what that means.

use std::time::Instant;

use super::{Growth, Head, KnownFile, Marks, Observation, Sighting, Stat, observe};
use crate::files::{
    example::{SIZE, file, head, stat},
    known::FileState,
    loss::LossReason,
    trust::{MOST_REWRITES, Trust},
};

const SAME: Marks = Marks::Unread;

/// The known file with a change
fn known(change: impl FnOnce(&mut KnownFile)) -> KnownFile {
    let mut file = file(Instant::now());
    change(&mut file);
    file
}

fn grown(size: u64) -> Observation {
    Observation::Grew(Growth { size, zeros: 0, modified: 1000, born: Some(5), head: head() })
}

#[test]
fn an_open_file_is_judged_by_its_descriptor() {
    let file = known(|_| ());
    let same = Marks::Same(head());
    let longer = Stat { size: SIZE + 1, ..stat() };
    let touched = Stat { modified: 2000, ..stat() };
    let copied_up = Stat { born: Some(6), ..stat() };
    let growth = Growth { size: SIZE, zeros: 0, modified: 2000, born: Some(5), head: head() };
    let born_again = Growth { modified: 1000, born: Some(6), ..growth };
    let mut elsewhere = stat();
    elsewhere.inode.inode += 1;
    for (what, stat, marks, meaning) in [
        ("nothing is new", stat(), SAME, Observation::Same),
        ("it begins as before", stat(), same, Observation::Same),
        ("it is longer", longer, same, grown(SIZE + 1)),
        ("it was written without a change of size", touched, same, Observation::Grew(growth)),
        ("an overlay has copied it up", copied_up, same, Observation::Grew(born_again)),
        ("it is as long, with other bytes", stat(), Marks::Other, Observation::Replaced),
        ("it is longer, with other bytes", longer, Marks::Other, Observation::Replaced),
        ("only its head is another", stat(), Marks::Rewritten(Head::default()), Observation::Replaced),
        ("two reads differ", stat(), Marks::Unsteady, Observation::Unsteady),
        ("it is shorter", Stat { size: SIZE - 1, ..stat() }, SAME, Observation::Truncated),
        ("it is empty", Stat { size: 0, ..stat() }, SAME, Observation::Truncated),
        ("it has no name", Stat { links: 0, ..stat() }, SAME, Observation::Deleted),
        ("it is shorter, and has no name", Stat { links: 0, size: 0, ..stat() }, SAME, Observation::Deleted),
        ("the descriptor has another inode", elsewhere, same, Observation::Astray),
        ("a read belies the size", stat(), Marks::Contradictory, Observation::Inconsistent),
        ("a read belies a smaller size", Stat { size: 0, ..stat() }, Marks::Contradictory, Observation::Inconsistent),
    ] {
        let sighting = Sighting::Open { stat, zeros: 0, marks };
        assert_eq!(observe(&file, &sighting), meaning, "{what}");
    }
}

#[test]
fn a_head_that_changes_again_and_again_makes_no_other_content() {
    let marks = Marks::Rewritten(Head::of(b"another first line"));
    let sighting = Sighting::Open { stat: stat(), zeros: 0, marks };
    let after = |rewrites| observe(&known(|file| file.rewrites = rewrites), &sighting);
    assert_eq!(after(0), Observation::Replaced);
    assert_eq!(after(MOST_REWRITES - 1), Observation::Replaced);
    assert!(matches!(after(MOST_REWRITES), Observation::Rewritten(Growth { size: SIZE, .. })));
}

#[test]
fn zeros_at_the_end_are_part_of_what_is_known() {
    let sighting = Sighting::Open { stat: stat(), zeros: 28, marks: Marks::Same(head()) };
    assert_eq!(observe(&known(|file| file.zeros = 28), &sighting), Observation::Same);
    assert!(matches!(observe(&known(|_| ()), &sighting), Observation::Grew(Growth { size: SIZE, zeros: 28, .. })));
}

#[test]
fn a_deleted_file_is_deleted_once_and_may_grow_still() {
    let file = known(|file| file.state = FileState::Deleted);
    let open = |size| Sighting::Open { stat: Stat { size, links: 0, ..stat() }, zeros: 0, marks: Marks::Same(head()) };
    assert_eq!(observe(&file, &open(SIZE)), Observation::Same);
    assert_eq!(observe(&file, &open(SIZE + 1)), grown(SIZE + 1));
}

#[test]
fn a_file_about_which_the_system_contradicts_itself_only_grows() {
    let file = known(|file| file.trust = Trust::None);
    let open = |size, marks| Sighting::Open { stat: Stat { size, ..stat() }, zeros: 0, marks };
    for (what, size, marks, meaning) in [
        ("a read finds nothing", SIZE, SAME, Observation::Same),
        ("a read finds more", SIZE + 9, Marks::Same(head()), grown(SIZE + 9)),
        ("it is said to be shorter", 0, SAME, Observation::Same),
        ("it is said to be another", SIZE, Marks::Other, Observation::Same),
        ("the contradiction goes on", SIZE, Marks::Contradictory, Observation::Same),
    ] {
        assert_eq!(observe(&file, &open(size, marks)), meaning, "{what}");
    }
    let gone = Sighting::Open { stat: Stat { links: 0, ..stat() }, zeros: 0, marks: SAME };
    assert_eq!(observe(&file, &gone), Observation::Deleted);
}

#[test]
fn a_file_that_is_not_open_is_judged_by_what_has_its_path() {
    let file = known(|_| ());
    let longer_head = Head::of(b"the first line\nthe second");
    let with_head = Growth { size: SIZE, zeros: 0, modified: 1000, born: Some(5), head: longer_head };
    let mut elsewhere = stat();
    elsewhere.inode.inode += 1;
    for (what, stat, head, meaning) in [
        ("nothing is new", stat(), head(), Observation::Same),
        ("it is longer", Stat { size: SIZE + 1, ..stat() }, head(), grown(SIZE + 1)),
        ("more of its head is there", stat(), longer_head, Observation::Grew(with_head)),
        ("it is shorter", Stat { size: SIZE - 1, ..stat() }, head(), Observation::Truncated),
        ("another file is there", elsewhere, head(), Observation::Replaced),
        ("its inode was used again", Stat { born: Some(6), ..stat() }, head(), Observation::Replaced),
        ("the file system knows no births", Stat { born: None, size: 0, ..stat() }, head(), Observation::Truncated),
    ] {
        let sighting = Sighting::Closed { stat, zeros: 0, head };
        assert_eq!(observe(&file, &sighting), meaning, "{what}");
    }
    assert_eq!(observe(&file, &Sighting::Absent), Observation::Deleted);
    assert_eq!(observe(&file, &Sighting::Other), Observation::Replaced);
}

#[test]
fn a_name_that_comes_or_goes_is_a_rename() {
    let renamed = Observation::Renamed;
    for (state, is_named, meaning) in [
        (FileState::Live, true, Observation::Same),
        (FileState::Live, false, renamed(FileState::Rotated)),
        (FileState::Rotated, true, renamed(FileState::Live)),
        (FileState::Rotated, false, Observation::Same),
        (FileState::Missing, true, renamed(FileState::Live)),
        (FileState::Missing, false, Observation::Same),
        (FileState::Deleted, false, Observation::Same),
    ] {
        let file = known(|file| file.state = state);
        assert_eq!(observe(&file, &Sighting::Named(is_named)), meaning, "{state:?}, {is_named}");
    }
}

#[test]
fn a_descriptor_that_leads_to_nothing_any_more_is_astray() {
    assert_eq!(observe(&known(|_| ()), &Sighting::Strayed), Observation::Astray);
}

#[test]
fn a_missing_file_that_is_there_again_has_another_name() {
    let missing = known(|file| file.state = FileState::Missing);
    let sighting = Sighting::Closed { stat: stat(), zeros: 0, head: head() };
    assert_eq!(observe(&missing, &sighting), Observation::Renamed(FileState::Rotated));
    assert_eq!(observe(&missing, &Sighting::Absent), Observation::Deleted);
}

#[test]
fn an_error_says_nothing_about_the_file() {
    let failed = Sighting::Failed("input/output error".into());
    assert_eq!(observe(&known(|_| ()), &failed), Observation::Unreadable("input/output error".into()));
}

#[test]
fn nothing_is_said_of_a_content_that_is_lost_or_looked_for() {
    let states = [FileState::Lost, FileState::Sought(LossReason::Truncated), FileState::Unmeasured { was_cut: false }];
    for state in states {
        let file = known(|file| file.state = state);
        let open = Sighting::Open { stat: Stat { size: 0, ..stat() }, zeros: 0, marks: SAME };
        for sighting in [open, Sighting::Absent, Sighting::Other, Sighting::Named(true), Sighting::Failed("no".into())]
        {
            assert_eq!(observe(&file, &sighting), Observation::Same, "{state:?}, {sighting:?}");
        }
    }
}
