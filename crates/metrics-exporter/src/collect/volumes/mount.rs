//! Mounts that can fill up, from `/proc/self/mountinfo`: `proc_pid_mountinfo(5)`.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use memchr::memchr;

use crate::collect::bytes::text_of;

/// A mount that can fill up
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) path: PathBuf,
    /// The mounted device or export, for example `/dev/sdb` or `server:/export`, in the form of `text_of`
    pub(crate) device: String,
    /// The type of the file system, for example `ext4`
    pub(crate) kind: String,
    /// True when the mount's own options or those of the file system say so
    pub(crate) is_read_only: bool,
    /// True when statvfs(3) may hang, because a server or a program answers it, or because the path leads through such a mount
    pub(crate) is_remote: bool,
}

/// File systems that store no files or cannot fill up: `node_exporter`'s list
const PSEUDO: &[&str] = &[
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "erofs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tracefs",
];

/// File systems that know their use themselves, so that statvfs(3) never waits for a server
const LOCAL: &[&str] = &[
    "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "ntfs3", "overlay", "ramfs", "reiserfs",
    "tmpfs", "vfat", "xfs", "zfs",
];

/// Directories below which mounts belong to the kernel or the runtime: masks, devices, queues. `/dev/shm` counts, because apps
/// fill it up.
const KERNELS: &[&str] = &["/dev", "/proc", "/sys"];
const SHARED_MEMORY: &str = "/dev/shm";

/// The mounts of a mountinfo that can fill up, in its order.
///
/// Of several mounts on one directory only the last one counts, because it hides the others. The overlay of a container's root
/// counts, other overlays do not. Incomplete lines are left out, for example the last line of a text that was cut off.
pub(crate) fn parse(mountinfo: &[u8]) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    let mut index_of: HashMap<_, usize> = HashMap::new();
    for line in mountinfo.split_inclusive(|byte| *byte == b'\n') {
        let Some(mount) = line.strip_suffix(b"\n").and_then(parse_line) else { continue };
        if let Some(index) = index_of.get(&mount.path) {
            mounts[*index] = mount;
            continue;
        }
        index_of.insert(mount.path.clone(), mounts.len());
        mounts.push(mount);
    }
    mark_mounts_below_remote(&mut mounts);
    mounts.retain(can_fill_up);
    mounts
}

/// Reads `ID PARENT MAJOR:MINOR ROOT PATH OPTIONS [FIELD…] - KIND DEVICE OPTIONS`, with one space between fields. The device may
/// be empty.
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let path = unescape(fields.nth(4)?);
    let options = fields.next()?;
    fields.by_ref().find(|field| *field == b"-")?;
    let (kind, device, superblock) = (fields.next()?, fields.next()?, fields.next()?);
    let kind = text(kind);
    Some(Mount {
        path: OsString::from_vec(path).into(),
        device: text(device),
        is_read_only: is_read_only(options) || is_read_only(superblock),
        is_remote: !LOCAL.contains(&&*kind) && !PSEUDO.contains(&&*kind),
        kind,
    })
}

/// Marks mounts below a remote mount as remote, because a path through a mount that hangs, hangs too.
fn mark_mounts_below_remote(mounts: &mut [Mount]) {
    let remote: Vec<_> = mounts.iter().filter(|mount| mount.is_remote).map(|mount| mount.path.clone()).collect();
    for mount in mounts {
        mount.is_remote = remote.iter().any(|path| mount.path.starts_with(path));
    }
}

fn can_fill_up(mount: &Mount) -> bool {
    let is_root = mount.path == Path::new("/");
    let is_pseudo = PSEUDO.contains(&&*mount.kind) && !(is_root && mount.kind == "overlay");
    let is_kernels = KERNELS.iter().any(|path| mount.path.starts_with(path)) && mount.path != Path::new(SHARED_MEMORY);
    !is_pseudo && !is_kernels
}

fn is_read_only(options: &[u8]) -> bool {
    options.split(|byte| *byte == b',').any(|option| option == b"ro" || option == b"emergency_ro")
}

fn text(field: &[u8]) -> String {
    text_of(OsStr::from_bytes(&unescape(field)))
}

/// Decodes space, tab, newline, backslash and `#`, which are written as a backslash with three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some(at) = memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.first_chunk().and_then(|digits| octal(*digits)) {
            Some(byte) => {
                plain.push(byte);
                rest = &rest[3..];
            }
            None => plain.push(b'\\'),
        }
    }
    plain.extend_from_slice(rest);
    plain
}

