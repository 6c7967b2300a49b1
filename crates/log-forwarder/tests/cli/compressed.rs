//! Compressed files that an input matches: left alone, or read to their end once.

use std::{fs, io::Write, net::TcpListener};

use flate2::{Compression, write::GzEncoder};

use crate::{
    collector::Collector,
    faults::peak_memory,
    packed::gzip,
    rotation::{assert_all_there_in_any_order, free_address},
    support::{Pod, Program, Signal, Writer, append, assert_all_there, ledger, line, start, stop, until, whole_lines},
};

/// Text in the format of gzip
fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_files_that_match_are_named_once_with_the_remedy() {
    let pod = Pod::new();
    fs::write(pod.log("a.gz"), gzipped(b"old\n")).unwrap();
    fs::write(pod.log("b.zst"), zstd::encode_all(&b"old\n"[..], 1).unwrap()).unwrap();
    fs::write(pod.log("c.xz"), b"\xFD7zXZ\0\0\n\n").unwrap();
    fs::write(pod.log("d.bz2"), b"BZh91AY&SY\n\n").unwrap();
    fs::write(pod.log("e"), "BZh9 is how this line begins\n").unwrap();
    let whole = gzipped(b"late\n");
    let mut late = append(&pod.log("late.gz"));
    late.write_all(&whole[..2]).unwrap();
    let mut program = pod.start(&["--input", &pod.log("*").display().to_string(), "--output", &pod.file_output()]);
    let mut reasons: Vec<String> = Vec::new();
    for _ in 0..4 {
        reasons.push(program.wait_for_message("the file is not read")["reason"].as_str().unwrap().into());
    }
    late.write_all(&whole[2..]).unwrap();
    assert_eq!(program.wait_for_message("the file is not read")["file"], pod.log("late.gz").to_str().unwrap());
    for (reason, packing) in reasons.iter().zip(["gzip", "zstd", "xz", "bzip2"]) {
        assert!(reason.starts_with(&format!("it is compressed with {packing}: give --")), "{reason}");
    }
    // Under another name it is the same file, and it stays left when it grows. Another file under the old name is read.
    fs::rename(pod.log("a.gz"), pod.log("a.2.gz")).unwrap();
    append(&pod.log("a.2.gz")).write_all(&gzipped(b"more\n")).unwrap();
    fs::write(pod.beside("new"), "text\n").unwrap();
    fs::rename(pod.beside("new"), pod.log("b.zst")).unwrap();
    pod.wait_for_lines(2);
    assert_eq!(pod.out(), "BZh9 is how this line begins\ntext\n");
    let ended = stop(program);
    let named = ended.log.iter().filter(|line| line.message() == "the file is not read");
    assert_eq!(named.count(), 5, "{ended:#?}");
    assert_eq!(ledger(&ended)["lines"], 2);
}

/// Numbered lines
fn text(lines: std::ops::Range<u64>) -> Vec<u8> {
    lines.map(|number| line(number) + "\n").collect::<String>().into_bytes()
}

/// log-forwarder on all files among the logs, which reads compressed ones
#[track_caller]
fn start_reading(pod: &Pod, arguments: &[&str]) -> Program {
    let all = pod.log("*").display().to_string();
    let mut command = pod.command(&["--input", &all, "--read-compressed", "--output", &pod.file_output()]);
    start(command.args(arguments))
}

#[test]
fn compressed_files_are_read_to_their_end_once() {
    let pod = Pod::new();
    fs::write(pod.log("a.gz"), [gzipped(&text(0..10)), gzipped(&text(10..20))].concat()).unwrap();
    let frames = [b"\x50\x2A\x4D\x18\x01\0\0\0x", &zstd::encode_all(&text(20..30)[..], 1).unwrap()[..]].concat();
    fs::write(pod.log("b.zst"), [&frames[..], &zstd::encode_all(&text(30..40)[..], 1).unwrap()].concat()).unwrap();
    let program = start_reading(&pod, &[]);
    pod.wait_for_lines(40);
    assert_eq!(ledger(&stop(program))["lines"], 40);
    assert_all_there_in_any_order(pod.out().lines(), 40);
    // A restart, another name and another time are no news.
    fs::rename(pod.log("a.gz"), pod.log("a.2.gz")).unwrap();
    let program = start_reading(&pod, &[]);
    append(&pod.log("b.zst")).set_modified(std::time::SystemTime::now()).unwrap();
    append(&pod.log("c")).write_all(&text(40..41)).unwrap();
    pod.wait_for_lines(41);
    assert_eq!(ledger(&stop(program))["lines"], 1);
    // Another member is.
    append(&pod.log("a.2.gz")).write_all(&gzipped(&text(41..50))).unwrap();
    let program = start_reading(&pod, &[]);
    pod.wait_for_lines(50);
    assert_eq!(ledger(&stop(program))["lines"], 9);
    assert_all_there_in_any_order(pod.out().lines(), 50);
}

