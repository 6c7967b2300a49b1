//! The schedule, step by step.
#![expect(clippy::float_cmp, reason = "times here are whole seconds")]

mod model;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn at(time: f64) -> Now {
    let moment = Moment::since_boot(seconds(1000.0 + time));
    Now { moment, wall: SystemTime::UNIX_EPOCH + seconds(1_000_000.0 + time) }
}

fn time(moment: Moment) -> f64 {
    moment.since(at(0.0).moment).as_secs_f64()
}

fn term(asked: f64, life: Option<f64>, is_renewable: bool) -> Term {
    Term { asked: at(asked), life: life.map(seconds), is_renewable }
}

/// A schedule whose value came at 0
fn with_value(rules: Rules, life: Option<f64>, is_renewable: bool) -> Schedule {
    let mut schedule = Schedule::new(rules, &at(0.0));
    schedule.begin(&at(0.0));
    schedule.succeed(Ask::Fetch, &term(0.0, life, is_renewable), 0.0);
    schedule
}

#[test]
fn a_value_is_refreshed_at_a_share_of_its_life() {
    let due = |rules, life, is_renewable| time(with_value(rules, life, is_renewable).next_call(&at(0.0)));
    let rules = Rules::default();
    assert_eq!(due(rules, Some(1000.0), false), 800.0);
    assert_eq!(due(rules, Some(1000.0), true), 660.0);
    assert_eq!(due(Rules { share: Some(0.5), ..rules }, Some(1000.0), true), 500.0);
    assert_eq!(due(rules, None, false), 300.0);
    assert_eq!(due(Rules { every: Some(MINUTE), ..rules }, None, false), 60.0);
    assert_eq!(due(rules, Some(10.0 * 365.0 * 86400.0), false), 86400.0, "ten years");
    assert_eq!(due(Rules { is_local: true, ..rules }, Some(1000.0), false), 60.0, "a file is looked at");
    let mut early = Schedule::new(rules, &at(0.0));
    early.succeed(Ask::Fetch, &term(0.0, Some(1000.0), false), 1.0);
    assert_eq!(time(early.next_call(&at(0.0))), 720.0, "a random part is left off");
}

#[test]
fn a_renewal_that_is_refused_leads_to_one_fetch() {
    let mut schedule = with_value(Rules::default(), Some(100.0), true);
    assert_eq!(schedule.due_call(&at(66.0)), Some(Ask::Renew));
    schedule.begin(&at(66.0));
    schedule.fail(Ask::Renew, Setback::Refused, &at(66.0), 0.0);
    assert_eq!(schedule.due_call(&at(70.9)), None);
    let next = time(schedule.next_call(&at(66.0)));
    assert_eq!(next, 71.0, "the token may have been revoked");
    assert_eq!(schedule.due_call(&at(next)), Some(Ask::Fetch));
    schedule.begin(&at(next));
    schedule.fail(Ask::Fetch, Setback::Unavailable(None), &at(next), 0.0);
    assert_eq!(schedule.due_call(&at(99.9)), Some(Ask::Fetch), "no renewal is tried again");
    schedule.succeed(Ask::Fetch, &term(90.0, Some(100.0), true), 0.0);
    assert_eq!(time(schedule.next_call(&at(90.0))), 156.0);
}

#[test]
fn a_renewal_that_cannot_reach_the_store_is_tried_again_while_the_value_is_valid() {
    let mut schedule = with_value(Rules::default(), Some(100.0), true);
    schedule.begin(&at(66.0));
    schedule.fail(Ask::Renew, Setback::Unavailable(None), &at(66.0), 0.0);
    assert_eq!(schedule.due_call(&at(80.0)), Some(Ask::Renew));
    assert_eq!(schedule.due_call(&at(100.0)), Some(Ask::Fetch), "what has expired cannot be renewed");
}

