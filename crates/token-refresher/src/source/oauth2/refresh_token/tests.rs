//! The fate of a token over time.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn chain(fate: Fate, rotates: bool, held_until: Option<Instant>) -> Chain {
    Chain { seed: Seed::of(&"a".into()), current: "a".into(), rotates, unsaved: false, fate, held_until }
}

#[test]
fn a_token_that_may_be_used_up_waits_until_nothing_is_left_to_lose() {
    let since = Instant::now();
    let held_until = Some(since + 300 * SECOND);
    let decide = |fate, rotates, after: u32| chain(fate, rotates, held_until).decide(since + SECOND * after);
    let open = |tried_again| Fate::Open { since, tried_again };
    assert!(matches!(decide(Fate::Unused, true, 0), Ok(fate) if fate == open(false)));
    // Within the grace, once
    assert!(matches!(decide(open(false), true, 60), Ok(fate) if fate == open(true)));
    for (fate, after, wait) in [(open(true), 1, 299), (open(false), 61, 239), (open(true), 299, 1)] {
        let error = decide(fate, true, after).unwrap_err();
        assert_eq!(error.retry_after(), Some(SECOND * wait));
    }
    assert!(decide(open(true), true, 300).is_ok());
    assert!(chain(open(true), true, None).decide(since).is_ok());
    // Without rotation nothing is used up.
    assert!(decide(open(false), false, 200).is_ok());
    assert_eq!(decide(Fate::Refused, false, 1000).unwrap_err().label(), "refused");
}

#[test]
fn a_request_that_reached_nobody_changes_nothing() {
    let since = Instant::now();
    assert_eq!(Fate::Open { since, tried_again: false }.untouched(), Fate::Unused);
    let tried = Fate::Open { since, tried_again: true };
    assert_eq!(tried.untouched(), Fate::Open { since, tried_again: false });
}
