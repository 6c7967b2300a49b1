//! The file that keeps a rotated refresh token, so that a restart does not lose it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use files::{Directory, Lock, Permissions};
use lifecycle::Secret;
use ring::digest;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::value::fetch_error::FetchError;

/// A volume that has not answered for this long does not answer at all.
const LIMIT: Duration = Duration::from_secs(5);
/// Bytes; no token is longer.
const FILE_LIMIT: u64 = 64 * 1024;
const OWNER_ONLY: Permissions = Permissions::mode(0o600);

/// A file that this process alone reads and writes
#[derive(Clone, Debug)]
pub(super) struct RotatedFile {
    path: PathBuf,
    /// Held from the first use on: two processes with the same token would each use up that of the other one.
    lock: Option<Arc<Lock>>,
}

/// The refresh token that the user gave, as a fingerprint
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seed(String);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Content<'a> {
    /// The fingerprint of the token that the user gave
    seed: &'a str,
    refresh_token: &'a str,
}

impl Seed {
    pub(super) fn of(token: &Secret) -> Self {
        Self(BASE64_STANDARD.encode(digest::digest(&digest::SHA256, token.expose().as_bytes())))
    }
}

impl RotatedFile {
    /// A path with a directory and a name.
    pub(super) fn new(path: PathBuf) -> Result<Self, &'static str> {
        match (path.is_absolute(), path.file_name().and_then(|name| name.to_str())) {
            (true, Some(_)) => Ok(Self { path, lock: None }),
            _ => Err("rotated-token-file is no absolute path of a file"),
        }
    }

    /// The token that this seed became, after a look whether it can be replaced.
    pub(super) async fn read(&mut self, seed: &Seed) -> Result<Option<Secret>, FetchError> {
        let held = self.lock.clone();
        let (lock, content) = self
            .on_volume(move |directory, name| {
                let lock = held.map_or_else(|| directory.lock_file(name).map(Arc::new), Ok)?;
                Ok((lock, directory.read(name, FILE_LIMIT)?.map(Zeroizing::new)))
            })
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock => self.fault("another process keeps its tokens there"),
                _ => self.fault(error),
            })?;
        self.lock = Some(lock);
        let Some(content) = content else { return Ok(None) };
        let read: Content = serde_json::from_slice(&content).map_err(|_| {
            self.fault("this is no file of token-refresher: remove it to begin with the token that you gave")
        })?;
        Ok((read.seed == seed.0).then(|| read.refresh_token.into()))
    }

    /// Replaces the token. It is on the disk on return.
    pub(super) async fn write(&self, seed: &Seed, token: &Secret) -> Result<(), FetchError> {
        let content = Content { seed: &seed.0, refresh_token: token.expose() };
        let content = Zeroizing::new(serde_json::to_vec(&content).map_err(|error| self.fault(error))?);
        let written = self.on_volume(move |directory, name| directory.write(name, &content, OWNER_ONLY)).await;
        written.map_err(|error| self.fault(error))
    }

    async fn on_volume<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Directory, &str) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let path = self.path.clone();
        let work = move || {
            let parent = path.parent().unwrap_or(Path::new("/"));
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            work(&files::resolve(parent, None)?, name)
        };
        lifecycle::on_volume_in_turn(&self.path, LIMIT, work).await.and_then(|result| result)
    }

    fn fault(&self, fault: impl std::fmt::Display) -> FetchError {
        FetchError::Input(format!("rotated-token-file {}: {fault}", self.path.display()))
    }
}
