//! The body of an answer on its way to the client. Its end gives the upstream's connection back and closes the books of the
//! request.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::{task, time};

use crate::{
    client::record::Record,
    head::hop_by_hop,
    refusal::fault::Fault,
    request_body::BodyFate,
    telemetry::attempt::Attempt,
    upstream::{Upstream, pool::Connection},
};

/// The time that an upstream has for the rest of a request's body after the end of its own answer.
const REST_OF_BODY: Duration = Duration::from_secs(10);

/// The body of an answer
pub(crate) struct AnswerBody {
    source: Source,
    /// Written when the body ends or the client goes
    record: Record,
}

enum Source {
    /// The proxy's own words
    Own(Option<Bytes>),
    Upstream(Box<FromUpstream>),
}

struct FromUpstream {
    incoming: Incoming,
    lease: Option<Lease>,
}

/// A connection in use, and where it belongs
pub(crate) struct Lease {
    pub(crate) connection: Connection,
    pub(crate) upstream: Rc<Upstream>,
    /// The fate of the request's body
    pub(crate) fate: Rc<BodyFate>,
    /// Whether the connection must not carry another request
    pub(crate) is_last: bool,
    pub(crate) counted: Attempt,
}

/// Why a body broke off; hyper then closes the connection, which tells the client
#[derive(Debug)]
pub(crate) enum Broken {
    Upstream(hyper::Error),
    Deadline,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Upstream(error) => error.fmt(f),
            Self::Deadline => f.write_str("the request took longer than --request-timeout"),
        }
    }
}

impl std::error::Error for Broken {}

impl AnswerBody {
    pub(crate) fn own(text: Bytes, record: Record) -> Self {
        Self { source: Source::Own(Some(text)), record }
    }

    pub(crate) fn empty(record: Record) -> Self {
        Self { source: Source::Own(None), record }
    }

    /// Whether the proxy itself answers
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.source, Source::Own(_))
    }

    /// The upstream's body; at its end the lease is over. A deadline breaks it off.
    pub(crate) fn upstream(incoming: Incoming, lease: Lease, record: Record) -> Self {
        let mut body = FromUpstream { incoming, lease: Some(lease) };
        // hyper does not ask for the frames of a body that has none.
        body.give_back_at_end();
        Self { source: Source::Upstream(Box::new(body)), record }
    }
}

impl Lease {
    /// The answer has ended: keeps the connection, if it can carry another request.
    fn end(mut self) {
        let now = Instant::now();
        self.counted.ended(now);
        if !self.fate.has_ended.get() {
            let driver = self.connection.driver;
            task::spawn_local(async move {
                time::sleep(REST_OF_BODY).await;
                driver.abort();
            });
        } else if !self.is_last {
            self.upstream.pool.give_back(self.connection, now);
        }
    }
}

impl FromUpstream {
    fn give_back_at_end(&mut self) {
        if self.incoming.is_end_stream() {
            self.lease.take().into_iter().for_each(Lease::end);
        }
    }

    fn poll(
        &mut self,
        context: &mut Context,
        is_late: bool,
        is_blocked: bool,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        // Also while frames are always ready, because a slow client may be what takes the time.
        if is_late {
            self.lease = None;
            return Poll::Ready(Some(Err(Broken::Deadline)));
        }
        // Where memory is short, nothing is read ahead for a client that does not read: its connection wakes this task when it does.
        if is_blocked && self.lease.as_ref().is_some_and(|lease| lease.connection.traffic.reads.is_narrow()) {
            return Poll::Pending;
        }
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(mut frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    hop_by_hop::strip_trailers(trailers);
                    // hyper asks for nothing behind trailers.
                    self.lease.take().into_iter().for_each(Lease::end);
                }
                self.give_back_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.lease.take().into_iter().for_each(Lease::end);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                if let Some(mut lease) = self.lease.take() {
                    lease.counted.cut();
                }
                Poll::Ready(Some(Err(Broken::Upstream(error))))
            }
        }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        // hyper lets go of a body before its end only where the client has gone.
        if let Source::Upstream(body) = &self.source
            && body.lease.is_some()
        {
            self.record.cut(Fault::ClientGone);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let frame = match &mut this.source {
            Source::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Source::Upstream(body) => body.poll(context, this.record.is_late(), this.record.is_blocked()),
        };
        match &frame {
            Poll::Ready(Some(Ok(frame))) => this.record.sent(frame.data_ref().map_or(0, Bytes::len)),
            Poll::Ready(Some(Err(Broken::Upstream(_)))) => this.record.cut(Fault::AnswerCut),
            Poll::Ready(Some(Err(Broken::Deadline))) => this.record.cut(Fault::AnswerTooSlow),
            _ => (),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(text) => text.is_none(),
            Source::Upstream(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
            Source::Upstream(body) => body.incoming.size_hint(),
        }
    }
}
