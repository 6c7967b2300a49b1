//! The modules of a crate form no circle, because parts of a circle can only be understood, tested and moved together.
//!
//! A folder and the module that it is named for are one room: the modules of one folder must not form a circle with each
//! other, where each stands for everything below it. A module and its own folder may use each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    exceptions::Exceptions,
    modules::{Module, Source, Uses, uses},
};

/// The modules of the same folder that each module uses, with a name that it takes
type Neighbours<'a> = BTreeMap<&'a Module, BTreeMap<&'a Module, &'a String>>;

/// The circles of a crate that no exception names, and the exceptions that no longer apply.
pub(super) fn complaints(name: &str, sources: &[Source], exceptions: &Exceptions) -> Vec<String> {
    judge(name, &between_siblings(&uses(sources)), exceptions.circles)
}

fn judge(name: &str, uses: &Uses, exceptions: &[(&str, &[&str])]) -> Vec<String> {
    let allowed = exceptions.iter().find(|(crate_name, _)| *crate_name == name).map_or(&[][..], |(_, modules)| modules);
    let next = neighbours(uses);
    let mut complaints = Vec::new();
    let mut in_circles = BTreeSet::new();
    for start in next.keys() {
        let Some(circle) = circle(&next, start) else { continue };
        in_circles.insert(start.join("::"));
        // Each circle is reported once, by the first of its modules that no exception names.
        let named = |module: &Module| allowed.contains(&module.join("::").as_str());
        if circle.iter().filter(|module| !named(module)).min() == Some(start) {
            complaints.push(describe(name, &next, &circle));
        }
    }
    let stale = allowed.iter().filter(|module| !in_circles.contains(**module));
    complaints.extend(stale.map(|module| {
        format!("{name}: module {module} is in no circle any more: take it out of xtask/src/tidy/exceptions.rs")
    }));
    complaints
}

fn describe(name: &str, next: &Neighbours, circle: &[&Module]) -> String {
    let steps = circle.iter().zip(circle.iter().cycle().skip(1));
    let steps: Vec<_> =
        steps.map(|(from, to)| format!("{} takes {} of {}", from.join("::"), next[from][to], to.join("::"))).collect();
    let mut path: Vec<_> = circle.iter().map(|module| module.join("::")).collect();
    path.push(path[0].clone());
    format!(
        "{name}: the circle {} ({}): move what two of them need into a module of its own",
        path.join(" → "),
        steps.join(", ")
    )
}

/// The uses between modules of one folder. A deeper module counts for the module of that folder that holds it.
fn between_siblings(uses: &Uses) -> Uses {
    let mut siblings = Uses::new();
    for ((from, to), name) in uses {
        let common = from.iter().zip(to).take_while(|(one, other)| one == other).count();
        if common < from.len() && common < to.len() {
            let pair = (from[..=common].to_vec(), to[..=common].to_vec());
            siblings.entry(pair).or_insert_with(|| name.clone());
        }
    }
    siblings
}

fn neighbours(uses: &Uses) -> Neighbours<'_> {
    let mut next = Neighbours::new();
    for ((from, to), name) in uses {
        next.entry(from).or_default().insert(to, name);
    }
    next
}

/// A shortest circle through a module
fn circle<'a>(next: &Neighbours<'a>, start: &'a Module) -> Option<Vec<&'a Module>> {
    let mut reached_from: BTreeMap<&Module, &Module> = BTreeMap::new();
    let mut row = vec![start];
    while !row.is_empty() {
        let mut later = Vec::new();
        for from in row {
            for to in next.get(from).into_iter().flat_map(BTreeMap::keys) {
                if *to == start {
                    return Some(way_back(&reached_from, start, from));
                }
                if !reached_from.contains_key(to) {
                    reached_from.insert(to, from);
                    later.push(*to);
                }
            }
        }
        row = later;
    }
    None
}

fn way_back<'a>(reached_from: &BTreeMap<&Module, &'a Module>, start: &'a Module, last: &'a Module) -> Vec<&'a Module> {
    let mut circle = vec![last];
    while *circle[circle.len() - 1] != *start {
        circle.push(reached_from[circle[circle.len() - 1]]);
    }
    circle.reverse();
    circle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pairs: &[(&str, &str)], exceptions: &[(&str, &[&str])]) -> String {
        let module = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
        let uses = pairs.iter().map(|(from, to)| ((module(from), module(to)), "X".to_owned())).collect();
        judge("one", &between_siblings(&uses), exceptions).join("\n")
    }

    #[test]
    fn a_circle_is_named_with_the_way_out() {
        assert_eq!(judged(&[("a", "b"), ("b", "c"), ("a", "c")], &[]), "");
        assert_eq!(
            judged(&[("a", "b"), ("b", "c"), ("c", "a")], &[]),
            "one: the circle a → b → c → a (a takes X of b, b takes X of c, c takes X of a): \
             move what two of them need into a module of its own"
        );
    }

    #[test]
    fn a_folder_is_one_room() {
        assert_eq!(judged(&[("a", "a::x"), ("a::x", "a"), ("a::x", "b")], &[]), "");
        assert!(judged(&[("a::x", "b"), ("b", "a::y")], &[]).contains("a → b → a"));
        assert!(judged(&[("a::x", "a::y"), ("a::y", "a::x::z")], &[]).contains("a::x → a::y → a::x"));
    }

    #[test]
    fn an_exception_names_every_module_and_goes_with_its_circle() {
        let circle = [("a", "b"), ("b", "a")];
        assert_eq!(judged(&circle, &[("one", &["a", "b"])]), "");
        assert!(judged(&circle, &[("one", &["a"])]).contains("b → a → b"));
        let with_another = [("a", "b"), ("b", "a"), ("c", "a"), ("a", "c")];
        assert!(judged(&with_another, &[("one", &["a", "b"])]).contains("c → a → c"));
        assert!(judged(&circle, &[("two", &["a", "b"])]).contains("a → b → a"));
        assert!(judged(&circle, &[("one", &["a", "b", "c"])]).contains("module c is in no circle any more"));
    }
}
