//! The house rules that no other tool checks. CONTRIBUTING.md gives the reason of each.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use toml::{Table, Value};

/// Lines of a file that needs no excuse, and of any file
const USUAL_LINES: usize = 300;
const MOST_LINES: usize = 500;
/// What the `//!` of a longer file must say
const EXCUSE: &str = "//! Long because";
const ARCHITECTURE_LINES: usize = 120;
/// Directories that hold no source of ours
const SKIPPED: [&str; 4] = ["target", ".git", "docs", "node_modules"];

/// Everything in the tree that breaks a rule, as `PATH: what and what to do`.
pub(crate) fn complaints(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    let mut found = Vec::new();
    for path in &files {
        let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let text = match extension {
            "rs" | "md" | "toml" => fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?,
            _ => continue,
        };
        let wrong = match extension {
            "rs" => source(&name, &text),
            "md" => links(path, &text),
            _ => Vec::new(),
        };
        found.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
    }
    found.extend(manifests(root)?);
    found.extend(map(root)?);
    Ok(found)
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let entry = entry?;
        let skipped = SKIPPED.iter().any(|name| entry.file_name() == *name);
        match entry.file_type()? {
            kind if kind.is_dir() && !skipped => collect(&entry.path(), files)?,
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

/// What is wrong with a Rust file.
fn source(name: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !text.starts_with("//!") {
        wrong.push("a file opens with //! that says what it is for".to_owned());
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        wrong.push(format!("{lines} lines; {MOST_LINES} are the end of a file"));
    } else if lines > USUAL_LINES && !text.contains(EXCUSE) {
        wrong.push(format!("{lines} lines; over {USUAL_LINES} needs a line `{EXCUSE} …`"));
    }
    let holds_logic = |line: &str| {
        let line = line.trim_start();
        !line.starts_with("//") && (line.contains("fn ") || line.starts_with("impl"))
    };
    let is_list = name.ends_with("src/lib.rs") || name.ends_with("mod.rs");
    if is_list && text.lines().any(holds_logic) {
        wrong.push("lib.rs and mod.rs are lists: move the logic to a file named for it".to_owned());
    }
    wrong
}

/// Relative links that lead nowhere.
fn links(path: &Path, text: &str) -> Vec<String> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let files = targets.filter(|target| !target.contains("://") && !target.starts_with(['#', '<']));
    let files = files.map(|target| target.split_once('#').map_or(target, |(file, _)| file));
    files
        .filter(|file| !directory.join(file).exists())
        .map(|file| format!("the link to {file} leads nowhere"))
        .collect()
}

/// Imports point one way: `lifecycle` depends on no member (its tests on `harness`), a helper on no helper. Every version
/// stands in one place.
fn manifests(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let crates = crates(root)?;
    let helpers: BTreeSet<_> =
        crates.iter().filter(|path| path.join("src/main.rs").exists()).filter_map(|path| name_of(path)).collect();
    let members: BTreeSet<_> = crates.iter().filter_map(|path| name_of(path)).collect();
    for directory in crates.iter().chain(&[root.join("tests"), root.join("xtask")]) {
        let Some(name) = name_of(directory) else { continue };
        let Ok(text) = fs::read_to_string(directory.join("Cargo.toml")) else { continue };
        let manifest: Table = text.parse().with_context(|| format!("cannot parse the manifest of {name}"))?;
        if manifest.get("lints").and_then(|lints| lints.get("workspace")) != Some(&Value::Boolean(true)) {
            found.push(format!("{name}: Cargo.toml must say lints.workspace = true"));
        }
        for Dependency { name: dependency, source, for_tests } in dependencies(&manifest) {
            if source.get("workspace") != Some(&Value::Boolean(true)) {
                found.push(format!("{name}: {dependency} must come from [workspace.dependencies]"));
            }
            let forbidden = match name.as_str() {
                // Tests of every crate may start programs; harness itself depends on no member.
                "lifecycle" if for_tests && dependency == "harness" => false,
                "lifecycle" | "harness" => members.contains(&dependency),
                name if helpers.contains(name) => helpers.contains(&dependency),
                _ => false,
            };
            if forbidden {
                found.push(format!("{name}: must not depend on {dependency}; what two need moves to a shared crate"));
            }
        }
    }
    Ok(found)
}

/// A line of a manifest
struct Dependency<'a> {
    name: String,
    source: &'a Value,
    /// It stands in `[dev-dependencies]`
    for_tests: bool,
}

fn dependencies(manifest: &Table) -> Vec<Dependency<'_>> {
    let mut found = Vec::new();
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(table) = manifest.get(kind).and_then(Value::as_table) else { continue };
        let for_tests = kind == "dev-dependencies";
        found.extend(table.iter().map(|(name, source)| Dependency { name: name.clone(), source, for_tests }));
    }
    found
}

/// ARCHITECTURE.md is short and names every crate.
fn map(root: &Path) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).context("cannot read ARCHITECTURE.md")?;
    let mut wrong = Vec::new();
    if text.lines().count() > ARCHITECTURE_LINES {
        wrong.push(format!("ARCHITECTURE.md: over {ARCHITECTURE_LINES} lines nobody reads it whole"));
    }
    let missing = crates(root)?
        .iter()
        .filter_map(|path| name_of(path))
        .filter(|name| !text.contains(&format!("crates/{name}")))
        .collect::<Vec<_>>();
    wrong.extend(missing.into_iter().map(|name| format!("ARCHITECTURE.md: says nothing of crates/{name}")));
    Ok(wrong)
}

fn crates(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root.join("crates")).context("cannot read crates/")?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        write("crates/one/src/main.rs", "//! Main.\nfn main() {}\n");
        write("crates/two/src/main.rs", "//! Main.\nfn main() {}\n");
        write("ARCHITECTURE.md", "crates/harness, crates/lifecycle, [crates/one](crates/one), crates/two\n");
        root
    }

    fn complaint_after(path: &str, text: &str) -> String {
        let root = tree();
        assert_eq!(complaints(root.path()).unwrap(), Vec::<String>::new());
        fs::write(root.path().join(path), text).unwrap();
        complaints(root.path()).unwrap().join("\n")
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
            ("crates/one/src/a.rs", format!("//! Long because.\n{}", long(501)), "500 are the end"),
            ("crates/one/src/lib.rs", "//! List.\npub fn a() {}\n".to_owned(), "are lists"),
            ("crates/one/Cargo.toml", with("two.workspace = true"), "must not depend on two"),
            ("crates/lifecycle/Cargo.toml", with("one.workspace = true"), "must not depend on one"),
            ("crates/lifecycle/Cargo.toml", with("harness.workspace = true"), "must not depend on harness"),
            ("crates/harness/Cargo.toml", with("lifecycle.workspace = true"), "must not depend on lifecycle"),
            ("crates/one/Cargo.toml", with("serde = \"1\""), "must come from [workspace.dependencies]"),
            ("crates/one/Cargo.toml", "[dependencies]\n".to_owned(), "lints.workspace"),
            ("README.md", "[gone](docs/gone.md)\n".to_owned(), "leads nowhere"),
            ("ARCHITECTURE.md", "crates/harness crates/lifecycle crates/one\n".to_owned(), "nothing of crates/two"),
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
