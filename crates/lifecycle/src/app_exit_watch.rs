//! The end of the app, for Jobs without native sidecars: a file that appears, or a process that is gone.
//!
//! Both are polled. A file on a shared volume may come without an event, and no event tells of another container's process.
//! A process that lives for less than [`PROCESS_POLL`] may go unnoticed.

use std::{
    io,
    path::{Path, PathBuf},
    sync::mpsc::Sender,
    time::{Duration, Instant},
};

use tokio::{sync::watch, time};

use crate::{
    event::Event,
    log_throttle::LogThrottle,
    process::sees_only_itself,
    process_search::{ProcessSearch, is_running},
    volume::on_volume,
};

/// Between two looks for the file; a stop that comes half a second later costs nothing.
const FILE_POLL: Duration = Duration::from_millis(500);
/// The time that the file's volume has for its answer
const FILE_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two looks for the process: short, because a process that lives between two looks is not seen
const PROCESS_POLL: Duration = Duration::from_millis(100);
/// A process that was not seen for this long may have another name.
const NOT_SEEN: Duration = Duration::from_secs(30);
/// Between two later warnings about it, because a helper that waits for a misspelt name keeps its Job from ending
const NOT_SEEN_STILL: Duration = Duration::from_secs(300);

/// The state of the watch for the app's end
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppEnd {
    /// Nothing looks for it
    NotWatched,
    /// It has not been seen
    Awaited,
    /// The app has gone
    Seen,
}

/// What to look for, and where to report it
pub(crate) struct AppExitWatch {
    pub(crate) file: Option<PathBuf>,
    pub(crate) process: Option<String>,
    pub(crate) proc: PathBuf,
    pub(crate) events: Sender<Event>,
    pub(crate) app_end: watch::Sender<AppEnd>,
}

impl AppExitWatch {
    /// Returns once the app's end has been seen and reported, also during a stop; never when there is nothing to look for.
    pub(crate) async fn watch(self) {
        let file = async {
            match &self.file {
                Some(path) => until_file(path).await,
                None => std::future::pending().await,
            }
        };
        let process = async {
            match &self.process {
                Some(name) => until_process_gone(&self.proc, name).await,
                None => std::future::pending().await,
            }
        };
        let reason = tokio::select! {
            () = file => "the file of --exit-with-file is there",
            () = process => "the process of --exit-with-process is gone",
        };
        self.app_end.send_replace(AppEnd::Seen);
        // The receiver is gone only when the helper is ending anyhow.
        let _ = self.events.send(Event::Quit(reason));
    }
}

/// Waits until the file exists. A volume whose server is gone delays this wait alone.
async fn until_file(path: &Path) {
    let mut throttle = LogThrottle::default();
    loop {
        let file = path.to_owned();
        // A folder that may not be entered hides the file, and is no proof that the app still runs.
        let (error, reason) = match on_volume(path, FILE_TIMEOUT, move || file.try_exists()).await {
            Ok(Ok(true)) => return,
            Ok(Ok(false)) => {
                if throttle.settle() {
                    tracing::info!("the file of --exit-with-file can be looked for again");
                }
                time::sleep(FILE_POLL).await;
                continue;
            }
            Ok(Err(error)) => (error.to_string(), error.to_string()),
            // The error's text changes from the first look to the next, but the failure is the same.
            Err(error) => (error.to_string(), "no answer".to_owned()),
        };
        if throttle.is_due(&reason, Instant::now()) {
            tracing::warn!(path = %path.display(), error, "cannot look for the file of --exit-with-file");
        }
        time::sleep(FILE_POLL).await;
    }
}

/// Waits until a process of this name has been seen and is gone.
async fn until_process_gone(proc: &Path, name: &str) {
    if sees_only_itself(proc) {
        tracing::warn!(
            "--exit-with-process sees no process but this one: set `shareProcessNamespace: true` in the pod's spec"
        );
    }
    let mut throttle = LogThrottle::default();
    let mut absence = Absence::since(time::Instant::now());
    let mut search = ProcessSearch::default();
    let mut process = loop {
        if let Some(Some(process)) = known(search.find(proc, name, time::Instant::now()), &mut throttle) {
            break process;
        }
        if absence.is_due(time::Instant::now()) {
            tracing::warn!(
                name,
                "no process of --exit-with-process was seen yet, and its end would end this helper; is the name as in /proc/PID/comm?"
            );
        }
        time::sleep(PROCESS_POLL).await;
    };
    tracing::info!(name, "the process of --exit-with-process runs");
    loop {
        time::sleep(PROCESS_POLL).await;
        // All of /proc is read only when the known process is gone.
        if known(is_running(proc, process, name), &mut throttle) == Some(false) {
            match known(ProcessSearch::default().find(proc, name, time::Instant::now()), &mut throttle) {
                Some(Some(another)) => process = another,
                Some(None) => return,
                None => {}
            }
        }
    }
}

