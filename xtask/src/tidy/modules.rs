//! The modules of a crate, and which of them uses which.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::{code::code, files};

/// The path of a module from its crate on; the crate itself has none
pub(super) type Module = Vec<String>;

/// A file of a crate
pub(super) struct Source {
    /// From the crate's `src` on
    pub(super) path: PathBuf,
    pub(super) module: Module,
    /// Without comments, texts and tests
    pub(super) code: String,
}

/// All files below a crate's `src`, those of tests left out.
pub(super) fn sources(crate_directory: &Path) -> anyhow::Result<Vec<Source>> {
    let src = crate_directory.join("src");
    let mut paths = Vec::new();
    if src.is_dir() {
        files::collect(&src, &mut paths)?;
    }
    let mut sources = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")) {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let path = path.strip_prefix(&src)?.to_owned();
        sources.push(Source { module: module_of(&path), code: code(&text), path });
    }
    let tests = test_modules(&sources);
    sources.retain(|source| !tests.iter().any(|test| source.module.starts_with(test)));
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(sources)
}

fn module_of(path: &Path) -> Module {
    let names = path.with_extension("");
    let mut module: Module = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|name| ["mod", "lib", "main"].contains(&name.as_str())) {
        module.pop();
    }
    module
}

/// Modules in files of their own that only tests have: `#[cfg(test)] mod tests;`
fn test_modules(sources: &[Source]) -> Vec<Module> {
    let mut found = Vec::new();
    for source in sources {
        for rest in source.code.split("#[cfg(test)]").skip(1) {
            let name = rest.trim_start().strip_prefix("mod ").and_then(|rest| rest.split_once(';'));
            found.extend(name.map(|(name, _)| [&source.module[..], &[name.trim().to_owned()]].concat()));
        }
    }
    found
}

/// Which module uses which, with one name that it takes as the evidence
pub(super) type Uses = BTreeMap<(Module, Module), String>;

/// Everything that the modules of a crate take from one another.
pub(super) fn uses(sources: &[Source]) -> Uses {
    let modules: BTreeSet<Module> = sources.iter().map(|source| source.module.clone()).collect();
    let reexports = reexports(sources);
    let mut uses = Uses::new();
    for source in sources {
        for path in paths(source) {
            let (target, name) = resolve(&modules, &reexports, &path);
            if target != source.module {
                uses.entry((source.module.clone(), target)).or_insert(name);
            }
        }
    }
    uses
}

/// The module that a path leads to, and the name that is taken there
fn resolve(modules: &BTreeSet<Module>, reexports: &BTreeMap<String, Module>, path: &[String]) -> (Module, String) {
    let depth = (0..=path.len()).rev().find(|depth| modules.contains(&path[..*depth])).unwrap_or(0);
    let name = path.get(depth).cloned().unwrap_or_default();
    match reexports.get(&name) {
        Some(module) if depth == 0 => (module.clone(), name),
        _ => (path[..depth].to_vec(), name),
    }
}

/// The names that `lib.rs` exports, each with its module
fn reexports(sources: &[Source]) -> BTreeMap<String, Module> {
    let mut found = BTreeMap::new();
    let modules: BTreeSet<_> = sources.iter().map(|source| source.module.clone()).collect();
    for source in sources.iter().filter(|source| source.module.is_empty()) {
        for rest in source.code.split("pub use ").skip(1) {
            for (path, alias) in tree(rest) {
                let depth = (0..=path.len()).rev().find(|depth| modules.contains(&path[..*depth])).unwrap_or(0);
                found.insert(alias, path[..depth].to_vec());
            }
        }
    }
    found
}

/// Every path of a file into its own crate, from the crate on
fn paths(source: &Source) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in source.code.match_indices("::") {
        let before = &source.code[..at];
        let start = before.rfind(|character: char| !character.is_alphanumeric() && character != '_');
        let start = start.map_or(0, |start| start + 1);
        // `pub(in crate::outputs)` takes nothing; a second `super` belongs to the path of the first.
        if before[..start].ends_with("in ") || before[..start].ends_with("::") {
            continue;
        }
        let mut base = match &before[start..] {
            "crate" => Vec::new(),
            "self" => source.module.clone(),
            "super" => parent(&source.module),
            _ => continue,
        };
        let mut rest = &source.code[at + 2..];
        while let Some(above) = rest.strip_prefix("super::") {
            base = parent(&base);
            rest = above;
        }
        found.extend(tree(rest).into_iter().map(|(path, _)| [base.clone(), path].concat()));
    }
    found
}

fn parent(module: &[String]) -> Module {
    module.split_last().map(|(_, parent)| parent.to_vec()).unwrap_or_default()
}

/// The paths of a `use` tree such as `a::{B, c::{self, D as E}}`, each with the name that it has afterwards.
fn tree(text: &str) -> Vec<(Vec<String>, String)> {
    let text = text.trim_start();
    if let Some(inside) = text.strip_prefix('{') {
        return branches(inside).into_iter().flat_map(tree).collect();
    }
    let end = text.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if let Some(below) = rest.strip_prefix("::") {
        let paths = tree(below).into_iter();
        return paths
            .map(|(path, alias)| {
                let alias = if path.is_empty() { name.to_owned() } else { alias };
                ([vec![name.to_owned()], path].concat(), alias)
            })
            .collect();
    }
    if name.is_empty() || name == "self" {
        return vec![(Vec::new(), String::new())];
    }
    let alias = rest.trim_start().strip_prefix("as ").map_or(name, |alias| {
        alias.split(|character: char| !character.is_alphanumeric() && character != '_').next().unwrap_or(name)
    });
    vec![(vec![name.to_owned()], alias.to_owned())]
}

/// The parts of a list in braces, up to the brace that closes it
fn branches(text: &str) -> Vec<&str> {
    let mut branches = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, character) in text.char_indices() {
        let is_end = character == '}' && depth == 0;
        if is_end || (character == ',' && depth == 0) {
            branches.push(text[start..at].trim());
            start = at + 1;
        }
        match character {
            '{' => depth += 1,
            '}' if is_end => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    branches.retain(|branch| !branch.is_empty());
    branches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), module: module_of(Path::new(path)), code: code(text) }
    }

    fn all(sources: &[Source]) -> Vec<String> {
        let uses = uses(sources).into_iter();
        uses.map(|((from, to), name)| format!("{} {} {name}", from.join("::"), to.join("::"))).collect()
    }

    #[test]
    fn every_way_to_use_a_module_is_seen() {
        let sources = [
            source("lib.rs", "mod a; mod b; mod c; pub use b::{In, x::Deep as Known};"),
            source("a.rs", "use std::fmt;\nuse crate::{b::{self, In}, c::Out};\nfn f() { crate::g(); }"),
            source("b/mod.rs", "pub(in crate::a) struct In;"),
            source("b/x.rs", "use super::{In, y};\nuse super::super::c::Out;\npub struct Deep;"),
            source("b/y.rs", "use super::super::a::f;\nuse self::z;"),
            source("c.rs", "use crate::Known;\nfn f() -> crate::In { super::a::f() }"),
        ];
        assert_eq!(
            all(&sources),
            [
                "a  g",
                "a b ",
                "a c Out",
                "b::x b In",
                "b::x b::y ",
                "b::x c Out",
                "b::y a f",
                "c a f",
                "c b In",
                "c b::x Known"
            ]
        );
    }
}
