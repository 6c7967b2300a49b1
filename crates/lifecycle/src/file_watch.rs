//! Events about a file that may change: its directory is watched, because a swap of a link and a rename are no events of the
//! file itself.

use std::{path::Path, time::Duration};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{sync::mpsc, time};

use crate::volume::on_volume;

/// A writer that is in the middle of its work gets this long to finish.
const SETTLE: Duration = Duration::from_millis(50);
/// A directory that cannot be watched within this time is not watched.
const WATCH_LIMIT: Duration = Duration::from_secs(10);

/// A watch on the directory of a file. Events get lost, so the caller must also look from time to time.
#[derive(Debug)]
pub struct FileWatch {
    _watcher: RecommendedWatcher,
    woken: mpsc::Receiver<()>,
    is_settling: bool,
}

impl FileWatch {
    /// Watches the directory of this file. The file need not exist.
    pub async fn of(path: &Path) -> Result<Self, String> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let owned = directory.to_owned();
        let (wake, woken) = mpsc::channel(1);
        // About the file, because several files of one directory may be followed.
        let watching = on_volume(path, WATCH_LIMIT, move || watcher(&owned, wake)).await;
        let watcher = watching.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok(Self { _watcher: watcher, woken, is_settling: false })
    }

    /// Resolves a moment after an event that may be a change. No event is lost when the future is dropped.
    pub async fn changed(&mut self) {
        if !self.is_settling {
            // The watcher, which is still there, holds the sender.
            self.woken.recv().await;
            self.is_settling = true;
        }
        time::sleep(SETTLE).await;
        self.is_settling = false;
    }
}

/// Asks for events of a directory; hangs for as long as the volume does not answer.
fn watcher(directory: &Path, wake: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event| {
        if may_be_a_change(&event) {
            // A full channel means that a wake-up is under way already.
            let _ = wake.try_send(());
        }
    })?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    Ok(watcher)
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
