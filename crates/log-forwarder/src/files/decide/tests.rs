//! The rules of [`decide`], as tables: what was observed of a file, and what becomes of it.

use std::{path::Path, sync::Arc, time::Duration};

use prometheus::Registry;

use super::*;
use crate::{
    content::{
        Content,
        fingerprint::{Anchor, Anchors, Head},
    },
    files::{
        cursor::Cursor,
        example::{SIZE, file, stat},
        growth::Growth,
        known::{Access, OutputId},
        ledger::Ledger,
        set::Change,
    },
};

const QUIET: Duration = Duration::from_secs(1);
const REASON: LossReason = LossReason::Truncated;

/// Makes another file of the known one.
type Alter = fn(&mut KnownFile);

fn policy() -> Policy {
    Policy { max_pinned: 150, quiet_period: QUIET, close_inactive: None, stopping: None }
}

/// The known file with a change
fn known(now: Instant, change: impl FnOnce(&mut KnownFile)) -> KnownFile {
    let mut file = file(now);
    change(&mut file);
    file
}

/// A copy under the name of a rotated file
fn copy() -> Trace {
    let content = Content::Plain(Arc::new(tempfile::tempfile().unwrap()));
    let anchors = Anchors::new();
    Trace::Copy(Copy { path: Path::new("/logs/app.log.1").into(), content, stat: stat(), anchors }.into())
}

/// A fate in a word, and with its reason if it is a loss
fn name(fate: &Fate) -> String {
    match fate {
        Fate::ContinueInCopy(copy) => format!("ContinueInCopy {}", copy.path.display()),
        Fate::Grow(growth) => format!("Grow {}", growth.size),
        other => format!("{other:?}"),
    }
}

/// The fate of a file, and whether that needs a look for its content elsewhere
fn fate(file: &KnownFile, observation: &Observation, trace: Option<Trace>, now: Instant) -> String {
    name(&decide(file, observation, trace, REASON, &policy(), now))
}

#[test]
fn each_observation_of_an_open_file_has_its_fate() {
    let now = Instant::now();
    let file = known(now, |_| ());
    let growth = Growth { size: 120, zeros: 0, modified: 0, born: None, head: Head::default() };
    for (observation, needs, expected) in [
        (Observation::Same, false, "KeepReading"),
        (Observation::Grew(growth), false, "Grow 120"),
        (Observation::Rewritten(growth), false, "Grow 120"),
        (Observation::Unsteady, false, "Mistrust"),
        (Observation::Renamed(FileState::Rotated), false, "SetState(Rotated)"),
        // Its descriptor has the content still.
        (Observation::Deleted, false, "SetState(Deleted)"),
        (Observation::Unreadable("input/output error".into()), false, "KeepReading"),
        (Observation::Astray, false, "Detach"),
        // It is read to its end through the descriptor, and nothing counts as lost.
        (Observation::Inconsistent, true, "ReadOut { is_displaced: false }"),
        (Observation::Replaced, true, "Lose(Truncated)"),
        (Observation::Truncated, true, "Lose(Truncated)"),
    ] {
        assert_eq!(needs_trace(&file, &observation), needs, "{observation:?}");
        assert_eq!(fate(&file, &observation, needs.then_some(Trace::Nowhere), now), expected, "{observation:?}");
    }
}

#[test]
fn a_content_that_has_left_its_file_goes_on_where_it_is_found() {
    let now = Instant::now();
    let open = known(now, |_| ());
    let closed = known(now, |file| file.access = Access::Closed);
    let remote = known(now, |file| file.trust = Trust::Limited);
    let astray = known(now, |file| file.trust = Trust::None);
    let read_out = "ReadOut { is_displaced: true }";
    let copied = "ContinueInCopy /logs/app.log.1";
    for (what, file, observation, trace, expected) in [
        ("a copy of a truncated file", &open, Observation::Truncated, Some(copy()), copied),
        ("a copy of one that was written over", &open, Observation::Replaced, Some(copy()), copied),
        ("a copy of one that was deleted", &closed, Observation::Deleted, Some(copy()), copied),
        ("a copy of one about which answers differ", &open, Observation::Inconsistent, Some(copy()), copied),
        ("none of a file whose path leads elsewhere", &astray, Observation::Inconsistent, None, read_out),
        ("compressed files", &open, Observation::Truncated, Some(Trace::Packed), "SearchPacked(Truncated)"),
        (
            "no copy yet on a remote mount",
            &remote,
            Observation::Truncated,
            Some(Trace::Nowhere),
            "SearchPacked(Truncated)",
        ),
        ("no copy", &closed, Observation::Deleted, Some(Trace::Nowhere), "Lose(Truncated)"),
        ("no need of a copy", &closed, Observation::Deleted, None, "AwaitName"),
    ] {
        assert_eq!(fate(file, &observation, trace, now), expected, "{what}");
    }
}

#[test]
fn a_file_without_a_name_is_kept_in_mind_for_five_seconds() {
    let now = Instant::now();
    for trust in [Trust::Full, Trust::Limited] {
        let closed = |state, seconds| {
            known(now.checked_sub(Duration::from_secs(seconds)).unwrap(), |file| {
                (file.access, file.state, file.trust) = (Access::Closed, state, trust);
            })
        };
        for (state, seconds, expected) in [
            (FileState::Live, 60, "AwaitName"),
            (FileState::Rotated, 60, "AwaitName"),
            (FileState::Missing, 4, "KeepReading"),
            (FileState::Missing, 5, "Forget"),
            (FileState::Aside, 0, "Forget"),
        ] {
            let fate = fate(&closed(state, seconds), &Observation::Deleted, None, now);
            assert_eq!(fate, expected, "{trust:?} {state:?}");
        }
    }
}

