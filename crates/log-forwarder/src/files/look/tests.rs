//! Looks at files about which the system contradicts itself, as on a mount whose files another host renames.

use std::time::Duration;

use prometheus::Registry;

use super::*;
use crate::{
    content::{
        fingerprint::{ANCHOR_LIMIT, Anchor, Head},
        volume::{Entry, Handle, Inode, Stat},
    },
    files::{
        cursor::Cursor,
        example::{SIZE, file, stat},
        known::OutputId,
        ledger::Ledger,
    },
    log_lines::LogLines,
};

/// An open file that has this number of bytes, of which the system says something else
#[derive(Debug)]
struct Contrary {
    stated: Stat,
    bytes: usize,
}

impl Handle for Contrary {
    fn stat(&self) -> io::Result<Stat> {
        Ok(self.stated)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes);
        let length = buffer.len().min(self.bytes - from);
        buffer[..length].fill(b'x');
        Ok(length)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        Ok(offset)
    }

    fn is_remote(&self) -> bool {
        true
    }
}

/// A file system on which no path leads to anything
#[derive(Debug)]
struct Nowhere;

impl Volume for Nowhere {
    fn stat(&self, _: &Path) -> io::Result<Stat> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    fn open(&self, _: &Path) -> io::Result<Arc<dyn Handle>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn home(&self, path: &Path) -> std::path::PathBuf {
        path.to_path_buf()
    }
}

/// Looks again and again at a known file with such a descriptor; returns what is known of it then, the bytes that count as
/// lost, and the lines that were logged.
fn looked_at(contrary: Contrary) -> (FileState, Trust, u64, u64, LogLines) {
    let (lines, _guard) = LogLines::taken();
    let now = Instant::now();
    let mut set = FileSet::new(Ledger::new(&Registry::new()).unwrap());
    set.apply(Change::AddOutput("stdout://".into()), now);
    let content = Content::Plain(Arc::new(contrary));
    let cursors = vec![Cursor::at(SIZE, Anchor::Bytes(vec![b'x'; ANCHOR_LIMIT]), false)];
    let (access, head) = (Access::Open(content), Head::of(b"xxx"));
    let known = KnownFile { access, head, cursors, trust: Trust::Limited, ..file(now) };
    set.apply(Change::Begin(0, known.into()), now);
    let policy = Policy { quiet_period: Duration::from_secs(1), ..Policy::default() };
    let mut looker = Looker::new(Arc::new(Nowhere), OwnFiles::default(), policy);
    let mut names = Names::default();
    let mut looks = 0;
    for milliseconds in (0..900).step_by(10) {
        looks += usize::from(looker.look_at(&mut set, &mut names, 0, now + Duration::from_millis(milliseconds)));
    }
    assert!(looks <= 2, "{looks} looks of ninety have found something new");
    assert_eq!(set.iter().count(), 1);
    let file = set.get(0).unwrap();
    (file.state, file.trust, file.seen, set.ledger().of(OutputId(0)).sums().lost, lines)
}

#[test]
fn a_file_whose_size_is_belied_by_a_read_is_read_to_its_end_and_nothing_is_lost() {
    let shorter = Stat { size: 0, ..stat() };
    let (state, trust, seen, lost, lines) = looked_at(Contrary { stated: shorter, bytes: 140 });
    assert_eq!((state, trust, seen, lost), (FileState::Live, Trust::None, 140, 0));
    assert_eq!(lines.count("its size and its bytes contradict each other"), 1);
    // It is said to have bytes that no read finds.
    let longer = Stat { size: 2 * SIZE, ..stat() };
    let (state, trust, seen, lost, lines) = looked_at(Contrary { stated: longer, bytes: 100 });
    assert_eq!((state, trust, seen, lost), (FileState::Live, Trust::None, SIZE, 0));
    assert_eq!(lines.count("its size and its bytes contradict each other"), 1);
}

#[test]
fn a_descriptor_that_leads_to_another_file_is_closed_and_nothing_is_lost() {
    let other = Stat { inode: Inode { device: 1, inode: 8 }, ..stat() };
    let (state, trust, seen, lost, lines) = looked_at(Contrary { stated: other, bytes: 500 });
    assert_eq!((state, trust, seen, lost), (FileState::Rotated, Trust::Limited, SIZE, 0));
    assert_eq!(lines.count("its descriptor leads to another file"), 1);
}
