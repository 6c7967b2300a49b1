//! Files on a real volume: whole or not at all, and never through a planted link.

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::Command,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use tempfile::TempDir;

use super::*;

const PRIVATE: Permissions = Permissions::mode(0o640);

fn volume() -> (TempDir, Directory) {
    let volume = tempfile::tempdir().unwrap();
    let directory = Directory::open(volume.path()).unwrap();
    (volume, directory)
}

fn names(volume: &Path) -> Vec<String> {
    let entries = fs::read_dir(volume).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_with_its_mode_and_nothing_is_left() {
    let (volume, directory) = volume();
    assert_eq!(directory.read("state", 99).unwrap(), None);
    for content in ["one", "", "another"] {
        directory.write("state", content.as_bytes(), PRIVATE).unwrap();
        assert_eq!(directory.read("state", 99).unwrap().unwrap(), content.as_bytes());
    }
    assert_eq!(names(volume.path()), ["state"]);
    assert_eq!(volume.path().join("state").metadata().unwrap().permissions().mode() & 0o7777, 0o640);
    directory.write_with("state", PRIVATE, |file| (0..3).try_for_each(|part| write!(file, "{part}"))).unwrap();
    assert_eq!(directory.read("state", 3).unwrap().unwrap(), b"012");
    let part = |file: &mut BufReader<Take<File>>| file.read_exact(&mut [0]);
    assert_eq!(directory.read_with("state", 3, part).unwrap(), Some(()));
    directory.write("state", b"another", PRIVATE).unwrap();
    assert_eq!(directory.read("state", 6).unwrap_err().to_string(), "it has more than 6 bytes");
}

#[test]
fn a_reader_never_sees_a_part() {
    let (_volume, directory) = volume();
    let contents = [vec![b'a'; 100_000], vec![b'b'; 300_000]];
    let over = AtomicBool::new(false);
    directory.write("state", &contents[0], PRIVATE).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..50 {
                directory.write("state", &contents[round % 2], PRIVATE).unwrap();
            }
            over.store(true, Relaxed);
        });
        while !over.load(Relaxed) {
            let read = directory.read("state", 1 << 20).unwrap().unwrap();
            assert!(contents.contains(&read), "{} bytes are a part of a file", read.len());
        }
    });
}

#[test]
fn a_taken_temporary_name_is_left_alone_and_another_one_is_used() {
    let (volume, directory) = volume();
    let victim = volume.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let mut guesses = [7, 8].into_iter();
    symlink(&victim, volume.path().join(".state.0000000000000007.tmp")).unwrap();
    let mut temporary = Temporary::create(&directory.0, "state", || Ok(guesses.next().unwrap())).unwrap();
    temporary.fill(b"mine", PRIVATE).unwrap();
    temporary.publish("state").unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(fs::read_to_string(volume.path().join("state")).unwrap(), "mine");
    assert!(Temporary::create(&directory.0, "state", || Ok(7)).is_err());
    assert_eq!(names(volume.path()), [".state.0000000000000007.tmp", "state", "victim"]);
}

