//! `stdout://` and `file:///path`: a line is delivered when the system has taken it.

use std::{
    fs::File,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    task::{self, JoinHandle},
    time,
};

use super::{
    Attempt, Opened, Output, Scheme, Setup,
    writing::{Identity, Progress, has_name, open_lines},
};
use crate::{
    outputs::encoding::{self, Encoding},
    own_files::OwnFiles,
    records::batch::Batch,
};

/// The helper's own output: what `kubectl logs` shows
pub(super) const STDOUT: Scheme = Scheme {
    name: "stdout",
    example: "stdout://",
    delivered: "once it is written",
    options: &[encoding::OPTION],
    shared: &[],
    open: open_stdout,
};

/// Appends to a file
pub(super) const FILE: Scheme = Scheme {
    name: "file",
    example: "file:///var/log/all.log",
    delivered: "once it is written",
    options: &[encoding::OPTION],
    shared: &[],
    open: open_file,
};

fn open_stdout(setup: &mut Setup) -> Opened {
    let url = setup.url;
    if url.host_str().is_some_and(|host| !host.is_empty()) || !["", "/"].contains(&url.path()) {
        return Err("write stdout:// without anything behind it".into());
    }
    Writer::boxed(None, setup)
}

fn open_file(setup: &mut Setup) -> Opened {
    let path = setup.url.to_file_path().map_err(|()| "write file:///PATH, with an absolute path on this host")?;
    Writer::boxed(Some(path), setup)
}

/// A write that takes longer fails its attempt: a FIFO has no reader, or the server of a volume is
/// gone.
const TIMEOUT: Duration = Duration::from_secs(10);

struct Writer {
    /// `None` is stdout
    path: Option<PathBuf>,
    own_files: OwnFiles,
    encoding: Encoding,
    state: State,
    /// A write that goes on, although its attempt is over
    writing: Option<Writing>,
}

/// A write on a thread of its own
struct Writing {
    batch: Identity,
    /// A new configuration has changed its records, so that they are not to be written as they are.
    is_superseded: Arc<AtomicBool>,
    thread: JoinHandle<(State, io::Result<()>)>,
}

/// The things that are lent to the thread that writes
#[derive(Default)]
struct State {
    file: Option<File>,
    progress: Progress,
    room: Vec<u8>,
}

impl Writer {
    fn boxed(path: Option<PathBuf>, setup: &mut Setup) -> Opened {
        let encoding = Encoding::from_options(&mut setup.options, Encoding::Raw)?;
        Ok(Box::new(Self {
            path,
            own_files: setup.own_files.clone(),
            encoding,
            state: State::default(),
            writing: None,
        }))
    }

    fn start(&mut self, batch: Batch) -> Writing {
        let (path, own_files, encoding) = (self.path.clone(), self.own_files.clone(), self.encoding);
        let mut state = std::mem::take(&mut self.state);
        let (identity, is_superseded) = (Identity::of(&batch), Arc::<AtomicBool>::default());
        let is_stale = is_superseded.clone();
        let thread = task::spawn_blocking(move || {
            let written = state.write(path, &own_files, encoding, &batch, &is_stale);
            (state, written)
        });
        Writing { batch: identity, is_superseded, thread }
    }

    async fn write(&mut self, batch: &Batch) -> Attempt {
        loop {
            let mut writing = self.writing.take().unwrap_or_else(|| self.start(batch.clone()));
            if Identity::of(batch).supersedes(&writing.batch) {
                writing.is_superseded.store(true, Ordering::Relaxed);
            }
            match time::timeout(TIMEOUT, &mut writing.thread).await {
                Ok(Ok((state, written))) => {
                    self.state = state;
                    // A limit of retries may have ended the attempts at another batch while its
                    // write went on. The end of that write says nothing of this batch.
                    if writing.batch == Identity::of(batch) {
                        let failed = |error| Attempt::again(lifecycle::io_text(&error));
                        return written.map_or_else(failed, |()| Attempt::Delivered);
                    }
                }
                Ok(Err(error)) => return Attempt::again(error),
                Err(_) => {
                    self.writing = Some(writing);
                    let timeout = lifecycle::format_duration(TIMEOUT);
                    let reason = format!("nothing was taken within {timeout}: its reader or its volume hangs");
                    return Attempt::again(reason);
                }
            }
        }
    }
}

