//! Sends the body of a request over its stream, as fast as the upstream's windows allow it.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use h2::{Reason, SendStream};
use hyper::body::{Body, Bytes};
use tokio::{
    task::{self, JoinHandle},
    time,
};

use crate::request_body::RequestBody;

/// A body on its way
pub(crate) struct Pump {
    stream: SendStream<Bytes>,
    body: RequestBody,
    /// A piece of the body that waits for the windows; at most one
    waiting: Option<Bytes>,
    /// Whether nothing more is sent
    is_over: bool,
}

/// A pump that goes on by itself. Without it, the stream is reset if its end was not sent.
pub(crate) struct Pumping(JoinHandle<()>);

impl Pump {
    pub(crate) fn new(stream: SendStream<Bytes>, body: RequestBody) -> Self {
        Self { stream, body, waiting: None, is_over: false }
    }

    /// Whether all is sent, or nothing more can be
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// The body for another attempt, if it can be sent from its beginning
    pub(crate) fn again(self, is_unprocessed: bool) -> Option<RequestBody> {
        self.body.again(is_unprocessed)
    }

    /// Goes on beside the answer.
    pub(crate) fn spawn(mut self) -> Pumping {
        Pumping(task::spawn_local(poll_fn(move |context| self.poll(context))))
    }

    /// Sends until all is sent, or until nothing more can be: the upstream has reset the stream, or the body was given up, which
    /// resets it.
    pub(crate) fn poll(&mut self, context: &mut Context) -> Poll<()> {
        ready!(self.poll_sent(context));
        self.is_over = true;
        Poll::Ready(())
    }

    fn poll_sent(&mut self, context: &mut Context) -> Poll<()> {
        loop {
            // Also while the client is slow, because it need not send what the upstream does not want.
            if self.stream.poll_reset(context).is_ready() {
                return Poll::Ready(());
            }
            if let Some(data) = &self.waiting {
                if !data.is_empty() && self.stream.capacity() == 0 {
                    match ready!(self.stream.poll_capacity(context)) {
                        Some(Ok(_)) => continue,
                        Some(Err(_)) | None => return Poll::Ready(()),
                    }
                }
                let data = self.waiting.take().unwrap_or_default();
                let is_last = self.body.is_end_stream();
                if self.stream.send_data(data, is_last).is_err() || is_last {
                    return Poll::Ready(());
                }
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        // One byte is enough to be in line for the connection's window.
                        self.stream.reserve_capacity(1);
                        self.waiting = Some(data);
                    }
                    Err(frame) => {
                        let _ = frame.into_trailers().map(|trailers| self.stream.send_trailers(trailers));
                        return Poll::Ready(());
                    }
                },
                Some(Err(_)) => {
                    self.stream.send_reset(Reason::CANCEL);
                    return Poll::Ready(());
                }
                None => {
                    let _ = self.stream.send_data(Bytes::new(), true);
                    return Poll::Ready(());
                }
            }
        }
    }
}

impl Pumping {
    /// Waits until all is sent, but no longer than this.
    pub(crate) async fn finish(mut self, limit: Duration) {
        let _ = time::timeout(limit, &mut self.0).await;
    }
}

impl Drop for Pumping {
    fn drop(&mut self) {
        self.0.abort();
    }
}
