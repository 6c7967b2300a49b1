//! `forward://host:24224`, `forward+tls://`: Fluent's forward protocol, version 1, as Fluentd and
//! Fluent Bit speak it. A batch is one message (`PackedForward`), and delivered once the other side
//! has answered with its name.

mod entries;
mod handshake;
mod pack;
pub(crate) mod reply;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use endpoint::{PASSWORD_OPTIONS, Stream};
use futures_util::{FutureExt, future::BoxFuture};
use rustix::system::uname;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time,
};

use self::{
    handshake::Credentials,
    pack::Pack,
    reply::{Fault, Reply},
};
use super::{
    Attempt, Opened, Output, Scheme, Setup,
    compression::Compression,
    dial::{self, Dialer, error_text},
};
use crate::records::{
    batch::Batch,
    pool::{Buffer, Pool},
    span::Source,
};

/// A whole exchange must pass within this, unless `ack-timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A server that sends HELO sends it at once.
const HELO_TIMEOUT: Duration = Duration::from_secs(10);
/// Where no HELO is expected, wait this long for one, because a server with a shared key closes a
/// connection on which the client speaks first, without a reason.
const GREETING: Duration = Duration::from_millis(100);
const PORT: Option<u16> = Some(24224);
/// Bytes that are read at once
const READ: u64 = 1024;
/// Bytes of an entry around its message
const ENTRY_OVERHEAD: usize = 160;

/// Batches as messages, each of which is acknowledged
pub(super) const PLAIN: Scheme = Scheme {
    name: "forward",
    example: "forward://fluentd:24224",
    delivered: "once the batch is acknowledged",
    options: &[
        "tag=TAG",
        "gzip",
        "ack-timeout=60s",
        "shared-key-file=PATH",
        "shared-key-env=NAME",
        "user=NAME",
        PASSWORD_OPTIONS[0],
        PASSWORD_OPTIONS[1],
        dial::AGE_OPTION,
    ],
    shared: &[],
    open: |setup| {
        let dialer = Dialer::plain(setup.url, PORT)?;
        open(setup, dialer)
    },
};

/// The same, over TLS
pub(super) const TLS: Scheme = Scheme {
    name: "forward+tls",
    example: "forward+tls://fluentd:24224",
    shared: &[dial::TLS],
    open: |setup| {
        let dialer = Dialer::secure(setup, PORT)?;
        open(setup, dialer)
    },
    ..PLAIN
};

fn open(setup: &mut Setup, mut dialer: Dialer) -> Opened {
    dialer.take_age(&mut setup.options)?;
    Ok(Box::new(Forward {
        dialer,
        credentials: Credentials::from_options(&mut setup.options)?,
        ourselves: uname().nodename().to_string_lossy().into_owned(),
        tag: setup.options.text("tag")?,
        gzip: setup.options.switch("gzip")?.then(Compression::gzip),
        timeout: setup.options.parsed("ack-timeout", lifecycle::duration)?.unwrap_or(TIMEOUT),
        pool: setup.pool.clone(),
        connection: None,
    }))
}

struct Forward {
    dialer: Dialer,
    credentials: Credentials,
    /// The name of this machine, which in a pod is the pod's
    ourselves: String,
    tag: Option<String>,
    gzip: Option<Compression>,
    timeout: Duration,
    pool: Pool,
    connection: Option<Connection>,
}

impl Output for Forward {
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            let timeout = self.timeout;
            // A failure closes the connection, because a late acknowledgement must not be taken for
            // another batch's.
            match time::timeout(timeout, self.send(batch)).await {
                Ok(Ok(())) => Attempt::Delivered,
                Ok(Err(reason)) => Attempt::again(reason),
                Err(_) => Attempt::again(format!("no acknowledgement within {}", lifecycle::format_duration(timeout))),
            }
        })
    }

    fn gathers(&self) -> bool {
        true
    }

    /// A message has one tag.
    fn joins(&self, first: &Source, next: &Source) -> bool {
        self.tag.is_some() || tag(first) == tag(next)
    }
}

impl Forward {
    async fn send(&mut self, batch: &Batch) -> Result<(), String> {
        let kept = self.connection.take().filter(|_| !self.dialer.is_expired()).and_then(Connection::still_open);
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let chunk = STANDARD.encode(batch.name());
        let entries = self.entries(batch)?;
        let (before, after) = self.around(batch, &entries, &chunk);
        connection.write(&[&before, &entries.0, &after]).await?;
        match connection.read().await? {
            Reply::Ack(acknowledged) if acknowledged == chunk.as_bytes() => {}
            Reply::Ack(_) => return Err("it acknowledges what was not sent".into()),
            other => return Err(unwanted(&other).into()),
        }
        self.connection = Some(connection).filter(|connection| connection.keepalive);
        Ok(())
    }

