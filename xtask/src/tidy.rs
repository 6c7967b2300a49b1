//! The house rules that no other tool checks. CONTRIBUTING.md gives the reason of each.

mod circles;
mod code;
mod exceptions;
mod files;
mod fuzz;
mod impls;
mod levels;
mod links;
mod manifests;
mod map;
mod modules;
mod source;

use std::{fs, path::Path};

use anyhow::Context;

use exceptions::Exceptions;

/// Everything in the tree that breaks a rule, as `PATH: the fault and its remedy`.
pub(crate) fn complaints(root: &Path) -> anyhow::Result<Vec<String>> {
    judge(root, &exceptions::KNOWN)
}

fn judge(root: &Path, exceptions: &Exceptions) -> anyhow::Result<Vec<String>> {
    let mut found = single_files(root)?;
    found.extend(manifests::complaints(root)?);
    found.extend(map::complaints(root)?);
    for directory in files::crates(root)? {
        let Some(name) = files::name_of(&directory) else { continue };
        found.extend(fuzz::complaints(&name, &directory)?);
        let sources = modules::sources(&directory)?;
        found.extend(circles::complaints(&name, &sources, exceptions));
        found.extend(impls::complaints(&name, &sources, exceptions));
        found.extend(levels::complaints(&name, &sources, exceptions));
    }
    Ok(found)
}

/// The rules that each file keeps or breaks by itself
fn single_files(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut paths = Vec::new();
    files::collect(root, &mut paths)?;
    paths.sort();
    let mut found = Vec::new();
    for path in &paths {
        let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let read = || fs::read_to_string(path).with_context(|| format!("cannot read {name}"));
        let wrong = match extension {
            "rs" => source::complaints(&name, &read()?),
            "md" => links::complaints(path, &read()?),
            _ => Vec::new(),
        };
        found.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Exceptions = Exceptions { circles: &[], impls: &[], levels: &[] };

    /// A tree of one library and two helpers that breaks no rule.
    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for name in ["harness", "lifecycle", "one", "two"] {
            write(
                &format!("crates/{name}/Cargo.toml"),
                "lints.workspace = true\n[dependencies]\nserde.workspace = true\n",
            );
            write(&format!("crates/{name}/src/lib.rs"), "//! List.\nmod a;\n");
        }
        write("crates/one/src/a.rs", "//! A.\npub struct A;\n");
        write("crates/one/src/b.rs", "//! B.\nuse crate::a::A;\npub struct B(A);\n");
        write("crates/one/src/main.rs", "//! Main.\nfn main() {}\n");
        write("crates/two/src/main.rs", "//! Main.\nfn main() {}\n");
        write("crates/two/src/fuzzing.rs", "//! Door.\npub fn page() {}\n");
        write("crates/two/fuzz/Cargo.toml", "[[bin]]\nname = \"page\"\npath = \"targets/page.rs\"\n");
        write("crates/two/fuzz/targets/page.rs", "//! Page.\nfuzz_target!(|_| two::fuzzing::page());\n");
        write("ARCHITECTURE.md", "crates/harness, crates/lifecycle, [crates/one](crates/one), crates/two\n");
        root
    }

    fn complaint_after(path: &str, text: &str) -> String {
        let root = tree();
        assert_eq!(judge(root.path(), &NONE).unwrap(), Vec::<String>::new());
        fs::write(root.path().join(path), text).unwrap();
        judge(root.path(), &NONE).unwrap().join("\n")
    }

    #[test]
    fn the_tests_of_lifecycle_may_use_harness() {
        let text = "lints.workspace = true\n[dev-dependencies]\nharness.workspace = true\n";
        assert_eq!(complaint_after("crates/lifecycle/Cargo.toml", text), "");
    }

    #[test]
    fn every_rule_can_be_broken() {
        let with = |dependency: &str| format!("lints.workspace = true\n[dependencies]\n{dependency}\n");
        let long = |lines: usize| format!("//! Long.\n{}", "\n".repeat(lines));
        for (path, text, complaint) in [
            ("crates/one/src/a.rs", "fn a() {}\n".to_owned(), "opens with //!"),
            ("crates/one/src/a.rs", long(301), "over 300 needs"),
            ("crates/one/src/a.rs", format!("//! Long because.\n{}", long(501)), "500 is the most"),
            ("crates/one/src/lib.rs", "//! List.\npub fn a() {}\n".to_owned(), "are lists"),
            ("crates/one/Cargo.toml", with("two.workspace = true"), "must not depend on two"),
            ("crates/lifecycle/Cargo.toml", with("one.workspace = true"), "must not depend on one"),
            ("crates/lifecycle/Cargo.toml", with("harness.workspace = true"), "must not depend on harness"),
            ("crates/harness/Cargo.toml", with("lifecycle.workspace = true"), "must not depend on lifecycle"),
            ("crates/one/Cargo.toml", with("serde = \"1\""), "must come from [workspace.dependencies]"),
            ("crates/one/Cargo.toml", "[dependencies]\n".to_owned(), "lints.workspace"),
            ("crates/one/src/a.rs", "//! A.\nuse crate::b::B;\npub struct A;\n".to_owned(), "circle a → b → a"),
            ("crates/one/src/a.rs", "//! A.\nimpl crate::b::B {}\n".to_owned(), "impl B belongs into src/b.rs"),
            ("crates/two/src/fuzzing.rs", "//! Door.\npub fn pages() {}\n".to_owned(), "src/fuzzing.rs has no page"),
            (
                "crates/two/src/fuzzing.rs",
                "//! Door.\npub fn page() {}\npub fn text() {}\n".to_owned(),
                "no fuzz target calls text",
            ),
            ("crates/two/fuzz/Cargo.toml", "[[bin]]\n".to_owned(), "does not name targets/page.rs"),
            ("README.md", "[gone](docs/gone.md)\n".to_owned(), "leads nowhere"),
            ("ARCHITECTURE.md", "crates/harness crates/lifecycle crates/one\n".to_owned(), "does not name crates/two"),
            (
                "ARCHITECTURE.md",
                format!("crates/harness crates/lifecycle crates/one crates/two{}", "\n".repeat(121)),
                "over 120 lines",
            ),
        ] {
            let found = complaint_after(path, &text);
            assert!(found.contains(complaint), "{path}: {found:?} has no {complaint:?}");
        }
    }
}
