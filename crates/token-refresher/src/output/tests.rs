//! Outputs on real volumes.

mod as_root;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

use lifecycle::{Configuration, Exit, Misfit, Secret, config::judged};
use tempfile::TempDir;

use super::*;

#[derive(Debug, clap::Parser)]
struct NoArgs {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    output: Output,
}

impl Configuration for Whole {
    type Args = NoArgs;

    fn judge(&self, _: &NoArgs) -> Vec<Misfit> {
        Vec::new()
    }
}

/// The output that these settings mean, on a volume
#[track_caller]
fn output(volume: &Path, settings: &str) -> Output {
    let text = format!("output: {{{}}}", settings.replace('@', volume.to_str().unwrap()));
    judged::<Whole>(Path::new("x.yaml"), &text, &NoArgs {}).unwrap().output
}

fn fields(values: &[(&str, &str)]) -> Fields {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), Secret::from(*value)));
    Fields::new("token", values.collect::<BTreeMap<_, _>>())
}

fn token(value: &str) -> Fields {
    fields(&[("token", value), ("user", "app")])
}

/// As a volume of Kubernetes: a directory with this mode
fn volume(mode: u32) -> TempDir {
    let volume = tempfile::tempdir_in("/dev/shm").unwrap();
    fs::set_permissions(volume.path(), fs::Permissions::from_mode(mode)).unwrap();
    volume
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

/// Writes once nobody else holds the lock: the child of another test has all descriptors for a moment, between fork and exec.
async fn write_in_turn(output: &Output, fields: &Fields) -> bool {
    let start = std::time::Instant::now();
    loop {
        match output.write(fields).await {
            Err(OutputError::Busy(_)) if start.elapsed() < harness::DEADLINE => tokio::task::yield_now().await,
            written => return written.unwrap().is_changed,
        }
    }
}

const SET: &str = "directory: @/db, mode: '0444', files: [{name: user, value: user}, {name: token}]";

#[tokio::test]
async fn a_file_in_a_sub_directory_that_is_made_for_it() {
    let volume = volume(0o1777);
    let output = output(volume.path(), "file: @/app/token, mode: '0444'");
    assert_eq!(output.write(&token("one")).await.unwrap(), Written { is_changed: true });
    assert_eq!(output.write(&token("one")).await.unwrap(), Written { is_changed: false });
    assert_eq!(output.write(&token("two")).await.unwrap(), Written { is_changed: true });
    let path = volume.path().join("app/token");
    assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o444, 0o755));
    output.delete().await.unwrap();
    assert!(!path.exists());
    assert_eq!(output.write(&token("two")).await.unwrap(), Written { is_changed: true });
}

#[tokio::test]
async fn a_set_changes_together_and_goes_together() {
    let volume = volume(0o777);
    let output = output(volume.path(), SET);
    output.delete().await.unwrap();
    assert!(output.write(&token("one")).await.unwrap().is_changed);
    assert!(!output.write(&token("one")).await.unwrap().is_changed);
    let read = |name: &str| fs::read_to_string(volume.path().join("db").join(name)).unwrap();
    assert_eq!((read("user"), read("token")), ("app".into(), "one".into()));
    output.delete().await.unwrap();
    let left: Vec<_> =
        fs::read_dir(volume.path().join("db")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".set.lock"]);
}