fn octal(digits: [u8; 3]) -> Option<u8> {
    let is_octal = digits.iter().all(|digit| matches!(digit, b'0'..=b'7'));
    let number = digits.iter().fold(0, |number: u32, digit| number * 8 + u32::from(digit.wrapping_sub(b'0')));
    if is_octal { u8::try_from(number).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use proptest::prelude::*;

    use super::*;

    /// The mountinfo of a pod's container, with containerd and a kubelet: root, masks, the pod's files, and volumes
    const POD: &str = r"1405 1310 0:190 / / ro,relatime - overlay overlay rw,lowerdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/71/fs,upperdir=/x/fs,workdir=/x/work
1406 1405 0:192 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1407 1405 0:193 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
1408 1407 0:194 / /dev/pts rw,nosuid,noexec,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666
1409 1407 0:182 / /dev/mqueue rw,nosuid,nodev,noexec,relatime - mqueue mqueue rw
1410 1405 0:187 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
1411 1410 0:28 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw
1412 1405 8:1 /var/lib/kubelet/pods/3c1e/etc-hosts /etc/hosts rw,relatime - ext4 /dev/sda1 rw,discard
1413 1407 8:1 /var/lib/kubelet/pods/3c1e/containers/app/8f /dev/termination-log rw,relatime - ext4 /dev/sda1 rw,discard
1414 1407 0:181 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k
1415 1405 8:1 /var/lib/kubelet/pods/3c1e/volumes/kubernetes.io~empty-dir/cache /cache rw,relatime - ext4 /dev/sda1 rw,discard
1416 1405 0:178 / /memory rw,relatime - tmpfs tmpfs rw,size=131072k,inode64
1417 1405 0:179 / /run/secrets/kubernetes.io/serviceaccount ro,relatime - tmpfs tmpfs rw,size=131072k,inode64
1418 1405 259:3 / /data rw,relatime shared:7 master:1 - xfs /dev/nvme1n1 rw,attr2,inode64
1419 1405 0:200 / /shared\040files rw,relatime - nfs4 10.0.0.5:/export\134x rw,vers=4.2,hard
1420 1419 0:201 / /shared\040files/cache rw,relatime - tmpfs tmpfs rw
1421 1406 0:195 / /proc/acpi ro,relatime - tmpfs tmpfs ro
1422 1405 0:202 / /models ro,relatime - overlay overlay ro,lowerdir=/image
";

    fn named<'a>(mounts: &'a [Mount], path: &str) -> &'a Mount {
        mounts.iter().find(|mount| mount.path == Path::new(path)).unwrap()
    }

    #[test]
    fn the_volumes_of_a_pod_can_fill_up() {
        let mounts = parse(POD.as_bytes());
        let paths: Vec<_> = mounts.iter().map(|mount| mount.path.to_str().unwrap()).collect();
        let expected = [
            "/",
            "/etc/hosts",
            "/dev/shm",
            "/cache",
            "/memory",
            "/run/secrets/kubernetes.io/serviceaccount",
            "/data",
            "/shared files",
            "/shared files/cache",
        ];
        assert_eq!(paths, expected);
        let shared = named(&mounts, "/shared files");
        assert_eq!((&*shared.device, &*shared.kind, shared.is_remote), ("10.0.0.5:/export\\x", "nfs4", true));
        assert!(named(&mounts, "/shared files/cache").is_remote, "the path leads through NFS");
        assert!(!named(&mounts, "/data").is_remote);
        assert!(named(&mounts, "/").is_read_only);
        assert!(!named(&mounts, "/data").is_read_only);
    }

    #[test]
    fn only_the_last_mount_on_a_directory_can_be_reached() {
        let text = "1 0 8:1 / /data rw - ext4 /dev/sda1 rw\n2 1 0:9 / /data rw - tmpfs  rw,size=4k\n";
        let [mount] = &parse(text.as_bytes())[..] else { panic!() };
        assert_eq!((&*mount.kind, &*mount.device), ("tmpfs", ""));
        let hidden = format!("{text}3 2 0:22 / /data rw - proc proc rw\n");
        assert_eq!(parse(hidden.as_bytes()), []);
    }

    #[test]
    fn a_file_system_that_went_read_only_says_so_in_its_own_options() {
        let mounts = parse(b"1 0 8:1 / /a rw - ext4 /dev/a ro,errors\n2 0 8:2 / /b rw - ext4 /dev/b rw,emergency_ro\n");
        assert!(mounts.iter().all(|mount| mount.is_read_only));
    }

    #[test]
    fn paths_are_bytes() {
        let mounts = parse(b"1 0 8:1 / /a\\011\\012\xff\\9\\777 rw - ext4 /dev/\xff rw\n");
        assert_eq!(mounts[0].path.as_os_str().as_bytes(), b"/a\t\n\xff\\9\\777");
        assert_eq!(mounts[0].device, "/dev/\\xff");
    }

    #[test]
    fn a_text_that_is_cut_off_costs_its_last_line() {
        for end in 0..POD.len() {
            let whole = POD[..end].lines().count() - usize::from(!POD[..end].ends_with('\n') && end > 0);
            assert!(parse(&POD.as_bytes()[..end]).len() <= whole);
        }
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in "[0-9/\\\\ a-z,:\n-]{0,400}") {
            let _ = parse(text.as_bytes());
        }
    }
}
