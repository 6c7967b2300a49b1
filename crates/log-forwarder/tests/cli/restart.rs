//! Restarts: with a checkpoint, with a damaged one, and with files that were rotated between the runs.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use crate::{
    rotation::assert_all_there_in_any_order,
    support::{Pod, Signal, Writer, assert_all_there, ledger, line, stop, until, whole_lines},
};

#[test]
fn a_restart_goes_on_where_the_last_run_ended() {
    let (pod, mut writer) = Pod::with_a_past();
    writer.write(1);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(101);
    let ended = stop(program);
    assert_eq!(ledger(&ended)["lines"], 1);
    assert_all_there(pod.out().lines(), 101);
}

#[test]
fn files_that_were_rotated_while_nobody_watched_are_read() {
    let pod = Pod::new();
    // From before the first start: not an input's any more
    fs::write(pod.log("app.log.1"), "old\n").unwrap();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(100);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(100);
    stop(program);
    for _ in 0..4 {
        writer.write(10);
        writer.rotate(10);
    }
    writer.write(10);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(150);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (50, 0));
    assert_all_there(pod.out().lines(), 150);
}

#[test]
fn a_copy_that_was_made_while_nobody_watched_is_read_from_where_it_was() {
    let (pod, mut writer) = Pod::with_a_past();
    writer.write(10);
    writer.copy_and_truncate(".1");
    writer.write(200);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(310);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (210, 0));
    assert_all_there_in_any_order(pod.out().lines(), 310);
}

#[test]
fn what_was_deleted_while_nobody_watched_is_counted() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    let mut program = pod.start(&["--output", "http://127.0.0.1:1/"]);
    program.wait_for_message("health listener is up");
    writer.write(10);
    let size = fs::metadata(pod.log("app.log")).unwrap().len();
    until("the file is in the checkpoint", || pod.checkpoint()?.contains(&format!("\"seen\":{size}")).then_some(()));
    program.signal(Signal::KILL);
    program.end();
    fs::remove_file(pod.log("app.log")).unwrap();
    let program = pod.start(&["--output", "http://127.0.0.1:1/"]);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["read"], ledger(&ended)["lost"]), (size, size));
    let lost = ended.message("lost: no output gets the rest of this file");
    assert_eq!(lost["reason"], "gone while not running");
}

#[test]
fn a_file_that_went_while_nobody_watched_and_may_have_grown_is_named() {
    let (pod, mut writer) = Pod::with_a_past();
    writer.write(10);
    let elsewhere = pod.beside("old");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(pod.log("app.log"), elsewhere.join("app.log.1")).unwrap();
    writer = Writer::new(&pod.log("app.log"));
    writer.write(1);
    let mut program = pod.start(&["--output", &pod.file_output()]);
    let gone = program.wait_for_message("its content is gone: lines that came since the last run are not counted");
    assert_eq!(gone["file"], pod.log("app.log").display().to_string());
    pod.wait_for_lines(101);
    writer.rotate(3);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (1, 0));
    // A rotated file that was read to its end goes as it should.
    fs::remove_file(pod.log("app.log.1")).unwrap();
    let ended = stop(pod.start(&["--output", &pod.file_output()]));
    assert!(!format!("{ended:?}").contains("its content is gone"), "{ended:?}");
}

#[test]
fn a_checkpoint_that_is_cut_in_half_is_told_and_costs_only_duplicates() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(50);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(50);
    stop(program);
    let state = pod.beside("state/checkpoint.json");
    let text = fs::read(&state).unwrap();
    fs::write(&state, &text[..text.len() / 2]).unwrap();
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(100);
    let ended = stop(program);
    let message = "cannot read the checkpoint: every file is delivered again, from its beginning";
    assert!(ended.message(message)["error"].as_str().unwrap().starts_with("it is damaged"));
    assert_all_there(pod.out().lines(), 50);
    // And it is whole again.
    let ended = stop(pod.start(&["--output", &pod.file_output()]));
    assert_eq!(ledger(&ended)["read"], 0);
}

#[test]
fn a_state_directory_that_cannot_be_written_is_told_and_stops_nothing() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(50);
    // A file where a directory should be: refused to root too.
    fs::write(pod.beside("state"), "").unwrap();
    let mut program = pod.start(&["--output", &pod.file_output()]);
    program.wait_for_message("cannot save the checkpoint; a restart would deliver lines again");
    pod.wait_for_lines(50);
    fs::remove_file(pod.beside("state")).unwrap();
    program.wait_for_message("the checkpoint is saved again");
    stop(program);
    assert_all_there(pod.out().lines(), 50);
    let ended = stop(pod.start(&["--output", &pod.file_output()]));
    assert_eq!(ledger(&ended)["read"], 0);
}

#[test]
fn a_link_in_place_of_the_checkpoint_is_neither_read_nor_written_through() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(50);
    fs::create_dir(pod.beside("state")).unwrap();
    let victim = pod.beside("victim");
    fs::write(&victim, "{\"version\":\"hunter2\"}").unwrap();
    for name in ["checkpoint.json", "checkpoint.json.new"] {
        symlink(&victim, pod.beside("state").join(name)).unwrap();
    }
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(50);
    let ended = stop(program);
    let message = "cannot read the checkpoint: every file is delivered again, from its beginning";
    assert_eq!(ended.message(message)["error"], "it is a symbolic link, not a regular file");
    assert!(!ended.everything().contains("hunter2"));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "{\"version\":\"hunter2\"}");
    assert!(pod.beside("state/checkpoint.json").symlink_metadata().unwrap().is_file());
    assert!(pod.beside("state/checkpoint.json.new").is_symlink());
    // The checkpoint is whole.
    assert_eq!(ledger(&stop(pod.start(&["--output", &pod.file_output()])))["read"], 0);
}

