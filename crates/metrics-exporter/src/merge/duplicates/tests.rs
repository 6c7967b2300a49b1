//! Series that two sources send.

use bumpalo::Bump;
use proptest::prelude::*;

use super::*;
use crate::merge::{
    MergeSettings, SourcePage, merge,
    pages::{SETTINGS, lines, merge_once, notes_of, own_page, page, text_of},
};

const REFUSE: MergeSettings = MergeSettings { on_duplicate: OnDuplicate::Refuse, ..SETTINGS };

#[test]
fn all_series_of_the_name_get_the_label_source() {
    let arena = Bump::new();
    let one = page(&arena, "one", "# gauge a\na{x=\"1\"} 1\na{x=\"2\"} 1\n# gauge b\nb{x=\"1\"} 1");
    let two = page(&arena, "two", "# gauge a\na{x=\"1\"} 2\na{x=\"3\"} 2\n# gauge b\nb{x=\"2\"} 2");
    let merged = merge_once(&arena, vec![one, two]);
    let expected = "
        # gauge a
        a{source=\"one\",x=\"1\"} 1
        a{source=\"one\",x=\"2\"} 1
        a{source=\"two\",x=\"1\"} 2
        a{source=\"two\",x=\"3\"} 2
        # gauge b
        b{x=\"1\"} 1
        b{x=\"2\"} 2";
    assert_eq!(text_of(&merged), lines(expected));
    assert_eq!(notes_of(&merged), [""; 0]);
    assert_eq!(merged.report.sources[1].labelled, 2);
}

#[test]
fn labels_stay_when_a_source_is_down() {
    let arena = Bump::new();
    let mut memory = MergeMemory::default();
    let one = || page(&arena, "one", "# gauge a\na 1");
    let two = page(&arena, "two", "# gauge a\na 2");
    let first = merge(&arena, vec![one(), two], &SETTINGS, &mut memory);
    assert_eq!(text_of(&first), lines("# gauge a\na{source=\"one\"} 1\na{source=\"two\"} 2"));
    let alone = merge(&arena, vec![one()], &SETTINGS, &mut memory);
    assert_eq!(text_of(&alone), lines("# gauge a\na{source=\"one\"} 1"));
}

#[test]
fn a_label_of_that_name_is_kept_under_another_name() {
    let arena = Bump::new();
    let text = "# gauge a\na{source=\"x\"} 1\na{exported_source=\"y\",source=\"x\"} 1\na{exported_source=\"x\"} 1";
    let merged = merge_once(&arena, vec![page(&arena, "one", text), page(&arena, "two", text)]);
    let expected = "
        # gauge a
        a{exported_source=\"x\",source=\"one\"} 1
        a{exported_exported_source=\"x\",exported_source=\"y\",source=\"one\"} 1
        a{exported_source=\"x\",source=\"two\"} 1
        a{exported_exported_source=\"x\",exported_source=\"y\",source=\"two\"} 1";
    assert_eq!(text_of(&merged), lines(expected));
    let note = |source| format!("{source} a duplicate 1 ({{exported_source=\"x\",source=\"{source}\"}})");
    assert_eq!(notes_of(&merged), [note("one"), note("two")]);
}

#[test]
fn the_exporters_own_process_metrics_are_told_apart_by_their_label() {
    let arena = Bump::new();
    let own = own_page(&arena, "# gauge process_open_fds: Ours.\nprocess_open_fds 1");
    let app = page(&arena, "app", "# gauge process_open_fds: Theirs.\nprocess_open_fds 2");
    let two = page(&arena, "two", "# gauge process_open_fds: Ours.\nprocess_open_fds{source=\"metrics-exporter\"} 3");
    let merged = merge_once(&arena, vec![app, own]);
    let expected = "
        # gauge process_open_fds: Ours.
        process_open_fds{source=\"metrics-exporter\"} 1
        process_open_fds 2";
    assert_eq!(text_of(&merged), lines(expected));
    let own = own_page(&arena, "# gauge process_open_fds: Ours.\nprocess_open_fds 1");
    let expected = "
        # gauge process_open_fds: Ours.
        process_open_fds{source=\"metrics-exporter\"} 1
        process_open_fds{exported_source=\"metrics-exporter\",source=\"two\"} 3";
    assert_eq!(text_of(&merge_once(&arena, vec![own, two])), lines(expected));
}

#[test]
fn metrics_of_all_helpers_are_told_apart_by_their_source() {
    let arena = Bump::new();
    let text =
        "# counter sidekit_config_reloads_total\nsidekit_config_reloads_total 1\nsidekit_build_info{helper=\"x\"} 1";
    let own_text = text.replace('x', "metrics-exporter");
    let own = own_page(&arena, &own_text);
    let merged = merge_once(&arena, vec![own, page(&arena, "proxy", text)]);
    let expected = "
        # unknown sidekit_build_info
        sidekit_build_info{helper=\"metrics-exporter\"} 1
        sidekit_build_info{helper=\"x\"} 1
        # counter sidekit_config_reloads_total
        sidekit_config_reloads_total{source=\"metrics-exporter\"} 1
        sidekit_config_reloads_total{source=\"proxy\"} 1";
    assert_eq!(text_of(&merged), lines(expected));
}

#[test]
fn refused_series_are_those_of_the_later_source_and_stay_refused() {
    let arena = Bump::new();
    let mut memory = MergeMemory::default();
    let one = || page(&arena, "one", "# gauge a\na{x=\"1\"} 1");
    let two = || page(&arena, "two", "# gauge a\na{x=\"1\"} 2\na{x=\"2\"} 2");
    let both = merge(&arena, vec![one(), two()], &REFUSE, &mut memory);
    assert_eq!(text_of(&both), lines("# gauge a\na{x=\"1\"} 1\na{x=\"2\"} 2"));
    assert_eq!(notes_of(&both), ["two a duplicate 1 ({x=\"1\"})"]);
    let alone = merge(&arena, vec![two()], &REFUSE, &mut memory);
    assert_eq!(text_of(&alone), lines("# gauge a\na{x=\"2\"} 2"));
    assert_eq!(notes_of(&alone), ["two a duplicate 1 ({x=\"1\"})"]);
    let fresh = merge(&arena, vec![two()], &REFUSE, &mut MergeMemory::default());
    assert_eq!(text_of(&fresh), lines("# gauge a\na{x=\"1\"} 2\na{x=\"2\"} 2"));
}

#[test]
fn a_memory_has_an_end() {
    let arena = Bump::new();
    let mut memory = MergeMemory::default();
    for nth in 0..6000 {
        memory.set_labelled(&format!("name{nth}"));
    }
    assert!(memory.is_labelled("name4999") && !memory.is_labelled("name5000") && memory.is_full());
    let long = arena.alloc_str(&"x".repeat(300));
    memory.set_refused(long, "one", &[]);
    assert!(!memory.has_refused(long));
}

/// Pages of three sources with few names and labels, so that duplicates and contradicting types are frequent
fn pages() -> impl Strategy<Value = Vec<std::string::String>> {
    let label = prop_oneof![Just(""), Just("{source=\"x\"}"), Just("{exported_source=\"x\"}"), Just("{x=\"1\"}")];
    let kind = prop_oneof![Just("gauge"), Just("counter"), Just("unknown"), Just("info")];
    let series = proptest::collection::btree_set(label, 0..4);
    let families = proptest::collection::btree_map("[abc]", (kind, series), 0..4);
    let page = families.prop_map(|families| {
        let mut lines = Vec::new();
        for (name, (kind, series)) in families {
            lines.push(format!("# {kind} {name}"));
            lines.extend(series.iter().map(|labels| format!("{name}{labels} 1")));
        }
        lines.join("\n")
    });
    proptest::collection::vec(page, 0..4)
}

fn sources<'a>(arena: &'a Bump, texts: &'a [std::string::String]) -> Vec<SourcePage<'a>> {
    texts.iter().zip(["one", "two", "three"]).map(|(text, name)| page(arena, name, text)).collect()
}

proptest! {
    #[test]
    fn no_series_stands_twice_and_none_is_lost_without_a_note(
        texts in pages(), refuse: bool, metric in 1..9_usize, page in 1..9_usize,
    ) {
        let arena = Bump::new();
        let caps = crate::merge::Caps { metric, page, source: 4 };
        let on_duplicate = if refuse { OnDuplicate::Refuse } else { OnDuplicate::Label };
        let settings = MergeSettings { on_duplicate, caps, ..SETTINGS };
        let mut memory = MergeMemory::default();
        let merged = merge(&arena, sources(&arena, &texts), &settings, &mut memory);
        let mut seen = HashSet::new();
        for family in &merged.families {
            prop_assert!(!family.series.is_empty());
            for series in &family.series {
                prop_assert!(series.labels.is_sorted_by_key(|label| label.name));
                prop_assert!(seen.insert((family.name, series.labels)), "{}", text_of(&merged));
            }
        }
        prop_assert!(merged.families.is_sorted_by_key(|family| family.name));
        prop_assert!(seen.len() <= page);
        let mut kept = 0;
        for source in &merged.report.sources {
            prop_assert_eq!(source.received, source.kept + source.left_out.values().sum::<usize>());
            kept += source.kept;
        }
        prop_assert_eq!(kept, seen.len());
        // The same pages give the same page, and so does the page itself.
        let again = merge(&arena, sources(&arena, &texts), &settings, &mut memory);
        prop_assert_eq!(text_of(&again), text_of(&merged));
        let fresh = merge(&arena, sources(&arena, &texts), &settings, &mut MergeMemory::default());
        prop_assert_eq!(text_of(&fresh), text_of(&merged));
        let page = SourcePage { name: "page", families: merged.families.clone(), rules: &[], is_own: false };
        let of_itself = merge(&arena, vec![page], &SETTINGS, &mut MergeMemory::default());
        prop_assert_eq!(text_of(&of_itself), text_of(&merged));
    }
}
