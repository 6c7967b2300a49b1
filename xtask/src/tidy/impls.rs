//! An `impl` stands in its type's own file, or in the folder of that name, so that no type grows in every file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{exceptions::Exceptions, modules::Source};

/// The words that begin the definition of a type
const KINDS: [&str; 4] = ["struct", "enum", "union", "trait"];

/// The impls of a crate that stand elsewhere and that no exception names, and the exceptions that no longer apply.
pub(super) fn complaints(name: &str, sources: &[Source], exceptions: &Exceptions) -> Vec<String> {
    judge(name, sources, exceptions.impls)
}

fn judge(name: &str, sources: &[Source], exceptions: &[(&str, &str, &str)]) -> Vec<String> {
    let homes = homes(sources);
    let mut complaints = Vec::new();
    let mut strays = Vec::new();
    for source in sources {
        for subject in subjects(&source.code) {
            let Some(homes) = homes.get(subject) else { continue };
            let is_at_home = |home: &PathBuf| source.path == *home || source.path.starts_with(room(home));
            if homes.iter().any(is_at_home) {
                continue;
            }
            let file = source.path.display().to_string();
            let home = homes[0].display();
            if !exceptions.contains(&(name, &file, subject)) {
                complaints.push(format!(
                    "{name}: src/{file}: impl {subject} belongs into src/{home}, or into the folder of that name"
                ));
            }
            strays.push((file, subject));
        }
    }
    let mine = exceptions.iter().filter(|(crate_name, ..)| *crate_name == name);
    let is_stray = |file: &str, subject: &str| strays.iter().any(|(stray, of)| stray == file && *of == subject);
    let stale = mine.filter(|(_, file, subject)| !is_stray(file, subject));
    // Several impls of one type in one file are one fault.
    complaints.dedup();
    complaints.extend(stale.map(|(_, file, subject)| {
        format!(
            "{name}: impl {subject} in src/{file} is no fault any more: take it out of xtask/src/tidy/exceptions.rs"
        )
    }));
    complaints
}

/// The folder that belongs to a file
fn room(file: &Path) -> PathBuf {
    if file.ends_with("mod.rs") { file.with_file_name("") } else { file.with_extension("") }
}

/// The files in which each type of a crate is defined; several may have one name.
fn homes(sources: &[Source]) -> BTreeMap<&str, Vec<PathBuf>> {
    let mut homes = BTreeMap::<_, Vec<_>>::new();
    for source in sources {
        let mut words = source.code.split(|character: char| !character.is_alphanumeric() && character != '_');
        let mut before = "";
        for word in words.by_ref().filter(|word| !word.is_empty()) {
            if KINDS.contains(&before) {
                homes.entry(word).or_default().push(source.path.clone());
            }
            before = word;
        }
    }
    homes
}

/// The name of the type of each `impl` of a file
fn subjects(code: &str) -> Vec<&str> {
    let mut subjects = Vec::new();
    for (at, _) in code.match_indices("impl") {
        // An item begins a line; `impl Trait` in a signature does not.
        let line = code[..at].rfind('\n').map_or(0, |end| end + 1);
        let is_item = code[line..at].trim().is_empty() || code[line..at].trim() == "unsafe";
        let rest = &code[at + "impl".len()..];
        if !is_item || !rest.starts_with([' ', '<']) {
            continue;
        }
        let head = rest.split(['{', ';']).next().unwrap_or(rest);
        let head = head.split_once("\nwhere").or(head.split_once(" where ")).map_or(head, |(head, _)| head);
        subjects.extend(subject(head));
    }
    subjects
}

/// The type's name in `<T> Trait<X> for a::Type<T>` or `<T> a::Type<T>`
fn subject(head: &str) -> Option<&str> {
    let head = without_first_brackets(head.trim());
    let of = head.rfind(" for ").map_or(head, |at| &head[at + " for ".len()..]);
    let of = of.trim().trim_start_matches(['&', '(', '[']);
    let of = of.strip_prefix("mut ").or(of.strip_prefix("dyn ")).unwrap_or(of);
    let path = of.split(['<', ' ', '\n', ',', ')', ']']).next()?;
    path.rsplit("::").next()
}

/// The text behind generic parameters
fn without_first_brackets(text: &str) -> &str {
    let mut depth = 0;
    let mut before = ' ';
    for (at, character) in text.char_indices() {
        match character {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if character == '>' { text[at + 1..].trim() } else { text };
        }
        before = character;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(files: &[(&str, &str)], exceptions: &[(&str, &str, &str)]) -> String {
        let source =
            |(path, code): &(&str, &str)| Source { path: path.into(), module: Vec::new(), code: (*code).to_owned() };
        judge("one", &files.iter().map(source).collect::<Vec<_>>(), exceptions).join("\n")
    }

    const HOME: (&str, &str) =
        ("a.rs", "pub(crate) struct A<'a>(&'a str);\nimpl<'a> A<'a> {}\nimpl Clone for A<'_> {}\n");

    #[test]
    fn a_stray_impl_is_named_with_its_home() {
        assert_eq!(judged(&[HOME], &[]), "");
        for code in [
            "impl A<'_> {}",
            "impl<'a, F: Fn(&str) -> A<'a>> From<F> for crate::a::A<'a> {}",
            "impl fmt::Debug\n    for &mut A<'_>\nwhere\n    u8: Copy,\n{}",
        ] {
            assert_eq!(
                judged(&[HOME, ("b.rs", code)], &[]),
                "one: src/b.rs: impl A belongs into src/a.rs, or into the folder of that name",
                "{code}"
            );
        }
        for code in ["impl From<A<'_>> for String {}", "fn f() -> impl Sized {}", "struct A;\nimpl A {}"] {
            assert_eq!(judged(&[HOME, ("b.rs", code)], &[]), "", "{code}");
        }
    }

    #[test]
    fn a_folder_belongs_to_its_file() {
        assert_eq!(judged(&[HOME, ("a/parts.rs", "impl A<'_> {}")], &[]), "");
        assert_eq!(judged(&[("a/mod.rs", HOME.1), ("a/parts.rs", "impl A<'_> {}")], &[]), "");
        assert!(judged(&[HOME, ("ab/parts.rs", "impl A<'_> {}")], &[]).contains("belongs into"));
    }

    #[test]
    fn an_exception_goes_with_its_fault() {
        let stray = ("b.rs", "impl A<'_> {}");
        assert_eq!(judged(&[HOME, stray], &[("one", "b.rs", "A")]), "");
        assert!(judged(&[HOME, stray], &[("two", "b.rs", "A")]).contains("belongs into"));
        assert!(judged(&[HOME], &[("one", "b.rs", "A")]).contains("is no fault any more"));
    }
}
