//! Process groups over several rounds.

use super::*;
use crate::collect::processes::parse::Stat;

const SCALE: Scale =
    Scale { ticks_per_second: 100, page_bytes: 4096, boot_seconds: Some(1_000_000), first_look_ticks: 5000 };

/// A process of the app with this start and this use of user time, both in ticks
fn process(id: u32, start_ticks: u64, user_ticks: u64) -> Look {
    let stat = Stat {
        comm: b"app".to_vec(),
        state: State::Sleeping,
        is_kernel_thread: false,
        minor_faults: 1,
        major_faults: 2,
        user_ticks,
        system_ticks: 0,
        threads: 3,
        start_ticks,
        virtual_bytes: 1 << 20,
        resident_pages: 10,
    };
    Look {
        id,
        stat,
        swapped_bytes: Some(0),
        disk_bytes: Some((user_ticks, 0)),
        descriptors: Some(8),
        descriptor_limit: Some(16),
    }
}

fn named(comm: &str, mut look: Look) -> Look {
    look.stat.comm = comm.into();
    look
}

/// A round with these processes, and the series after it, as `NAME SECOND_LABEL=VALUE` of the group
fn round(groups: &mut Groups, looks: &[Look]) -> Collected {
    groups.begin_round();
    for look in looks {
        groups.enter(look, || [&*look.stat.comm, b"\0"].concat());
    }
    groups.end_round(&HashSet::new());
    let mut collected = Collected::default();
    groups.report(&mut collected);
    collected
}

/// The value of a group's metric; where there are several, the one with this second label
fn value(collected: &Collected, metric: &Metric, group: &str, second: &str) -> Option<f64> {
    let family = collected.families.iter().find(|family| family.metric.name == metric.name)?;
    let is_it = |labels: &Labels| {
        let values: Vec<_> = labels.pairs().iter().map(|(_, value)| &**value).collect();
        values.contains(&group) && (second.is_empty() || values.contains(&second))
    };
    family.samples.iter().find(|sample| is_it(&sample.labels)).map(|sample| sample.value)
}

fn user_seconds(collected: &Collected) -> Option<f64> {
    value(collected, &CPU, "app", "user")
}

#[test]
fn a_counter_continues_when_a_process_ends_and_when_its_number_is_reused() {
    let mut groups = Groups::new(SCALE);
    // The use before the first scrape may be in the counter of an earlier exporter already, so it does not count.
    assert_eq!(user_seconds(&round(&mut groups, &[process(7, 100, 9000), process(8, 100, 500)])), Some(0.0));
    assert_eq!(user_seconds(&round(&mut groups, &[process(7, 100, 9100), process(8, 100, 600)])), Some(2.0));
    // Process 8 has ended.
    assert_eq!(user_seconds(&round(&mut groups, &[process(7, 100, 9200)])), Some(3.0));
    // Another process has number 7 now. Its use is less, and counts from its start.
    assert_eq!(user_seconds(&round(&mut groups, &[process(7, 6000, 50)])), Some(3.5));
    // All processes have ended.
    let empty = round(&mut groups, &[]);
    assert_eq!(user_seconds(&empty), Some(3.5));
    assert_eq!(value(&empty, &PROCESSES, "app", ""), Some(0.0));
    assert_eq!(value(&empty, &OLDEST_START, "app", ""), None);
    // CPU time never goes back; if it did, the counter would stay.
    round(&mut groups, &[process(9, 6000, 50)]);
    assert_eq!(user_seconds(&round(&mut groups, &[process(9, 6000, 20)])), Some(4.0));
}

#[test]
fn a_process_that_one_round_could_not_look_at_counts_no_more_than_once() {
    let mut groups = Groups::new(SCALE);
    // It began after the first look, so all of its use counts.
    assert_eq!(user_seconds(&round(&mut groups, &[process(7, 6000, 500)])), Some(5.0));
    groups.begin_round();
    groups.end_round(&HashSet::from([7]));
    assert_eq!(user_seconds(&round(&mut groups, &[process(7, 6000, 600)])), Some(6.0));
    // Another process with that number is another one.
    groups.begin_round();
    groups.end_round(&HashSet::from([7]));
    assert_eq!(user_seconds(&round(&mut groups, &[process(7, 7000, 100)])), Some(7.0));
}

#[test]
fn a_program_that_replaces_another_takes_its_counters_elsewhere() {
    let mut groups = Groups::new(SCALE);
    round(&mut groups, &[named("sh", process(7, 6000, 100))]);
    let after = round(&mut groups, &[process(7, 6000, 150)]);
    assert_eq!(value(&after, &CPU, "sh", "user"), Some(1.0));
    assert_eq!(value(&after, &CPU, "app", "user"), Some(0.5));
    assert_eq!(value(&after, &PROCESSES, "sh", ""), Some(0.0));
}