#[tokio::test]
async fn a_directory_that_others_may_write_to_is_refused_with_advice() {
    let volume = volume(0o777);
    for (mode, settings) in
        [(0o777, "file: @/api"), (0o2775, "file: @/api"), (0o1777, "directory: @, files: [{name: a}]")]
    {
        fs::set_permissions(volume.path(), fs::Permissions::from_mode(mode)).unwrap();
        let output = output(volume.path(), settings);
        let refusals = [output.check_target().await.unwrap_err(), output.write(&token("HIDDEN")).await.unwrap_err()];
        for refusal in refusals {
            assert_eq!(refusal.exit(), Exit::Config);
            assert!(refusal.to_string().contains("name a sub-directory, such as"), "{refusal}");
        }
        assert!(output.look().await.unwrap().refusal.unwrap().contains("name a sub-directory"));
        assert_eq!(fs::read_dir(volume.path()).unwrap().count(), 0);
    }
    // A memory emptyDir is sticky: there a file of ours is safe.
    fs::set_permissions(volume.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(output(volume.path(), "file: @/api").write(&token("x")).await.unwrap().is_changed);
}

#[tokio::test]
async fn a_planted_link_in_the_way_is_refused() {
    let (shared, elsewhere) = (volume(0o777), volume(0o755));
    symlink(elsewhere.path(), shared.path().join("app")).unwrap();
    for settings in ["file: @/app/token", "directory: @/app, files: [{name: token}]"] {
        let refusal = output(shared.path(), settings).write(&token("HIDDEN")).await.unwrap_err();
        assert_eq!(refusal.exit(), Exit::Config);
        assert!(
            refusal.to_string().ends_with("app is a symbolic link that another user may have put there"),
            "{refusal}"
        );
    }
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_replaced_directory_is_found_at_the_next_write() {
    let volume = volume(0o777);
    let outputs = [output(volume.path(), SET), output(volume.path(), "file: @/app/token")];
    for output in &outputs {
        output.write(&token("one")).await.unwrap();
        let (_, name) = output.path().to_str().unwrap().rsplit_once('/').unwrap();
        let directory = if name == "db" { output.path() } else { output.path().parent().unwrap() };
        fs::rename(directory, volume.path().join("moved")).unwrap();
        assert!(output.write(&token("one")).await.unwrap().is_changed);
        assert_eq!(fs::read_to_string(directory.join("token")).unwrap(), "one");
        fs::remove_dir_all(directory).unwrap();
        fs::rename(volume.path().join("moved"), directory).unwrap();
        assert!(write_in_turn(output, &token("two")).await);
        assert!(!write_in_turn(output, &token("two")).await);
    }
}

#[tokio::test]
async fn a_second_refresher_is_refused_until_the_first_one_ends() {
    let volume = volume(0o777);
    for settings in [SET, "file: @/app/token"] {
        let first = output(volume.path(), settings);
        first.write(&token("one")).await.unwrap();
        let second = output(volume.path(), settings);
        let refusal = second.write(&token("HIDDEN")).await.unwrap_err();
        assert_eq!((refusal.exit(), refusal.label()), (Exit::Unavailable, "busy"));
        let path = first.path().display();
        let message = format!("another process keeps {path} fresh: give each its own files, or stop one of them");
        assert_eq!(refusal.to_string(), message);
        drop(first);
        assert!(write_in_turn(&second, &token("two")).await);
    }
}

#[tokio::test]
async fn a_failure_leaves_the_app_to_be_told() {
    let volume = volume(0o755);
    let output = output(volume.path(), "file: @/app/token");
    output.write(&token("one")).await.unwrap();
    // A directory in place of the file: the rename fails.
    let path = volume.path().join("app/token");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(output.write(&token("two")).await.unwrap_err().label(), "volume");
    fs::remove_dir(&path).unwrap();
    assert!(output.write(&token("two")).await.unwrap().is_changed);
    assert!(!output.write(&token("two")).await.unwrap().is_changed);
}

#[tokio::test]
async fn a_value_without_a_place_in_the_format_leaves_the_former_file() {
    let volume = volume(0o755);
    let output = output(volume.path(), "file: @/env, format: env-file, keys: {TOKEN: token}");
    output.write(&token("one")).await.unwrap();
    let refusal = output.write(&token("HIDDEN'")).await.unwrap_err();
    assert_eq!((refusal.exit(), refusal.label()), (Exit::Data, "unfit"));
    assert!(!refusal.to_string().contains("HIDDEN"));
    assert_eq!(fs::read_to_string(volume.path().join("env")).unwrap(), "TOKEN='one'\n");
}

#[tokio::test]
async fn more_outputs_than_volumes_may_be_asked_at_once_wait_for_their_turn() {
    let volume = volume(0o755);
    let outputs: Vec<_> = (0..200).map(|number| output(volume.path(), &format!("file: @/app/{number}"))).collect();
    let writing = outputs.iter().map(|output| {
        let output = output.clone();
        tokio::spawn(async move { output.write(&token("one")).await.map(|written| written.is_changed) })
    });
    for written in writing.collect::<Vec<_>>() {
        assert!(written.await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn explain_sees_the_place_without_making_it() {
    let volume = volume(0o1777);
    let place = output(volume.path(), SET).look().await.unwrap();
    let paths: Vec<_> = place.files.iter().map(|(path, permissions)| (path.clone(), permissions.mode)).collect();
    assert_eq!(paths, [(volume.path().join("db/user"), 0o444), (volume.path().join("db/token"), 0o444)]);
    assert_eq!((place.mount.kind.as_str(), place.mount.is_in_memory), ("tmpfs", true));
    assert_eq!((place.is_mount_point, place.refusal), (false, None));
    assert_eq!(fs::read_dir(volume.path()).unwrap().count(), 0);
}
