//! A configuration file behind links that are swapped, as the kubelet and git-sync do it.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::support::{Program, http, sidecar};

/// Puts a new version of a volume's content in force, as the kubelet does it: by a swap of the `..data` link.
fn swap(volume: &Path, version: &str, text: &str) {
    let content = volume.join(version);
    fs::create_dir(&content).unwrap();
    fs::write(content.join("sidecar.yaml"), text).unwrap();
    symlink(version, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

#[test]
fn a_config_map_that_changes_is_followed() {
    let volume = tempfile::tempdir().unwrap();
    swap(volume.path(), "..1", "greeting: one");
    let path = volume.path().join("sidecar.yaml");
    symlink("..data/sidecar.yaml", &path).unwrap();
    let mut program = Program::start(&mut sidecar(&["--config", path.to_str().unwrap()]));
    let address = program.address("health");
    program.wait_for_line(r#""greeting":"one""#);
    for version in ["two", "three"] {
        swap(volume.path(), &format!("..{version}"), &format!("greeting: {version}"));
        program.wait_for_line(&format!(r#""greeting":"{version}""#));
    }
    let page = http::get(address, "/metrics").body;
    assert!(page.contains("result=\"accepted\"} 2\n"), "{page}");
    assert!(page.contains("result=\"refused\"} 0\n"), "{page}");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}

/// git-sync swaps a link above the file's directory, and deletes the former directory then, or later.
#[test]
fn a_link_above_the_file_that_is_swapped_is_followed() {
    let volume = tempfile::tempdir().unwrap();
    let swap = |version: usize| {
        let tree = format!("tree{version}");
        fs::create_dir_all(volume.path().join(&tree).join("conf")).unwrap();
        fs::write(volume.path().join(&tree).join("conf/sidecar.yaml"), format!("greeting: number{version}")).unwrap();
        symlink(tree, volume.path().join("next")).unwrap();
        fs::rename(volume.path().join("next"), volume.path().join("head")).unwrap();
    };
    swap(0);
    let path = volume.path().join("head/conf/sidecar.yaml");
    let mut program = Program::start(&mut sidecar(&["--config", path.to_str().unwrap()]));
    for version in 0..5 {
        program.wait_for_line(&format!(r#""greeting":"number{version}""#));
        swap(version + 1);
        if version % 2 == 0 {
            fs::remove_dir_all(volume.path().join(format!("tree{version}"))).unwrap();
        }
    }
    program.signal("TERM");
    assert_eq!(program.end().code, Some(0));
}
