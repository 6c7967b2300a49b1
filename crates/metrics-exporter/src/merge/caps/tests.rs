//! Caps, and the series that remain.

use bumpalo::Bump;
use proptest::prelude::*;

use super::*;
use crate::merge::{
    MergeMemory, MergeSettings, Merged, SourcePage, merge,
    pages::{SETTINGS, notes_of, own_page, page},
};

#[test]
fn the_largest_lose() {
    assert_eq!(fair_shares(&[1, 2, 3], 6), [1, 2, 3]);
    assert_eq!(fair_shares(&[50_000, 500, 50_000], 10_000), [4750, 500, 4750]);
    assert_eq!(fair_shares(&[5, 5, 5], 10), [4, 3, 3]);
    assert_eq!(fair_shares(&[5, 0], 0), [0, 0]);
    assert_eq!(fair_shares(&[], 3), [0; 0]);
}

proptest! {
    #[test]
    fn shares_use_all_that_is_there(wanted in proptest::collection::vec(0..100_usize, 0..6), limit in 0..300_usize) {
        let shares = fair_shares(&wanted, limit);
        prop_assert_eq!(shares.iter().sum::<usize>(), limit.min(wanted.iter().sum()));
        prop_assert!(shares.iter().zip(&wanted).all(|(share, wanted)| share <= wanted));
        let least_cut = shares.iter().zip(&wanted).filter(|(share, wanted)| share < wanted).map(|(share, _)| *share).min();
        if let Some(least_cut) = least_cut {
            prop_assert!(shares.iter().all(|share| *share <= least_cut + 1));
        }
    }
}

fn capped<'a>(arena: &'a Bump, pages: Vec<SourcePage<'a>>, caps: Caps) -> Merged<'a> {
    merge(arena, pages, &MergeSettings { caps, ..SETTINGS }, &mut MergeMemory::default())
}

fn series(name: &str, count: usize, label: &str) -> String {
    let lines: Vec<_> = (0..count).map(|nth| format!("{name}{{{label}=\"{nth}\"}} 1")).collect();
    lines.join("\n")
}

fn sizes(merged: &Merged) -> Vec<(String, usize)> {
    merged.families.iter().map(|family| (family.name.to_owned(), family.series.len())).collect()
}

#[test]
fn a_name_that_explodes_costs_no_other_name_and_no_small_source() {
    let arena = Bump::new();
    let large = format!("{}\n{}", series("a", 100, "x"), series("b", 5, "x"));
    let small = series("a", 3, "y");
    let pages = vec![page(&arena, "large", &large), page(&arena, "small", &small)];
    let merged = capped(&arena, pages, Caps { metric: 10, ..SETTINGS.caps });
    assert_eq!(sizes(&merged), [("a".to_owned(), 10), ("b".to_owned(), 5)]);
    assert_eq!(notes_of(&merged), ["large a metric_limit 93 ({x=\"7\"})"]);
}

#[test]
fn a_source_that_explodes_costs_its_own_series() {
    let arena = Bump::new();
    let large: Vec<_> = (0..30).map(|nth| series(&format!("a{nth:02}"), 10, "x")).collect();
    let (large, small) = (large.join("\n"), series("b", 8, "x"));
    let pages = || vec![page(&arena, "large", &large), page(&arena, "small", &small)];
    let merged = capped(&arena, pages(), Caps { source: 25, ..SETTINGS.caps });
    let expected = [("a00", 10), ("a01", 10), ("a02", 5), ("b", 8)];
    assert_eq!(sizes(&merged), expected.map(|(name, size)| (name.to_owned(), size)));
    let merged = capped(&arena, pages(), Caps { page: 20, ..SETTINGS.caps });
    let expected = [("a00", 10), ("a01", 2), ("b", 8)];
    assert_eq!(sizes(&merged), expected.map(|(name, size)| (name.to_owned(), size)));
    assert_eq!(merged.report.sources[0].left_out[&Reason::PageLimit], 288);
}

#[test]
fn own_series_stay_and_count() {
    let arena = Bump::new();
    let (own, app) = (series("own", 10, "x"), series("app", 10, "x"));
    let pages = vec![own_page(&arena, &own), page(&arena, "app", &app)];
    let merged = capped(&arena, pages, Caps { page: 12, metric: 5, source: 3 });
    assert_eq!(sizes(&merged), [("app".to_owned(), 2), ("own".to_owned(), 10)]);
}
