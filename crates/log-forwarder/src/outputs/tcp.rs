//! `tcp://host:port`: lines on one connection. There is no acknowledgement, so a connection that breaks may take along what
//! the other side had not read.

use std::{io, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{io::AsyncWriteExt, net::TcpStream, time};
use url::Url;

use super::{Attempt, Opened, Output, Scheme, Setup};
use crate::{
    batch::Batch,
    encoding::{self, Encoding},
};

/// A connection and a batch must pass within this; a receiver that reads nothing for so long is as good as gone.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Lines on one connection
pub(super) const SCHEME: Scheme = Scheme {
    name: "tcp",
    example: "tcp://collector:5140",
    delivered: "once the system has taken it; there is no acknowledgement",
    options: &[encoding::OPTION],
    shared: &[],
    open,
};

fn open(setup: &mut Setup) -> Opened {
    let address = Address::of(setup.url, None)?;
    let encoding = Encoding::from_options(&mut setup.options, Encoding::Raw)?;
    Ok(Box::new(Tcp { address, encoding, stream: None, room: Vec::new() }))
}

/// A host and a port to dial
#[derive(Clone, Debug)]
pub(super) struct Address {
    host: String,
    port: u16,
}

impl Address {
    pub(super) fn of(url: &Url, default_port: Option<u16>) -> Result<Self, String> {
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the host is missing")?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = url.port().or(default_port).filter(|port| *port > 0);
        let port = port.ok_or_else(|| format!("the port is missing: write {}://{host}:PORT", url.scheme()))?;
        Ok(Self { host, port })
    }

    /// Connects to the first address of the name that accepts.
    pub(super) async fn dial(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        // A batch is written whole; its last bytes must not wait for an answer to the first.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// `host:port`, as requests name it
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

struct Tcp {
    address: Address,
    encoding: Encoding,
    stream: Option<TcpStream>,
    room: Vec<u8>,
}

impl Output for Tcp {
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            match time::timeout(TIMEOUT, self.send(batch)).await {
                Ok(Ok(())) => Attempt::Delivered,
                failed => {
                    // It may have taken a part of a line; the next connection begins with a whole one.
                    self.stream = None;
                    match failed {
                        Ok(Err(error)) => Attempt::again(error),
                        _ => Attempt::again("nothing was taken within a minute"),
                    }
                }
            }
        })
    }
}

impl Tcp {
    async fn send(&mut self, batch: &Batch) -> io::Result<()> {
        let mut stream = match self.stream.take().filter(is_open) {
            Some(stream) => stream,
            None => self.address.dial().await?,
        };
        stream.write_all(self.encoding.bytes(batch, &mut self.room)).await?;
        if !is_open(&stream) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "closed by the receiver"));
        }
        self.stream = Some(stream);
        Ok(())
    }
}

/// Whether the other side has not closed. What it may have said is thrown away: unread, it would make our own close a reset.
fn is_open(stream: &TcpStream) -> bool {
    let mut bytes = [0; 1024];
    loop {
        match stream.try_read(&mut bytes) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}
