//! fix-perms on file systems that accept a new owner or mode and ignore it, as SMB without Unix extensions and blobfuse do;
//! bindfs plays them.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use harness::with_own_mounts;

use crate::bindfs::{Volume, fix_perms};

const OWNER: &str = "--owner=1000:1000";
const STAMP: &str = "--policy=stamp";

#[test]
fn an_owner_and_a_mode_that_are_ignored_are_a_failure_that_names_the_mount_options() {
    with_own_mounts(|| {
        let volume = Volume::ignoring_everything();
        let wanted = [OWNER, "--mode=u=rwX,g=,o=", STAMP];
        for _ in 0..2 {
            volume.fix_perms(&wanted).ended_with(
                77,
                &[
                    "the file system accepted the change and did not make it (owner 0:0 → 1000:1000, mode 0644 → 0600)",
                    "mount the volume with the options uid=1000,gid=1000,file_mode=0600",
                    "2 seen, 0 changed",
                ],
            );
            assert!(!volume.has_stamp());
        }
        volume.fix_perms(&[OWNER, "--verify"]).ended_with(1, &[]);
    });
}

#[test]
fn a_root_whose_change_is_ignored_keeps_no_stamp() {
    with_own_mounts(|| {
        let volume = Volume::ignoring_everything();
        fs::remove_file(volume.root().join("file")).unwrap();
        for flags in [&["--mode=0700"][..], &["--mode=0700", "--on-denied=warn"]] {
            let ended = volume.fix_perms(&[&[STAMP], flags].concat());
            assert!(ended.log.contains("with the options dir_mode=0700"), "{}", ended.log);
            assert_eq!((ended.code, volume.has_stamp()), (Some(if flags.len() == 1 { 77 } else { 0 }), false));
        }
    });
}

#[test]
fn one_kind_of_change_that_is_ignored_is_told_without_the_other() {
    with_own_mounts(|| {
        for (ignored, options, was) in [
            ("--chmod-ignore", "options file_mode=0640", "(mode 0644 → 0640)"),
            ("--chown-ignore", "options uid=1000", "(owner 0:1000 → 1000:1000)"),
            ("--chgrp-ignore", "options gid=1000", "(owner 1000:0 → 1000:1000)"),
        ] {
            let volume = Volume::mount(&[ignored]);
            let ended = volume.fix_perms(&[OWNER, "--mode=u=rwX,g=rX,o=", STAMP]);
            ended.ended_with(77, &[options, was, "2 seen, 1 changed"]);
            assert!(!volume.has_stamp());
        }
    });
}

#[test]
fn a_mode_that_comes_out_as_another_is_a_failure() {
    with_own_mounts(|| {
        let volume = Volume::mount(&["--chmod-filter=o-rwx"]);
        volume.fix_perms(&["--mode=0666"]).ended_with(77, &["(mode 0660 → 0666)"]);
        assert_eq!(mode(&volume.root().join("file")), 0o660);
    });
}

#[test]
fn a_link_whose_new_owner_is_ignored_is_a_failure() {
    with_own_mounts(|| {
        let volume = Volume::ignoring_everything();
        fs::remove_file(volume.root().join("file")).unwrap();
        symlink("elsewhere", volume.root().join("link")).unwrap();
        volume.fix_perms(&[OWNER, "--links"]).ended_with(77, &["/link", "options uid=1000,gid=1000"]);
        assert_eq!(fs::symlink_metadata(volume.root().join("link")).unwrap().uid(), 0);
    });
}

#[test]
fn a_change_that_is_ignored_is_fine_where_the_wanted_owner_can_read_and_write_already() {
    with_own_mounts(|| {
        let volume = Volume::ignoring_everything();
        let below = volume.below();
        fs::set_permissions(&below, fs::Permissions::from_mode(0o777)).unwrap();
        let arguments = [OWNER, "--on-denied=accessible"];
        volume.fix_perms(&arguments).ended_with(77, &["/file"]);
        fs::set_permissions(below.join("file"), fs::Permissions::from_mode(0o666)).unwrap();
        volume.fix_perms(&arguments).ended_with(0, &[r#""tolerated":2"#]);
    });
}

#[test]
fn a_directory_is_made_where_the_mount_options_give_everything_to_the_wanted_owner() {
    with_own_mounts(|| {
        let volume = Volume::mount(&["--force-user=1000", "--force-group=1000", "--chown-ignore", "--chgrp-ignore"]);
        let path = volume.root().join("new");
        let create = |owner: &str| fix_perms(&["--create", owner], &path);
        create("--owner=2000").ended_with(1, &["mount it with the option uid= of the wanted owner"]);
        fs::remove_dir(&path).unwrap();
        create(OWNER).ended_with(0, &[]);
        assert_eq!(fs::metadata(&path).unwrap().uid(), 1000);
    });
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}
