//! Volumes of a container that the tests describe or mount.

use std::fs;

use tempfile::TempDir;

use super::*;

/// A root whose mountinfo has these lines
fn root(mountinfo: &str) -> (TempDir, Roots) {
    let root = tempfile::tempdir().unwrap();
    let roots = Roots::under(root.path());
    fs::create_dir_all(roots.proc.join("self")).unwrap();
    fs::write(roots.proc.join("self/mountinfo"), mountinfo).unwrap();
    (root, roots)
}

fn look_once(roots: &Roots) -> (Collected, Vec<Mount>) {
    Volumes::new(roots).read(Instant::now()).unwrap()
}

fn values<'a>(collected: &'a Collected, metric: &Metric) -> Vec<(&'a str, f64)> {
    let family = collected.families.iter().find(|family| family.metric.name == metric.name);
    let samples = family.into_iter().flat_map(|family| &family.samples);
    samples.map(|sample| (label(&sample.labels, "mountpoint"), sample.value)).collect()
}

fn label<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.pairs().iter().find(|(other, _)| *other == name).map_or("", |(_, value)| value)
}

#[test]
fn a_directory_has_the_kernels_numbers_and_a_single_file_has_none() {
    let volume = tempfile::tempdir().unwrap();
    let path = volume.path().to_str().unwrap();
    fs::write(volume.path().join("hosts"), "").unwrap();
    let (_root, roots) = root(&format!(
        "1 0 8:1 / {path} rw - ext4 /dev/sda1 rw\n\
         2 1 8:1 /hosts {path}/hosts rw - ext4 /dev/sda1 rw\n\
         3 1 8:1 /none {path}/none ro - ext4 /dev/sda1 rw\n"
    ));
    let (collected, remote) = look_once(&roots);
    assert_eq!(remote, []);
    let real = statvfs(path).unwrap();
    assert_eq!(values(&collected, &SIZE), [(path, float(real.f_blocks * real.f_frsize))]);
    assert_eq!(values(&collected, &FILES), [(path, float(real.f_files))]);
    let none = format!("{path}/none");
    assert_eq!(values(&collected, &DEVICE_ERROR), [(path, 0.0), (&none, 1.0)]);
    assert_eq!(values(&collected, &READ_ONLY), [(path, 0.0), (&none, 1.0)]);
    let errors = collected.families.iter().find(|family| family.metric.name == DEVICE_ERROR.name).unwrap();
    assert_eq!(label(&errors.samples[1].labels, "device_error"), "not found");
}

#[test]
fn mount_points_that_are_not_utf8_are_two_volumes() {
    let (root, roots) = root("");
    let lines = b"1 0 8:1 / /none/caf\xe9 rw - ext4 /dev/a rw\n2 0 8:1 / /none/caf\xe8 rw - ext4 /dev/a rw\n";
    fs::write(root.path().join("proc/self/mountinfo"), lines).unwrap();
    let (collected, _) = look_once(&roots);
    assert_eq!(values(&collected, &READ_ONLY), [("/none/caf\\xe9", 0.0), ("/none/caf\\xe8", 0.0)]);
}

#[test]
fn ratios_are_those_that_df_prints() {
    let numbers = |change: fn(&mut StatVfs)| {
        let mut numbers = statvfs("/").unwrap();
        (numbers.f_blocks, numbers.f_bfree, numbers.f_bavail) = (100, 50, 30);
        (numbers.f_files, numbers.f_ffree) = (8, 2);
        change(&mut numbers);
        let mut collected = Collected::default();
        add_numbers(&numbers, &Labels::none(), &mut collected);
        let value = |metric| values(&collected, metric).first().map(|(_, value)| *value);
        [value(&USED_RATIO), value(&INODES_USED_RATIO)]
    };
    assert_eq!(numbers(|_| {}), [Some(0.625), Some(0.75)]);
    assert_eq!(numbers(|all| all.f_bavail = 0), [Some(1.0), Some(0.75)]);
    assert_eq!(numbers(|all| (all.f_files, all.f_ffree) = (0, 0)), [Some(0.625), None]);
    assert_eq!(numbers(|all| (all.f_bfree, all.f_ffree) = (u64::MAX, 9)), [Some(0.0), Some(0.0)]);
    assert_eq!(numbers(|all| (all.f_blocks, all.f_bfree, all.f_bavail) = (0, 0, 0)), [None, Some(0.75)]);
    assert_eq!(numbers(|all| all.f_bavail = u64::MAX)[1], Some(0.75));
}

