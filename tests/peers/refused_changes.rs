//! fix-perms on file systems whose server refuses changes, where the mount options do not show it; bindfs plays the server.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use e2e::process::{command, output};
use harness::with_own_mounts;

use crate::bindfs::{Volume, fix_perms, mount};

const OWNER: &str = "--owner=1000:1000";

fn owner(path: &Path) -> u32 {
    fs::metadata(path).unwrap().uid()
}

/// Each snapshot of a filer is a mount of its own, and writable by its mount options.
#[test]
fn a_snapshot_that_its_server_keeps_read_only_is_left_out_after_its_first_refusal() {
    with_own_mounts(|| {
        let snapshot = Volume::read_only_on_the_server();
        let volume = tempfile::tempdir().unwrap();
        let inside = volume.path().join("hourly.0");
        fs::create_dir(&inside).unwrap();
        mount(&["--bind"], &snapshot.root(), &inside);
        let remedy =
            "the file system is read-only: mount it writable, or leave it out with --skip-read-only or --exclude";
        fix_perms(&[OWNER], volume.path()).ended_with(77, &["hourly.0/file", remedy]);
        assert_eq!(owner(volume.path()), 0);
        let words = ["left out: a read-only mount", "hourly.0/file", r#""read_only":1"#];
        fix_perms(&[OWNER, "--skip-read-only"], volume.path()).ended_with(0, &words);
        assert_eq!((owner(volume.path()), owner(&inside)), (1000, 0));
        // It is no part of that PATH when it is the PATH itself.
        fix_perms(&[OWNER, "--skip-read-only"], &snapshot.root()).ended_with(77, &["or leave this PATH out"]);
        let mut umount = command("umount");
        umount.arg(&inside);
        output(umount);
    });
}

/// An NFS server that squashes root refuses like this; its own words need a mount whose kind is NFS, and this one's is FUSE.
#[test]
fn a_server_that_refuses_root_is_named_with_the_remedy() {
    with_own_mounts(|| {
        let refusing = || Volume::mount(&["--chown-deny", "--chgrp-deny", "--chmod-deny"]);
        let volume = refusing();
        for wanted in [OWNER, "--mode=u=rwX,g=rwX,o=rwX"] {
            let remedy = "operation not permitted: the server of the file system refuses it: set it right there or by mount \
                          options (uid=, gid=), or give --on-denied accessible";
            volume.fix_perms(&[wanted]).ended_with(77, &[remedy]);
        }
        // A volume that its server has made accessible is as good as one that is right.
        let volume = refusing();
        for (name, mode) in [("", 0o777), ("file", 0o666)] {
            fs::set_permissions(volume.below().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        volume.fix_perms(&[OWNER, "--on-denied=accessible"]).ended_with(0, &[r#""tolerated":2"#]);
    });
}
