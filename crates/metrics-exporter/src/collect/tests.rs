//! Collectors that hang, that fail, and that several scrapes wait for.

use std::{fs, path::Path};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{collected::Sample, *};

const SOON: Duration = Duration::from_millis(50);
const LATE: Duration = Duration::from_secs(20);

/// Makes a FIFO: opening it blocks until a writer opens it
fn hang(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

fn is_well(collected: &Collected) -> bool {
    let success = collected.families.iter().find(|family| family.metric.name == SUCCESS.name);
    success.unwrap().samples[0].value > 0.0
}

fn reasons(collected: &Collected) -> Vec<&str> {
    let unreadable = collected.families.iter().filter(|family| family.metric.name == UNREADABLE.name);
    let samples = unreadable.flat_map(|family| &family.samples);
    let labels = samples.flat_map(|sample| sample.labels.pairs());
    labels.filter(|(name, _)| *name == "reason").map(|(_, value)| &**value).collect()
}

#[tokio::test]
async fn a_collector_that_hangs_is_asked_again_once_it_has_returned() {
    let root = tempfile::tempdir().unwrap();
    let roots = Roots::under(root.path());
    let dev = roots.proc.join("self/net/dev");
    hang(&dev);
    let collectors = Collectors::new(&[Collector::Network], &roots, &[], usize::MAX);
    let late = collectors.collect(Instant::now() + SOON).await;
    assert_eq!((is_well(&late), reasons(&late)), (false, vec!["timed out"]));
    // The answer comes at once, and not at the deadline.
    let begin = Instant::now();
    let hanging = collectors.collect(begin + LATE).await;
    assert!(begin.elapsed() < LATE / 2);
    assert_eq!((is_well(&hanging), reasons(&hanging)), (false, vec!["has not answered an earlier scrape"]));
    fs::write(&dev, format!("eth0:{}\n", " 7".repeat(16))).unwrap();
    fs::remove_file(&dev).unwrap();
    fs::write(&dev, format!("eth0:{}\n", " 8".repeat(16))).unwrap();
    let give_up = Instant::now() + LATE;
    let back = loop {
        let answer = collectors.collect(give_up).await;
        if is_well(&answer) {
            break answer;
        }
        assert!(Instant::now() < give_up);
    };
    let received = back.families.iter().find(|family| family.metric.name == "node_network_receive_bytes_total");
    assert_eq!(received.unwrap().samples, [Sample { labels: Labels::new([("device", "eth0")]), value: 8.0 }]);
}

#[tokio::test]
async fn a_round_waits_for_the_reading_of_a_scraper_that_has_hung_up() {
    let root = tempfile::tempdir().unwrap();
    let roots = Roots::under(root.path());
    let dev = roots.proc.join("self/net/dev");
    hang(&dev);
    let collectors = Collectors::new(&[Collector::Network], &roots, &[], usize::MAX);
    let hung_up = tokio::time::timeout(SOON, collectors.collect(Instant::now() + LATE));
    assert!(hung_up.await.is_err());
    let next = async { collectors.collect(Instant::now() + LATE).await };
    let release = task::spawn_blocking(move || {
        // Create the file before the reading is released, because the next reading may begin at once and must not hang too.
        let (hanging, file) = (root.path().join("hanging"), root.path().join("file"));
        fs::hard_link(&dev, &hanging).unwrap();
        fs::write(&file, format!("eth0:{}\n", " 8".repeat(16))).unwrap();
        fs::rename(file, dev).unwrap();
        fs::write(hanging, "").unwrap();
        root
    });
    let (answer, released) = tokio::join!(next, release);
    released.unwrap();
    assert!(is_well(&answer));
}

#[tokio::test]
async fn a_collector_without_its_file_says_which() {
    let root = tempfile::tempdir().unwrap();
    let collectors = Collectors::new(&[Collector::Network], &Roots::under(root.path()), &[], usize::MAX);
    let answer = collectors.collect(Instant::now() + LATE).await;
    let unreadable = answer.families.iter().find(|family| family.metric.name == UNREADABLE.name).unwrap();
    let labels = Labels::new([("collector", "network"), ("file", "proc/self/net/dev"), ("reason", "not found")]);
    assert_eq!(unreadable.samples, [Sample { labels, value: 1.0 }]);
    assert!(!is_well(&answer));
}

#[tokio::test]
async fn collectors_send_nothing_that_is_not_in_their_tables() {
    let textfiles = tempfile::tempdir().unwrap();
    fs::write(textfiles.path().join("x.prom"), "x 1\n").unwrap();
    let collectors =
        Collectors::new(Collector::ALL, &Roots::under(Path::new("/")), &[textfiles.path().to_owned()], usize::MAX);
    let answer = collectors.collect(Instant::now() + LATE).await;
    let tables = Collector::ALL.iter().flat_map(|collector| collector.metrics()).chain([&METRICS]);
    let known: Vec<_> = tables.flat_map(|table| *table).collect();
    for family in &answer.families {
        let name = family.metric.name;
        let metric = known.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name}"));
        let labels = family.samples.iter().flat_map(|sample| sample.labels.pairs());
        for (label, _) in labels {
            assert!(metric.labels.contains(label), "{name}: {label}");
        }
    }
    let mut names: Vec<_> = known.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "no two metrics have one name");
}

#[tokio::test]
async fn a_collector_that_hangs_costs_the_others_nothing() {
    let (root, textfiles) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(textfiles.path().join("x.prom"), "x 1\n").unwrap();
    let roots = Roots::under(root.path());
    let dev = roots.proc.join("self/net/dev");
    hang(&dev);
    // The other collectors come after it on its thread.
    let chosen = [Collector::Network, Collector::Processes, Collector::Textfile];
    let collectors = Collectors::new(&chosen, &roots, &[textfiles.path().to_owned()], usize::MAX);
    let success = |collected: &Collected| -> Vec<_> {
        let family = collected.families.iter().find(|family| family.metric.name == SUCCESS.name).unwrap();
        family.samples.iter().map(|sample| sample.value > 0.0).collect()
    };
    // The scraper hangs up while a collector hangs.
    let hung_up = tokio::time::timeout(SOON / 10, collectors.collect(Instant::now() + LATE));
    assert!(hung_up.await.is_err());
    for _ in 0..2 {
        let collected = collectors.collect(Instant::now() + PATIENCE * 4).await;
        assert_eq!(success(&collected), [false, true, true]);
        assert_eq!(collected.pages.len(), 1);
    }
    fs::write(&dev, "").unwrap();
}
