//! Directories with good and bad files.

use std::{os::unix::fs::symlink, time::Duration};

use harness::until;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::*;

/// A directory with these files
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

fn read_all(directories: &[&TempDir]) -> Collected {
    Textfiles::new(directories.iter().map(|directory| directory.path().to_owned()).collect(), usize::MAX).read()
}

fn error(collected: &Collected) -> bool {
    let family = collected.families.iter().find(|family| family.metric.name == ERROR.name).unwrap();
    family.samples[0].value > 0.0
}

/// The sources of the pages
fn sources(collected: &Collected) -> Vec<&str> {
    collected.pages.iter().map(|page| &*page.source).collect()
}

/// The files and directories that are left out, each with the reason
fn faults(collected: &Collected) -> Vec<(&str, &str)> {
    let family = collected.families.iter().find(|family| family.metric.name == FAULT.name);
    let samples = family.into_iter().flat_map(|family| &family.samples);
    samples.map(|sample| (&*sample.labels.pairs()[0].1, &*sample.labels.pairs()[1].1)).collect()
}

/// The reason of the only file that is left out
fn reason_of_one(collected: &Collected) -> &str {
    let [(_, reason)] = faults(collected)[..] else { panic!("{:?}", faults(collected)) };
    reason
}

#[test]
fn each_file_of_every_directory_is_a_page() {
    let one = directory(&[("backup.prom", "backup_age_seconds 7\n"), ("backup.prom.tmp", "x"), ("notes.txt", "x")]);
    let two = directory(&[("backup.prom", "# HELP other Other\nother 1\n"), ("empty.prom", "")]);
    let collected = read_all(&[&one, &two]);
    let second = two.path().join("backup.prom").display().to_string();
    assert_eq!(sources(&collected), ["backup.prom", &second, "empty.prom"]);
    assert_eq!(collected.pages[0].body, b"backup_age_seconds 7\n");
    assert!(!error(&collected));
    let modified = collected.families.iter().find(|family| family.metric.name == MODIFIED.name).unwrap();
    let written = fs::metadata(two.path().join("backup.prom")).unwrap().modified().unwrap();
    assert_eq!(modified.samples[1].labels, Labels::new([("file", &second)]));
    let age = modified.samples[1].value - written.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    assert!(age.abs() < 0.001);
}

#[test]
fn a_file_counts_as_a_whole_or_not_at_all() {
    let table = [
        ("x 1\ny 2", "no newline at the end"),
        ("x 1\ny\n", "malformed"),
        ("x 1\nnot a metric { 2\n", "malformed"),
        ("x 1\ny 2 1764204000000\n", "timestamps"),
        ("\u{0}\n", "malformed"),
    ];
    for (content, reason) in table {
        let bad = directory(&[("bad.prom", content), ("good.prom", "good 1\n")]);
        let collected = read_all(&[&bad]);
        assert_eq!((sources(&collected), reason_of_one(&collected)), (vec!["good.prom"], reason), "{content:?}");
        assert!(error(&collected));
        assert_eq!(faults(&collected)[0].0, bad.path().join("bad.prom").display().to_string());
    }
}

#[test]
fn a_directory_that_is_not_there_costs_its_own_files() {
    let good = directory(&[("good.prom", "good 1\n")]);
    let none = good.path().join("none");
    let mut textfiles = Textfiles::new(vec![none, good.path().to_owned()], usize::MAX);
    let collected = textfiles.read();
    assert_eq!((sources(&collected), reason_of_one(&collected)), (vec!["good.prom"], "not found"));
    assert!(error(&collected));
    assert!(Textfiles::new(Vec::new(), usize::MAX).read().families.is_empty());
}