/// A process that was not seen yet
struct Absence {
    /// When it is warned about next
    warn_at: time::Instant,
}

impl Absence {
    fn since(start: time::Instant) -> Self {
        Self { warn_at: start + NOT_SEEN }
    }

    /// Whether it is time for a warning: the first, or one more.
    fn is_due(&mut self, now: time::Instant) -> bool {
        let is_due = now >= self.warn_at;
        if is_due {
            self.warn_at = now + NOT_SEEN_STILL;
        }
        is_due
    }
}

/// What a look at `/proc` has found. A look that fails, for want of a descriptor or of memory, tells nothing about the app.
fn known<T>(look: io::Result<T>, throttle: &mut LogThrottle) -> Option<T> {
    match look {
        Ok(found) => {
            if throttle.settle() {
                tracing::info!("the process of --exit-with-process can be looked for again");
            }
            Some(found)
        }
        Err(error) => {
            if throttle.is_due(&error.to_string(), Instant::now()) {
                tracing::warn!(%error, "cannot look for the process of --exit-with-process");
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::mpsc};

    use super::*;
    use crate::process::write_process;

    fn watch_of(proc: &Path, events: Sender<Event>) -> AppExitWatch {
        let app_end = watch::Sender::new(AppEnd::Awaited);
        AppExitWatch { file: None, process: Some("app".into()), proc: proc.into(), events, app_end }
    }

    #[test]
    fn a_process_that_never_comes_is_warned_about_again_and_again() {
        let start = time::Instant::now();
        let mut absence = Absence::since(start);
        let seconds = (0..1000).filter(|second| absence.is_due(start + Duration::from_secs(*second)));
        assert_eq!(seconds.collect::<Vec<_>>(), [30, 330, 630, 930]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_fails_is_no_end_of_the_app() {
        let proc = tempfile::tempdir().unwrap();
        let (events, received) = mpsc::channel();
        write_process(proc.path(), 7, "7 (app) S 1 7");
        let watch = watch_of(proc.path(), events);
        let app_end = watch.app_end.subscribe();
        let watch = tokio::spawn(watch.watch());
        time::sleep(PROCESS_POLL * 3).await;
        // A folder in the file's place fails each read, as a lack of descriptors does.
        let stat = proc.path().join("7").join("stat");
        fs::remove_file(&stat).unwrap();
        fs::create_dir(&stat).unwrap();
        time::sleep(PROCESS_POLL * 30).await;
        assert!(received.try_recv().is_err());
        fs::remove_dir_all(proc.path().join("7")).unwrap();
        assert_eq!(*app_end.borrow(), AppEnd::Awaited);
        watch.await.unwrap();
        assert!(matches!(received.try_recv(), Ok(Event::Quit(_))));
        assert_eq!(*app_end.borrow(), AppEnd::Seen);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_must_have_been_seen_before_its_absence_counts_and_need_not_live_long() {
        let proc = tempfile::tempdir().unwrap();
        let (events, received) = mpsc::channel();
        let watch = watch_of(proc.path(), events);
        let app_end = watch.app_end.subscribe();
        let watch = tokio::spawn(watch.watch());
        time::sleep(PROCESS_POLL * 30).await;
        assert!(received.try_recv().is_err());
        write_process(proc.path(), 7, "7 (app) S 1 7");
        time::sleep(Duration::from_millis(150)).await;
        assert!(received.try_recv().is_err());
        // Another one of that name goes on when the first is gone.
        write_process(proc.path(), 8, "8 (app) S 1 8");
        fs::remove_dir_all(proc.path().join("7")).unwrap();
        time::sleep(PROCESS_POLL * 3).await;
        assert!(received.try_recv().is_err());
        fs::remove_dir_all(proc.path().join("8")).unwrap();
        assert_eq!(*app_end.borrow(), AppEnd::Awaited);
        watch.await.unwrap();
        assert!(matches!(received.try_recv(), Ok(Event::Quit(_))));
        assert_eq!(*app_end.borrow(), AppEnd::Seen);
    }
}
