//! A connection on which bytes go one way: the receiver acknowledges nothing, and bytes from it are
//! dropped.

use std::{io, time::Duration};

use endpoint::Stream;
use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task, time,
};

use super::{
    Attempt, Setup,
    dial::{Dialer, error_text},
};

/// The time for a connection, and for a batch. A receiver that reads nothing within it counts as gone.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A server judges our certificate only after the handshake (TLS 1.3), and says so within this, or
/// takes it.
const VERDICT: Duration = Duration::from_millis(100);

/// One connection, made again when it breaks
pub(super) struct OneWay {
    dialer: Dialer,
    /// How long a new connection is looked at before it is used
    verdict: Option<Duration>,
    stream: Option<Box<dyn Stream>>,
}

impl OneWay {
    pub(super) fn plain(setup: &mut Setup, port: Option<u16>) -> Result<Self, String> {
        let dialer = Dialer::plain(setup.url, port)?;
        Ok(Self { dialer: patient(dialer, setup)?, verdict: None, stream: None })
    }

    pub(super) fn secure(setup: &mut Setup, port: Option<u16>) -> Result<Self, String> {
        let dialer = Dialer::secure(setup, port)?;
        Ok(Self { dialer: patient(dialer, setup)?, verdict: Some(VERDICT), stream: None })
    }

    /// Sends all of it. A connection that fails may have taken a part; the next one begins with a
    /// whole batch.
    pub(super) async fn deliver(&mut self, bytes: &[u8]) -> Attempt {
        match time::timeout(TIMEOUT, self.send(bytes)).await {
            Ok(Ok(())) => Attempt::Delivered,
            Ok(Err(reason)) => Attempt::again(reason),
            Err(_) => Attempt::again("nothing was taken within a minute"),
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        // A socket's state is known as of the runtime's last look at all of them; on a yield it
        // looks again.
        task::yield_now().await;
        let mut stream = match self.kept().await {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        let written = async {
            stream.write_all(bytes).await?;
            stream.flush().await?;
            look(&mut stream)
        };
        written.await.map_err(|error| error_text(&error))?;
        self.stream = Some(stream);
        Ok(())
    }

    /// The last connection, if it is open and not too old. The end of one that is too old is sent
    /// behind its last line.
    async fn kept(&mut self) -> Option<Box<dyn Stream>> {
        let mut stream = self.stream.take()?;
        look(&mut stream).ok()?;
        if self.dialer.is_expired() {
            let _ = stream.shutdown().await;
            return None;
        }
        Some(stream)
    }

    async fn connect(&mut self) -> Result<Box<dyn Stream>, String> {
        let mut stream = self.dialer.dial().await?;
        if let Some(verdict) = self.verdict
            && let Ok(error) = time::timeout(verdict, end(&mut stream)).await
        {
            return Err(error_text(&error));
        }
        Ok(stream)
    }
}

/// A dialer whose connections outlive a receiver that stalls for a while: the bytes that the system
/// has taken for it would be lost with the connection.
fn patient(mut dialer: Dialer, setup: &mut Setup) -> Result<Dialer, String> {
    dialer.silence = TIMEOUT;
    dialer.take_age(&mut setup.options)?;
    Ok(dialer)
}

/// Whether the other side has not closed. Its bytes are read and dropped, because unread bytes
/// would make our own close a reset.
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

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        net::{TcpListener, TcpStream},
    };

    use url::Url;

    use super::*;

    fn read(mut stream: &TcpStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    #[tokio::test]
    async fn nothing_goes_into_a_connection_that_was_closed_a_moment_ago() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
        let mut connection = OneWay { dialer: Dialer::plain(&url, None).unwrap(), verdict: None, stream: None };
        assert_eq!(connection.deliver(b"one\n").await, Attempt::Delivered);
        // Nothing here waits, so that the runtime has no reason to look at its sockets in between.
        let (first, _) = listener.accept().unwrap();
        assert_eq!(read(&first, 4), b"one\n");
        drop(first);
        assert_eq!(connection.deliver(b"two\n").await, Attempt::Delivered);
        listener.set_nonblocking(true).unwrap();
        let (second, _) = listener.accept().unwrap();
        second.set_nonblocking(false).unwrap();
        assert_eq!(read(&second, 4), b"two\n");
    }
}