impl Output for Writer {
    /// On a thread of its own, because a pipe without a reader blocks its writer. The next attempt
    /// at the same batch waits for the same write.
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Attempt> {
        Box::pin(self.write(batch))
    }
}

impl State {
    fn write(
        &mut self,
        path: Option<PathBuf>,
        own_files: &OwnFiles,
        encoding: Encoding,
        batch: &Batch,
        is_superseded: &AtomicBool,
    ) -> io::Result<()> {
        let bytes = encoding.bytes(batch, &mut self.room);
        let Some(path) = path else {
            let mut stdout = io::stdout().lock();
            self.progress.write(batch, bytes, &mut stdout)?;
            return io::Write::flush(&mut stdout);
        };
        let file = if let Some(file) = self.file.take().filter(|file| has_name(file, &path)) {
            file
        } else {
            // Lines in a file that was rotated away stay there; the new file gets the whole batch.
            self.progress = Progress::default();
            open_lines(&path, own_files)?
        };
        if is_superseded.load(Ordering::Relaxed) {
            // A FIFO had no reader until now.
            self.file = Some(file);
            return Ok(());
        }
        let written = self.progress.write(batch, bytes, &mut &file);
        if written.is_err() {
            self.progress.cut_back(bytes, &file, &path);
        }
        // The next attempt goes on in the same file.
        self.file = Some(file);
        written
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, thread};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;
    use crate::{
        filters::Rules,
        format::Format,
        records::{
            span::{Mark, of},
            treatment::Treatment,
        },
    };

    /// A pipe that nothing reads yet, and its writer
    fn fifo(directory: &Path) -> (PathBuf, Writer) {
        let path = directory.join("fifo");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let writer = Writer {
            path: Some(path.clone()),
            own_files: OwnFiles::default(),
            encoding: Encoding::Raw,
            state: State::default(),
            writing: None,
        };
        (path, writer)
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_was_given_up_delivers_no_other_batch() {
        let directory = tempfile::tempdir().unwrap();
        let (fifo, mut writer) = fifo(directory.path());
        let (one, two) = Batch::from(of(b"one\ntwo\n", Mark::Whole)).halves().unwrap();
        // Nothing reads the pipe, so that its writer waits, and the batch is given up.
        let (attempt, ()) = tokio::join!(writer.deliver(&one), time::advance(TIMEOUT));
        assert!(matches!(attempt, Attempt::Again { .. }), "{attempt:?}");
        let reader = thread::spawn(move || fs::read_to_string(fifo).unwrap());
        assert_eq!(writer.deliver(&two).await, Attempt::Delivered);
        drop(writer);
        assert_eq!(reader.join().unwrap(), "one\ntwo\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_waits_is_not_made_as_it_was_before_a_new_configuration() {
        let directory = tempfile::tempdir().unwrap();
        let (fifo, mut writer) = fifo(directory.path());
        let before = Batch::from(of(b"key=1\n", Mark::Whole));
        let rules = Rules { redact: vec!["key=(?<secret>.)".parse().unwrap()], ..Rules::default() };
        let (_, redaction) = rules.of(&Format::default()).unwrap();
        let treatment = Arc::new(Treatment { redaction, ..Treatment::default() });
        let after = before.map(|span| span.retreated(&treatment));
        assert!(after.name() != before.name());
        assert_eq!(after.map(|span| span.retreated(&treatment)).name(), after.name());
        for batch in [&before, &after] {
            let (attempt, ()) = tokio::join!(writer.deliver(batch), time::advance(TIMEOUT));
            assert!(matches!(attempt, Attempt::Again { .. }), "{attempt:?}");
        }
        let reader = thread::spawn(move || fs::read_to_string(fifo).unwrap());
        assert_eq!(writer.deliver(&after).await, Attempt::Delivered);
        drop(writer);
        assert_eq!(reader.join().unwrap(), "key=[REDACTED]\n");
    }
}
