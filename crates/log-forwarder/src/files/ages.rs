//! How old the bytes of a file are, as they were seen to come.

use std::time::{Duration, Instant};

/// Bytes that came within this count as of one age, that of the first.
const STEP: Duration = Duration::from_secs(1);
/// Ages that are kept apart; above this number, pairs of them are merged.
const LIMIT: usize = 32;

/// Up to which offset the bytes had come at which time, oldest first
#[derive(Clone, Debug, Default)]
pub(crate) struct Ages(Vec<(u64, Instant)>);

impl Ages {
    /// The file has this number of bytes now, and no output needs those before an offset.
    pub(crate) fn grew(&mut self, size: u64, needed: u64, now: Instant) {
        let needless = self.0.iter().take_while(|(end, _)| *end <= needed).count();
        self.0.drain(..needless);
        match self.0.last_mut() {
            Some((end, since)) if now.saturating_duration_since(*since) < STEP => *end = size,
            _ => {
                // Most files have one age, and there may be tens of thousands.
                self.0.reserve_exact(1);
                self.0.push((size, now));
            }
        }
        if self.0.len() > LIMIT {
            let pairs = std::mem::take(&mut self.0);
            self.0 = pairs.chunks(2).map(|pair| (pair[pair.len() - 1].0, pair[0].1)).collect();
        }
    }

    /// For how long the byte at an offset has been there
    pub(crate) fn of(&self, offset: u64, now: Instant) -> Duration {
        let known = self.0.iter().find(|(end, _)| *end > offset).or(self.0.last());
        known.map_or(Duration::ZERO, |(_, since)| now.saturating_duration_since(*since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_as_old_as_the_growth_that_brought_it() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut ages = Ages::default();
        assert_eq!(ages.of(0, start), Duration::ZERO);
        for round in 0..10 {
            ages.grew((u64::from(round) + 1) * 100, 0, start + second * round);
        }
        let now = start + second * 9;
        assert_eq!([0, 99, 100, 950].map(|offset| ages.of(offset, now).as_secs()), [9, 9, 8, 0]);
        ages.grew(1001, 500, now);
        assert_eq!(ages.of(0, now).as_secs(), 4);
        assert_eq!(ages.0.len(), 5);
    }

    #[test]
    fn no_age_is_ever_too_low_and_memory_is_bounded() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut ages = Ages::default();
        for round in 0..1000 {
            ages.grew(u64::from(round) + 1, 0, start + second * round);
            assert!(ages.0.len() <= LIMIT);
        }
        let now = start + second * 1000;
        for offset in 0..1000 {
            assert!(ages.of(offset, now).as_secs() >= 1000 - offset, "{offset}");
        }
    }
}
