//! An image as a file: what `images/archive` writes, and `docker save`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    engine::{ask, said},
    image::{Image, OURS, workspace},
};

/// An image archive, unpacked
pub(crate) struct Archive {
    directory: TempDir,
    manifest: Value,
}

impl Archive {
    /// What `make images` has written for a helper
    pub(crate) fn of_helper(helper: &str) -> Self {
        let path = workspace().join(format!("target/images/{helper}.tar"));
        assert!(path.exists(), "no {}: run `make images`", path.display());
        Self::unpack(&path)
    }

    /// An image as the engine saves it
    pub(crate) fn saved(image: &Image) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("image.tar");
        ask(["save", "--output", path.to_str().unwrap(), image.name()]);
        Self::unpack(&path)
    }

    fn unpack(path: &Path) -> Self {
        let directory = TempDir::new().unwrap();
        said(tar(path).arg("--extract").arg("--directory").arg(directory.path())).unwrap();
        let manifest = fs::read_to_string(directory.path().join("manifest.json")).unwrap();
        Self { directory, manifest: serde_json::from_str(&manifest).unwrap() }
    }

    /// The part of the image's configuration that a container takes over
    pub(crate) fn config(&self) -> Value {
        let file = self.manifest[0]["Config"].as_str().unwrap();
        let text = fs::read_to_string(self.directory.path().join(file)).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["config"].take()
    }

    /// The entries of its layers, each a line: type and permission bits as `ls` shows them, owner and group as numbers, path
    pub(crate) fn files(&self) -> BTreeSet<String> {
        let list = |layer: PathBuf| said(tar(&layer).args(["--list", "--verbose", "--numeric-owner"])).unwrap();
        self.layers().map(list).flat_map(|lines| lines.lines().map(file).collect::<Vec<_>>()).collect()
    }

    /// A file's content, from the last layer that has it
    pub(crate) fn file(&self, path: &str) -> Vec<u8> {
        let read = |layer: PathBuf| tar(&layer).args(["--extract", "--to-stdout", path]).output().unwrap();
        let found = self.layers().map(read).filter(|output| output.status.success()).last();
        found.unwrap_or_else(|| panic!("no {path} in the image")).stdout
    }

    fn layers(&self) -> impl Iterator<Item = PathBuf> {
        let layers = self.manifest[0]["Layers"].as_array().unwrap();
        layers.iter().map(|layer| self.directory.path().join(layer.as_str().unwrap()))
    }
}

/// A directory with the binaries that are in the images
pub(crate) fn unpack_binaries() -> TempDir {
    let directory = TempDir::new().unwrap();
    for helper in OURS {
        fs::write(directory.path().join(helper), Archive::of_helper(helper).file(helper)).unwrap();
    }
    directory
}

fn tar(archive: &Path) -> Command {
    let mut tar = Command::new("tar");
    tar.arg("--file").arg(archive);
    tar
}

/// From `-rw-r--r-- 0/0 27 1970-01-01 00:00 etc/group`
fn file(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().collect();
    let [mode, owner, _size, _date, _time, path, ..] = words[..] else { panic!("an odd line of tar: {line}") };
    // Some builders end the names of directories with a slash.
    format!("{mode} {owner} {}", path.trim_end_matches('/'))
}
