//! Events about a file that may change: its directory is watched, because a swap of a link and a
//! rename are no events of the file itself. So is each directory with a link on the way to it, as
//! git-sync swaps one above the file.

mod places;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{sync::mpsc, time};

use self::places::Places;
use crate::volume::{on_volume, on_volume_in_turn};

/// A writer that is in the middle of its work gets this long to finish.
const SETTLE: Duration = Duration::from_millis(50);
/// A directory that cannot be watched within this time is not watched.
const WATCH_LIMIT: Duration = Duration::from_secs(10);

/// A watch on the way to a file. Events get lost, so the caller must also look from time to time.
#[derive(Debug)]
pub struct FileWatch {
    path: PathBuf,
    watching: Watching,
    is_settling: bool,
}

/// A watch on some directories
#[derive(Debug)]
struct Watching {
    places: Places,
    _watcher: RecommendedWatcher,
    woken: mpsc::Receiver<()>,
}

impl FileWatch {
    /// Watches the way to this file. The file need not exist.
    pub async fn of(path: &Path) -> Result<Self, String> {
        let owned = path.to_owned();
        // About the file, because several files of one directory may be followed.
        let watching = on_volume(path, WATCH_LIMIT, move || Watching::of(&owned, Places::of(&owned))).await;
        let watching = watching.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok(Self { path: path.to_owned(), watching, is_settling: false })
    }

    /// Resolves a moment after an event that may be a change, or if the way to the file is another
    /// one than at the last call.
    /// No event is lost when the future is dropped.
    pub async fn changed(&mut self) {
        if !self.is_settling {
            if !self.renew().await.unwrap_or(false) {
                // The watcher, which is still there, holds the sender.
                self.watching.woken.recv().await;
            }
            self.is_settling = true;
        }
        time::sleep(SETTLE).await;
        self.is_settling = false;
    }

    /// Watches the present way to the file. True if it is another one, so that the file may have
    /// changed before.
    async fn renew(&mut self) -> io::Result<bool> {
        let (path, former) = (self.path.clone(), self.watching.places.clone());
        // A turn of its own: the caller may give up, and then read the file while this goes on.
        let turn = self.path.join("..");
        let new = on_volume_in_turn(&turn, WATCH_LIMIT, move || {
            let places = Places::of(&path);
            (places != former).then(|| Watching::of(&path, places))
        });
        // Until the directory is there, the former ones are watched.
        let Some(Ok(watching)) = new.await? else { return Ok(false) };
        self.watching = watching;
        Ok(true)
    }
}

impl Watching {
    /// Asks for events of directories; hangs for as long as a volume does not answer. Only that of
    /// the file must be had.
    fn of(path: &Path, places: Places) -> notify::Result<Self> {
        let (wake, woken) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event| {
            if may_be_a_change(&event) {
                // A full channel means that a wake-up is under way already.
                let _ = wake.try_send(());
            }
        })?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
        for directory in places.directories() {
            let _ = watcher.watch(directory, RecursiveMode::NonRecursive);
        }
        Ok(Self { places, _watcher: watcher, woken })
    }
}

/// Reading is an event too, and our own reading must not be a reason to read again.
fn may_be_a_change(event: &notify::Result<notify::Event>) -> bool {
    !event.as_ref().is_ok_and(|event| event.kind.is_access())
}

#[cfg(test)]
mod tests {
    use notify::{
        Event, EventKind,
        event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode},
    };

    use super::*;

    #[test]
    fn whatever_is_not_mere_reading_may_be_a_change() {
        for (kind, change) in [
            (EventKind::Access(AccessKind::Open(AccessMode::Any)), false),
            (EventKind::Access(AccessKind::Close(AccessMode::Read)), false),
            (EventKind::Create(CreateKind::File), true),
            (EventKind::Modify(ModifyKind::Name(RenameMode::To)), true),
            (EventKind::Other, true),
        ] {
            assert_eq!(may_be_a_change(&Ok(Event::new(kind))), change, "{kind:?}");
        }
        assert!(may_be_a_change(&Err(notify::Error::generic("events were lost"))));
    }
}
