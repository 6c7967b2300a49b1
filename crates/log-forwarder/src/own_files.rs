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

/// Two of these paths that lead to one file, also through links and before the file is there. A path on a volume that does
/// not answer is left out.
pub(crate) async fn one_file_twice(paths: &[PathBuf]) -> Option<(&Path, &Path)> {
    let looks = paths.iter().map(|path| async {
        let there = path.clone();
        on_volume(path, LIMIT, move || Place::of(&there)).await.ok().flatten()
    });
    let places = future::join_all(looks).await;
    let known: Vec<_> = paths.iter().zip(&places).filter_map(|(path, place)| Some((path, place.as_ref()?))).collect();
    known.iter().enumerate().find_map(|(number, (path, place))| {
        let (first, _) = known[..number].iter().find(|(_, earlier)| place.is(earlier))?;
        Some((first.as_path(), path.as_path()))
    })
}

/// Where a path leads
struct Place {
    /// Behind all links
    path: PathBuf,
    /// `None` before the file is there
    inode: Option<Inode>,
}

impl Place {
    /// `None` for a pipe or a device, which many may write to, and for a path that leads nowhere.
    fn of(path: &Path) -> Option<Self> {
        match path.metadata() {
            Ok(metadata) if !metadata.is_file() => None,
            Ok(metadata) => Some(Self { path: path.canonicalize().ok()?, inode: Some(Inode::of(&metadata)) }),
            Err(_) => {
                let absolute = std::path::absolute(path).ok()?;
                Some(Self { path: absolute.parent()?.canonicalize().ok()?.join(path.file_name()?), inode: None })
            }
        }
    }

    fn is(&self, other: &Self) -> bool {
        self.path == other.path || (self.inode.is_some() && self.inode == other.inode)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[tokio::test]
    async fn one_file_is_found_under_each_of_its_names() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("real")).unwrap();
        symlink(path("real"), path("link")).unwrap();
        fs::write(path("real/there"), "").unwrap();
        symlink("real/there", path("alias")).unwrap();
        fs::hard_link(path("real/there"), path("hard")).unwrap();
        for (one, other) in [
            ("real/new", "link/new"),
            ("real/new", "real/../real/./new"),
            ("real/there", "alias"),
            ("link/there", "hard"),
        ] {
            let paths = [path("other"), path(one), path(other)];
            assert_eq!(one_file_twice(&paths).await, Some((&*paths[1], &*paths[2])), "{one} {other}");
        }
        let apart = [path("real/there"), path("real/new"), "/dev/null".into(), "/dev/null".into(), path("none/x")];
        assert_eq!(one_file_twice(&apart).await, None);
    }
}
