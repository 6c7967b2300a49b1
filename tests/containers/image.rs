//! The images under test, and those that a test builds on top of them.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use tempfile::TempDir;

use crate::engine::{docker, said};

/// The helpers that have an image
pub(crate) const OURS: [&str; 6] =
    ["wait-for", "fix-perms", "log-forwarder", "proxy", "token-refresher", "metrics-exporter"];
/// As `make images` names them
pub(crate) const WAIT_FOR: &str = concat!("localhost/sidekit/wait-for:", env!("CARGO_PKG_VERSION"));
/// The same
pub(crate) const FIX_PERMS: &str = concat!("localhost/sidekit/fix-perms:", env!("CARGO_PKG_VERSION"));
/// The same
pub(crate) const LOG_FORWARDER: &str = concat!("localhost/sidekit/log-forwarder:", env!("CARGO_PKG_VERSION"));
/// The same
pub(crate) const PROXY: &str = concat!("localhost/sidekit/proxy:", env!("CARGO_PKG_VERSION"));
/// The same
pub(crate) const TOKEN_REFRESHER: &str = concat!("localhost/sidekit/token-refresher:", env!("CARGO_PKG_VERSION"));
/// The same
pub(crate) const METRICS_EXPORTER: &str = concat!("localhost/sidekit/metrics-exporter:", env!("CARGO_PKG_VERSION"));
/// The small sidecar among the tests of `lifecycle`
pub(crate) const SIDECAR: &str = concat!("localhost/sidekit/test-sidecar:", env!("CARGO_PKG_VERSION"));
/// A shell and its tools
pub(crate) const BUSYBOX: &str = "busybox:1.36";
/// A web server
pub(crate) const NGINX: &str = "nginxinc/nginx-unprivileged:1.29";

/// An image that a test has built, gone when dropped
pub(crate) struct Image(String);

/// Docker's two builders
#[derive(Clone, Copy, Debug)]
pub(crate) enum Builder {
    /// The one of the first years, which Debian's docker-compose uses as well
    Old,
    /// Its successor
    BuildKit,
}

impl Image {
    /// Builds what `options` say, from this context.
    pub(crate) fn build(builder: Builder, options: &[&str], context: &Path) -> Self {
        let image = Self(unique("image"));
        let mut build = docker(["build", "--tag", &image.0]);
        build.env("DOCKER_BUILDKIT", if matches!(builder, Builder::BuildKit) { "1" } else { "0" });
        build.args(options).arg(context);
        said(&mut build).unwrap_or_else(|error| panic!("{build:?}: {error}"));
        image
    }

    /// Builds this Dockerfile, with these files beside it.
    pub(crate) fn of(dockerfile: &str, files: &[(&str, &str)]) -> Self {
        let context = TempDir::new().unwrap();
        for (name, content) in files.iter().chain(&[("Dockerfile", dockerfile)]) {
            let path = context.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        }
        Self::build(Builder::Old, &[], context.path())
    }

    /// Its name
    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = docker(["image", "rm", "--force", &self.0]).output();
    }
}

/// A name that no other test of this machine uses
pub(crate) fn unique(what: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("sidekit-{what}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The directory above `tests`
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
