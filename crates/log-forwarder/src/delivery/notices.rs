//! Names refused lines in the log: each of them where no dead letters have them, within a bound.

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::Path,
    time::{Duration, Instant},
};

use lifecycle::LogThrottle;

use crate::records::span::Span;

/// Ranges of offsets that one notice names
const RANGES: usize = 50;
/// Notices within [`WINDOW`], because a receiver that refuses everything must not fill the disk of the node
const NOTICES: u32 = 100;
const WINDOW: Duration = Duration::from_secs(30);

/// Makes the notices of all outputs
#[derive(Debug, Default)]
pub(super) struct Notices {
    throttle: LogThrottle,
    /// When the window began, and the notices in it
    window: Option<(Instant, u32)>,
    /// Refused lines since the last notice that no notice has named
    unnamed: u64,
}

/// Refused lines of one file, for one reason
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notice<'a> {
    pub(super) reason: &'a str,
    pub(super) file: &'a Path,
    /// `0-17, 40-52`: the first byte of a range, and the first one behind it
    pub(super) offsets: String,
    pub(super) lines: u64,
    /// Lines before these that were refused and are in no notice
    pub(super) unnamed: u64,
}

/// Lines that follow each other in their file
struct Run {
    start: u64,
    end: u64,
    lines: u64,
}

impl Notices {
    /// The notices about these records that are due. Those about records that are kept as dead letters are fewer: where the
    /// reason stays the same, one in a while.
    pub(super) fn of<'a>(&mut self, records: &'a [(Span, String)], are_kept: bool, now: Instant) -> Vec<Notice<'a>> {
        let mut groups = BTreeMap::<_, Vec<Run>>::new();
        for (record, reason) in records {
            add(groups.entry((reason.as_str(), &*record.source.path)).or_default(), record);
        }
        let mut notices = Vec::new();
        for ((reason, file), runs) in groups {
            for runs in runs.chunks(RANGES) {
                let lines = runs.iter().map(|run| run.lines).sum();
                // Each record may have a reason of its own, for example one that names its document.
                let is_news = !are_kept || self.throttle.is_due(reason, now);
                if let Some(unnamed) = self.room_for(lines, is_news, now) {
                    notices.push(Notice { reason, file, offsets: offsets(runs), lines, unnamed });
                }
            }
        }
        notices
    }

    /// Whether lines have a notice, of which their receiver did not say which they are; the number of lines before them that are
    /// in no notice.
    pub(super) fn of_some(&mut self, lines: u64, now: Instant) -> Option<u64> {
        self.room_for(lines, true, now)
    }

    fn room_for(&mut self, lines: u64, is_news: bool, now: Instant) -> Option<u64> {
        if is_news && self.has_room(now) {
            return Some(std::mem::take(&mut self.unnamed));
        }
        self.unnamed += lines;
        None
    }

    fn has_room(&mut self, now: Instant) -> bool {
        let (start, count) = self.window.filter(|(start, _)| now.duration_since(*start) < WINDOW).unwrap_or((now, 0));
        self.window = Some((start, count + 1));
        count < NOTICES
    }
}

fn add(runs: &mut Vec<Run>, record: &Span) {
    let (start, end, lines) = (record.offset, record.end(), record.amount().lines);
    match runs.last_mut().filter(|last| (last.start..=last.end).contains(&start)) {
        // Also records whose lines alternate, which have one range.
        Some(last) => (last.end, last.lines) = (last.end.max(end), last.lines + lines),
        None => runs.push(Run { start, end, lines }),
    }
}

fn offsets(runs: &[Run]) -> String {
    let mut text = String::new();
    for Run { start, end, .. } in runs {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{start}-{end}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::span::{Mark, of};

    /// Records of these lines of a file whose lines have two bytes each
    fn refused(numbers: &[usize]) -> Vec<(Span, String)> {
        let span = of("x\n".repeat(1000).as_bytes(), Mark::Whole);
        numbers.iter().map(|number| (span.only(*number).unwrap(), "no".into())).collect()
    }

    #[test]
    fn lines_that_are_not_kept_are_all_named() {
        let mut notices = Notices::default();
        let records = refused(&[0, 1, 2, 7]);
        let made = notices.of(&records, false, Instant::now());
        let file = Path::new("/logs/app.log");
        assert_eq!(made, [Notice { reason: "no", file, offsets: "0-6, 14-16".into(), lines: 4, unnamed: 0 }]);
        let every_second: Vec<_> = (0..1000).step_by(2).collect();
        let records = refused(&every_second);
        let made = notices.of(&records, false, Instant::now());
        assert_eq!(made.iter().map(|notice| notice.lines).collect::<Vec<_>>(), [50; 10]);
    }

    #[test]
    fn more_than_a_log_can_take_is_counted() {
        let (mut notices, start) = (Notices::default(), Instant::now());
        let record = refused(&[0]);
        let count = (0..150).filter(|_| !notices.of(&record, false, start).is_empty()).count();
        assert_eq!(count, 100);
        assert_eq!(notices.of_some(7, start), None);
        assert_eq!(notices.of(&record, false, start + WINDOW)[0].unnamed, 57);
    }

    #[test]
    fn lines_that_are_kept_have_a_notice_for_each_reason_within_the_bound() {
        let (mut notices, now) = (Notices::default(), Instant::now());
        let records = refused(&[0, 3]);
        assert_eq!(notices.of(&records, true, now)[0].lines, 2);
        assert_eq!(notices.of(&records, true, now), []);
        let other = [(records[0].0.clone(), "other".to_owned())];
        assert_eq!(notices.of(&other, true, now)[0].unnamed, 2);
        let record = records[0].0.clone();
        let each: Vec<_> = (0..150).map(|number| (record.clone(), format!("document {number:03}"))).collect();
        let made = notices.of(&each, true, now);
        assert_eq!((made.len(), made[97].reason), (98, "document 097"));
        assert_eq!(notices.of(&each[149..], true, now + WINDOW)[0].unnamed, 52);
    }
}