#[test]
fn compressed_files_that_are_there_at_a_start_at_the_end_are_passed_over() {
    let pod = Pod::new();
    fs::write(pod.log("a.gz"), gzipped(&text(0..10))).unwrap();
    for from in [10, 20] {
        let program = start_reading(&pod, &["--start-at", "end"]);
        pod.wait_for_checkpoint();
        fs::write(pod.log(&format!("b.{from}.gz")), gzipped(&text(from..from + 10))).unwrap();
        until("the last line is there", || pod.out().contains(&line(from + 9)).then_some(()));
        assert_eq!(ledger(&stop(program))["lines"], 10);
    }
}

#[test]
fn an_input_of_the_configuration_reads_compressed_files() {
    let pod = Pod::new();
    fs::write(pod.log("a.gz"), gzipped(&text(0..10))).unwrap();
    let inputs = format!("inputs: [{{ path: '{}', read-compressed: true }}]", pod.log("*").display());
    fs::write(pod.beside("config.yaml"), inputs).unwrap();
    let config = pod.beside("config.yaml").display().to_string();
    let program = pod.start(&["--config", &config, "--output", &pod.file_output()]);
    pod.wait_for_lines(10);
    assert_eq!(ledger(&stop(program))["lines"], 10);
}

#[test]
fn a_compressed_file_goes_on_after_a_kill() {
    let pod = Pod::new();
    fs::write(pod.log("a.gz"), gzipped(&text(0..60_000))).unwrap();
    let bounds = ["--max-in-flight", "16KiB", "--max-line", "4KiB"];
    for round in 1..3 {
        let program = start_reading(&pod, &bounds);
        until("some more is there", || (pod.out().lines().count() > round * 10_000).then_some(()));
        until("it is in the checkpoint", || (!pod.checkpoint()?.contains("\"position\":0,")).then_some(()));
        program.signal(Signal::KILL);
        program.end();
    }
    let before = pod.out().lines().count() as u64;
    let program = start_reading(&pod, &[]);
    until("the last line is there", || pod.out().contains(&line(59_999)).then_some(()));
    let ended = stop(program);
    assert_eq!(ledger(&ended)["lost"], 0);
    assert!(before == 60_000 || ledger(&ended)["lines"] < 60_000, "it began again");
    assert_all_there(whole_lines(&pod.out()), 60_000);
    assert_eq!(ledger(&stop(start_reading(&pod, &[])))["read"], 0);
}

#[test]
fn lines_that_were_read_before_they_were_compressed_do_not_come_twice() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = start_reading(&pod, &[]);
    for compressed in ["", "app.log.1", "app.log.3"] {
        writer.write(100);
        pod.wait_for_lines(usize::try_from(writer.written()).unwrap());
        writer.rotate(9);
        // As logrotate does it, at once or at a later rotation
        if !compressed.is_empty() {
            gzip(&pod.log(compressed));
            let packed = pod.log(&format!("{compressed}.gz"));
            fs::rename(&packed, pod.log(&format!("{compressed}.old.gz"))).unwrap();
        }
    }
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (300, 0));
    // While it does not run
    gzip(&pod.log("app.log.1"));
    fs::rename(pod.log("app.log.1.gz"), pod.log("app.log.2.gz")).unwrap();
    writer.write(100);
    writer.rotate(9);
    gzip(&pod.log("app.log.1"));
    writer.write(1);
    let program = start_reading(&pod, &[]);
    pod.wait_for_lines(401);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (101, 0));
    assert_eq!(ledger(&stop(start_reading(&pod, &[])))["read"], 0);
    assert_all_there_in_any_order(pod.out().lines(), 401);
}