#[test]
fn renewals_that_give_ever_less_lead_to_a_fetch() {
    let mut schedule = with_value(Rules::default(), Some(100.0), true);
    schedule.succeed(Ask::Renew, &term(66.0, Some(100.0), true), 0.0);
    assert_eq!(schedule.due_call(&at(132.0)), Some(Ask::Renew));
    schedule.succeed(Ask::Renew, &term(132.0, Some(40.0), true), 0.0);
    assert_eq!(schedule.due_call(&at(165.0)), Some(Ask::Fetch));
}

#[test]
fn retry_after_counts_within_bounds() {
    let wish = |life: Option<f64>, wish: f64| {
        let mut schedule = match life {
            Some(life) => with_value(Rules::default(), Some(life), false),
            None => Schedule::new(Rules::default(), &at(0.0)),
        };
        schedule.begin(&at(10.0));
        schedule.fail(Ask::Fetch, Setback::Unavailable(Some(seconds(wish))), &at(10.0), 0.0);
        time(schedule.next_call(&at(10.0))) - 10.0
    };
    assert_eq!(wish(None, 60.0), 60.0);
    assert_eq!(wish(None, 1.0), 5.0, "no store can wish to be hammered");
    assert_eq!(wish(None, 3600.0), 300.0);
    assert_eq!(wish(Some(100.0), 60.0), 60.0);
    assert_eq!(wish(Some(2010.0), 3600.0), 2000.0, "not beyond the end of a life that is longer");
}

#[test]
fn a_source_that_says_no_is_asked_less_and_less() {
    let mut schedule = Schedule::new(Rules::default(), &at(0.0));
    let (mut now, mut gaps) = (0.0, Vec::new());
    for _ in 0..6 {
        schedule.begin(&at(now));
        schedule.fail(Ask::Fetch, Setback::Refused, &at(now), 0.0);
        let next = time(schedule.next_call(&at(now)));
        gaps.push((next - now).round());
        now = next;
    }
    assert_eq!(gaps, [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]);
}

#[test]
fn a_jump_of_the_wall_clock_asks_early_and_expires_nothing() {
    let schedule = with_value(Rules::default(), Some(100.0), false);
    let jumped = |by: i64| {
        let now = at(50.0);
        let gap = Duration::from_secs(by.unsigned_abs());
        Now { wall: if by < 0 { now.wall - gap } else { now.wall + gap }, ..now }
    };
    assert_eq!(schedule.due_call(&jumped(0)), None);
    assert_eq!(schedule.due_call(&jumped(3600)), Some(Ask::Fetch));
    assert!(schedule.is_valid(&jumped(3600)));
    assert_eq!(schedule.due_call(&jumped(-3600)), None);
    let late = Now { wall: at(0.0).wall, ..at(85.0) };
    assert_eq!(schedule.due_call(&late), Some(Ask::Fetch), "the wall clock was set back, and the life goes on");
    assert!(!schedule.is_valid(&Now { wall: at(0.0).wall, ..at(100.0) }));
}

/// A failure after a jump is retried as any other one, although the wall clock stays ahead.
#[test]
fn a_store_that_is_down_after_a_jump_is_not_hammered() {
    let mut schedule = with_value(Rules::default(), Some(1000.0), false);
    let jumped = |time| Now { wall: at(time).wall + Duration::from_secs(86400), ..at(time) };
    assert_eq!(schedule.due_call(&jumped(50.0)), Some(Ask::Fetch));
    schedule.begin(&jumped(50.0));
    schedule.fail(Ask::Fetch, Setback::Unavailable(None), &jumped(50.0), 0.0);
    assert_eq!(schedule.due_call(&jumped(60.0)), None);
}

#[test]
fn doubts_lead_to_one_call_a_minute() {
    let mut schedule = with_value(Rules::default(), Some(1000.0), false);
    schedule.doubt(&at(10.0));
    assert_eq!(schedule.due_call(&at(10.0)), Some(Ask::Fetch));
    for again in [10.0, 71.0] {
        schedule.begin(&at(again));
        schedule.succeed(Ask::Fetch, &term(again, Some(1000.0), false), 0.0);
        schedule.doubt(&at(again + 1.0));
        assert_eq!(schedule.due_call(&at(again + 30.0)), None);
        assert_eq!(schedule.due_call(&at(again + 61.0)), Some(Ask::Fetch));
    }
}