#[test]
fn a_deleted_file_that_is_not_open_is_looked_for_if_an_output_lacks_some_of_it() {
    let now = Instant::now();
    let settled = known(now, |file| file.access = Access::Closed);
    let unread = known(now, |file| (file.access, file.seen) = (Access::Closed, SIZE + 1));
    assert!(!needs_trace(&settled, &Observation::Deleted));
    assert!(needs_trace(&unread, &Observation::Deleted));
}

#[test]
fn a_loss_has_the_reason_that_the_look_gives() {
    let now = Instant::now();
    let file = known(now, |file| (file.access, file.seen) = (Access::Closed, SIZE + 1));
    for reason in [LossReason::Truncated, LossReason::GoneUnread, LossReason::GoneWhileDown] {
        let fate = decide(&file, &Observation::Deleted, Some(Trace::Nowhere), reason, &policy(), now);
        assert_eq!(name(&fate), format!("Lose({reason:?})"));
        let fate = decide(&file, &Observation::Deleted, Some(Trace::Packed), reason, &policy(), now);
        assert_eq!(name(&fate), format!("SearchPacked({reason:?})"));
    }
}

#[test]
fn time_ends_and_closes_a_file_that_has_a_successor() {
    let start = Instant::now();
    let rotated = |file: &mut KnownFile| file.state = FileState::Rotated;
    let ended = |file: &mut KnownFile| (file.state, file.ended) = (FileState::Rotated, true);
    let unread = |file: &mut KnownFile| (file.state, file.ended, file.seen) = (FileState::Rotated, true, SIZE + 1);
    let deleted = |file: &mut KnownFile| (file.state, file.ended) = (FileState::Deleted, true);
    let lost = |file: &mut KnownFile| (file.state, file.access) = (FileState::Lost, Access::Closed);
    let in_doubt =
        |file: &mut KnownFile| (file.state, file.ended, file.trust) = (FileState::Rotated, true, Trust::None);
    let a_moment = Duration::from_millis(999);
    let rows: [(&str, Alter, Duration, &str); 11] = [
        ("a log that is written", |_| (), QUIET * 100, "KeepReading"),
        ("a rotated file, soon", rotated, a_moment, "KeepReading"),
        ("a rotated file that is still", rotated, QUIET, "End"),
        ("one that has ended, before its writer takes the new one", ended, Duration::from_secs(59), "KeepReading"),
        ("one that has ended, later", ended, KEPT_OPEN, "Close"),
        ("one that an output has not read", unread, KEPT_OPEN * 10, "KeepReading"),
        ("a deleted one", deleted, Duration::from_secs(59), "KeepReading"),
        ("a deleted one, later", deleted, KEPT_OPEN, "Forget"),
        ("one about which answers differ, later", in_doubt, KEPT_OPEN, "Forget"),
        ("a lost one, whose bytes are counted", lost, Duration::ZERO, "Forget"),
        (
            "a lost one, of which an output has some",
            |file| {
                (file.state, file.access) = (FileState::Lost, Access::Closed);
                file.cursors[0].in_flight_end += 1;
            },
            KEPT_OPEN,
            "KeepReading",
        ),
    ];
    for (what, change, later, expected) in rows {
        assert_eq!(fate(&known(start, change), &Observation::Same, None, start + later), expected, "{what}");
    }
}

#[test]
fn the_policy_ends_and_closes_logs() {
    let now = Instant::now();
    let file = known(now, |_| ());
    let (earlier, later) = (now + Duration::from_secs(9), now + Duration::from_secs(10));
    let fate = |policy: Policy| name(&decide(&file, &Observation::Same, None, REASON, &policy, later));
    assert_eq!(fate(policy()), "KeepReading");
    assert_eq!(fate(Policy { close_inactive: Some(Duration::from_secs(11)), ..policy() }), "KeepReading");
    assert_eq!(fate(Policy { close_inactive: Some(Duration::from_secs(10)), ..policy() }), "Park");
    // A last line without a newline is complete when nothing came since the stop signal.
    assert_eq!(fate(Policy { stopping: Some(later), ..policy() }), "KeepReading");
    assert_eq!(fate(Policy { stopping: Some(earlier), ..policy() }), "End");
}

#[test]
fn the_oldest_deleted_files_are_given_up_until_the_others_fit() {
    let now = Instant::now();
    let mut set = FileSet::new(Ledger::new(&Registry::new()).unwrap());
    set.apply(Change::AddOutput("stdout://".into()), now);
    for number in 0..4 {
        let cursors = vec![Cursor::at(0, Anchor::default(), false)];
        let file = known(now, |file| (file.inode.inode, file.cursors) = (number, cursors));
        set.apply(Change::Begin(number, file.into()), now);
    }
    assert!(over_max_pinned(&set, &policy()).is_empty());
    for key in [1, 2, 3] {
        set.apply(Change::Meet(key, Fate::SetState(FileState::Deleted)), now);
    }
    assert_eq!(set.pinned(), 3 * SIZE);
    assert_eq!(over_max_pinned(&set, &policy()), [1, 2]);
    for key in [1, 2] {
        set.apply(Change::Meet(key, Fate::Lose(LossReason::OverMaxPinned)), now);
    }
    assert!(over_max_pinned(&set, &policy()).is_empty());
    assert_eq!(set.ledger().of(OutputId(0)).sums().lost, 2 * SIZE);
}
