//! Entries as they are written, and their faults with the places.

use std::path::Path;

use lifecycle::{Configuration, Misfit, config::judged};

use super::*;
use crate::output::Kind as OutputKind;

#[derive(Debug, clap::Parser)]
struct NoArgs {}

/// One output as a file of its own
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

fn read(entry: &str) -> Result<Output, String> {
    let text = format!("output:\n  {}", entry.replace('\n', "\n  "));
    let whole = judged::<Whole>(Path::new("x.yaml"), &text, &NoArgs {});
    whole.map(|whole| whole.output).map_err(|error| error.to_string().trim().to_owned())
}

#[test]
fn a_file_with_its_permissions() {
    let output = read("file: /run//tokens/./api\nmode: 0440\nowner: 1000\ngroup: root\nwrite: in-place").unwrap();
    let OutputKind::File(file) = &output.kind else { panic!("no file") };
    assert_eq!(file.path.as_os_str(), "/run/tokens/api");
    assert_eq!(file.permissions, Permissions { mode: 0o440, user: Some(1000), group: Some(0) });
    assert_eq!(file.writing, Writing::InPlace);
    let output = read("file: /run/tokens/api").unwrap();
    let OutputKind::File(file) = &output.kind else { panic!("no file") };
    assert_eq!(file.permissions, Permissions::mode(0o400));
    assert_eq!(file.format, Format::Raw(None));
}

#[test]
fn a_set_with_its_files() {
    let text = "directory: /run/tokens/db\nmode: \"0440\"\nfiles:\n- {name: user, value: username}\n\
                - {name: db.env, format: dotenv, keys: {DB_USER: username}, mode: \"0400\"}";
    let output = read(text).unwrap();
    let OutputKind::Set(set) = &output.kind else { panic!("no set") };
    let modes: Vec<_> = set.members.iter().map(|member| (&*member.name, member.permissions.mode)).collect();
    assert_eq!(modes, [("user", 0o440), ("db.env", 0o400)]);
    assert_eq!(set.files()[1].0, Path::new("/run/tokens/db/db.env"));
}

#[test]
fn faults_have_their_place_and_no_value() {
    for (entry, fault) in [
        ("mode: \"0400\"", "x.yaml:2:3: an output is a file or a directory: name one of them"),
        ("file: /a/b\ndirectory: /a", "x.yaml:3:3: file and directory exclude each other"),
        ("file: hidden", "x.yaml:2:3: write an absolute path without .., such as /run/tokens/app/token"),
        ("file: /run/../hidden", "x.yaml:2:3: write an absolute path without .., such as /run/tokens/app/token"),
        ("file: /", "x.yaml:2:3: a file's name is UTF-8 without slashes, and does not begin with two dots"),
        ("file: /run/..hidden", "x.yaml:2:3: a file's name is UTF-8 without slashes, and does not begin with two dots"),
        ("file: /a/b\nmode: \"0460\"", "x.yaml:3:3: group and others may read the file, not write it"),
        ("file: /a/b\nmode: \"4400\"", "x.yaml:3:3: write three octal digits, such as \"0440\""),
        ("file: /a/b\nmode: u=r", "x.yaml:3:3: write three octal digits, such as \"0440\""),
        ("file: /a/b\nowner: no-such-user", "x.yaml:3:3: /etc/passwd does not know this user: write its number"),
        ("file: /a/b\nformat: dotnv", "x.yaml:3:11: unknown value \"dotnv\"; did you mean dotenv?"),
        (
            "file: /a/b\nkeys: {A: b}",
            "x.yaml:3:3: the format raw has value instead of keys: set format to json, dotenv, env-file or aws-credentials",
        ),
        ("file: /a/b\nfiles: [{name: a}]", "x.yaml:3:3: files go with directory, which holds them"),
        ("directory: /a/b", "x.yaml:2:3: its files are missing: name them as files"),
        ("directory: /a/b\nfiles: [{name: a}]\nvalue: x", "x.yaml:4:3: this is for each of the files: write it there"),
        (
            "directory: /a/b\nfiles: [{name: a}]\nwrite: in-place",
            "x.yaml:4:3: files that change together are never written in place",
        ),
        ("directory: /a/b\nfiles: [{name: a}, {name: a}]", "x.yaml:3:3: two of these files have the same name"),
        (
            "directory: /a/b\nfiles: [{name: a/b}]",
            "x.yaml:3:12: a file's name is UTF-8 without slashes, and does not begin with two dots",
        ),
        (
            "directory: /a/b\nfiles: [{name: a, format: env-file}]",
            "x.yaml:3:21: keys are missing: name each key of the file with its field, as in keys: {TOKEN: access_token}",
        ),
    ] {
        let refusal = read(entry).unwrap_err();
        // A fault of the only file leaves a directory without files, which is another one.
        assert_eq!(refusal.split("; and 1 more").next(), Some(fault), "{entry}");
    }
}

#[test]
fn outputs_that_want_the_same_place_collide() {
    let file = |path: &str| read(&format!("file: {path}")).unwrap();
    let set = |path: &str| read(&format!("directory: {path}\nfiles: [{{name: user}}]")).unwrap();
    assert!(file("/a/b").collides_with(&file("/a/b")));
    assert!(file("/a/b/user").collides_with(&set("/a/b")));
    assert!(set("/a/b").collides_with(&file("/a/b/other")));
    assert!(set("/a/b").collides_with(&set("/a/b")));
    assert!(!file("/a/b").collides_with(&file("/a/c")));
    assert!(!file("/a/bc").collides_with(&set("/a/b")));
    assert!(!set("/a/b").collides_with(&set("/a/c")));
}
