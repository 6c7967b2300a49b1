//! Searches in real directories.

use std::{fs, os::unix::fs::symlink, time::Instant};

use super::*;
use crate::{content::volume::Disk, files::follower::tests::on_volume};

#[test]
fn the_places_to_which_links_lead_are_watched_before_anything_is_there() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().canonicalize().unwrap();
    symlink("volume/deep/logs", root.join("link")).unwrap();
    for (input, made) in [("link/*.log", "volume"), ("link/app.log", "volume/deep"), ("*/app.log", "volume/deep/logs")]
    {
        let mut follower = on_volume(&root.join(input), Arc::new(Disk));
        follower.scan_names(Instant::now());
        let above = root.join(made).parent().unwrap().to_path_buf();
        assert!(follower.directories().contains(&above), "{input}: {:?}", follower.directories());
        fs::create_dir(root.join(made)).unwrap();
        follower.scan_names(Instant::now());
        let is_there = |path: &PathBuf| path.canonicalize().is_ok_and(|path| path == root.join(made));
        assert!(follower.directories().iter().any(is_there), "{input}: {:?}", follower.directories());
    }
}
