//! Lines of a text protocol, and the hand-over to TLS between two of them.

use endpoint::Stream;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::{
    not_ready::{CUT, Cause, NotReady},
    wire::Login,
};

/// A connection from which lines are read
pub(crate) type Lines = BufReader<Box<dyn Stream>>;

/// The next line without its end. More than `most` bytes without an end are an error.
pub(crate) async fn read_line(stream: &mut (impl AsyncBufRead + Unpin), most: u64) -> Result<String, NotReady> {
    let mut line = Vec::new();
    stream.take(most).read_until(b'\n', &mut line).await?;
    match line.pop() {
        Some(b'\n') => Ok(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned()),
        Some(_) if line.len() as u64 + 1 >= most => Err(NotReady::new(Cause::Odd, "a line of the answer has no end")),
        Some(_) => Err(NotReady::new(Cause::Absent, CUT)),
        None => Err(NotReady::unanswered()),
    }
}

/// Goes over to TLS where that is wanted. Bytes that came before TLS and were not asked for may be
/// of somebody between, and would count as an answer of the server (CVE-2011-0411).
pub(crate) async fn secure(login: &Login<'_>, plain: Lines) -> Result<Lines, NotReady> {
    if login.tls.is_some() && !plain.buffer().is_empty() {
        return Err(NotReady::new(Cause::Odd, "the server says more than it was asked before TLS"));
    }
    if login.tls.is_some() {
        return Ok(BufReader::new(login.secure_agreed(plain.into_inner()).await?));
    }
    Ok(plain)
}
