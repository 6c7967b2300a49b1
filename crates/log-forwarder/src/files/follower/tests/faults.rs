//! Files on a volume whose reads fail for a while.

use super::*;

#[test]
fn a_file_that_is_opened_again_while_reads_fail_is_the_same_afterwards() {
    for reads in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("app.log");
        let append = |text: &str| {
            let mut file = fs::File::options().create(true).append(true).open(&log).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let volume = Probe::default();
        let mut follower = on_volume(&log, Arc::new(volume.clone()));
        let output = follower.add_output("stdout://".into());
        let (mut now, mut texts) = (Instant::now(), Vec::new());
        let mut look = |follower: &mut Follower| {
            now += Duration::from_secs(3);
            follower.scan(Vec::new(), false, now);
            follower.share(now);
            while let Some(batch) = follower.next(output, None, now) {
                texts.extend_from_slice(batch.spans()[0].bytes());
                follower.account(Change::Settle(&batch.spans()[0], output));
            }
            now
        };
        append("one\n");
        let now = look(&mut follower);
        follower.set.apply(Change::Meet(0, Fate::Park), now);
        append("two\n");
        volume.fail_after(Some(reads));
        look(&mut follower);
        volume.fail_after(None);
        append("three\n");
        look(&mut follower);
        look(&mut follower);
        let lost = follower.set.ledger().of(output).sums().lost;
        assert_eq!((String::from_utf8(texts).unwrap().as_str(), lost), ("one\ntwo\nthree\n", 0), "{reads} reads");
    }
}

#[test]
fn a_copy_is_looked_for_until_there_is_a_descriptor() {
    // One file alone is looked for otherwise than several.
    for files in 1..=2 {
        let directory = tempfile::tempdir().unwrap();
        let path = |number: usize, end: &str| directory.path().join(format!("{number}.log{end}"));
        (0..files).for_each(|number| fs::write(path(number, ""), "one\n").unwrap());
        let volume = Arc::new(Probe::default());
        let mut follower = on_volume(&directory.path().join("*.log"), volume.clone());
        let output = follower.add_output("stdout://".into());
        let now = Instant::now();
        follower.scan_names(now);
        for number in 0..files {
            fs::copy(path(number, ""), path(number, ".1")).unwrap();
            fs::write(path(number, ""), "").unwrap();
        }
        volume.take_descriptors(true);
        follower.look_at_all(now);
        follower.scan_names(now);
        assert_eq!((follower.set.behind(), follower.set.iter().count()), (4 * files as u64, files));
        volume.take_descriptors(false);
        follower.look_at_all(now);
        let mut lines = 0;
        while let Some(batch) = follower.next(output, None, now) {
            lines += batch.length() / 4;
            batch.spans().iter().for_each(|span| follower.account(Change::Settle(span, output)));
        }
        assert_eq!((lines, follower.set.ledger().of(output).sums().lost), (files, 0));
    }
}
