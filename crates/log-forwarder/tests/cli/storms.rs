//! Much at once: rotations as fast as can be, a thousand files, a receiver that is slower than the app.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    thread,
    time::Duration,
};

use crate::{
    faults::peak_memory,
    rotation::assert_all_there_in_any_order,
    support::{Pod, Writer, accept, assert_all_there, ledger, line, stop},
};

#[test]
fn a_hundred_renames_a_second_lose_nothing() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_checkpoint();
    for _ in 0..300 {
        writer.write(7);
        // The oldest is deleted after three seconds.
        writer.rotate(300);
        thread::sleep(Duration::from_millis(10));
    }
    pod.wait_for_lines(2100);
    let ended = stop(program);
    assert_all_there_in_any_order(pod.out().lines(), 2100);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (2100, 0));
}

#[test]
fn copies_and_truncations_that_outrun_every_look_lose_nothing() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &pod.file_output()]);
    writer.write(1);
    pod.wait_for_lines(1);
    for round in 0..200 {
        writer.write(1 + round % 50);
        writer.copy_and_truncate(&format!(".{round}"));
    }
    writer.write(1);
    pod.wait_for_lines(usize::try_from(writer.written()).unwrap());
    let ended = stop(program);
    assert_all_there_in_any_order(pod.out().lines(), writer.written());
    assert_eq!(ledger(&ended)["lost"], 0);
}

#[test]
fn a_thousand_files_that_come_grow_and_go_at_once_are_all_read() {
    let pod = Pod::new();
    let pattern = pod.log("*.log").display().to_string();
    let program = pod.start(&["--input", &pattern, "--output", &pod.file_output()]);
    pod.wait_for_checkpoint();
    let text = |number: u64| format!("{}\n{}\n", line(number), line(number + 1));
    for file in 0..1000 {
        fs::write(pod.log(&format!("{file}.log")), text(file * 4)).unwrap();
    }
    for file in 0..1000 {
        let path = pod.log(&format!("{file}.log"));
        fs::rename(&path, path.with_extension("log.1")).unwrap();
        fs::write(&path, text(file * 4 + 2)).unwrap();
    }
    pod.wait_for_lines(4000);
    for file in 0..1000 {
        fs::remove_file(pod.log(&format!("{file}.log.1"))).unwrap();
    }
    let ended = stop(program);
    assert_all_there_in_any_order(pod.out().lines(), 4000);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (4000, 0));
}

#[test]
fn twenty_thousand_files_are_read_within_bounds_of_memory_and_the_stop() {
    const FILES: u64 = 20_000;
    let pod = Pod::new();
    for file in 0..FILES {
        fs::write(pod.log(&format!("{file}.log")), format!("{}\n", line(file))).unwrap();
    }
    let pattern = pod.log("*.log").display().to_string();
    let program = pod.start(&["--input", &pattern, "--output", &pod.file_output()]);
    // A cost that grows with the square of the number of files would take minutes for this.
    pod.wait_for_lines(usize::try_from(FILES).unwrap());
    let peak = peak_memory(program.id());
    assert!(peak < 64 * 1024, "{peak} KiB");
    let ended = stop(program);
    assert_all_there_in_any_order(pod.out().lines(), FILES);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (FILES, 0));
}

#[test]
fn thousands_of_files_that_came_and_went_between_two_runs_delay_no_start() {
    let pod = Pod::new();
    let pattern = pod.log("*.log").display().to_string();
    // Longer than the beginnings that are compared, and each with another one
    let write = |file: u64| {
        let text: String = (0..20).map(|number| line(file * 20 + number) + "\n").collect();
        fs::write(pod.log(&format!("{file}.log")), text).unwrap();
    };
    (0..2000).for_each(write);
    let program = pod.start(&["--input", &pattern, "--output", &pod.file_output()]);
    pod.wait_for_lines(40_000);
    stop(program);
    (0..2000).for_each(|file| fs::remove_file(pod.log(&format!("{file}.log"))).unwrap());
    (2000..4000).for_each(write);
    // A search among all new files for each of those that went would take minutes.
    let program = pod.start(&["--input", &pattern, "--output", &pod.file_output()]);
    pod.wait_for_lines(80_000);
    let ended = stop(program);
    assert_all_there_in_any_order(pod.out().lines(), 80_000);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (40_000, 0));
}

#[test]
fn a_receiver_that_is_slower_than_the_app_gets_all_and_costs_no_memory() {
    let pod = Pod::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut writer = Writer::new(&pod.log("app.log"));
    let address = listener.local_addr().unwrap();
    let program = pod.start(&["--output", &format!("tcp://{address}#as=raw")]);
    writer.write(1);
    let mut stream = BufReader::new(accept(&listener));
    let mut received = vec![0; line(0).len() + 1];
    stream.read_exact(&mut received).unwrap();
    // The app never waits, and writes and rotates twice as much as is taken.
    for round in 0..60 {
        writer.write(10_000);
        if round % 20 == 19 {
            writer.rotate(9);
        }
        let mut piece = vec![0; 400_000];
        stream.read_exact(&mut piece).unwrap();
        received.extend(piece);
    }
    let lines = String::from_utf8_lossy(&received).matches('\n').count() as u64;
    for _ in lines..writer.written() {
        assert!(stream.read_until(b'\n', &mut received).unwrap() > 0);
    }
    let peak = peak_memory(program.id());
    assert!(peak < 40 * 1024, "{peak} KiB");
    let ended = stop(program);
    assert_all_there(String::from_utf8(received).unwrap().lines(), writer.written());
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (writer.written(), 0));
}