#[test]
fn a_nudge_keeps_the_spacing() {
    let mut schedule = with_value(Rules::default(), Some(100.0), false);
    schedule.hasten(&at(0.1));
    assert_eq!(schedule.due_call(&at(0.5)), None);
    assert_eq!(schedule.due_call(&at(1.0)), Some(Ask::Fetch));
    schedule.begin(&at(1.0));
    schedule.fail(Ask::Fetch, Setback::Unavailable(None), &at(1.0), 0.0);
    schedule.hasten(&at(2.0));
    assert_eq!(schedule.due_call(&at(5.9)), None);
    assert_eq!(schedule.due_call(&at(6.0)), Some(Ask::Fetch));
    let mut local = with_value(Rules { is_local: true, ..Rules::default() }, None, false);
    local.hasten(&at(0.1));
    assert_eq!(local.due_call(&at(0.1)), Some(Ask::Fetch), "no store is behind a file");
}

#[test]
fn a_life_of_weeks_is_not_waited_for_after_a_failure() {
    let mut schedule = with_value(Rules::default(), Some(30.0 * 86400.0), false);
    schedule.begin(&at(86400.0));
    schedule.fail(Ask::Fetch, Setback::Unavailable(None), &at(86400.0), 0.0);
    assert_eq!(time(schedule.next_call(&at(86400.0))), 86400.0 + 3600.0);
}

#[test]
fn a_wish_of_the_server_holds_whatever_else_makes_a_call_due() {
    let mut schedule = with_value(Rules::default(), Some(1000.0), false);
    schedule.begin(&at(800.0));
    schedule.fail(Ask::Fetch, Setback::Unavailable(Some(MINUTE)), &at(800.0), 0.0);
    schedule.hasten(&at(810.0));
    schedule.doubt(&at(811.0));
    assert_eq!(schedule.due_call(&at(859.9)), None);
    assert_eq!(schedule.due_call(&at(860.0)), Some(Ask::Fetch));
    schedule.begin(&at(860.0));
    schedule.succeed(Ask::Fetch, &term(860.0, Some(1000.0), false), 0.0);
    schedule.hasten(&at(861.0));
    assert_eq!(schedule.due_call(&at(861.0)), Some(Ask::Fetch), "the wish is past");
}

#[test]
fn a_life_of_one_second_is_replaced_within_it() {
    let schedule = with_value(Rules::default(), Some(1.0), false);
    assert_eq!(schedule.due_call(&at(0.8)), Some(Ask::Fetch));
    assert!(schedule.is_valid(&at(0.8)));
}

#[test]
fn an_answer_that_cannot_be_right_is_asked_for_again_soon() {
    let mut schedule = Schedule::new(Rules::default(), &at(0.0));
    for call in 0..9 {
        let now = at(f64::from(call) * 5.0);
        assert_eq!(schedule.due_call(&now), Some(Ask::Fetch));
        schedule.begin(&now);
        schedule.fail(Ask::Fetch, Setback::BadAnswer, &now, 0.0);
    }
}

#[test]
fn files_are_removed_before_their_value_expires_and_after_its_first_refresh() {
    let removal = |rules, life| with_value(rules, Some(life), false).removal().map(time);
    let rules = Rules::default();
    assert_eq!(removal(rules, 3600.0), Some(3595.0));
    assert_eq!(removal(rules, 50.0), Some(45.0));
    assert_eq!(removal(rules, 20.0), Some(18.0), "the refresh at 16 has its time");
    assert_eq!(removal(Rules { share: Some(0.5), ..rules }, 20.0), Some(15.0));
    assert_eq!(with_value(rules, None, false).removal(), None);
}
