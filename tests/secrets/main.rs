//! The table of secrets: every helper runs with a known secret in every possible place, and prints it nowhere.
//!
//! A new helper adds a file of rows, and a line in `rows`. stdout, stderr, the termination message and `/metrics` are
//! searched for the secret, for pieces of it and for its usual encodings.
#![expect(clippy::unwrap_used, reason = "a panic here is how a test fails")]

mod contents;
mod echo;
mod fix_perms;
mod flags;
mod log_forwarder;
mod metrics_exporter;
mod places;
mod proxy;
mod row;
mod secret;
mod token_refresher;
mod urls;
mod wait_for;

use std::{sync::Mutex, thread};

use row::Row;

/// Rows that run at once; most of their time they wait
const THREADS: usize = 12;

/// The rows of all helpers
fn rows() -> Vec<Row> {
    [
        fix_perms::rows(),
        log_forwarder::rows(),
        metrics_exporter::rows(),
        proxy::rows(),
        token_refresher::rows(),
        wait_for::rows(),
    ]
    .concat()
}

#[test]
fn every_helper_starts_without_a_fault() {
    for helper in [
        fix_perms::HELPER,
        log_forwarder::HELPER,
        metrics_exporter::HELPER,
        proxy::HELPER,
        token_refresher::HELPER,
        wait_for::HELPER,
    ] {
        helper.right().assert_starts();
    }
}

#[test]
fn no_helper_prints_a_secret() {
    let rows = rows();
    let waiting = Mutex::new(rows);
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let Some(row) = waiting.lock().unwrap().pop() else { return };
                    // Before the lock is taken, so that rows run side by side.
                    let leak = row.leak();
                    found.lock().unwrap().extend(leak);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    assert!(found.is_empty(), "{} leaks:\n{}", found.len(), found.join("\n"));
}