#[test]
fn temporary_files_of_a_killed_run_are_removed() {
    let (pod, _) = Pod::with_a_past();
    let leftover = pod.beside("state/.checkpoint.json.00000000000000aa.tmp");
    fs::write(&leftover, "half").unwrap();
    let ended = stop(pod.start(&["--output", &pod.file_output()]));
    assert_eq!(ended.message("removed temporary files of a former run")["count"], 1);
    assert!(!leftover.exists());
}

#[test]
fn a_new_output_gets_everything_and_the_old_one_nothing_twice() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(50);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(50);
    stop(program);
    let second = pod.beside("second");
    let output = format!("file://{}", second.display());
    let program = pod.start(&["--output", &pod.file_output(), "--output", &output]);
    let lines = || fs::read_to_string(&second).ok().filter(|text| text.lines().count() == 50);
    let text = until("the second output has all lines", lines);
    stop(program);
    assert_all_there(text.lines(), 50);
    assert_eq!(pod.out().lines().count(), 50);
}

#[test]
fn a_new_output_has_not_lost_what_was_gone_before_it_came() {
    let (pod, _) = Pod::with_a_past();
    fs::remove_file(pod.log("app.log")).unwrap();
    let second = format!("file://{}", pod.beside("second").display());
    let program = pod.start(&["--output", &pod.file_output(), "--output", &second]);
    pod.wait_for_checkpoint();
    let ended = stop(program);
    assert_eq!(ledger(&ended)["lost"], 0, "{ended:#?}");
}

#[test]
fn killed_a_hundred_times_while_files_rotate_nothing_is_lost() {
    nothing_is_lost_when_killed(100, Writer::move_away);
}

#[test]
fn killed_often_while_files_are_copied_and_truncated_nothing_is_lost() {
    nothing_is_lost_when_killed(40, Writer::copy_and_truncate);
}

#[track_caller]
fn nothing_is_lost_when_killed(times: u64, rotate: fn(&mut Writer, &str)) {
    let pod = Pod::new();
    // One that is killed before it has seen its directory knows nothing.
    let mut program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_checkpoint();
    let mut writer = Writer::new(&pod.log("app.log"));
    let is_over = Arc::new(AtomicBool::new(false));
    let ended = is_over.clone();
    let app = thread::spawn(move || {
        for round in 1.. {
            writer.write(5);
            if round % 20 == 0 {
                rotate(&mut writer, &format!(".{}", 10_000 - round / 20));
            }
            if ended.load(SeqCst) {
                break;
            }
            // The pace of an app, not a wait: as fast as it can, it would write millions of lines in all that time.
            thread::sleep(Duration::from_millis(4));
        }
        writer.written()
    });
    let size = || fs::metadata(pod.beside("out")).map_or(0, |out| out.len());
    for round in 0..times {
        let before = size();
        // A moment that depends on the work, and so falls anywhere in it
        until("some bytes more are there", || (size() > before + round % 25 * 61).then_some(()));
        program.signal(Signal::KILL);
        program.end();
        program = pod.start(&["--output", &pod.file_output()]);
    }
    is_over.store(true, SeqCst);
    let written = app.join().unwrap();
    until("the last line is there", || pod.out().contains(&line(written - 1)).then_some(()));
    let ended = stop(program);
    assert_eq!(ledger(&ended)["lost"], 0, "{ended:#?}");
    assert_all_there_in_any_order(whole_lines(&pod.out()), written);
}

#[test]
fn a_rotated_file_that_its_writer_takes_up_again_is_read_on_after_a_restart() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(10);
    fs::rename(pod.log("app.log"), pod.log("app.log.1")).unwrap();
    stop(program);
    writer.write(10);
    fs::write(pod.log("app.log"), format!("{}\n", line(20))).unwrap();
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(21);
    stop(program);
    assert_all_there(pod.out().lines(), 21);
}

#[test]
fn a_file_that_was_replaced_by_one_that_begins_alike_is_another() {
    let pod = Pod::new();
    let text: String = (0..10).map(|number| line(number) + "\n").collect();
    fs::write(pod.log("app.log"), &text).unwrap();
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(10);
    stop(program);
    fs::remove_file(pod.log("app.log")).unwrap();
    fs::write(pod.log("app.log"), format!("{text}{}\n", line(10))).unwrap();
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(21);
    stop(program);
    assert_eq!(pod.out(), format!("{text}{text}{}\n", line(10)));
}

#[test]
fn a_file_whose_name_is_not_utf_8_is_known_after_a_restart() {
    let pod = Pod::new();
    let name = OsStr::from_bytes(b"bad\xFF.log");
    Writer::new(&pod.beside("logs").join(name)).write(10);
    let pattern = pod.log("*.log").display().to_string();
    let arguments = ["--input", pattern.as_str(), "--output", &pod.file_output()];
    let program = pod.start(&arguments);
    pod.wait_for_lines(10);
    assert_eq!(ledger(&stop(program))["lines"], 10);
    assert_eq!(ledger(&stop(pod.start(&arguments)))["read"], 0);
}