#[test]
fn gauges_are_those_of_this_round() {
    let mut groups = Groups::new(SCALE);
    let busy = Look { descriptors: Some(12), ..process(8, 200, 0) };
    let two = round(&mut groups, &[process(7, 100, 0), busy]);
    let gauge = |metric, second| value(&two, metric, "app", second);
    assert_eq!([gauge(&PROCESSES, ""), gauge(&THREADS, "")], [Some(2.0), Some(6.0)]);
    assert_eq!([gauge(&STATES, "Sleeping"), gauge(&STATES, "Zombie")], [Some(2.0), Some(0.0)]);
    assert_eq!([gauge(&MEMORY, "resident"), gauge(&MEMORY, "swapped")], [Some(81920.0), Some(0.0)]);
    assert_eq!([gauge(&DESCRIPTORS, ""), gauge(&WORST_DESCRIPTOR_RATIO, "")], [Some(20.0), Some(0.75)]);
    assert_eq!(gauge(&OLDEST_START, ""), Some(1_000_001.0));
    let one = round(&mut groups, &[process(7, 100, 0)]);
    assert_eq!(value(&one, &DESCRIPTORS, "app", ""), Some(8.0));
    assert_eq!(value(&one, &WORST_DESCRIPTOR_RATIO, "app", ""), Some(0.5));
}

#[test]
fn a_value_that_one_process_hides_is_unknown_for_its_group() {
    let hidden =
        |id, ticks| Look { disk_bytes: None, descriptors: None, swapped_bytes: None, ..process(id, 6000, ticks) };
    let mut groups = Groups::new(SCALE);
    let both = round(&mut groups, &[process(7, 6000, 5), hidden(8, 5)]);
    for (metric, second) in [(&READ, ""), (&WRITTEN, ""), (&DESCRIPTORS, ""), (&MEMORY, "swapped")] {
        assert_eq!(value(&both, metric, "app", second), None, "{}", metric.name);
    }
    assert_eq!(user_seconds(&both), Some(0.1));
    // The hidden process has ended, and the counter continues.
    assert_eq!(value(&round(&mut groups, &[process(7, 6000, 9)]), &READ, "app", ""), Some(9.0));
    // A counter that becomes readable later counts from then on.
    round(&mut groups, &[hidden(9, 100)]);
    assert_eq!(value(&round(&mut groups, &[process(9, 6000, 200)]), &READ, "app", ""), Some(9.0));
    assert_eq!(value(&round(&mut groups, &[process(9, 6000, 201)]), &READ, "app", ""), Some(10.0));
}

#[test]
fn a_zombie_has_nothing_and_hides_nothing() {
    let mut groups = Groups::new(SCALE);
    round(&mut groups, &[process(7, 6000, 5)]);
    let mut zombie = process(7, 6000, 6);
    zombie.stat.state = State::Zombie;
    let zombie = Look { disk_bytes: None, descriptors: None, swapped_bytes: None, descriptor_limit: None, ..zombie };
    let after = round(&mut groups, &[zombie]);
    assert_eq!(value(&after, &STATES, "app", "Zombie"), Some(1.0));
    assert_eq!(value(&after, &READ, "app", ""), Some(5.0));
    assert_eq!(value(&after, &DESCRIPTORS, "app", ""), Some(0.0));
    assert_eq!(user_seconds(&after), Some(0.06));
}

#[test]
fn groups_have_a_bound_and_dead_ones_give_way() {
    let many = |range: std::ops::Range<u32>| -> Vec<_> {
        range.map(|id| named(&format!("app{id}"), process(id, 6000, 1))).collect()
    };
    let limit = u32::try_from(GROUP_LIMIT).unwrap();
    let mut groups = Groups::new(SCALE);
    round(&mut groups, &many(0..limit));
    groups.begin_round();
    assert!(many(0..limit).iter().all(|look| groups.enter(look, Vec::new)));
    assert!(!groups.enter(&named("one more", process(9999, 6000, 1)), Vec::new));
    groups.end_round(&HashSet::new());
    // The first ten processes have ended.
    round(&mut groups, &many(10..limit));
    let after = round(&mut groups, &many(10..limit + 10));
    let names = &after.families.iter().find(|family| family.metric.name == PROCESSES.name).unwrap().samples;
    assert_eq!(names.len(), GROUP_LIMIT);
    assert!(names.iter().all(|sample| sample.value > 0.0));
    assert_eq!(groups.known.len(), GROUP_LIMIT);
}

#[test]
fn an_unlimited_process_is_far_from_its_limit() {
    let unlimited = Look { descriptor_limit: Some(u64::MAX), descriptors: Some(u64::MAX), ..process(7, 100, u64::MAX) };
    let none = Look { descriptor_limit: Some(0), ..process(8, 100, u64::MAX) };
    let mut groups = Groups::new(SCALE);
    assert_eq!(value(&round(&mut groups, &[none]), &WORST_DESCRIPTOR_RATIO, "app", ""), None);
    let huge = round(&mut groups, &[unlimited.clone(), Look { id: 9, ..unlimited }]);
    assert_eq!(value(&huge, &WORST_DESCRIPTOR_RATIO, "app", ""), Some(1.0));
    assert_eq!(value(&huge, &DESCRIPTORS, "app", ""), Some(float(u64::MAX)));
}
