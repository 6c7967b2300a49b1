//! How often the scans of a follower list a directory.

use std::{fs, time::Instant};

use super::*;
use crate::{
    content::probe::Probe,
    files::{follower::tests::on_volume, names::Rename},
};

#[test]
fn a_scan_lists_a_directory_as_often_for_a_hundred_files_as_for_forty() {
    let listings = [40, 100].map(|count| {
        let home = tempfile::tempdir().unwrap();
        let path = |name: String| home.path().join(name);
        let probe = Arc::new(Probe::default());
        let mut follower = on_volume(&path("*.log".into()), probe.clone());
        follower.add_output("stdout://".into());
        let now = Instant::now();
        let mut scan = |renames: Vec<Rename>| {
            probe.take_listings();
            follower.scan(renames, false, now);
            probe.take_listings()
        };
        // More files than descriptors, with strangers beside them that have names of rotated files.
        for number in 0..count {
            fs::write(path(format!("{number}.log")), format!("line {number}\n")).unwrap();
            fs::write(path(format!("{number}.log.9")), "other\n").unwrap();
        }
        let first = [scan(Vec::new()), scan(Vec::new())];
        let rotated = (0..count).map(|number| {
            let rename = Rename { from: path(format!("{number}.log")), to: path(format!("{number}.log.1")) };
            fs::rename(&rename.from, &rename.to).unwrap();
            fs::write(&rename.from, format!("another {number}\n")).unwrap();
            rename
        });
        let rotated = scan(rotated.collect());
        // Copied and truncated, without an event
        for number in 0..count {
            fs::copy(path(format!("{number}.log")), path(format!("{number}.log.2"))).unwrap();
            fs::write(path(format!("{number}.log")), "").unwrap();
        }
        [first[0], first[1], rotated, scan(Vec::new()), scan(Vec::new())]
    });
    assert_eq!(listings[0], listings[1]);
}
