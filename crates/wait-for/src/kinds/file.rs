//! `file:///path`: is there, is large enough, has settled, has this mode.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use endpoint::Options;
use futures_util::{FutureExt, future::LocalBoxFuture};
use url::Url;

use super::shape;
use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
};

/// The longest wait for a volume that hangs. The deadline of most attempts comes earlier.
const LIMIT: Duration = Duration::from_secs(600);

#[derive(Debug)]
struct File {
    path: PathBuf,
    min_size: u64,
    mode: Option<u32>,
    settled: Duration,
    /// Size and modification time, and since when we have seen them so. By our own clock: the
    /// writer's may differ.
    seen: Mutex<Option<(Stamp, Instant)>>,
}

type Stamp = (u64, i64, i64);

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "min-size=1KiB")?;
    shape::no_login(url)?;
    let octal = |text: &str| match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 => Ok(mode),
        _ => Err("this is not an octal mode such as 0640".to_owned()),
    };
    Ok(Arc::new(File {
        path: endpoint::path_without_host(url)?,
        min_size: options.parsed("min-size", lifecycle::size)?.unwrap_or(0),
        mode: options.parsed("mode", octal)?,
        settled: options.parsed("settled", lifecycle::duration)?.unwrap_or_default(),
        seen: Mutex::default(),
    }))
}

impl Check for File {
    fn check<'a>(&'a self, _: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let path = self.path.clone();
            // stat(2) hangs where the server of a mount is gone.
            let looked = lifecycle::on_volume_in_turn(&self.path, LIMIT, move || fs::metadata(path)).await?;
            self.judge(&looked?, Instant::now())
        }
        .boxed_local()
    }
}

impl File {
    fn judge(&self, meta: &fs::Metadata, now: Instant) -> Verdict {
        let contrary = |reason| Err(NotReady::new(Cause::Contrary, reason));
        let mode = meta.mode() & 0o7777;
        if meta.len() < self.min_size {
            return contrary(format!("smaller than {} bytes", self.min_size));
        }
        if let Some(wanted) = self.mode.filter(|wanted| *wanted != mode) {
            return contrary(format!("mode is {mode:04o}, not {wanted:04o}"));
        }
        if self.settled > self.quiet_for((meta.len(), meta.mtime(), meta.mtime_nsec()), now) {
            return Err(NotReady::new(Cause::Busy, "still changing"));
        }
        Ok(format!("{} bytes", meta.len()))
    }

    fn quiet_for(&self, stamp: Stamp, now: Instant) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match *seen {
            Some((before, since)) if before == stamp => now.saturating_duration_since(since),
            _ => {
                *seen = Some((stamp, now));
                Duration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_begins_the_wait_anew() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let settled = Duration::from_secs(2);
        let file = File { path: path.path().into(), min_size: 0, mode: None, settled, seen: Mutex::default() };
        let start = Instant::now();
        let ready_after = |seconds| {
            let now = start + Duration::from_secs(seconds);
            file.judge(&fs::metadata(path.path()).unwrap(), now).is_ok()
        };
        assert!(!ready_after(0) && !ready_after(1));
        fs::write(path.path(), "more").unwrap();
        assert!(!ready_after(2) && !ready_after(3));
        assert!(ready_after(4));
    }
}
