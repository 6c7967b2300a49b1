//! Owners, mounts, and volumes that refuse or hang.

use std::{
    io::Read,
    os::unix::fs::chown,
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::Instant,
};

use harness::{HungMount, with_own_mounts};

use super::*;

const APP: u32 = 1000;

fn mount(arguments: &[&str], at: &Path) {
    assert!(Command::new("mount").args(arguments).arg(at).status().unwrap().success());
}

fn block_on<F: Future>(work: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(work);
    // Work on a volume that hangs keeps its thread.
    runtime.shutdown_background();
    result
}

fn can_read(user: u32, path: &Path) -> bool {
    let ids = [format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".into()];
    Command::new("setpriv").args(ids).arg("cat").arg(path).output().unwrap().status.success()
}

#[test]
fn the_app_reads_its_files_and_nobody_else_does() {
    let volume = volume(0o1777);
    let file = output(volume.path(), "file: @/app/token, mode: '0440', group: 2000");
    let set = output(volume.path(), &SET.replace("'0444'", "'0400', owner: 1000"));
    block_on(async {
        file.write(&token("one")).await.unwrap();
        set.write(&token("one")).await.unwrap();
    });
    for path in [file.path(), &set.path().join("token")] {
        let readers: Vec<_> = [APP, 2000, 3000].into_iter().filter(|user| can_read(*user, path)).collect();
        assert_eq!(readers, [if path == file.path() { 2000 } else { APP }], "{}", path.display());
    }
}

#[test]
fn a_directory_of_another_user_gets_no_secret() {
    let volume = volume(0o777);
    let output = output(volume.path(), "file: @/app/token");
    fs::create_dir(volume.path().join("app")).unwrap();
    chown(volume.path().join("app"), Some(APP), Some(APP)).unwrap();
    let refusal = block_on(output.write(&token("HIDDEN"))).unwrap_err();
    assert_eq!(refusal.exit(), Exit::Config);
    assert!(refusal.to_string().contains("belongs to user 1000"), "{refusal}");
    assert_eq!(fs::read_dir(volume.path().join("app")).unwrap().count(), 0);
}

#[test]
fn an_app_that_swaps_the_directory_all_the_time_gets_no_secret() {
    let (shared, victim) = (volume(0o777), volume(0o755));
    let path = |name: &str| shared.path().join(name);
    let file = output(shared.path(), "file: @/app/token");
    let set = output(shared.path(), SET);
    let swaps = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while swaps.load(Relaxed) < 2000 {
                for name in ["app", "db"] {
                    let number = swaps.fetch_add(1, Relaxed);
                    // The app may rename what is in the volume, and put links and directories of its own there.
                    let _ = fs::rename(path(name), path(&format!("moved-{number}")));
                    if number % 4 < 2 {
                        let _ = symlink(victim.path(), path(name));
                    } else {
                        let own = path(&format!("own-{number}"));
                        fs::create_dir(&own).unwrap();
                        chown(&own, Some(APP), Some(APP)).unwrap();
                        let _ = fs::rename(&own, path(name));
                    }
                }
                thread::yield_now();
            }
        });
        block_on(async {
            while swaps.load(Relaxed) < 2000 {
                let value = token(&format!("HIDDEN{}", swaps.load(Relaxed)));
                let _ = file.write(&value).await;
                let _ = set.write(&value).await;
            }
        });
    });
    assert_eq!(fs::read_dir(victim.path()).unwrap().count(), 0);
    for entry in fs::read_dir(shared.path()).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        if metadata.is_dir() && metadata.uid() == APP {
            assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "{}", path.display());
        }
    }
}

#[test]
fn a_file_that_another_user_put_there_is_never_written_in_place() {
    let volume = volume(0o1777);
    let path = volume.path().join("token");
    fs::write(&path, "").unwrap();
    chown(&path, Some(APP), Some(APP)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let mut planted = fs::File::open(&path).unwrap();
    let output = output(volume.path(), "file: @/token, write: in-place");
    block_on(output.write(&token("one"))).unwrap();
    let mut seen = String::new();
    planted.read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "", "the secret is in the other user's file");
    assert_eq!((path.metadata().unwrap().uid(), fs::read_to_string(&path).unwrap().as_str()), (0, "one"));
    // Ours is written in place from then on.
    let inode = path.metadata().unwrap().ino();
    block_on(output.write(&token("two"))).unwrap();
    assert_eq!((path.metadata().unwrap().ino(), fs::read_to_string(&path).unwrap().as_str()), (inode, "two"));
}

