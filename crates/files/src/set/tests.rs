//! Sets on a real volume: all files or none, and never through a planted link.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
};
use tempfile::TempDir;

use super::*;

const PRIVATE: Permissions = Permissions::mode(0o440);

fn volume() -> (TempDir, Directory) {
    let volume = tempfile::tempdir().unwrap();
    let directory = Directory::open(volume.path()).unwrap();
    (volume, directory)
}

fn member<'a>(name: &'a str, content: &'a str) -> Member<'a> {
    Member { name, content: content.as_bytes(), permissions: PRIVATE }
}

fn names(volume: &Path) -> Vec<String> {
    let entries = fs::read_dir(volume).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

/// The name of a generation is random, also its place among others.
fn sorted<const N: usize>(mut names: [&str; N]) -> [&str; N] {
    names.sort_unstable();
    names
}

fn current(volume: &Path) -> String {
    fs::read_link(volume.join("..data")).unwrap().into_os_string().into_string().unwrap()
}

/// As if all was replaced long ago.
fn age(volume: &Path) {
    for name in names(volume).iter().filter(|name| generation::is_name(name)) {
        assert!(Command::new("touch").args(["-d", "1 hour ago"]).arg(volume.join(name)).status().unwrap().success());
    }
}

#[test]
fn a_set_is_laid_out_as_by_the_kubelet() {
    let (volume, directory) = volume();
    let volume = volume.path();
    let set = Set::new(&directory);
    assert!(set.write(&[member("user", "app"), member("password", "one")]).unwrap());
    let generation = current(volume);
    assert_eq!(names(volume), sorted([&*generation, "..data", "password", "user"]));
    assert_eq!(fs::read_link(volume.join("user")).unwrap(), Path::new("..data/user"));
    assert_eq!(fs::read_to_string(volume.join("password")).unwrap(), "one");
    let mode = |path: &str| volume.join(path).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("..data"), mode("password")), (0o755, 0o440));
}

#[test]
fn an_equal_set_is_left_alone_and_any_difference_is_a_new_generation() {
    let (volume, directory) = volume();
    let volume = volume.path();
    let set = Set::new(&directory);
    let base = [member("user", "app"), member("password", "one")];
    assert!(set.write(&base).unwrap());
    let mut last = current(volume);
    let generations = |last: &mut String| {
        let is_new = current(volume) != *last;
        *last = current(volume);
        is_new
    };
    assert!(!set.write(&base).unwrap());
    assert!(!generations(&mut last));
    let readable = Member { permissions: Permissions::mode(0o444), ..base[1] };
    for other in [vec![base[0], member("password", "two")], vec![base[0]], vec![base[0], readable], base.to_vec()] {
        assert!(set.write(&other).unwrap());
        assert!(generations(&mut last));
    }
    // Files that were changed in place
    let password = volume.join("..data/password");
    for change in ["echo x > password", "chmod 0600 password", "ln password second", "ln -sf /etc/passwd password"] {
        assert!(Command::new("sh").args(["-c", change]).current_dir(volume.join("..data")).status().unwrap().success());
        assert!(set.write(&base).unwrap(), "{change}");
        assert!(generations(&mut last));
        assert_eq!(fs::read_to_string(&password).unwrap(), "one");
    }
}

#[test]
fn names_that_go_and_names_that_come() {
    let (volume, directory) = volume();
    let volume = volume.path();
    let set = Set::new(&directory);
    fs::write(volume.join("theirs"), "").unwrap();
    symlink("..data/else", volume.join("alias")).unwrap();
    set.write(&[member("user", "app"), member("password", "one")]).unwrap();
    set.write(&[member("password", "two"), member("key", "x")]).unwrap();
    let links: Vec<_> = names(volume).into_iter().filter(|name| !name.starts_with("..")).collect();
    assert_eq!(links, ["alias", "key", "password", "theirs"]);
    // A link that was lost is a change, because the app could not read the file.
    fs::remove_file(volume.join("key")).unwrap();
    fs::write(volume.join("password"), "a file in place of the link").unwrap();
    assert!(set.write(&[member("password", "two"), member("key", "x")]).unwrap());
    assert_eq!(fs::read_to_string(volume.join("password")).unwrap(), "two");
    assert_eq!(fs::read_to_string(volume.join("key")).unwrap(), "x");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    #[test]
    fn after_each_write_there_is_this_set_and_nothing_else(sets in vec(btree_map("[a-c.]{1,2}", "[xy]{0,2}", 0..4), 1..8)) {
        let (volume, directory) = volume();
        let volume = volume.path();
        let set = Set::new(&directory);
        let mut last = None;
        for wanted in sets {
            let is_possible = !wanted.keys().any(|name| matches!(name.as_str(), "." | ".."));
            let members: Vec<_> = wanted.iter().map(|(name, content)| member(name, content)).collect();
            match set.write(&members) {
                Ok(is_changed) => {
                    prop_assert!(is_possible);
                    prop_assert_eq!(is_changed, last.as_ref() != Some(&wanted));
                    last = Some(wanted);
                }
                Err(_) => prop_assert!(!is_possible),
            }
            let mut found = BTreeMap::new();
            for name in names(volume).into_iter().filter(|name| name != "..data" && !generation::is_name(name)) {
                let content = fs::read_to_string(volume.join(&name)).unwrap();
                found.insert(name, content);
            }
            prop_assert_eq!(found, last.clone().unwrap_or_default());
        }
    }
}

