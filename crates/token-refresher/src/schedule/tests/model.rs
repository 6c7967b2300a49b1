//! The schedule against a store that comes and goes.

use proptest::prelude::*;

use super::*;

/// A store in a test
#[derive(Clone, Debug)]
struct Store {
    life: f64,
    is_renewable: bool,
    refuses_renewals: bool,
    /// From the first to the second it cannot be reached.
    outage: (f64, f64),
    /// How long a call takes
    delay: f64,
}

/// One call: its start, the kind, whether it succeeded, and whether the value had expired when it began
#[derive(Clone, Copy, Debug)]
struct Call {
    start: f64,
    ask: Ask,
    is_success: bool,
    was_valid: bool,
}

impl Store {
    /// All calls up to the end
    fn calls(&self, end: f64, random: &mut impl FnMut() -> f64) -> Vec<Call> {
        let mut schedule = Schedule::new(Rules::default(), &at(0.0));
        let (mut now, mut calls) = (0.0, Vec::new());
        while now < end {
            let Some(ask) = schedule.due_call(&at(now)) else {
                // As the loop sleeps: at most 30 s.
                let next = time(schedule.next_call(&at(now)));
                now = next.clamp(now + 0.001, now + 30.0);
                continue;
            };
            let was_valid = schedule.is_valid(&at(now));
            schedule.begin(&at(now));
            let start = now;
            now += self.delay;
            let is_down = (self.outage.0..self.outage.1).contains(&start);
            let is_refused = ask == Ask::Renew && self.refuses_renewals;
            let is_success = !is_down && !is_refused;
            if is_success {
                schedule.succeed(ask, &term(start, Some(self.life), self.is_renewable), random());
            } else {
                let setback = if is_down { Setback::Unavailable(None) } else { Setback::Refused };
                schedule.fail(ask, setback, &at(now), random());
            }
            calls.push(Call { start, ask, is_success, was_valid });
        }
        calls
    }
}

fn stores() -> impl Strategy<Value = Store> {
    (2.0..4000.0, any::<bool>(), any::<bool>(), 0.0..5000.0, 0.0..5000.0, 0.001..0.5).prop_map(
        |(life, is_renewable, refuses_renewals, start, length, delay)| Store {
            life,
            is_renewable,
            refuses_renewals,
            outage: (start, start + length),
            delay,
        },
    )
}

proptest! {
    #[test]
    fn a_store_is_never_hammered(store in stores(), seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let calls = store.calls(12_000.0, &mut || random.f64());
        for pair in calls.windows(2) {
            let gap = pair[1].start - pair[0].start;
            if !pair[1].was_valid || !pair[0].is_success {
                prop_assert!(gap >= 4.999, "{gap} in {pair:?}");
            }
            prop_assert!(gap >= 0.999, "{gap} in {pair:?}");
        }
        let failed: Vec<_> = calls.iter().filter(|call| !call.is_success).collect();
        for (number, first) in failed.iter().enumerate() {
            let in_a_minute = failed[number..].iter().take_while(|call| call.start < first.start + 59.99).count();
            prop_assert!(in_a_minute <= 12, "{in_a_minute} calls from {}", first.start);
        }
    }

    #[test]
    fn a_value_that_has_expired_is_back_soon_after_its_store(store in stores(), seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let calls = store.calls(12_000.0, &mut || random.f64());
        let back = store.outage.1;
        let first = calls.iter().find(|call| call.start >= back);
        // A call that begins before the store's return may still be under way then.
        if let Some(first) = first.filter(|call| !call.was_valid) {
            prop_assert!(first.start + store.delay <= back + 6.0, "{first:?} after {back}");
            prop_assert!(first.is_success);
        }
    }

    #[test]
    fn retries_are_spread_over_the_rest_of_a_life(store in stores(), seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let calls = store.calls(12_000.0, &mut || random.f64());
        let mut retries = 0;
        for pair in calls.windows(2) {
            let is_retry = !pair[0].is_success && pair[1].was_valid;
            retries = if is_retry { retries + 1 } else { 0 };
            // From a third of a life of 4000 s down to steps of 5 s
            prop_assert!(retries < 40, "{retries} retries up to {}", pair[1].start);
        }
    }

    #[test]
    fn refused_renewals_do_not_mint_logins_in_a_loop(store in stores(), seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let store = Store { refuses_renewals: true, is_renewable: true, outage: (0.0, 0.0), ..store };
        let calls = store.calls(3000.0, &mut || random.f64());
        let logins: Vec<_> = calls.iter().filter(|call| call.ask == Ask::Fetch).map(|call| call.start).collect();
        for pair in logins.windows(2) {
            prop_assert!(pair[1] - pair[0] >= (store.life * 0.59).max(5.0) - 0.01, "{pair:?}");
        }
    }
}
