//! `tcp://host:port`, `tls://host:port`: lines on one connection. There is no acknowledgement, so a connection that breaks may
//! take along what the other side had not read.

use std::{io, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time,
};

use super::{
    Attempt, Opened, Output, Scheme, Setup,
    dial::{self, Dialer, Stream, words},
};
use crate::{
    batch::Batch,
    encoding::{self, Encoding},
};

/// A connection and a batch must pass within this; a receiver that reads nothing for so long is as good as gone.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A server judges our certificate only after the handshake (TLS 1.3), and says so within this, or takes it.
const VERDICT: Duration = Duration::from_millis(100);

/// Lines on one connection
pub(super) const TCP: Scheme = Scheme {
    name: "tcp",
    example: "tcp://collector:5140",
    delivered: "once the system has taken it; there is no acknowledgement",
    options: &[encoding::OPTION],
    shared: &[],
    open: |setup| {
        let dialer = Dialer::plain(setup.url, None)?;
        open(setup, dialer, None)
    },
};

/// Likewise, over TLS
pub(super) const TLS: Scheme = Scheme {
    name: "tls",
    example: "tls://collector:6514",
    shared: &[dial::TLS],
    open: |setup| {
        let dialer = Dialer::secure(setup, None)?;
        open(setup, dialer, Some(VERDICT))
    },
    ..TCP
};

fn open(setup: &mut Setup, dialer: Dialer, verdict: Option<Duration>) -> Opened {
    let encoding = Encoding::from_options(&mut setup.options, Encoding::Raw)?;
    Ok(Box::new(Tcp { dialer, verdict, encoding, stream: None, room: Vec::new() }))
}

struct Tcp {
    dialer: Dialer,
    /// How long a new connection is looked at before it is used
    verdict: Option<Duration>,
    encoding: Encoding,
    stream: Option<Box<dyn Stream>>,
    room: Vec<u8>,
}

impl Output for Tcp {
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            // Whatever fails may have taken a part of a line; the next connection begins with a whole one.
            match time::timeout(TIMEOUT, self.send(batch)).await {
                Ok(Ok(())) => Attempt::Delivered,
                Ok(Err(reason)) => Attempt::again(reason),
                Err(_) => Attempt::again("nothing was taken within a minute"),
            }
        })
    }
}

impl Tcp {
    async fn send(&mut self, batch: &Batch) -> Result<(), String> {
        let kept = self.stream.take().and_then(|mut stream| look(&mut stream).is_ok().then_some(stream));
        let mut stream = match kept {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        let bytes = self.encoding.bytes(batch, &mut self.room);
        let written = async {
            stream.write_all(bytes).await?;
            stream.flush().await?;
            look(&mut stream)
        };
        written.await.map_err(|error| words(&error))?;
        self.stream = Some(stream);
        Ok(())
    }

    async fn connect(&mut self) -> Result<Box<dyn Stream>, String> {
        let mut stream = self.dialer.dial().await?;
        if let Some(verdict) = self.verdict
            && let Ok(error) = time::timeout(verdict, end(&mut stream)).await
        {
            return Err(words(&error));
        }
        Ok(stream)
    }
}

/// Whether the other side has not closed. What it may have said is thrown away: unread, it would make our own close a reset.
fn look(stream: &mut impl Stream) -> io::Result<()> {
    end(stream).now_or_never().map_or(Ok(()), Err)
}

/// Waits until the other side closes or breaks.
async fn end(stream: &mut impl Stream) -> io::Error {
    let mut bytes = [0; 1024];
    loop {
        match stream.read(&mut bytes).await {
            Ok(0) => return io::Error::new(io::ErrorKind::ConnectionAborted, "closed by the receiver"),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}
