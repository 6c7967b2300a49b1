//! The parts that a client and a server of gRPC by hand share: messages with their prefix, heads
//! and trailers as a test gives them.

use std::{
    future::{Future, pending},
    sync::LazyLock,
    thread,
};

use h2::RecvStream;
use harness::DEADLINE;
use http::HeaderMap;
use hyper::body::Bytes;
use tokio::{
    runtime::{Builder, Handle},
    time::timeout,
};

/// Drives all peers of the test
pub(crate) static RUNTIME: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    thread::spawn(move || runtime.block_on(pending::<()>()));
    handle
});

/// Waits in a test's thread.
#[track_caller]
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(async { timeout(DEADLINE, future).await }).expect("in time")
}

/// A message with its prefix
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend(message);
    bytes.into()
}

/// Headers or trailers of these lines
pub(crate) fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

/// The messages that one side hears of the other
pub(crate) struct Incoming {
    stream: RecvStream,
    unread: Vec<u8>,
}

impl Incoming {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// The next message; nothing at the end of them
    pub(crate) async fn message(&mut self) -> Result<Option<Vec<u8>>, h2::Error> {
        while self.unread.len() < 5 || self.unread.len() < 5 + self.length() {
            let Some(data) = self.stream.data().await.transpose()? else {
                assert!(self.unread.is_empty(), "a message broke off");
                return Ok(None);
            };
            self.stream.flow_control().release_capacity(data.len())?;
            self.unread.extend(data);
        }
        let rest = self.unread.split_off(5 + self.length());
        let message = std::mem::replace(&mut self.unread, rest);
        Ok(Some(message[5..].to_vec()))
    }

    pub(crate) async fn trailers(&mut self) -> Result<Option<HeaderMap>, h2::Error> {
        self.stream.trailers().await
    }

    fn length(&self) -> usize {
        u32::from_be_bytes(self.unread[1..5].try_into().unwrap()) as usize
    }
}
