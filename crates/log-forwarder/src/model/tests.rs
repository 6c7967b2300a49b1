//! Histories that once showed a fault, and random ones.

mod histories;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{
    app::{Ambush, App, path},
    books::OUTPUTS,
    run::{Answer, Run},
    volume::{Act, Model},
    *,
};
use crate::log_lines::LogLines;

#[test]
fn a_file_that_cannot_be_read_holds_up_no_later_file_of_its_path() {
    let model = Model::default();
    let mut app = App::new(model.clone());
    app.write(0, 2);
    let mut run = Run::start(&model, None, Instant::now(), Setup::of(0));
    app.rename(0);
    model.damage(&path("app.log.1"));
    app.write(0, 1);
    run.scan(model.take_renames(), false);
    assert_eq!(delivered(&mut run), 1);
    // It is tried again, and fails again.
    run.wait(Duration::from_secs(2));
    run.look();
    app.write(0, 1);
    run.look();
    assert_eq!(delivered(&mut run), 2);
    model.heal();
    assert_eq!(delivered(&mut run), 2);
    run.wait(Duration::from_secs(2));
    run.look();
    assert_eq!(delivered(&mut run), 4);
}

#[test]
fn a_copy_that_gets_a_name_during_a_scan_is_not_taken_for_the_file_that_had_it() {
    let deliver = |run: &mut Run| {
        for output in OUTPUTS {
            while run.hand_out(output) {
                run.answer(output, Answer::Take);
            }
        }
    };
    let (log, temporary) = (path("app.log"), path("app.log.tmp"));
    let rotated = |number: u32| path(&format!("app.log.{number}"));
    for questions in 0..60 {
        let model = Model::default();
        let mut app = App::new(model.clone());
        app.write(0, 5);
        let mut run = Run::start(&model, None, Instant::now(), Setup::of(0));
        deliver(&mut run);
        app.rename(0);
        app.write(0, 5);
        run.scan(model.take_renames(), false);
        deliver(&mut run);
        // As logrotate's renamecopy does it
        let rename = |from: &PathBuf, to: &PathBuf| Act::Rename(from.clone(), to.clone());
        for act in
            [rename(&rotated(1), &rotated(2)), rename(&log, &temporary), Act::Copy(temporary.clone(), rotated(1))]
        {
            model.act(&act);
        }
        model.delete(&temporary);
        app.write(0, 5);
        run.scan(model.take_renames(), false);
        deliver(&mut run);
        let next = [(rotated(2), rotated(3)), (rotated(1), rotated(2)), (log.clone(), rotated(1))];
        let next = next.iter().zip([questions, 0, 0]).map(|((from, to), questions)| (questions, rename(from, to)));
        model.ambush(next.collect());
        run.scan(Vec::new(), false);
        model.finish_ambush();
        run.scan(model.take_renames(), false);
        deliver(&mut run);
        assert_eq!(run.settled.each_ref().map(Vec::len), [15, 15], "after {questions} questions");
    }
}

#[test]
fn a_copy_that_seems_older_than_lines_in_flight_is_not_read_from_its_beginning() {
    let model = Model::default();
    let mut app = App::new(model.clone());
    app.write(0, 1);
    model.touch(&path("app.log"), 1_000_000);
    let mut run = Run::start(&model, None, Instant::now(), Setup::of(0));
    assert!(run.hand_out(OUTPUTS[0]));
    app.write(0, 2);
    app.copy(0);
    run.look();
    run.scan(Vec::new(), false);
    run.answer(OUTPUTS[0], Answer::Take);
    run.finish(Vec::new());
    run.check_doubles();
    assert_eq!((run.settled[0].len(), run.lost(OUTPUTS[0])), (3, 0));
}

#[test]
fn a_copy_that_seems_older_than_its_original_is_read() {
    let model = Model::default();
    let mut app = App::new(model.clone());
    app.write(0, 1);
    model.touch(&path("app.log"), 1_000_000);
    let mut run = Run::start(&model, None, Instant::now(), Setup::of(0));
    app.write(0, 2);
    app.copy(0);
    run.look();
    run.finish(Vec::new());
    run.check_doubles();
    assert_eq!((run.settled[0].len(), run.lost(OUTPUTS[0])), (3, 0));
}

#[test]
fn files_that_are_renamed_during_a_scan_are_read_in_their_order() {
    for questions in 0..60 {
        let model = Model::default();
        let mut app = App::new(model.clone());
        app.write(0, 1);
        let mut run = Run::start(&model, None, Instant::now(), Setup::of(0));
        app.rename(0);
        app.write(0, 1);
        app.rename_twice_during(0, questions, || run.scan(model.take_renames(), false));
        run.finish(model.take_renames());
        // The second line is dropped before the first one is answered.
        let numbers: Vec<_> =
            run.settled[0].iter().map(|line| &line[..12]).filter(|line| *line != "app.log:0002").collect();
        assert_eq!(numbers, ["app.log:0001", "app.log:0003", "app.log:0004"], "after {questions} questions");
    }
}