#[test]
fn a_replaced_generation_stays_for_readers_on_their_way_and_no_longer() {
    let (volume, directory) = volume();
    let volume = volume.path();
    let set = Set::new(&directory);
    set.write(&[member("token", "one")]).unwrap();
    let first = current(volume);
    age(volume);
    set.write(&[member("token", "two")]).unwrap();
    assert_eq!(fs::read_to_string(volume.join(&first).join("token")).unwrap(), "one");
    age(volume);
    let second = current(volume);
    assert!(!set.write(&[member("token", "two")]).unwrap());
    assert_eq!(names(volume), sorted([&*second, "..data", "token"]));
}

#[test]
fn leftovers_of_a_killed_writer_go() {
    let (volume, directory) = volume();
    let volume = volume.path();
    let set = Set::new(&directory);
    set.write(&[member("token", "one")]).unwrap();
    let half = Generation::write(directory.descriptor(), &[member("token", "half")]).unwrap().keep();
    symlink(&half, volume.join("..data_tmp")).unwrap();
    age(volume);
    assert!(!set.write(&[member("token", "one")]).unwrap());
    assert!(!names(volume).contains(&half));
    assert!(set.write(&[member("token", "two")]).unwrap());
    assert_eq!(fs::read_to_string(volume.join("token")).unwrap(), "two");
    assert!(!volume.join("..data_tmp").is_symlink());
}

#[test]
fn a_planted_link_leads_nowhere() {
    let (volume, directory) = volume();
    let volume = volume.path();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("token"), "precious").unwrap();
    let set = Set::new(&directory);
    for planted in [elsewhere.path(), Path::new("..0123456789abcdef")] {
        set.remove().unwrap();
        symlink(planted, volume.join("..data")).unwrap();
        symlink(elsewhere.path(), volume.join("..data_tmp")).unwrap();
        symlink(elsewhere.path().join("token"), volume.join("token")).unwrap();
        if !planted.is_absolute() {
            symlink(elsewhere.path(), volume.join(planted)).unwrap();
        }
        assert!(set.write(&[member("token", "mine")]).unwrap());
        assert_eq!(fs::read_to_string(volume.join("token")).unwrap(), "mine");
        assert_eq!(fs::read_to_string(elsewhere.path().join("token")).unwrap(), "precious");
        assert_eq!(names(elsewhere.path()), ["token"]);
        let _ = fs::remove_file(volume.join(planted));
    }
}

#[test]
fn a_set_is_removed_with_all_that_belongs_to_it() {
    let (volume, directory) = volume();
    let volume = volume.path();
    let set = Set::new(&directory);
    fs::write(volume.join("theirs"), "").unwrap();
    set.remove().unwrap();
    set.write(&[member("user", "app"), member("password", "one")]).unwrap();
    set.write(&[member("user", "app"), member("password", "two")]).unwrap();
    set.remove().unwrap();
    assert_eq!(names(volume), ["theirs"]);
}

#[test]
fn names_that_cannot_be_are_refused() {
    let (volume, directory) = volume();
    let set = Set::new(&directory);
    for wrong in [
        vec![member("", "")],
        vec![member("a/b", "")],
        vec![member("..", "")],
        vec![member("..data", "")],
        vec![member("a", ""), member("a", "")],
    ] {
        assert_eq!(set.write(&wrong).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
    fs::create_dir(volume.path().join("token")).unwrap();
    assert!(set.write(&[member("token", "a directory is in the way")]).is_err());
}

mod as_root {
    use std::os::unix::fs::{chown, lchown};

    use super::*;

    const APP: u32 = 1000;

    #[test]
    fn files_have_owners_and_the_directory_stays_ours() {
        let (volume, directory) = volume();
        let permissions = Permissions { mode: 0o440, user: Some(APP), group: Some(2000) };
        let members = [Member { name: "token", content: b"x", permissions }];
        let set = Set::new(&directory);
        assert!(set.write(&members).unwrap());
        assert!(!set.write(&members).unwrap());
        let owner = |path: &str| volume.path().join(path).metadata().map(|found| (found.uid(), found.gid())).unwrap();
        assert_eq!(owner("token"), (APP, 2000));
        assert_eq!(owner("..data"), (0, 0));
    }

    #[test]
    fn a_generation_that_another_user_made_is_not_taken_for_ours() {
        let (volume, directory) = volume();
        let volume = volume.path();
        let set = Set::new(&directory);
        set.write(&[member("token", "mine")]).unwrap();
        let planted = "..00000000000000aa";
        fs::create_dir(volume.join(planted)).unwrap();
        fs::copy(volume.join("token"), volume.join(planted).join("token")).unwrap();
        chown(volume.join(planted), Some(APP), Some(APP)).unwrap();
        fs::remove_file(volume.join("..data")).unwrap();
        symlink(planted, volume.join("..data")).unwrap();
        lchown(volume.join("..data"), Some(APP), Some(APP)).unwrap();
        assert!(set.write(&[member("token", "mine")]).unwrap());
        assert_ne!(current(volume), planted);
        age(volume);
        assert!(!set.write(&[member("token", "mine")]).unwrap());
        assert!(names(volume).contains(&planted.to_owned()));
    }

    #[test]
    fn a_full_volume_keeps_the_former_set() {
        harness::with_own_mounts(|| {
            let volume = tempfile::tempdir().unwrap();
            let volume = volume.path();
            let mut mount = Command::new("mount");
            assert!(mount.args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(volume).status().unwrap().success());
            let directory = Directory::open(volume).unwrap();
            let set = Set::new(&directory);
            set.write(&[member("user", "app"), member("password", "one")]).unwrap();
            let before = names(volume);
            let long = "x".repeat(1 << 20);
            let full = set.write(&[member("user", "app"), member("password", &long)]).unwrap_err();
            assert_eq!(full.kind(), io::ErrorKind::StorageFull);
            assert_eq!(fs::read_to_string(volume.join("password")).unwrap(), "one");
            assert_eq!(names(volume), before);
        });
    }
}