#[test]
fn a_planted_link_is_replaced_by_a_write_and_refused_by_a_read() {
    let (volume, directory) = volume();
    let victim = volume.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, volume.path().join("state")).unwrap();
    assert_eq!(directory.read("state", 99).unwrap_err().to_string(), "it is a symbolic link, not a regular file");
    directory.write("state", b"mine", PRIVATE).unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(directory.read("state", 99).unwrap().unwrap(), b"mine");
    assert!(volume.path().join("state").symlink_metadata().unwrap().is_file());
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let (volume, directory) = volume();
    assert!(Command::new("mkfifo").arg(volume.path().join("fifo")).status().unwrap().success());
    fs::create_dir(volume.path().join("folder")).unwrap();
    for name in ["fifo", "folder"] {
        assert_eq!(directory.read(name, 99).unwrap_err().to_string(), "it is not a regular file");
    }
    for name in ["", ".", "..", "../state", "a/b"] {
        assert_eq!(directory.write(name, b"", PRIVATE).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        assert_eq!(directory.read(name, 9).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
    }
}

#[test]
fn a_write_that_fails_leaves_the_former_state() {
    let (volume, directory) = volume();
    fs::create_dir(volume.path().join("state")).unwrap();
    assert!(directory.write("state", b"a directory cannot be replaced", PRIVATE).is_err());
    assert_eq!(names(volume.path()), ["state"]);
}

#[test]
fn leftovers_of_a_killed_writer_are_removed_and_nothing_else() {
    let (volume, directory) = volume();
    let planted = ".state.00000000000000aa.tmp";
    symlink("/etc/passwd", volume.path().join(planted)).unwrap();
    for name in [".other.00000000000000aa.tmp", ".state.tmp", "state"] {
        fs::write(volume.path().join(name), "").unwrap();
    }
    // A killed process runs no destructor.
    std::mem::forget(Temporary::create(&directory.0, "state", random).unwrap());
    assert_eq!(names(volume.path()).len(), 5);
    assert_eq!(directory.remove_leftovers("state").unwrap(), 1);
    assert_eq!(names(volume.path()), [".other.00000000000000aa.tmp", planted, ".state.tmp", "state"]);
}

#[test]
fn one_at_a_time_holds_the_lock() {
    let (volume, directory) = volume();
    let lock = directory.lock().unwrap();
    let other = Directory::open(volume.path()).unwrap();
    assert_eq!(other.lock().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(lock);
    // The child of another test has all descriptors for a moment, between fork and exec.
    let _lock = harness::until("the lock is free", || other.lock().ok());
    assert_eq!(directory.lock().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn an_equal_file_is_not_written_again() {
    let (volume, directory) = volume();
    assert!(directory.write_changed("token", b"one", PRIVATE).unwrap());
    let inode = || volume.path().join("token").metadata().unwrap().ino();
    let before = inode();
    assert!(!directory.write_changed("token", b"one", PRIVATE).unwrap());
    assert_eq!(inode(), before);
    assert!(directory.write_changed("token", b"one", Permissions::mode(0o600)).unwrap());
    assert!(directory.write_changed("token", b"on", PRIVATE).unwrap());
    // A link to an equal file is no equal file.
    fs::rename(volume.path().join("token"), volume.path().join("other")).unwrap();
    symlink("other", volume.path().join("token")).unwrap();
    assert!(directory.write_changed("token", b"on", PRIVATE).unwrap());
    assert!(volume.path().join("token").symlink_metadata().unwrap().is_file());
    assert!(directory.remove("token").unwrap());
    assert!(!directory.remove("token").unwrap());
    assert_eq!(names(volume.path()), ["other"]);
}

#[test]
fn a_file_is_written_in_place_where_it_must_stay() {
    let (volume, directory) = volume();
    let path = volume.path().join("token");
    assert_eq!(directory.write_in_place("token", b"x", PRIVATE).unwrap_err().kind(), io::ErrorKind::NotFound);
    fs::write(&path, "a longer text").unwrap();
    let inode = path.metadata().unwrap().ino();
    for (content, is_changed) in [("short", true), ("short", false), ("", true), ("a text that is longer", true)] {
        assert_eq!(directory.write_in_place("token", content.as_bytes(), PRIVATE).unwrap(), is_changed);
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    let metadata = path.metadata().unwrap();
    assert_eq!((metadata.ino(), metadata.permissions().mode() & 0o7777), (inode, 0o640));
    symlink("token", volume.path().join("link")).unwrap();
    let refusal = directory.write_in_place("link", b"x", PRIVATE).unwrap_err();
    assert_eq!(refusal.to_string(), "it is a symbolic link, not a regular file");
    assert!(directory.write_in_place("..", b"x", PRIVATE).is_err());
}

#[test]
fn a_directory_appears_with_its_mode_and_a_link_is_none() {
    let (volume, directory) = volume();
    let path = volume.path().join("app");
    assert_eq!(directory.child("app").unwrap_err().kind(), io::ErrorKind::NotFound);
    let child = directory.create_child("app", 0o2755).unwrap();
    assert_eq!(child.metadata().unwrap().permissions().mode() & 0o7777, 0o2755);
    assert_eq!(child.metadata().unwrap().ino(), path.metadata().unwrap().ino());
    directory.create_child("app", 0o700).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o2755);
    symlink("/etc", volume.path().join("link")).unwrap();
    fs::write(volume.path().join("file"), "").unwrap();
    for name in ["link", "file"] {
        assert_eq!(directory.create_child(name, 0o755).unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }
    assert!(directory.child("../etc").is_err());
    assert_eq!(names(volume.path()), ["app", "file", "link"]);
    // Volumes with an fsGroup have the bit.
    fs::set_permissions(volume.path(), fs::Permissions::from_mode(0o2777)).unwrap();
    let child = directory.create_child("group", 0o755).unwrap();
    assert_eq!(child.metadata().unwrap().permissions().mode() & 0o7777, 0o2755);
    fs::remove_dir(volume.path().join("group")).unwrap();
    // A killed process leaves an empty directory.
    fs::create_dir(volume.path().join(".app.00000000000000aa.tmp")).unwrap();
    assert_eq!(directory.remove_leftovers("app").unwrap(), 1);
}

#[test]
fn a_directory_that_took_the_place_of_the_new_one_gets_no_mode() {
    let (volume, directory) = volume();
    let path = volume.path().join("other");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(path.join("private"), "").unwrap();
    assert_eq!(directory.finish_child("other", "app", 0o755).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(names(volume.path()), ["other"]);
}

#[test]
fn one_at_a_time_holds_the_lock_of_a_file() {
    let (volume, directory) = volume();
    let lock = directory.lock_file("token").unwrap();
    let other = Directory::open(volume.path()).unwrap();
    assert_eq!(other.lock_file("token").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let _another = other.lock_file("other").unwrap();
    drop(lock);
    // The child of another test has all descriptors for a moment, between fork and exec.
    let _lock = harness::until("the lock is free", || other.lock_file("token").ok());
    let mode = volume.path().join(".token.lock").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
    assert_eq!(directory.lock_in_place("there").unwrap_err().kind(), io::ErrorKind::NotFound);
    fs::write(volume.path().join("there"), "").unwrap();
    let _there = directory.lock_in_place("there").unwrap();
    assert_eq!(other.lock_in_place("there").unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

mod as_root {
    use std::os::unix::fs::{chown, lchown};

    use super::*;

    const APP: u32 = 1000;

    #[test]
    fn a_file_gets_its_owner_before_it_gets_its_name() {
        let (volume, directory) = volume();
        let permissions = Permissions { mode: 0o2640, user: Some(APP), group: Some(2000) };
        directory.write("token", b"x", permissions).unwrap();
        let metadata = volume.path().join("token").metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (APP, 2000, 0o2640));
    }

    #[test]
    fn names_that_another_user_planted_stay_as_they_are() {
        let (volume, directory) = volume();
        fs::set_permissions(volume.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let victim = volume.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        for (name, is_link) in
            [("state", true), (".state.00000000000000aa.tmp", true), (".state.00000000000000ab.tmp", false)]
        {
            let path = volume.path().join(name);
            if is_link {
                symlink(&victim, &path).unwrap();
                lchown(&path, Some(APP), Some(APP)).unwrap();
            } else {
                fs::write(&path, "theirs").unwrap();
                chown(&path, Some(APP), Some(APP)).unwrap();
            }
        }
        assert_eq!(directory.remove_leftovers("state").unwrap(), 0);
        directory.write("state", b"mine", PRIVATE).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(directory.read("state", 99).unwrap().unwrap(), b"mine");
        assert_eq!(names(volume.path()).len(), 4);
    }

    #[test]
    fn a_full_volume_keeps_the_former_file() {
        harness::with_own_mounts(|| {
            let volume = tempfile::tempdir().unwrap();
            let mount =
                Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(volume.path()).status();
            assert!(mount.unwrap().success());
            let directory = Directory::open(volume.path()).unwrap();
            directory.write("state", b"old", PRIVATE).unwrap();
            let full = directory.write("state", &vec![b'x'; 1 << 20], PRIVATE).unwrap_err();
            assert_eq!(full.kind(), io::ErrorKind::StorageFull);
            assert_eq!(directory.read("state", 99).unwrap().unwrap(), b"old");
            assert_eq!(names(volume.path()), ["state"]);
        });
    }
}
