//! The page that `lint` reads: a URL, a file, a pipe or standard input.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    time::Duration,
};

use endpoint::url_label;
use lifecycle::{Exit, on_volume_in_turn};
use rustix::fs::{Mode, OFlags, open};
use tokio::task;

use crate::{
    args::without_password,
    exposition::{compression::Encoding, page_format::PageFormat},
    fetch::{Body, fetch, fetch_fault::Reason},
    page_memory::{PageMemory, Reserve},
    source::{Source, source_url::SourceUrl},
};

/// The most bytes of a page; every scraper refuses a larger one
const MAX_BYTES: usize = 256 * 1024 * 1024;
/// The longest time for a server or a volume to answer
const LIMIT: Duration = Duration::from_secs(30);

/// The place of a page
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Url(Box<SourceUrl>),
    File(PathBuf),
    StandardInput,
}

impl Target {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("write a URL, a file, or - for standard input".to_owned()),
            "-" => Ok(Self::StandardInput),
            url if url.contains("://") => SourceUrl::from_text(url).map(|url| Self::Url(url.into())),
            path => Ok(Self::File(path.into())),
        }
    }

    /// The target without secrets, for messages.
    pub(super) fn label(text: &str) -> String {
        if text.contains("://") { url_label(text) } else { text.to_owned() }
    }

    pub(super) fn judge_argument(&self) -> Result<(), String> {
        match self {
            Self::Url(url) => without_password(url),
            Self::File(_) | Self::StandardInput => Ok(()),
        }
    }

    /// Reads the page. The format of a URL is that of its content type; the format of a file follows from its content.
    pub(super) async fn body(self) -> anyhow::Result<Body> {
        let bytes = match self {
            Self::Url(url) => return fetch_page(*url).await,
            Self::File(path) => {
                let name = path.display().to_string();
                read_file(path).await.map_err(|error| {
                    let exit = if error.kind() == io::ErrorKind::PermissionDenied { Exit::Denied } else { Exit::Io };
                    let is_url = error.kind() == io::ErrorKind::NotFound && name.contains(':');
                    let remedy = if is_url { "; a URL begins with http://" } else { "" };
                    // A URL without its scheme may hold a password.
                    let name = if name.contains('@') { "the file" } else { &*name };
                    exit.because(format!("cannot read {name}: {error}{remedy}"))
                })?
            }
            Self::StandardInput => read_bounded(io::stdin().lock())
                .map_err(|error| Exit::Io.because(format!("cannot read standard input: {error}")))?,
        };
        if bytes.len() > MAX_BYTES {
            return Err(Exit::Data.because(format!("the page is larger than {MAX_BYTES} bytes")));
        }
        let encoding = encoding(&bytes);
        let bytes = encoding.decompress(bytes, MAX_BYTES);
        let bytes = bytes.map_err(|fault| Exit::Data.because(format!("this is no page of metrics: {fault}")))?;
        Ok(Body { format: format(&bytes), bytes })
    }
}

/// Requests the page like a scraper.
async fn fetch_page(url: SourceUrl) -> anyhow::Result<Body> {
    let label = url.client.label();
    let source = Source { name: url.default_name, client: url.client, rules: Vec::new() };
    let memory = PageMemory::new(usize::MAX).body(1, MAX_BYTES, &Reserve::default());
    let fetched = fetch(&source, false, None, LIMIT, memory).await;
    fetched.result.map_err(|fault| exit_of(fault.reason).because(format!("{label} gave no page: {}", fault.text)))
}

fn exit_of(reason: Reason) -> Exit {
    match reason {
        Reason::Dns
        | Reason::Refused
        | Reason::Unreachable
        | Reason::TimedOut
        | Reason::Tls
        | Reason::HttpStatus
        | Reason::Redirect
        | Reason::Loop => Exit::Unavailable,
        Reason::File => Exit::Io,
        Reason::ContentType
        | Reason::NoMetrics
        | Reason::TwoLengths
        | Reason::BadAnswer
        | Reason::BadEncoding
        | Reason::TooLarge
        | Reason::Memory
        | Reason::Malformed => Exit::Data,
        Reason::Bug => Exit::Bug,
    }
}

/// Reads a file within the time limit; waits for the writer of a pipe without a limit, as for standard input.
async fn read_file(path: PathBuf) -> io::Result<Vec<u8>> {
    let owned = path.clone();
    let kind = on_volume_in_turn(&path, LIMIT, move || fs::metadata(owned)).await??.file_type();
    if kind.is_fifo() {
        return task::spawn_blocking(move || read_bounded(File::open(path)?)).await?;
    }
    if !kind.is_file() {
        return Err(io::Error::other("it is neither a file nor a pipe"));
    }
    let owned = path.clone();
    on_volume_in_turn(&path, LIMIT, move || read_regular(&owned)).await?
}

/// Opens without waiting, because the file may have become a FIFO since the check.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    read_bounded(File::from(open(path, flags, Mode::empty())?))
}

/// Reads one byte more than the limit, which shows that there is more.
fn read_bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The encoding, by its magic number, with which no page begins.
fn encoding(bytes: &[u8]) -> Encoding {
    if bytes.starts_with(b"\x1f\x8b") {
        Encoding::Gzip
    } else if bytes.starts_with(b"\x28\xb5\x2f\xfd") {
        Encoding::Zstd
    } else {
        Encoding::Identity
    }
}

/// The format, by the content. Protobuf has bytes that text does not have: the small numbers of lengths and types.
fn format(bytes: &[u8]) -> PageFormat {
    let is_text = str::from_utf8(bytes).is_ok() && !bytes.iter().any(|byte| *byte < 9);
    if !is_text {
        PageFormat::Protobuf
    } else if bytes.trim_ascii_end().ends_with(b"# EOF") {
        PageFormat::OpenMetrics
    } else {
        PageFormat::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_in_the_content() {
        for (page, expected) in [
            (&b""[..], PageFormat::Text),
            (b"x 1\n", PageFormat::Text),
            ("x{a=\"\u{e9}\"} 1\n".as_bytes(), PageFormat::Text),
            (b"x 1\n# EOF\n", PageFormat::OpenMetrics),
            (b"# EOF", PageFormat::OpenMetrics),
            (b"\x12\x0a\x01x\x18\x01\x22\x0b\x12\x09\x09\0\0\0\0\0\0\xf0\x3f", PageFormat::Protobuf),
        ] {
            assert_eq!(format(page), expected, "{page:?}");
        }
    }
}
