//! Everything that is generated from the helpers' own descriptions.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::{
    completions,
    helpers::{self, Described},
    man, markdown,
};

/// A generated file: its path from the root, and its content
type Generated = (PathBuf, Vec<u8>);

/// Writes all generated files.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    for (path, content) in generate(root)? {
        let path = root.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Names the generated files whose content is not fresh.
pub(crate) fn stale(root: &Path) -> anyhow::Result<Vec<String>> {
    let files = generate(root)?.into_iter();
    let stale = files.filter(|(path, content)| fs::read(root.join(path)).ok().as_ref() != Some(content));
    Ok(stale.map(|(path, _)| format!("{}: not fresh; run `make docs`", path.display())).collect())
}

fn generate(root: &Path) -> anyhow::Result<Vec<Generated>> {
    let mut files = vec![readme(root, Path::new("README.md"))?];
    for helper in helpers::all() {
        files.extend(describe(root, &helper)?);
    }
    Ok(files)
}

fn describe(root: &Path, Described { command, schema, metrics }: &Described) -> anyhow::Result<Vec<Generated>> {
    let name = command.get_name();
    let (readme, text) = readme(root, &Path::new("crates").join(name).join("README.md"))?;
    let text = markdown::replace_part(&String::from_utf8(text)?, "usage", &markdown::usage(command));
    let text = markdown::replace_part(&text, "metrics", metrics);
    let mut files = vec![
        (readme, text.into_bytes()),
        (format!("docs/flags/{name}.md").into(), markdown::flags(command).into_bytes()),
    ];
    files.push((format!("docs/man/{name}.1").into(), man::page(command)?));
    for (file, script) in completions::scripts(command) {
        files.push((Path::new("docs/completions").join(file), script.into_bytes()));
    }
    if let Some(schema) = schema {
        files.push((format!("docs/schema/{name}.json").into(), format!("{schema}\n").into_bytes()));
    }
    Ok(files)
}

/// A README, with everything fresh but the parts `usage` and `metrics`
fn readme(root: &Path, path: &Path) -> anyhow::Result<Generated> {
    let mut text = read(root, path)?;
    text = markdown::replace_part(&text, "exit-codes", &markdown::exit_codes());
    for example in markdown::examples(&text) {
        let manifest = read(root, Path::new(&example))?;
        text = markdown::replace_part(&text, &example, &format!("```yaml\n{manifest}```\n"));
    }
    Ok((path.into(), text.into_bytes()))
}

fn read(root: &Path, path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_readme_of_a_helper_has_its_usage_and_all_exit_codes() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for Described { command, .. } in helpers::all() {
            let path = Path::new("crates").join(command.get_name()).join("README.md");
            let text = read(&root, &path).unwrap();
            for part in ["<!-- usage -->\n```text\n", "<!-- exit-codes -->\n| code | reason | meaning | try again? |\n"]
            {
                assert!(text.contains(part), "{} has no {part}", path.display());
            }
        }
    }
}
