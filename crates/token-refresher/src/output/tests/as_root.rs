//! Owners, mounts, and volumes that refuse or hang.

use std::{os::unix::fs::chown, process::Command, time::Instant};

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