#[test]
fn nothing_in_a_directory_hangs_or_floods() {
    let odd = directory(&[("good.prom", "good 1\n")]);
    let path = |name: &str| odd.path().join(name);
    mknodat(CWD, path("fifo.prom"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    symlink("fifo.prom", path("to-fifo.prom")).unwrap();
    symlink("/dev/zero", path("endless.prom")).unwrap();
    symlink("good.prom", path("link.prom")).unwrap();
    symlink("loop.prom", path("loop.prom")).unwrap();
    symlink("nowhere", path("dangling.prom")).unwrap();
    fs::create_dir(path("folder.prom")).unwrap();
    File::create(path("huge.prom")).unwrap().set_len(1 << 40).unwrap();
    let collected = read_all(&[&odd]);
    assert_eq!(sources(&collected), ["good.prom", "link.prom"]);
    let faults = faults(&collected);
    let names: Vec<_> = faults.iter().map(|(file, reason)| (file.rsplit_once('/').unwrap().1, *reason)).collect();
    let expected = [
        ("dangling.prom", "not found"),
        ("endless.prom", "not a regular file"),
        ("fifo.prom", "not a regular file"),
        ("folder.prom", "not a regular file"),
        ("huge.prom", "too large"),
        ("loop.prom", "input or output error"),
        ("to-fifo.prom", "not a regular file"),
    ];
    assert_eq!(names, expected);
}

#[test]
fn files_and_their_bytes_have_bounds() {
    let many = tempfile::tempdir().unwrap();
    for number in 0..=FILES_LIMIT {
        fs::write(many.path().join(format!("{number:03}.prom")), "x 1\n").unwrap();
    }
    let collected = read_all(&[&many]);
    assert_eq!(collected.pages.len(), FILES_LIMIT);
    let first_too_many = many.path().join(format!("{FILES_LIMIT:03}.prom")).display().to_string();
    assert_eq!(faults(&collected), [(&*first_too_many, "too many files")]);
    let more = directory(&[("one-more.prom", "x 1\n")]);
    let collected = read_all(&[&many, &more]);
    assert_eq!((collected.pages.len(), reason_of_one(&collected)), (FILES_LIMIT, "too many files"));

    let value = "y".repeat(15_000);
    let page = |file: usize| -> String {
        let line = |number| format!("x{{a=\"{value}\",n=\"{file}-{number}\"}} 1\n");
        (0..200).map(line).collect::<Vec<_>>().concat()
    };
    let files: Vec<_> = (0..3).map(|file| (format!("{file}.prom"), page(file))).collect();
    let files: Vec<_> = files.iter().map(|(name, content)| (&**name, &**content)).collect();
    let collected = read_all(&[&directory(&files)]);
    assert_eq!(sources(&collected), ["0.prom", "1.prom"]);
    assert_eq!(reason_of_one(&collected), "no room beside the other files");
}

#[test]
fn a_file_that_is_written_while_it_is_read_is_never_half_a_page() {
    let directory = directory(&[]);
    let path = directory.path().join("busy.prom");
    let page = (0..200).map(|number| format!("busy{{n=\"{number}\"}} 1\n")).collect::<Vec<_>>().concat();
    let writer = std::thread::spawn({
        let (path, page) = (path.clone(), page.clone());
        move || {
            for _ in 0..50 {
                let mut rest = &*page;
                fs::write(&path, "").unwrap();
                while !rest.is_empty() {
                    // Each part except the last ends within a line, so that it is no complete page.
                    let end = rest.len().min(97);
                    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
                    io::Write::write_all(&mut file, &rest.as_bytes()[..end]).unwrap();
                    rest = &rest[end..];
                }
            }
        }
    });
    let mut textfiles = Textfiles::new(vec![directory.path().to_owned()], usize::MAX);
    let whole = until("the last page is whole", || {
        let is_last = writer.is_finished();
        let collected = textfiles.read();
        for page in &collected.pages {
            assert!(page.body.is_empty() || page.body.ends_with(b"\n"));
        }
        is_last.then_some(collected)
    });
    writer.join().unwrap();
    assert_eq!(whole.pages[0].body, page.as_bytes());
}

#[test]
fn a_file_that_is_no_page_is_named_with_its_line_and_the_remedy() {
    let directory = directory(&[("half.prom", "x 1\ny"), ("odd.prom", "x 1\ny {\n"), ("twice.prom", "z 1\nz 2\n")]);
    let mut textfiles = Textfiles::new(vec![directory.path().to_owned(), directory.path().join("none")], usize::MAX);
    let collected = textfiles.read();
    let faults: Vec<_> = collected.faulty_files.iter().map(|FaultyFile { path, fault }| (&**path, &**fault)).collect();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let [half, none, odd] = ["half.prom", "none", "odd.prom"].map(path);
    assert_eq!(
        faults[..2],
        [
            (&*half, "no newline at the end: write to another name, and rename the file when it is complete"),
            (&*none, "not found: is its volume mounted into this container?"),
        ]
    );
    assert_eq!(faults[2].0, odd);
    assert!(faults[2].1.starts_with("malformed: line 2: "), "{faults:?}");
    assert_eq!(collected.pages.len(), 1);
}

#[test]
fn a_fault_is_remembered_until_its_end() {
    let directory = directory(&[("x.prom", "x")]);
    let path = directory.path().join("x.prom");
    let mut textfiles = Textfiles::new(vec![directory.path().to_owned()], usize::MAX);
    textfiles.read();
    assert!(!textfiles.throttles.get_mut(&path).unwrap().is_due("no newline at the end", Instant::now()));
    fs::write(&path, "x 1\n").unwrap();
    let file = File::options().append(true).open(&path).unwrap();
    file.set_modified(UNIX_EPOCH - Duration::from_secs(9)).unwrap();
    let collected = textfiles.read();
    assert!(textfiles.throttles.is_empty() && collected.faulty_files.is_empty());
    assert_eq!(collected.families[0].samples[0].labels, Labels::new([("file", path.to_str().unwrap())]));
}

#[test]
fn files_stay_within_the_memory_for_a_page() {
    let series = (0..500).map(|nth| format!("a{nth} 1\n")).collect::<Vec<_>>().concat();
    let many =
        directory(&[("a.prom", "x 1\n"), ("b.prom", &series), ("c.prom", &format!("# {}\ny 1\n", "c".repeat(20_000)))]);
    let mut textfiles = Textfiles::new(vec![many.path().to_owned()], 64 * 1024);
    let collected = textfiles.read();
    assert_eq!(sources(&collected), ["a.prom"]);
    let reasons: Vec<_> = faults(&collected).into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, ["more memory than is left", "no room beside the other files"]);
}
