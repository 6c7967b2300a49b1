//! logrotate in each of its ways, while log-forwarder watches and while it does not: every line arrives.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use e2e::{
    forwarder::{Ledger, Logs, finish, line},
    process::{Process, command},
};
use harness::until;

/// An app whose log logrotate rotates in one of its ways
struct App {
    logs: Logs,
    written: usize,
}

impl App {
    fn new(way: &str) -> Self {
        let logs = Logs::new();
        let log = logs.join("app.log");
        let settings = format!("{} {{\n su root root\n rotate 40\n {way}\n}}\n", log.display());
        fs::write(logs.join("logrotate.conf"), settings).unwrap();
        Self { logs, written: 0 }
    }

    fn write(&mut self, count: usize) {
        write(&self.logs, self.written, count);
        self.written += count;
    }

    fn forward(&self) -> Process {
        self.logs.forward(&["--output", &format!("file://{}#as=raw", self.logs.join("out").display())])
    }

    fn wait_for_lines(&self, count: usize) {
        until(&format!("{count} lines are there"), || (lines(&self.logs) >= count).then_some(()));
    }

    /// Every line is there, whole, and once.
    fn assert_all_there(&self, ledger: &Ledger, lines: usize) {
        let out = self.logs.read("out");
        let found: BTreeSet<_> = out.lines().map(str::to_owned).collect();
        let expected: BTreeSet<_> = (0..self.written).map(line).collect();
        let missing: Vec<_> = expected.difference(&found).take(3).collect();
        assert!(found == expected, "missing: {missing:?}");
        assert_eq!((out.lines().count(), ledger["lines"], ledger["lost"]), (self.written, lines as u64, 0));
    }
}

/// Writes this number of lines, from a number on, as an app does that opens its log for each piece.
fn write(logs: &Logs, from: usize, count: usize) {
    let text = (from..from + count).fold(String::new(), |text, number| text + &line(number) + "\n");
    let mut file = File::options().append(true).create(true).open(logs.join("app.log")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// How many lines have arrived
fn lines(logs: &Logs) -> usize {
    logs.read("out").lines().count()
}

fn rotate(logs: &Logs) {
    let mut logrotate = command("logrotate");
    logrotate.arg("--force").arg("--state").arg(logs.join("logrotate.state")).arg(logs.join("logrotate.conf"));
    // Names with dates can be had once a second.
    until("the log is rotated", || logrotate.output().unwrap().status.success().then_some(()));
}

/// Rotates while it is watched, once while it is not, and again.
fn all_arrives(way: &str) {
    let mut app = App::new(way);
    app.write(1000);
    let forwarder = app.forward();
    app.wait_for_lines(1000);
    for _ in 0..10 {
        app.write(500);
        rotate(&app.logs);
        app.write(10);
        app.wait_for_lines(app.written);
    }
    app.assert_all_there(&finish(forwarder), app.written);
    let before = app.written;
    app.write(2000);
    rotate(&app.logs);
    app.write(10);
    let forwarder = app.forward();
    app.wait_for_lines(app.written);
    app.write(10);
    rotate(&app.logs);
    app.wait_for_lines(app.written);
    app.assert_all_there(&finish(forwarder), app.written - before);
}

#[test]
fn create() {
    all_arrives("create");
}

#[test]
fn create_and_compress() {
    all_arrives("create\n compress");
}

#[test]
fn create_and_compress_late() {
    all_arrives("create\n compress\n delaycompress");
}

#[test]
fn create_by_dates() {
    all_arrives("create\n dateext\n dateformat -%Y%m%d-%s");
}

#[test]
fn copytruncate() {
    all_arrives("copytruncate");
}

#[test]
fn copytruncate_and_compress() {
    all_arrives("copytruncate\n compress");
}

#[test]
fn copytruncate_and_compress_late() {
    all_arrives("copytruncate\n compress\n delaycompress");
}

#[test]
fn under_load_nothing_of_what_is_renamed_is_lost() {
    let mut app = App::new("create\n compress\n delaycompress");
    let forwarder = app.forward();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (logs, mut written) = (&app.logs, 0);
        let writer = scope.spawn(|| {
            let mut written = 0;
            while !is_over.load(SeqCst) {
                write(logs, written, 20);
                written += 20;
                thread::sleep(Duration::from_millis(2));
            }
            written
        });
        for _ in 0..20 {
            // The lines since the last rotation are seen, and so is their file.
            let before = lines(logs);
            until("some lines more are there", || (lines(logs) > before + 500).then_some(()));
            rotate(logs);
        }
        is_over.store(true, SeqCst);
        written += writer.join().unwrap();
        app.written = written;
    });
    app.wait_for_lines(app.written);
    app.assert_all_there(&finish(forwarder), app.written);
}
