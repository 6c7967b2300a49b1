//! Families of one name and the types that they have in several sources.

use bumpalo::Bump;

use crate::merge::{
    Merged, SourcePage,
    pages::{lines, merge_once, notes_of, own_page, page, text_of},
};

fn merged<'a>(arena: &'a Bump, pages: Vec<SourcePage<'a>>) -> Merged<'a> {
    merge_once(arena, pages)
}

#[test]
fn families_are_sorted_and_series_follow_the_order_of_the_sources() {
    let arena = Bump::new();
    let one = page(&arena, "one", "# gauge b: B.\nb{x=\"1\"} 1\n# counter a_total: A.\na_total{x=\"1\"} 1");
    let two = page(&arena, "two", "# counter a_total: A.\na_total{x=\"2\"} 2\n# gauge c\nc 3\n# gauge empty\n");
    let merged = merged(&arena, vec![one, two]);
    let expected = "
        # counter a_total: A.
        a_total{x=\"1\"} 1
        a_total{x=\"2\"} 2
        # gauge b: B.
        b{x=\"1\"} 1
        # gauge c
        c 3";
    assert_eq!(text_of(&merged), lines(expected));
    assert_eq!(notes_of(&merged), [""; 0]);
    let counts: Vec<_> = merged.report.sources.iter().map(|source| (source.received, source.kept)).collect();
    assert_eq!(counts, [(2, 2), (2, 2)]);
}

#[test]
fn the_first_source_with_a_type_wins() {
    let arena = Bump::new();
    let one = page(&arena, "one", "x{a=\"1\"} 1");
    let two = page(&arena, "two", "# counter x: Two.\nx{a=\"2\"} 2");
    let three = page(&arena, "three", "# gauge x: Three.\nx{a=\"3\"} 3\nx{a=\"4\"} 4");
    let merged = merged(&arena, vec![one, two, three]);
    assert_eq!(text_of(&merged), lines("# counter x: Two.\nx{a=\"1\"} 1\nx{a=\"2\"} 2"));
    assert_eq!(notes_of(&merged), ["three x type_conflict 2 (gauge, not counter)"]);
    assert_eq!(merged.report.sources[2].kept, 0);
}

#[test]
fn an_info_that_is_a_gauge_elsewhere_is_a_gauge() {
    let arena = Bump::new();
    let one = page(&arena, "one", "# info build_info: Build.\nbuild_info{version=\"1\"} 1");
    let two = page(&arena, "two", "# gauge build_info: Another.\nbuild_info{version=\"2\"} 1");
    let three = page(&arena, "three", "# gauge build_info: Build\nbuild_info{version=\"3\"} 1");
    let merged = merged(&arena, vec![one, two, three]);
    let expected = "# gauge build_info: Build.\nbuild_info{version=\"1\"} 1\nbuild_info{version=\"2\"} 1
                    build_info{version=\"3\"} 1";
    assert_eq!(text_of(&merged), lines(expected));
    let expected = [
        "one build_info type_conflict 1 (info, not gauge)",
        "two build_info help_conflict 1 (\"Another.\", not \"Build.\")",
    ];
    assert_eq!(notes_of(&merged), expected);
}

#[test]
fn a_source_loses_a_metric_of_the_exporter() {
    let arena = Bump::new();
    let app = page(
        &arena,
        "app",
        "# gauge container_threads\ncontainer_threads 9\nsidekit_metrics_exporter_source_up 1\nx 1",
    );
    let own = own_page(&arena, "# gauge container_threads\ncontainer_threads 1");
    let merged = merged(&arena, vec![app, own]);
    assert_eq!(text_of(&merged), lines("# gauge container_threads\ncontainer_threads 1\n# unknown x\nx 1"));
    let expected = ["app container_threads own_metric 1 ()", "app sidekit_metrics_exporter_source_up own_metric 1 ()"];
    assert_eq!(notes_of(&merged), expected);
}
