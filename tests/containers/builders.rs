//! One Dockerfile for Docker's old builder, for its successor, and for another base.

use std::{path::Path, process::Command};

use tempfile::TempDir;

use crate::{
    archive::{Archive, unpack_binaries},
    container::run_alone,
    contents::files,
    engine::said,
    image::{BUSYBOX, Builder, Image, OURS, workspace},
};

#[test]
fn the_old_builder_makes_the_same_images() {
    makes_the_same_images(Builder::Old);
}

#[test]
fn buildkit_makes_the_same_images() {
    makes_the_same_images(Builder::BuildKit);
}

#[test]
fn a_helper_can_stand_on_another_base() {
    let context = context();
    for builder in [Builder::Old, Builder::BuildKit] {
        let base = format!("BASE={BUSYBOX}");
        let image = build(builder, "wait-for", &["--build-arg", &base], context.path());
        runs(&image, "wait-for");
        let found = Archive::saved(&image).files();
        assert!(found.is_superset(&files("wait-for")), "{builder:?}: {found:?}");
        assert!(found.iter().any(|file| file.ends_with(" bin/sh")), "{builder:?}: no base in {found:?}");
    }
}

fn makes_the_same_images(builder: Builder) {
    let context = context();
    for helper in OURS {
        let image = build(builder, helper, &[], context.path());
        runs(&image, helper);
        let (theirs, ours) = (Archive::saved(&image), Archive::of_helper(helper));
        assert_eq!(theirs.files(), files(helper), "{builder:?}");
        for key in ["Entrypoint", "User", "Labels", "Env", "Healthcheck"] {
            assert_eq!(theirs.config()[key], ours.config()[key], "{builder:?}: {key} of {helper}");
        }
    }
}

fn runs(image: &Image, helper: &str) {
    let version = run_alone(image.name(), &["--version"]);
    assert_eq!((version.code, version.log.trim()), (0, format!("{helper} {}", env!("CARGO_PKG_VERSION")).as_str()));
}

fn build(builder: Builder, helper: &str, options: &[&str], context: &Path) -> Image {
    let (file, version) = (workspace().join("images/Dockerfile"), concat!("VERSION=", env!("CARGO_PKG_VERSION")));
    let ours = ["--file", file.to_str().unwrap(), "--target", helper, "--build-arg", version];
    Image::build(builder, &[&ours, options].concat(), context)
}

/// What `images/layout` writes
fn context() -> TempDir {
    let (binaries, context) = (unpack_binaries(), TempDir::new().unwrap());
    let mut layout = Command::new(workspace().join("images/layout"));
    said(layout.arg(binaries.path()).arg(context.path()).args(OURS)).unwrap_or_else(|error| panic!("{error}"));
    context
}
