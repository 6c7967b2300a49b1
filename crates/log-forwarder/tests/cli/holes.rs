//! NULs that are no text: holes at the head and in the middle of a file, and zeros that are there before the lines.

use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
};

use crate::support::{Pod, assert_all_there, ledger, line, stop};

#[test]
fn a_hole_at_the_head_of_a_truncated_file_is_skipped() {
    let pod = Pod::new();
    // Not appended to: after a truncation this writer goes on where it was, and leaves a hole before it.
    let mut writer = File::create(pod.log("app.log")).unwrap();
    writeln!(writer, "{}", line(0)).unwrap();
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(1);
    let at = writer.stream_position().unwrap();
    writer.set_len(0).unwrap();
    writer.seek(SeekFrom::Start(at + 10_000)).unwrap();
    writeln!(writer, "{}", line(1)).unwrap();
    pod.wait_for_lines(2);
    // Larger than what is read at once, and than a line may be
    let at = writer.stream_position().unwrap();
    writer.set_len(0).unwrap();
    writer.seek(SeekFrom::Start(at + 3_000_000)).unwrap();
    writeln!(writer, "{}", line(2)).unwrap();
    pod.wait_for_lines(3);
    // So large that no read of it would end
    writer.set_len(0).unwrap();
    writer.seek(SeekFrom::Start(1 << 40)).unwrap();
    writeln!(writer, "{}", line(3)).unwrap();
    pod.wait_for_lines(4);
    let ended = stop(program);
    assert_all_there(pod.out().lines(), 4);
    assert_eq!(ledger(&ended)["lost"], 0);
}

#[test]
fn zeros_before_they_are_written_are_no_lines() {
    let pod = Pod::new();
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_checkpoint();
    let writer = File::create(pod.log("app.log")).unwrap();
    writer.set_len(4 << 20).unwrap();
    let mut at = 0;
    for number in 0..60 {
        // The head is short at first, and each look sees it as it is by then.
        at += writer.write_at(format!("{}\n", line(number)).as_bytes(), at).unwrap() as u64;
        pod.wait_for_lines(usize::try_from(number).unwrap() + 1);
    }
    at += writer.write_at(format!("{}\n\0NUL\n", line(60)).as_bytes(), at).unwrap() as u64;
    pod.wait_for_lines(62);
    // As log4j2 does it: the file gets its true length, and then its rotated name.
    writer.set_len(at).unwrap();
    fs::rename(pod.log("app.log"), pod.log("app.log.1")).unwrap();
    let next = File::create(pod.log("app.log")).unwrap();
    next.set_len(1 << 20).unwrap();
    next.write_at(format!("{}\nunfinished", line(61)).as_bytes(), 0).unwrap();
    pod.wait_for_lines(63);
    let ended = stop(program);
    let out = pod.out();
    let (strange, lines): (Vec<_>, Vec<_>) = out.lines().partition(|line| !line.contains("line"));
    assert_all_there(lines.into_iter(), 62);
    assert_eq!(strange, ["\0NUL", "unfinished"]);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (64, 0));
}

#[test]
fn lines_behind_a_hole_in_the_middle_are_whole() {
    let pod = Pod::new();
    let writer = File::create(pod.log("app.log")).unwrap();
    let text = format!("{}\nno newline", line(0));
    writer.write_at(text.as_bytes(), 0).unwrap();
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(1);
    // Larger than what is read at once, and than a line may be; written, and not
    for (number, offset) in [(1, 3 << 20), (2, (3 << 20) + 5000)] {
        writer.write_at(format!("{}\n", line(number)).as_bytes(), offset).unwrap();
    }
    writer.write_at(&vec![0; 200_000], 1 << 20).unwrap();
    pod.wait_for_lines(4);
    let ended = stop(program);
    let out = pod.out();
    assert_all_there(out.lines().filter(|line| *line != "no newline"), 3);
    assert_eq!((out.lines().count(), ledger(&ended)["lost"]), (4, 0));
}