    async fn connect(&mut self) -> Result<Connection, String> {
        let mut connection = Connection { stream: self.dialer.dial().await?, heard: Vec::new(), keepalive: true };
        if self.credentials.any() {
            // Shorter than the timeout of the whole exchange, so that this is the reason in the
            // log.
            let timeout = HELO_TIMEOUT.min(self.timeout / 2);
            let helo = time::timeout(timeout, connection.read()).await.map_err(|_| {
                let timeout = lifecycle::format_duration(timeout);
                format!("no HELO within {timeout}: does the server have a shared key?")
            })??;
            let Reply::Helo { nonce, auth, keepalive } = helo else {
                return Err("the first word of the server is not HELO".into());
            };
            let (ping, challenge) = self.credentials.ping(&self.ourselves, nonce, &auth).await?;
            connection.write(&[&ping]).await?;
            challenge.settle(connection.read().await?)?;
            connection.keepalive = keepalive;
        } else if let Ok(said) = time::timeout(GREETING, connection.read()).await {
            return Err(unwanted(&said?).into());
        }
        Ok(connection)
    }

    /// The entries of a batch as they are sent, and how many there are
    fn entries(&mut self, batch: &Batch) -> Result<(Buffer, usize), String> {
        let mut entries = self.pool.empty(batch.length() * 2 + ENTRY_OVERHEAD);
        let count = batch.spans().iter().map(|span| entries::write(span, &mut entries)).sum();
        match &mut self.gzip {
            Some(gzip) => Ok((gzip.compress(&entries, &self.pool)?, count)),
            None => Ok((entries, count)),
        }
    }

    /// The bytes before and behind the entries: the tag, and options
    fn around(&self, batch: &Batch, entries: &(Buffer, usize), chunk: &str) -> (Vec<u8>, Vec<u8>) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let mut pack = Pack(&mut before);
        pack.array(3);
        match &self.tag {
            Some(tag) => pack.text(tag),
            None => pack.text(&batch.spans().first().map(|span| tag(&span.source)).unwrap_or_default()),
        }
        pack.binary(entries.0.len());
        let mut pack = Pack(&mut after);
        pack.map(2 + usize::from(self.gzip.is_some()));
        pack.text("size");
        pack.unsigned(entries.1 as u64);
        // As text: one receiver does not see what is binary.
        pack.text("chunk");
        pack.text(chunk);
        if self.gzip.is_some() {
            pack.text("compressed");
            pack.text("gzip");
        }
        (before, after)
    }
}

fn unwanted(reply: &Reply) -> &'static str {
    match reply {
        Reply::Helo { .. } => "the server wants a shared key: give shared-key-file=PATH",
        _ => "the answer is no acknowledgement",
    }
}

/// `kubernetes.NAMESPACE.POD.CONTAINER` where the pod says these, and else `file` and the path, all
/// joined by dots
fn tag(source: &Source) -> String {
    let attributes = &source.treatment.attributes;
    let names = ["k8s.namespace.name", "k8s.pod.name", "k8s.container.name"];
    let known = names.iter().filter_map(|name| attributes.iter().find(|(key, _)| key == name));
    let tag = known.fold("kubernetes".to_owned(), |tag, (_, value)| tag + "." + value);
    if tag == "kubernetes" { format!("file{}", source.path.to_string_lossy().replace('/', ".")) } else { tag }
}

/// A connection, and the bytes that came on it and are not read yet
struct Connection {
    stream: Box<dyn Stream>,
    heard: Vec<u8>,
    /// Whether the server wants to see another message on it
    keepalive: bool,
}

impl Connection {
    /// `None` if the server has closed or has sent bytes unasked, because these acknowledge no
    /// later batch.
    fn still_open(mut self) -> Option<Self> {
        let is_quiet = self.heard.is_empty() && self.stream.read(&mut [0]).now_or_never().is_none();
        is_quiet.then_some(self)
    }

    async fn write(&mut self, parts: &[&[u8]]) -> Result<(), String> {
        for part in parts {
            self.stream.write_all(part).await.map_err(|error| error_text(&error))?;
        }
        self.stream.flush().await.map_err(|error| error_text(&error))
    }

    /// The next message from the server
    async fn read(&mut self) -> Result<Reply, String> {
        loop {
            match reply::read(&self.heard) {
                Ok((reply, length)) => {
                    self.heard.drain(..length);
                    return Ok(reply);
                }
                Err(Fault::Short) if self.heard.len() < reply::LIMIT => {}
                Err(_) => return Err("the answer is not of the forward protocol".into()),
            }
            let read = (&mut self.stream).take(READ).read_buf(&mut self.heard).await;
            if read.map_err(|error| error_text(&error))? == 0 {
                return Err("closed without an acknowledgement".into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::span::{Mark, of};

    #[test]
    fn a_tag_is_the_pod_or_the_path() {
        assert_eq!(tag(&of(b"one\n", Mark::Whole).source), "file.logs.app.log");
    }
}
