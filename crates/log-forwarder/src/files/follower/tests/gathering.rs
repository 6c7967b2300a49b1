//! Batches that grow.

use super::*;

#[test]
fn lines_that_waited_while_another_batch_was_sent_have_waited() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a.log", "b.log"] {
        fs::write(directory.path().join(name), "one\n").unwrap();
    }
    let (mut follower, output) = follower(&directory.path().join("*.log"));
    let now = Instant::now();
    assert_eq!(follower.set.readable_since(output), None);
    follower.scan_names(now);
    let batch = follower.next(output, Some(&|_, _| false), now + Duration::from_secs(1)).unwrap();
    follower.account(Change::Settle(&batch.spans()[0], output));
    assert_eq!(follower.set.readable_since(output), Some(now));
    follower.next(output, None, now).unwrap();
    assert_eq!(follower.set.readable_since(output), None);
}

#[test]
fn lines_that_wait_for_others_are_in_memory_when_their_file_is_truncated() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = fs::File::create(directory.path().join("app.log")).unwrap();
    let (mut follower, output) = follower(&directory.path().join("*.log"));
    let (now, mut batch) = (Instant::now(), Growing::default());
    follower.scan_names(now);
    for text in ["one\n", "two\nthr", "ee\n", "fo"] {
        file.write_all(text.as_bytes()).unwrap();
        follower.look_at_all(now);
        let since = follower.set.readable_since(output);
        follower.gather(output, Some(&|_, _| true), &mut batch, now);
        batch.waits_since(since);
    }
    file.set_len(0).unwrap();
    follower.look_at_all(now);
    assert_eq!(batch.since(), Some(now));
    let batch = batch.take().unwrap();
    let [span] = batch.spans() else { panic!("{batch:?}") };
    assert_eq!(span.bytes(), b"one\ntwo\nthree\n");
    follower.account(Change::Deliver(output, batch.amount()));
    follower.account(Change::Settle(span, output));
    let sums = follower.set.ledger().of(output).sums();
    assert_eq!((sums.delivered, sums.lost, sums.in_flight), (14, 2, 0));
}

#[test]
fn a_batch_of_one_stream_looks_at_few_of_the_files_that_have_another() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..1000 {
        fs::write(directory.path().join(format!("{number}.log")), "line\n").unwrap();
    }
    let (mut follower, output) = follower(&directory.path().join("*.log"));
    follower.descriptors = Descriptors::new(2000);
    let now = Instant::now();
    follower.scan_names(now);
    let looks = std::cell::Cell::new(0);
    let joins = |_: &Source, _: &Source| {
        looks.set(looks.get() + 1);
        false
    };
    let batch = follower.next(output, Some(&joins), now).unwrap();
    assert_eq!(batch.spans().len(), 1);
    assert!(looks.get() < 100, "{} files for a batch of one", looks.get());
}

#[test]
fn a_line_that_is_rotated_away_in_the_middle_is_one_record_when_lines_before_it_wait() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.log");
    fs::write(&path, "t stdout F one\nt stdout P two \n").unwrap();
    let cri = FormatFlags::default().format("cri".parse().ok().as_ref(), None, None, &TimeFlags::default());
    let (mut follower, output) = started(settings(&path, Treatment { format: cri.unwrap(), ..Treatment::default() }));
    let (now, mut batch) = (Instant::now(), Growing::default());
    follower.scan_names(now);
    follower.gather(output, Some(&|_, _| true), &mut batch, now);
    fs::rename(&path, directory.path().join("app.log.1")).unwrap();
    fs::write(&path, "t stdout F three\n").unwrap();
    follower.scan(Vec::new(), true, now);
    follower.look_at_all(now);
    follower.gather(output, Some(&|_, _| true), &mut batch, now);
    let first = batch.take().unwrap();
    assert_eq!(first.spans()[0].bytes(), b"t stdout F one\n");
    assert_eq!(first.spans().len(), 1);
    follower.account(Change::Settle(&first.spans()[0], output));
    let second = follower.next(output, Some(&|_, _| true), now).unwrap();
    assert_eq!(second.spans()[0].bytes(), b"t stdout P two \nt stdout F three\n");
}

#[test]
fn a_batch_of_many_files_has_no_more_than_some_thousand_lines() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..20 {
        fs::write(directory.path().join(format!("{number}.log")), "\n".repeat(1000)).unwrap();
    }
    let (mut follower, output) = follower(&directory.path().join("*.log"));
    follower.gathered = 1024 * 1024;
    follower.descriptors = Descriptors::new(100);
    let now = Instant::now();
    follower.scan_names(now);
    let mut batch = Growing::default();
    follower.gather(output, Some(&|_, _| true), &mut batch, now);
    assert_eq!(batch.amount().lines, 6000);
    assert!(follower.is_enough(output, &batch));
}

#[test]
fn a_record_for_which_a_batch_has_no_room_begins_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (mut follower, output) = follower(&path("*.log"));
    let now = Instant::now();
    let long = "x".repeat(1022) + "\n";
    let write = |follower: &mut Follower, name: &str, text: &str| {
        fs::File::options().create(true).append(true).open(path(name)).unwrap().write_all(text.as_bytes()).unwrap();
        follower.scan_names(now);
        follower.look_at_all(now);
    };
    write(&mut follower, "a.log", "a\n");
    write(&mut follower, "long.log", &long);
    write(&mut follower, "z.log", "z\n");
    let mut texts = Vec::new();
    for _ in 0..3 {
        let batch = follower.next(output, Some(&|_, _| true), now).unwrap();
        texts.push(
            batch.spans().iter().map(|span| String::from_utf8_lossy(span.bytes()).into_owned()).collect::<Vec<_>>(),
        );
        for span in batch.spans() {
            follower.account(Change::Settle(span, output));
        }
        // The other files always have lines.
        write(&mut follower, "a.log", "a\n");
        write(&mut follower, "z.log", "z\n");
    }
    assert_eq!(texts, [vec!["a\n".to_owned()], vec![long], vec!["z\nz\nz\n".to_owned(), "a\na\n".to_owned()]]);
}