#[test]
fn copies_and_truncations_between_any_two_questions_cost_no_line() {
    for (first, act) in (0..10).flat_map(|first| (0..14).map(move |act| (first, act))) {
        for (keeps_names, pause) in [false, true].into_iter().flat_map(|keeps| [1, 8, 200].map(|pause| (keeps, pause)))
        {
            let ambush = Ambush { keeps_names, first, pause, act };
            let (lines, lost) = copied_during_scans(ambush);
            assert_eq!((lines, lost), (7, 0), "{ambush:?}");
        }
    }
}

/// How many lines are delivered, and how many bytes count as lost
fn copied_during_scans(ambush: Ambush) -> (usize, u64) {
    let model = Model::default();
    let mut app = App::new(model.clone());
    app.write(0, 1);
    let mut run = Run::start(&model, None, Instant::now(), Setup::of(0));
    // Behind a rotation that was seen, files beside the log are taken for rotated ones.
    app.copy(0);
    app.write(0, 1);
    run.look();
    app.copy_during(0, ambush, || {
        run.scan(Vec::new(), false);
        run.look();
        run.scan(Vec::new(), false);
    });
    run.finish(Vec::new());
    run.check_doubles();
    assert!(run.settled[0].iter().all(|line| app.written.contains(line)), "{ambush:?}");
    (run.settled[0].len(), run.lost(OUTPUTS[0]))
}

/// Delivers all that is there to the first output.
fn delivered(run: &mut Run) -> usize {
    while run.hand_out(OUTPUTS[0]) {
        run.answer(OUTPUTS[0], Answer::Take);
    }
    run.settled[0].len()
}

#[test]
fn a_file_whose_bytes_differ_at_each_read_is_read_when_they_stay() {
    let (log, _guard) = LogLines::taken();
    let model = Model::default();
    let mut app = App::new(model.clone());
    app.write(0, 3);
    model.unsettle(&path("app.log"), true);
    let mut run = Run::start(&model, None, Instant::now(), Setup::of(0));
    for _ in 0..20 {
        assert_eq!(delivered(&mut run), 0);
        run.wait(Duration::from_secs(2));
        run.look();
    }
    assert_eq!((run.lost(OUTPUTS[0]), run.files()), (0, 1));
    assert_eq!(log.count("differ from one read to the next"), 2, "at first and after 30 s");
    model.unsettle(&path("app.log"), false);
    run.wait(Duration::from_secs(2));
    run.look();
    assert_eq!(delivered(&mut run), 3);
    app.write(0, 1);
    run.look();
    assert_eq!((delivered(&mut run), run.lost(OUTPUTS[0]), run.files()), (4, 0, 1));
}

#[test]
fn a_file_that_begins_otherwise_at_each_look_does_not_come_again_and_again() {
    const LOOKS: usize = 40;
    let (log, _guard) = LogLines::taken();
    let model = Model::default();
    let mut app = App::new(model.clone());
    app.write(0, 20);
    let mut run = Run::start(&model, None, Instant::now(), Setup::of(0));
    assert_eq!(delivered(&mut run), 20);
    for byte in (b'0'..=b'9').cycle().take(LOOKS) {
        model.rewrite(&path("app.log"), byte);
        app.write(0, 1);
        run.wait(Duration::from_millis(100));
        run.look();
        delivered(&mut run);
    }
    // Two times the file is taken for another one.
    let doubles = delivered(&mut run) - 20 - LOOKS;
    assert!((20..=43).contains(&doubles), "{doubles}");
    assert_eq!(log.count("written over again and again"), 1);
    assert!(run.files() <= 3);
    // A loss can only come from the looks at which the file was taken for another one, so it stays the same from here on.
    let lost = run.lost(OUTPUTS[0]);
    app.write(0, 5);
    run.look();
    assert_eq!((delivered(&mut run), run.lost(OUTPUTS[0])), (20 + LOOKS + doubles + 5, lost));
}

#[test]
fn a_copy_beside_a_log_that_cannot_be_read_at_a_start_is_read() {
    let model = Model::default();
    let mut app = App::new(model.clone());
    app.write(0, 1);
    let mut run = Run::start(&model, None, Instant::now(), Setup::of(0));
    run.scan(Vec::new(), false);
    app.copy(0);
    app.write(0, 2);
    app.copy(0);
    model.damage(&path("app.log"));
    app.write(0, 4);
    let mut run = Run::start(&model, Some(&run.checkpoint()), run.now(), Setup::of(0));
    model.heal();
    run.finish(Vec::new());
    assert_eq!((run.settled.each_ref().map(Vec::len), run.lost(OUTPUTS[0])), ([7, 7], 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]
    #[test]
    fn every_byte_has_one_account_and_every_line_that_is_there_is_delivered(
        steps in proptest::collection::vec(any::<u8>().prop_map(Step::of), 0..160),
        setup in (0..16u8).prop_map(Setup::of),
    ) {
        play(&steps, setup);
    }
}
