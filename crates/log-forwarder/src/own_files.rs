//! The files that the forwarder itself writes: `file://` outputs and the dead letters. They are no inputs, also
//! when their names match one, because a file that is read into itself grows without end.
//!
//! Each writer says which file it has opened. A look at the paths alone would hang where a volume's server is gone, and with it
//! the thread that watches all files.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future;
use lifecycle::on_volume;

use crate::content::volume::Inode;

/// The time that a volume has for the first look; later a writer says where its path leads.
const LIMIT: Duration = Duration::from_secs(2);

/// Paths that are written, and the file that each leads to, as far as that is known; one set, however often it is cloned
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnFiles(Arc<Mutex<BTreeMap<PathBuf, Option<Inode>>>>);

impl OwnFiles {
    /// Adds paths, with the files of a former run where their volumes answer.
    pub(crate) async fn add(&self, paths: Vec<PathBuf>) {
        let new: Vec<_> = {
            let mut known = self.lock();
            let new = paths.into_iter().filter(|path| !known.contains_key(path)).collect::<Vec<_>>();
            known.extend(new.iter().map(|path| (path.clone(), None)));
            new
        };
        future::join_all(new.iter().map(|path| self.look(path))).await;
    }

    async fn look(&self, path: &Path) {
        let there = path.to_owned();
        let looked = on_volume(path, LIMIT, move || there.metadata()).await.and_then(|metadata| metadata);
        if let Ok(metadata) = looked {
            // A writer knows better.
            self.lock().entry(path.into()).or_default().get_or_insert(Inode::of(&metadata));
        }
    }

    /// A writer has opened the file, and has not written to it yet.
    pub(crate) fn opened(&self, path: &Path, file: &File) -> io::Result<()> {
        let inode = Inode::of(&file.metadata()?);
        self.lock().insert(path.into(), Some(inode));
        Ok(())
    }

    /// Whether this path is written, or this file under any name.
    pub(crate) fn has(&self, path: &Path, inode: Inode) -> bool {
        let known = self.lock();
        known.contains_key(path) || known.values().any(|own| *own == Some(inode))
    }

    /// Whether this file is written.
    pub(crate) fn has_inode(&self, inode: Inode) -> bool {
        self.lock().values().any(|own| *own == Some(inode))
    }

    /// All files that are known
    pub(crate) fn inodes(&self) -> Vec<Inode> {
        self.lock().values().flatten().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Option<Inode>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