#[test]
fn a_file_that_is_a_mount_is_refused_or_written_in_place() {
    with_own_mounts(|| {
        let (volume, source) = (volume(0o755), volume(0o755));
        let (path, source) = (volume.path().join("token"), source.path().join("source"));
        fs::write(&path, "").unwrap();
        fs::write(&source, "a longer value from before").unwrap();
        mount(&["--bind", source.to_str().unwrap()], &path);
        let refused = output(volume.path(), "file: @/token");
        let refusal = block_on(refused.check_target()).unwrap_err();
        let advice =
            "is mounted as a single file, which cannot be replaced: mount its directory, or set write: in-place";
        assert_eq!(refusal.to_string(), format!("{} {advice}", path.display()));
        assert_eq!(refusal.exit(), Exit::Config);
        assert!(block_on(refused.look()).unwrap().is_mount_point);
        let in_place = output(volume.path(), "file: @/token, write: in-place, mode: '0440'");
        assert!(block_on(in_place.write(&token("one"))).unwrap().is_changed);
        assert!(!block_on(in_place.write(&token("one"))).unwrap().is_changed);
        assert_eq!(fs::read_to_string(&source).unwrap(), "one");
        assert_eq!(mode(&source), 0o440);
        let second = output(volume.path(), "file: @/token, write: in-place");
        assert_eq!(block_on(second.write(&token("two"))).unwrap_err().label(), "busy");
        block_on(in_place.delete()).unwrap();
        assert_eq!(source.metadata().unwrap().size(), 0);
    });
}

#[test]
fn a_read_only_and_a_full_volume_are_named_and_keep_the_former_files() {
    with_own_mounts(|| {
        let volume = tempfile::tempdir().unwrap();
        mount(&["-t", "tmpfs", "-o", "size=64k,mode=1777", "none"], volume.path());
        let outputs = || [output(volume.path(), SET), output(volume.path(), "file: @/app/token")];
        let long = token(&"HIDDEN".repeat(50_000));
        for output in outputs() {
            block_on(output.write(&token("one"))).unwrap();
            let full = block_on(output.write(&long)).unwrap_err();
            assert_eq!(full.exit(), Exit::Io);
            let message = full.to_string();
            assert!(message.ends_with("; raise the sizeLimit of the emptyDir"), "{message}");
            assert!(!message.contains("HIDDEN"));
        }
        mount(&["-o", "remount,ro"], volume.path());
        for output in outputs() {
            let refusal = block_on(output.write(&token("two"))).unwrap_err();
            assert_eq!(refusal.exit(), Exit::Io);
            let remedy = "; mount the volume without readOnly in this container";
            assert!(refusal.to_string().ends_with(remedy), "{refusal}");
        }
        for path in ["db/token", "app/token"] {
            assert_eq!(fs::read_to_string(volume.path().join(path)).unwrap(), "one");
        }
    });
}

#[test]
fn a_mount_that_hangs_stops_neither_the_runtime_nor_other_outputs() {
    with_own_mounts(|| {
        let volume = volume(0o755);
        let _mount = HungMount::new(&volume.path().join("hung"));
        let (hung, other) = (output(volume.path(), "file: @/hung/app/token"), output(volume.path(), "file: @/token"));
        let start = Instant::now();
        let refusal = block_on(async {
            let fields = token("HIDDEN");
            let (refusal, written) = tokio::join!(hung.write(&fields), other.write(&fields));
            assert!(written.unwrap().is_changed);
            let again = hung.write(&fields).await.unwrap_err().to_string();
            assert!(again.ends_with("the volume has not answered an earlier question"), "{again}");
            refusal.unwrap_err()
        });
        assert!(refusal.to_string().ends_with("no answer from the volume within 10s"), "{refusal}");
        assert_eq!(refusal.exit(), Exit::Io);
        assert!(start.elapsed() < LIMIT * 2);
    });
}
