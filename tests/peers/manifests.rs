//! The manifests in `examples/` and in the READMEs, against the schemas of several Kubernetes versions and the images that there are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use e2e::process::{command, output, target_directory};

/// The oldest Kubernetes that runs native sidecars without a feature gate
const OLDEST: &str = "1.29";

/// The registry in our images' names, for which no public registry can answer
const REGISTRY: &str = "localhost/sidekit/";

/// The first words of a manifest that needs a newer one
const NEEDS: &str = "# Kubernetes ";

#[test]
fn every_manifest_of_a_readme_is_valid_in_every_kubernetes_that_it_is_for() {
    let versions = versions();
    assert!(versions.len() > 5, "{versions:?}");
    for readme in readmes() {
        for manifest in manifests(&fs::read_to_string(&readme).unwrap()) {
            validate(&readme, &manifest, &versions);
        }
    }
}

#[test]
fn every_example_is_valid_in_every_kubernetes_that_it_is_for() {
    let versions = versions();
    let kustomize = workspace().join("examples/kubernetes/kustomize");
    for path in examples("kubernetes").into_iter().filter(|path| !path.starts_with(&kustomize)) {
        validate(&path, &fs::read_to_string(&path).unwrap(), &versions);
    }
}

#[test]
fn the_kustomize_components_add_their_containers_and_are_valid() {
    let manifest = kustomization("main-app");
    for container in ["name: main-app", "name: wait-for", "name: fix-perms"] {
        assert!(manifest.contains(container), "no {container} in\n{manifest}");
    }
    let place = |container: &str| manifest.find(&format!("\n        name: {container}\n")).unwrap();
    assert!(place("wait-for") < place("fix-perms"), "wait-for does not come first in\n{manifest}");
    validate(Path::new("kustomize/main-app"), &manifest, &versions());
}

/// A pod may say `runAsNonRoot: true` for all its containers, and the kubelet then refuses one that is to run as root.
#[test]
fn a_container_that_runs_as_root_is_admitted_in_a_pod_that_says_run_as_non_root() {
    let mut as_root = 0;
    for path in examples("kubernetes").into_iter().chain(readmes()) {
        let text = fs::read_to_string(&path).unwrap();
        for (before, _) in text.match_indices("runAsUser: 0\n").map(|(at, _)| text.split_at(at)) {
            let last_line = before.trim_end().lines().next_back().unwrap_or_default();
            assert_eq!(last_line.trim(), "runAsNonRoot: false", "{}", path.display());
            as_root += 1;
        }
    }
    assert!(as_root > 4, "{as_root}");
}

#[test]
fn every_image_of_ours_in_an_example_or_a_readme_is_one_that_is_built() {
    let built = output(helpers_of_the_makefile());
    let is_built = |image: &str| {
        let (name, tag) = image.split_once(':').unwrap_or((image, ""));
        built.split_whitespace().any(|helper| helper == name) && tag == env!("CARGO_PKG_VERSION")
    };
    let files: Vec<_> = ["kubernetes", "compose"].into_iter().flat_map(examples).chain(readmes()).collect();
    for path in &files {
        for image in fs::read_to_string(path).unwrap().split(REGISTRY).skip(1).filter_map(as_image) {
            assert!(is_built(&image), "{}: {REGISTRY}{image} is not built by `make images`: {built}", path.display());
        }
    }
}

/// A name without a host is one on Docker Hub, where `sidekit` belongs to others.
#[test]
fn no_image_of_ours_is_named_as_one_on_a_public_registry() {
    let mut git = command("git");
    git.arg("-C").arg(workspace()).args(["grep", "--untracked", "-I", "-E"]);
    // A name after anything but a host and a path; a name at Docker Hub in full.
    git.args([r"(^|[^/[:alnum:].-])sidekit/[a-z-]+:[0-9]|docker\.io/sidekit", "--", ":!tests/peers/manifests.rs"]);
    let found = git.output().unwrap();
    assert_eq!(found.status.code(), Some(1), "{}", String::from_utf8_lossy(&found.stdout));
}

#[test]
fn the_kustomization_of_a_registry_takes_every_image_of_ours_from_there() {
    let manifest = kustomization("own-registry");
    let images: Vec<_> = manifest.lines().filter_map(|line| line.trim().strip_prefix("image: ")).collect();
    let ours = |image: &&&str| image.contains("/sidekit/");
    assert_eq!(images.iter().filter(ours).count(), 2, "{manifest}");
    for image in images.iter().filter(ours) {
        assert!(image.starts_with("registry.example.com/sidekit/") && image.ends_with(":0.1.0"), "{image}");
    }
    validate(Path::new("kustomize/own-registry"), &manifest, &versions());
}

/// What kustomize builds of a directory in `examples/kubernetes/kustomize`
fn kustomization(name: &str) -> String {
    let mut kubectl = command(target_directory().join("peers-venv/bin/kubectl"));
    kubectl.arg("kustomize").arg(workspace().join("examples/kubernetes/kustomize").join(name));
    output(kubectl)
}

/// What follows [`REGISTRY`], if it is an image with a tag
fn as_image(rest: &str) -> Option<String> {
    let image: String =
        rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "-.:".contains(*letter)).collect();
    image.contains(':').then(|| image.trim_end_matches(':').to_owned())
}

fn helpers_of_the_makefile() -> Command {
    let mut make = command("sed");
    make.args(["-En", "s/^(TASKS|SIDECARS) := //p"]).arg(workspace().join("Makefile"));
    make
}

/// Fails unless each version that the manifest is for says "passed", because the tool only warns of a kind without a schema.
fn validate(readme: &Path, manifest: &str, versions: &[String]) {
    let (oldest, _) = manifest.strip_prefix(NEEDS).and_then(|rest| rest.split_once(' ')).unwrap_or((OLDEST, ""));
    let versions: Vec<_> = versions.iter().filter(|version| minor(version) >= minor(oldest)).collect();
    assert!(!versions.is_empty(), "{} is for no version that is known", readme.display());
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

/// All files below a directory of `examples/` that hold manifests or parts of them
fn examples(directory: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![workspace().join("examples").join(directory)];
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
            } else if path.file_name().is_some_and(|name| name != "kustomization.yaml" && name != "README.md") {
                found.push(path);
            }
        }
    }
    found
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
    output(python).lines().filter(|version| minor(version) >= minor(OLDEST)).map(str::to_owned).collect()
}

fn minor(version: &str) -> Option<u32> {
    version.split('.').nth(1).and_then(|minor| minor.parse().ok())
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the directory above tests")
}
