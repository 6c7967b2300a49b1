//! What a restart finds: its checkpoint, files that were rotated meanwhile, or a ruin.

use std::{fs, process::Command};

use crate::{
    rotation::assert_all_there_in_any_order,
    support::{Pod, Program, Signal, Writer, assert_all_there, ledger, line, stop, until},
};

#[test]
fn a_restart_goes_on_where_the_last_run_ended() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(100);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(100);
    stop(program);
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
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(100);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(100);
    stop(program);
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
    let lost = ended.message("lost: nobody gets the rest of this file");
    assert_eq!(lost["reason"], "gone while not running");
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
    let message = "cannot read the checkpoint: every file is delivered anew, from its beginning";
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
    program.wait_for_message("cannot save the checkpoint; a restart would deliver anew");
    pod.wait_for_lines(50);
    fs::remove_file(pod.beside("state")).unwrap();
    program.wait_for_message("the checkpoint is saved again");
    stop(program);
    assert_all_there(pod.out().lines(), 50);
    let ended = stop(pod.start(&["--output", &pod.file_output()]));
    assert_eq!(ledger(&ended)["read"], 0);
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

/// A shell that writes numbered lines and rotates every 50 of them, until its file `stop` is there.
fn busy_writer(pod: &Pod) -> Program {
    let script = r#"
        n=0
        while [ ! -e stop ]; do
            echo "line $n" >> app.log
            n=$((n + 1))
            if [ $((n % 50)) = 0 ]; then
                i=$(ls | grep -c 'app.log.')
                mv app.log app.log.$((10000 - i))
            fi
        done
        echo "end $n" >> app.log
    "#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(pod.beside("logs"));
    Program::start(&mut shell)
}

#[test]
fn killed_at_any_moment_while_files_rotate_nothing_is_lost() {
    let pod = Pod::new();
    // One that is killed before it has seen its directory knows nothing.
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_checkpoint();
    let writer = busy_writer(&pod);
    let mut program = Some(program);
    for round in 0..25_usize {
        let before = pod.out().len();
        // A moment that depends on the work, and so falls anywhere in it
        until("some lines more are there", || (pod.out().len() > before + round * 37).then_some(()));
        let killed = program.take().unwrap();
        killed.signal(Signal::KILL);
        killed.end();
        program = Some(pod.start(&["--output", &pod.file_output()]));
    }
    fs::write(pod.log("stop"), "").unwrap();
    assert_eq!(writer.end().code, Some(0));
    until("the last line is there", || pod.out().contains("end ").then_some(()));
    let ended = stop(program.unwrap());
    assert_eq!(ledger(&ended)["lost"], 0, "{ended:#?}");
    assert_whole_count(&pod.out());
}

/// Whether all numbers are there up to that of the end. A killed writer may have torn its last line.
fn assert_whole_count(out: &str) {
    let end = out.lines().find_map(|line| line.strip_prefix("end ")?.parse::<usize>().ok()).unwrap();
    let mut seen = vec![false; end];
    for number in out.lines().filter_map(|line| line.strip_prefix("line ")?.parse::<usize>().ok()) {
        seen[number] = true;
    }
    let missing: Vec<_> = (0..end).filter(|number| !seen[*number]).collect();
    assert!(missing.is_empty(), "{} of {end} lines are missing: {missing:?}", missing.len());
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
