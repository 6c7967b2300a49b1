//! Histories of steps that once showed a fault.

use crate::model::{Setup, Step, books::OUTPUTS, play};

#[test]
fn zeros_that_cannot_be_read_are_no_text() {
    let log = [Step::Rename(0), Step::Write(0, 1), Step::Extend(0, 400), Step::Damage(0), Step::Write(0, 1)];
    play(&[log.as_slice(), &[Step::Scan { is_overflow: false }]].concat(), Setup::of(13));
}

#[test]
fn lines_that_come_in_an_older_file_behind_its_copy_are_read_before_those_of_later_files() {
    let scan = Step::Scan { is_overflow: false };
    let copies = [Step::Copy(0), scan, Step::Write(0, 2), Step::Copy(0), scan, Step::Gather(OUTPUTS[0])];
    let later = [Step::Write(0, 3), Step::Rename(0), Step::Write(0, 1)];
    play(&[copies.as_slice(), &later].concat(), Setup::of(2));
}

#[test]
fn other_content_of_an_inputs_inode_is_read_after_a_restart() {
    let (scan, restart) = (Step::Scan { is_overflow: false }, |is_healed| Step::Restart { is_healed });
    // A truncation that no look has seen, because reads failed
    let truncated = [Step::Truncate(1), Step::Write(1, 1), Step::Damage(1), Step::Rename(1), Step::Write(1, 1)];
    play(&[truncated.as_slice(), &[scan, scan, Step::Checkpoint, restart(true)]].concat(), Setup::of(0));
    let rotated = [Step::Damage(0), Step::Copy(0), Step::Write(0, 4), Step::Rename(0), Step::Write(0, 2)];
    play(&[rotated.as_slice(), &[scan, Step::Checkpoint, restart(false), restart(true)]].concat(), Setup::of(0));
}

#[test]
fn a_log_that_was_copied_away_while_it_could_not_be_opened_is_read_in_the_copy() {
    let copied = [Step::Copy(1), Step::Scan { is_overflow: false }, Step::Checkpoint];
    let failing = [Step::Damage(0), Step::Damage(1), Step::Write(1, 1), Step::Write(0, 2)];
    let restarted = [Step::Restart { is_healed: false }, Step::Copy(1)];
    play(&[copied.as_slice(), &failing, &restarted].concat(), Setup::of(7));
}

#[test]
fn a_copy_that_gets_another_name_while_the_names_are_read_is_read() {
    let scan = Step::Scan { is_overflow: false };
    let copied = [Step::Delete(1), Step::Write(1, 1), scan, Step::Truncate(1), Step::Write(1, 1), Step::Copy(1)];
    for (first, second) in (0..40).flat_map(|first| (0..40).map(move |second| (first, second))) {
        let renamed = [first, second].map(|seed| Step::ScanInRename { log: 1, seed });
        play(&[copied.as_slice(), &renamed].concat(), Setup::of(0));
    }
}

#[test]
fn a_log_that_waits_for_a_descriptor_while_it_is_copied_goes_on_in_the_copy() {
    let waiting = [Step::Rename(1), Step::Rename(1), Step::Write(1, 5), Step::Scan { is_overflow: true }];
    for seed in 0..42 {
        let copied = [Step::Copy(1), Step::Look, Step::ScanInRename { log: 1, seed }];
        play(&[waiting.as_slice(), &copied].concat(), Setup::of(1));
    }
}
