//! `--state-dir`: what the next start needs to use values that are still valid, without a call of their sources.
//!
//! A value itself is read back from its files. Therefore a secret can be adopted only when all its files can be written from
//! fields that stand in raw files.

mod saved;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use files::{Directory, Lock, Permissions, resolve};
use lifecycle::{Exit, Secret, on_volume_in_turn};
use sha2::{Digest, Sha256};

use self::saved::{Saved, hex};
use crate::{
    output::Output, schedule::clock::Now, secret_entry::SecretEntry, value::fetched::Fetched, value::fields::Fields,
};

/// In the directory that the user names, which others may write to as well
const NAME: &str = "token-refresher";
/// Only this helper's user reads and writes it.
const DIRECTORY_MODE: u32 = 0o700;
const PERMISSIONS: Permissions = Permissions::mode(0o600);
/// Bytes of a file
const FILE_LIMIT: u64 = 64 * 1024;
/// A volume that has not answered for this long does not answer at all.
const LIMIT: Duration = Duration::from_secs(10);

/// The directory of the state, with the lock that keeps a second refresher out
#[derive(Clone, Debug)]
pub(crate) struct StateDirectory {
    path: PathBuf,
    open: Arc<(Directory, Option<Lock>)>,
    boot: Arc<str>,
}

impl StateDirectory {
    /// Opens and locks it, and makes it where it is missing.
    pub(crate) async fn open(path: &Path) -> anyhow::Result<Self> {
        let owned = path.to_owned();
        let opened = on_volume_in_turn(path, LIMIT, move || open_now(&owned)).await;
        let open = opened.and_then(|opened| opened).map_err(|error| refused(path, &error))?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Ok(Self { path: path.join(NAME), open: Arc::new(open), boot: boot.trim().into() })
    }

    /// The value that an earlier process wrote, with what is left of its life. `is_base` says that others build on it.
    pub(crate) async fn adopt(&self, entry: &SecretEntry, is_base: bool, now: &Now) -> Option<Fetched> {
        let secret = &entry.name;
        let saved = match self.read(secret).await {
            Ok(Some(saved)) => saved,
            Ok(None) => return None,
            Err(reason) => {
                tracing::warn!(secret, reason, "the saved state is ignored");
                return None;
            }
        };
        match self.adopted(entry, &saved, now).await {
            Ok(fetched) if is_base && fetched.fields.get(None).is_none() => {
                tracing::info!(
                    secret,
                    "the value of an earlier start is not used, because other secrets need more of it"
                );
                None
            }
            Ok(fetched) => Some(fetched),
            Err(reason) => {
                tracing::info!(secret, reason, "the value of an earlier start is not used");
                None
            }
        }
    }

    /// Saves the times of a value whose files are written. A value that could not be read back has no file.
    pub(crate) async fn save(
        &self,
        entry: &SecretEntry,
        is_base: bool,
        fetched: &Fetched,
        asked: &Now,
    ) -> io::Result<()> {
        let name = file_name(&entry.name);
        let content = readable(entry, &fetched.fields, is_base)
            .map(|fields| Saved::new(fingerprint(entry), &self.boot, asked, fetched.life, &fields))
            .map(|saved| serde_json::to_vec(&saved));
        let open = self.open.clone();
        on_volume_in_turn(&self.path.join(&name), LIMIT, move || match content {
            Some(content) => open.0.write(&name, &content?, PERMISSIONS),
            None => open.0.remove(&name).map(drop),
        })
        .await?
    }

    async fn adopted(&self, entry: &SecretEntry, saved: &Saved, now: &Now) -> Result<Fetched, &'static str> {
        let life = saved.rest(&fingerprint(entry), &self.boot, now, entry.rules().every())?;
        let mut found = Vec::new();
        for output in &entry.outputs {
            found.extend(output.read_back().await.map_err(|_| "its files cannot be read")?);
        }
        let fields = saved.fields(found).ok_or("its files have changed")?;
        Ok(Fetched { fields, life, renewable: false })
    }

    async fn read(&self, secret: &str) -> Result<Option<Saved>, String> {
        let name = file_name(secret);
        let open = self.open.clone();
        let path = self.path.join(&name);
        let read = on_volume_in_turn(&path, LIMIT, move || open.0.read(&name, FILE_LIMIT)).await;
        match read.and_then(|read| read).map_err(|error| error.to_string())? {
            Some(content) => serde_json::from_slice(&content).map(Some).map_err(|_| "it cannot be read".to_owned()),
            None => Ok(None),
        }
    }
}

fn file_name(secret: &str) -> String {
    format!("{secret}.json")
}

fn open_now(path: &Path) -> io::Result<(Directory, Option<Lock>)> {
    let directory = resolve(path, Some(DIRECTORY_MODE))?.create_child(NAME, DIRECTORY_MODE)?;
    let metadata = directory.metadata()?;
    let (owner, mode) =
        (std::os::unix::fs::MetadataExt::uid(&metadata), std::os::unix::fs::MetadataExt::mode(&metadata));
    if owner != rustix::process::geteuid().as_raw() || mode & 0o022 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("others can write to its directory {NAME}"),
        ));
    }
    match directory.lock() {
        Ok(lock) => Ok((directory, Some(lock))),
        // File systems without locks
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok((directory, None)),
        Err(error) => Err(error),
    }
}

fn refused(path: &Path, error: &io::Error) -> anyhow::Error {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::WouldBlock => {
            let message = "another token-refresher uses it: give each its own, or stop one of them";
            Exit::Unavailable.because(format!("cannot use --state-dir {path}: {message}"))
        }
        io::ErrorKind::PermissionDenied => Exit::Denied.because(format!("cannot use --state-dir {path}: {error}")),
        _ => Exit::Io.because(format!("cannot use --state-dir {path}: {error}")),
    }
}

/// A hash of the settings of a source, in which secrets are not printed
fn fingerprint(entry: &SecretEntry) -> String {
    hex(&Sha256::digest(format!("{:#?}", entry.source)))
}

/// The fields that can be read back from files, if they are enough for all files, and for others that build on this secret.
fn readable(entry: &SecretEntry, fields: &Fields, is_base: bool) -> Option<Fields> {
    if entry.source.watched().is_some() || entry.outputs.is_empty() {
        return None;
    }
    let names = entry.outputs.iter().flat_map(Output::whole_fields);
    let pair = |name: Option<&str>| {
        let value: Secret = fields.get(name)?.clone();
        Some((name.unwrap_or(fields.main()).to_owned(), value))
    };
    let readable = Fields::new(fields.main(), names.filter_map(pair).collect());
    let is_enough = entry.outputs.iter().all(|output| output.writes_the_same(&readable, fields));
    (is_enough && (!is_base || readable.equals(fields))).then_some(readable)
}
