//! The files in `examples/kubernetes`, as they are and as a story changes them.

use std::{fs, path::PathBuf};

use e2e::cluster::kubectl;

/// An example, as it is
pub(crate) fn example(name: &str) -> String {
    let path = directory().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An example with one part replaced, which must be there
pub(crate) fn example_with(name: &str, part: &str, replacement: &str) -> String {
    changed(&example(name), part, replacement)
}

/// A manifest with one part replaced, which must be there
pub(crate) fn changed(manifest: &str, part: &str, replacement: &str) -> String {
    assert!(manifest.contains(part), "no {part:?} in\n{manifest}");
    manifest.replace(part, replacement)
}

/// What kustomize builds of a directory in `examples/kubernetes/kustomize`
pub(crate) fn kustomization(name: &str) -> String {
    let path = directory().join("kustomize").join(name);
    let output = kubectl(["kustomize", path.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The names of all examples that are one file
pub(crate) fn files() -> Vec<String> {
    let names = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "kustomize" && name != "README.md").collect()
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/kubernetes")
}
