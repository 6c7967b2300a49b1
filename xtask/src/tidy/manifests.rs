//! Rules for the manifests of crates: which crates may depend on which, and where versions stand.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Context;
use toml::{Table, Value};

use super::files::{crates, name_of};

/// Imports point one way: `lifecycle` depends on no member (its tests on `harness`), a helper on no helper. Every version
/// stands in one place.
pub(super) fn complaints(root: &Path) -> anyhow::Result<Vec<String>> {
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