#[test]
fn mounts_have_a_bound() {
    let lines = |count| (0..count).map(|number| format!("{number} 0 8:1 / /v{number} rw - ext4 /dev/a rw\n"));
    let (_root, roots) = root(&lines(MOUNT_LIMIT).collect::<String>());
    let (collected, _) = look_once(&roots);
    assert_eq!((values(&collected, &DEVICE_ERROR).len(), collected.unreadable.len()), (MOUNT_LIMIT, 0));
    let (_root, roots) = root(&lines(MOUNT_LIMIT + 1).collect::<String>());
    let (collected, _) = look_once(&roots);
    assert_eq!((values(&collected, &DEVICE_ERROR).len(), collected.unreadable.len()), (MOUNT_LIMIT, 1));
}

mod as_root {
    use std::path::PathBuf;

    use harness::{HungMount, with_own_mounts};
    use rustix::{
        fs::StatVfsMountFlags as Flags,
        mount::{MountFlags, mount},
    };
    use tokio::runtime;

    use super::*;

    /// Mounts a volume of 64 KiB.
    fn mount_memory(path: &Path, flags: MountFlags) {
        fs::create_dir(path).unwrap();
        mount("memory", path, "tmpfs", flags, Some(c"size=64k,nr_inodes=10")).unwrap();
    }

    /// The collector's result for the mounts below this directory
    fn look(folder: &Path) -> Collected {
        let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (mut collected, remote) = look_once(&Roots::under(Path::new("/")));
        runtime.block_on(ask_remote(remote, Instant::now() + Duration::from_secs(1), &mut collected));
        // Leave the hung thread alone, as a sidecar does.
        runtime.shutdown_background();
        for family in &mut collected.families {
            family.samples.retain(|sample| Path::new(label(&sample.labels, "mountpoint")).starts_with(folder));
        }
        collected
    }

    #[test]
    fn a_volume_whose_server_is_gone_costs_its_own_series_only() {
        with_own_mounts(|| {
            let folder = tempfile::tempdir().unwrap();
            let (memory, hung) = (folder.path().join("memory"), folder.path().join("hung"));
            mount_memory(&memory, MountFlags::empty());
            let mount = HungMount::new(&hung);
            let (memory, hung) = (memory.to_str().unwrap(), hung.to_str().unwrap());
            let reasons = |collected: &Collected| -> Vec<(String, String)> {
                let errors = collected.families.iter().find(|family| family.metric.name == DEVICE_ERROR.name).unwrap();
                let labels = errors.samples.iter().map(|sample| &sample.labels);
                labels
                    .map(|labels| (label(labels, "mountpoint").into(), label(labels, "device_error").into()))
                    .collect()
            };
            let first = look(folder.path());
            assert_eq!(values(&first, &SIZE), [(memory, 65536.0)]);
            assert_eq!(reasons(&first), [(memory.into(), String::new()), (hung.into(), "timed out".into())]);
            // The fault comes at once, because the first call still has no answer.
            let begin = std::time::Instant::now();
            let second = look(folder.path());
            assert!(begin.elapsed() < Duration::from_millis(500));
            assert_eq!(reasons(&second)[1], (hung.into(), "has not answered an earlier scrape".into()));
            drop(mount);
        });
    }

    #[test]
    fn a_volume_fills_up() {
        with_own_mounts(|| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("with space");
            mount_memory(&path, MountFlags::empty());
            fs::write(path.join("file"), vec![7; 48 * 1024]).unwrap();
            for number in 0..4 {
                fs::write(path.join(number.to_string()), "").unwrap();
            }
            let collected = look(folder.path());
            let path = path.to_str().unwrap();
            assert_eq!(values(&collected, &USED_RATIO), [(path, 0.75)]);
            assert_eq!(values(&collected, &FILES), [(path, 10.0)]);
            assert_eq!(values(&collected, &INODES_USED_RATIO), [(path, 0.6)]);
            assert_eq!(values(&collected, &READ_ONLY), [(path, 0.0)]);
        });
    }

    #[test]
    fn a_mount_that_may_only_be_read_says_so() {
        with_own_mounts(|| {
            let folder = tempfile::tempdir().unwrap();
            let path: PathBuf = folder.path().join("read-only");
            mount_memory(&path, MountFlags::RDONLY);
            assert!(statvfs(&path).unwrap().f_flag.contains(Flags::RDONLY));
            assert_eq!(values(&look(folder.path()), &READ_ONLY), [(path.to_str().unwrap(), 1.0)]);
        });
    }
}
