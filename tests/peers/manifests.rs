//! The manifests in the READMEs, against the schemas of several Kubernetes versions.

use std::{
    fs,
    path::{Path, PathBuf},
};

use e2e::process::{command, output, target_directory};

/// The oldest Kubernetes that runs native sidecars without a feature gate
const OLDEST: &str = "1.29";

#[test]
fn every_manifest_of_a_readme_is_valid_in_every_kubernetes_since_1_29() {
    let versions = versions();
    assert!(versions.len() > 5, "{versions:?}");
    let mut helpers_with_one = Vec::new();
    for readme in readmes() {
        for manifest in manifests(&fs::read_to_string(&readme).unwrap()) {
            validate(&readme, &manifest, &versions);
            helpers_with_one.push(readme.clone());
        }
    }
    let wait_for = workspace().join("crates/wait-for/README.md");
    assert!(helpers_with_one.contains(&wait_for), "no manifest in {}", wait_for.display());
}

/// Fails unless each version says "passed": what has no schema is only warned of.
fn validate(readme: &Path, manifest: &str, versions: &[String]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), manifest).unwrap();
    let mut tool = command(target_directory().join("peers-venv/bin/kubernetes-validate"));
    tool.arg("--strict").args(versions.iter().flat_map(|version| ["-k", version])).arg(file.path());
    let verdict = String::from_utf8(tool.output().unwrap().stdout).unwrap();
    let resources = manifest.lines().filter(|line| line.starts_with("kind:")).count();
    let passed = verdict.lines().filter(|line| line.starts_with("INFO") && line.contains(" passed ")).count();
    assert_eq!(passed, resources * versions.len(), "{}:\n{manifest}\n{verdict}", readme.display());
}

/// Every fenced block of YAML with a kind
fn manifests(readme: &str) -> Vec<String> {
    let blocks = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.contains("kind:")).map(str::to_owned).collect()
}

fn readmes() -> Vec<PathBuf> {
    let crates = fs::read_dir(workspace().join("crates")).unwrap();
    let readmes = crates.map(|entry| entry.unwrap().path().join("README.md"));
    readmes.chain([workspace().join("README.md")]).filter(|path| path.exists()).collect()
}

fn versions() -> Vec<String> {
    let mut python = command(target_directory().join("peers-venv/bin/python"));
    python.args([
        "-c",
        "from kubernetes_validate.utils import all_versions; print(*sorted(set(all_versions())), sep='\\n')",
    ]);
    let minor = |version: &str| version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    output(python).lines().filter(|version| minor(version) >= minor(OLDEST)).map(str::to_owned).collect()
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the directory above tests")
}