#[test]
fn an_unfinished_file_is_looked_at_again_and_one_that_is_unfit_is_named() {
    let pod = Pod::new();
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(3000).collect();
    let mut damaged = gzipped(&noise);
    damaged[1500] ^= 0xFF;
    fs::write(pod.log("a.damaged.gz"), damaged).unwrap();
    fs::write(pod.log("b.twice.gz"), gzipped(&gzipped(b"one\n"))).unwrap();
    // A frame of RFC 8878 with a window of 16 MiB
    fs::write(pod.log("c.wide.zst"), b"\x28\xB5\x2F\xFD\0\x70\x01\0\0").unwrap();
    let whole = gzipped(&text(0..1000));
    fs::write(pod.log("d.late.gz"), &whole[..whole.len() / 2]).unwrap();
    fs::write(pod.log("e.cut.gz"), &whole[..whole.len() / 3]).unwrap();
    let mut program = start_reading(&pod, &[]);
    for (name, reason) in [
        ("a.damaged.gz", "its compressed data are damaged"),
        ("b.twice.gz", "it is compressed twice"),
        ("c.wide.zst", "zstd needs more than 8 MiB"),
    ] {
        let said = program.wait_for_message("the file is not read");
        assert_eq!(said["file"], pod.log(name).to_str().unwrap());
        assert!(said["reason"].as_str().unwrap().starts_with(reason), "{said:?}");
    }
    append(&pod.log("d.late.gz")).write_all(&whole[whole.len() / 2..]).unwrap();
    pod.wait_for_lines(1000);
    let said = program.wait_for_message("the file is not read");
    assert_eq!(said["file"], pod.log("e.cut.gz").to_str().unwrap());
    assert!(said["reason"].as_str().unwrap().starts_with("its end is missing"), "{said:?}");
    append(&pod.log("e.cut.gz")).write_all(&whole[whole.len() / 3..]).unwrap();
    // The names are read again at once.
    fs::write(pod.log("f.log"), "").unwrap();
    pod.wait_for_lines(2000);
    let ended = stop(program);
    assert_eq!(ended.log.iter().filter(|line| line.message() == "the file is not read").count(), 4);
    // What two archives hold comes from both.
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (2000, 0));
}

#[test]
fn a_file_that_goes_while_it_is_read_is_read_to_its_end_and_one_that_is_written_over_is_lost() {
    let (pod, address) = (Pod::new(), free_address());
    fs::write(pod.log("a.gz"), gzipped(&text(0..30_000))).unwrap();
    fs::write(pod.log("b.gz"), gzipped(&text(30_000..60_000))).unwrap();
    let all = pod.log("*").display().to_string();
    let url = format!("http://{address}/lines");
    let bounds = ["--max-batch", "64KiB", "--max-line", "4KiB", "--max-in-flight", "128KiB"];
    let mut command = pod.command(&["--input", &all, "--read-compressed", "--output", &url]);
    let mut program = start(command.args(bounds));
    program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
    let is_open =
        |checkpoint: String| checkpoint.matches("\"packed\":").count() == 2 && !checkpoint.contains("\"packed\":0,");
    until("both are measured", || pod.checkpoint().is_some_and(is_open).then_some(()));
    fs::remove_file(pod.log("a.gz")).unwrap();
    fs::write(pod.log("b.gz"), "no gzip any more\n".repeat(1000)).unwrap();
    let collector = Collector::on(TcpListener::bind(&address).unwrap());
    collector.wait_for(&line(29_999));
    let lost = program.wait_for_message("lost: no output gets the rest of this file");
    assert_eq!(lost["file"], pod.log("b.gz").to_str().unwrap());
    let ended = stop(program);
    assert!(ledger(&ended)["lost"] > 0);
}

#[test]
fn a_bomb_takes_no_memory() {
    let pod = Pod::new();
    let mut encoder = zstd::Encoder::new(fs::File::create(pod.log("bomb.zst")).unwrap(), 1).unwrap();
    let part = vec![b'x'; 1 << 20];
    for _ in 0..200 {
        encoder.write_all(&part).unwrap();
    }
    encoder.finish().unwrap();
    fs::write(pod.log("app.log"), "first\n").unwrap();
    let program = start_reading(&pod, &["--max-line", "64KiB"]);
    pod.wait_for_lines(2);
    let peak = peak_memory(program.id());
    assert!(peak < 64 * 1024, "{peak} KiB");
    let ended = stop(program);
    assert_eq!(ledger(&ended)["lost"], (200 << 20) - (64 << 10));
}
