//! `stdout://` and `file:///path`: a line is delivered when the system has taken it.

use std::{
    fs::{File, Metadata},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    task::{self, JoinHandle},
    time,
};

use super::{
    Attempt, Opened, Output, Scheme, Setup,
    writing::{Progress, open_lines},
};
use crate::{
    content::volume::Inode,
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

/// A write that takes longer is reported: a FIFO without a reader, or a volume whose server is gone.
const PATIENCE: Duration = Duration::from_secs(10);

struct Writer {
    /// `None` is stdout
    path: Option<PathBuf>,
    own_files: OwnFiles,
    encoding: Encoding,
    state: State,
    /// A write that goes on, although its attempt is over
    writing: Option<JoinHandle<(State, io::Result<()>)>>,
}

/// What is lent to the thread that writes
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

    fn start(&mut self, batch: Batch) -> JoinHandle<(State, io::Result<()>)> {
        let (path, own_files, encoding) = (self.path.clone(), self.own_files.clone(), self.encoding);
        let mut state = std::mem::take(&mut self.state);
        task::spawn_blocking(move || {
            let written = state.write(path, &own_files, encoding, &batch);
            (state, written)
        })
    }
}

impl Output for Writer {
    /// On a thread of its own, because a pipe without a reader blocks its writer. The next attempt, which is at the same batch,
    /// waits for the same write.
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            let mut writing = self.writing.take().unwrap_or_else(|| self.start(batch.clone()));
            match time::timeout(PATIENCE, &mut writing).await {
                Ok(Ok((state, written))) => {
                    self.state = state;
                    written.map_or_else(Attempt::again, |()| Attempt::Delivered)
                }
                Ok(Err(error)) => Attempt::again(error),
                Err(_) => {
                    self.writing = Some(writing);
                    let patience = lifecycle::format_duration(PATIENCE);
                    Attempt::again(format!("nothing was taken within {patience}: its reader or its volume hangs"))
                }
            }
        })
    }
}

impl State {
    fn write(
        &mut self,
        path: Option<PathBuf>,
        own_files: &OwnFiles,
        encoding: Encoding,
        batch: &Batch,
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
            // What a file has that was rotated away stays there; this one gets the batch whole.
            self.progress = Progress::default();
            open_lines(&path, own_files)?
        };
        let written = self.progress.write(batch, bytes, &mut &file);
        if written.is_err() {
            self.progress.cut_back(bytes, &file, &path);
        }
        // The next attempt goes on in the same file.
        self.file = Some(file);
        written
    }
}

/// Whether the path still leads to this file: it may have been rotated or deleted.
fn has_name(file: &File, path: &Path) -> bool {
    let inode = |metadata: io::Result<Metadata>| metadata.map(|metadata| Inode::of(&metadata)).ok();
    inode(file.metadata()) == inode(path.metadata())
}
