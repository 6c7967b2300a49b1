//! Files that were compressed while no forwarder ran.

use std::{
    fs::{self, File},
    io::Write,
    time::{Duration, SystemTime},
};

use flate2::{Compression, write::GzEncoder};

use super::{Log, lines};
use crate::log_lines::LogLines;

impl Log {
    /// Compresses the file of a rotation. The new file does not keep the time of the old one.
    fn compress(&self, rotation: u8) {
        let path = self.path.with_extension(format!("log.2026112{rotation}"));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&fs::read(&path).unwrap()).unwrap();
        let mut packed = File::create(path.with_added_extension("gz")).unwrap();
        packed.write_all(&encoder.finish().unwrap()).unwrap();
        // Two times at once can be equal.
        packed.set_modified(SystemTime::now() + Duration::from_secs(1)).unwrap();
        fs::remove_file(path).unwrap();
    }

    /// Waits until the compressed files are found, or unpacked once more.
    fn find_compressed(&mut self) {
        harness::until("they are found", || {
            self.wait();
            (!self.follower.set.iter().any(|(_, file)| file.is_awaited())).then_some(())
        });
    }

    /// Delivers all that is there at each look, until they are found.
    fn deliver_and_find_compressed(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        harness::until("they are found", || {
            found.extend(self.deliver());
            self.wait();
            (!self.follower.set.iter().any(|(_, file)| file.is_awaited())).then_some(())
        });
        found.extend(self.deliver());
        found
    }
}

#[test]
fn its_parts_are_joined_over_files_that_were_compressed_while_no_forwarder_ran() {
    let mut log = Log::rotated(&lines(&["err F thing", "out P and "]));
    log.rotate(&lines(&["out F two", "out P three "]));
    log.rotate_unseen(&lines(&["out F four"]));
    log.compress(1);
    log.compress(2);
    log.restart();
    log.find_compressed();
    // The next run knows them, and has to unpack them once more.
    log.restart();
    assert_eq!(log.deliver_and_find_compressed(), ["one and two", "bad thing", "three four"]);
    log.assert_done();
}

#[test]
fn a_file_that_was_written_and_compressed_while_no_forwarder_ran_is_named() {
    let (log_lines, _guard) = LogLines::taken();
    let mut log = Log::rotated(&lines(&["out F two", "err F thing"]));
    log.wait();
    assert_eq!(log.deliver(), ["one two", "bad thing"]);
    log.save();
    log.rotate_unseen(&lines(&["out F never seen"]));
    log.rotate_unseen(&lines(&["out F three"]));
    (1..=3).for_each(|rotation| log.compress(rotation));
    log.start();
    log.find_compressed();
    log.follower.scan(Vec::new(), false, log.now);
    assert_eq!((log_lines.count("not read: "), log_lines.count("0.log.20261123.gz")), (1, 1));
    assert_eq!(log.deliver(), ["three"]);
    log.restart();
    assert_eq!(log_lines.count("not read: "), 1);
}
