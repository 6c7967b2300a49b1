//! The body of an answer on its way to the client. Its end gives the upstream's connection back and closes the books of the
//! request.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::{task, time};

use crate::{
    client::{leaving::Leaving, record::Record},
    grpc::{answer, call::Call, status::Status},
    head::hop_by_hop,
    refusal::{Refusal, fault::Fault},
    request_body::BodyFate,
    telemetry::attempt::Attempt,
    upstream::{
        Upstream, Way,
        incoming::{Cut, Incoming},
        pump::Pumping,
    },
};

/// The time that an upstream has for the rest of a request's body after the end of its own answer.
const REST_OF_BODY: Duration = Duration::from_secs(10);

/// The body of an answer
pub(crate) struct AnswerBody {
    source: Source,
    /// Written when the body ends or the client goes; a tunnel has taken it along.
    record: Option<Record>,
}

enum Source {
    /// The proxy's own words
    Own(Option<Bytes>),
    Upstream(Box<FromUpstream>),
}

struct FromUpstream {
    incoming: Incoming,
    lease: Option<Lease>,
    /// Of gRPC
    call: Option<Call>,
    /// Of an event stream
    leaving: Option<Leaving>,
}

/// A connection in use, or a place on one, and where it belongs
pub(crate) struct Lease {
    pub(crate) way: Way,
    /// The rest of the request's body, where HTTP/2 still sends it
    pub(crate) pump: Option<Pumping>,
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
    Upstream(Cut),
    Deadline,
    /// A call of gRPC is too late, or the proxy has given up the client's messages
    Call(Refusal),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Upstream(error) => error.fmt(f),
            Self::Deadline => f.write_str("the request took longer than --request-timeout"),
            Self::Call(refusal) => f.write_str(refusal.name()),
        }
    }
}

/// Without a source: hyper would pass an upstream's reason on to the client, and `CANCEL` reads as if the client had asked for it.
impl std::error::Error for Broken {}

impl AnswerBody {
    pub(crate) fn own(text: Bytes, record: Record) -> Self {
        Self { source: Source::Own(Some(text)), record: Some(record) }
    }

    pub(crate) fn empty(record: Record) -> Self {
        Self { source: Source::Own(None), record: Some(record) }
    }

    /// The empty body in front of a tunnel
    pub(crate) fn before_tunnel() -> Self {
        Self { source: Source::Own(None), record: None }
    }

    /// The client does not get the rest.
    pub(crate) fn cut(&mut self, fault: Fault) {
        self.record.iter_mut().for_each(|record| record.cut(fault));
        // What the end of the body would say of the client
        if let Source::Upstream(body) = &mut self.source {
            body.lease = None;
        }
    }

    /// Whether the proxy itself answers
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.source, Source::Own(_))
    }

    /// The upstream's body; at its end the lease is over. A deadline breaks it off.
    pub(crate) fn upstream(incoming: Incoming, lease: Lease, record: Record, call: Option<Call>) -> Self {
        let mut body = FromUpstream { incoming, lease: Some(lease), call, leaving: None };
        // hyper does not ask for the frames of a body that has none.
        body.give_back_at_end();
        Self { source: Source::Upstream(Box::new(body)), record: Some(record) }
    }

    /// The same, of an event stream, which ends between two events when its turn has come
    pub(crate) fn leaving(mut self, turn: impl Future<Output = ()> + 'static) -> Self {
        if let Source::Upstream(body) = &mut self.source {
            body.leaving = Some(Leaving::new(turn));
        }
        self
    }
}

impl AnswerBody {
    /// Notes the status of a call, and ends one that breaks off with trailers, which a client understands better than a reset.
    fn frame_of_call(&mut self, frame: Result<Frame<Bytes>, Broken>) -> Frame<Bytes> {
        let (status, fault) = match frame {
            Ok(frame) => {
                if let (Some(trailers), Some(record)) = (frame.trailers_ref(), &mut self.record) {
                    record.called(Status::of(trailers));
                }
                return frame;
            }
            Err(Broken::Call(refusal)) => (Status::of_refusal(refusal), Fault::Refused(refusal)),
            Err(Broken::Upstream(Cut::Trailers)) => (Status::Internal, Fault::AnswerCut),
            Err(Broken::Upstream(error)) => (Status::of_error(&error), Fault::AnswerCut),
            Err(Broken::Deadline) => (Status::DeadlineExceeded, Fault::AnswerTooSlow),
        };
        self.record.iter_mut().for_each(|record| record.called(status));
        // The upstream's stream ends here.
        self.source = Source::Own(None);
        Frame::trailers(answer::trailers(status, fault))
    }
}

impl Lease {
    /// The answer has ended: keeps the connection, if it can carry another request.
    pub(crate) fn end(mut self) {
        let now = Instant::now();
        self.counted.ended(now);
        let has_sent_all = self.fate.has_ended.get();
        match self.way {
            Way::Http1(connection) if !has_sent_all => {
                task::spawn_local(async move {
                    time::sleep(REST_OF_BODY).await;
                    connection.driver.abort();
                });
            }
            Way::Http1(connection) if !self.is_last => self.upstream.pool.give_back(connection, now),
            Way::Http1(_) => (),
            Way::Http2(place) => {
                if let Some(pump) = self.pump {
                    task::spawn_local(async move {
                        pump.finish(REST_OF_BODY).await;
                        drop(place);
                    });
                }
            }
        }
    }
}

impl FromUpstream {
    fn give_back_at_end(&mut self) {
        if self.incoming.is_complete() {
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
        if let Some(call) = &mut self.call
            && let Poll::Ready(refusal) = call.poll_late(context, None)
        {
            self.lease = None;
            return Poll::Ready(Some(Err(Broken::Call(refusal))));
        }
        if self.leaving.as_mut().is_some_and(|leaving| leaving.must_end(context)) {
            // Dropped, the connection ends, because its answer has not.
            self.lease.take().into_iter().for_each(|mut lease| lease.counted.ended(Instant::now()));
            return Poll::Ready(None);
        }
        // Where memory is short, nothing is read ahead for a client that does not read: its connection wakes this task when it does.
        if is_blocked && self.lease.as_ref().is_some_and(|lease| lease.way.is_narrow()) {
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
                if let (Some(leaving), Some(bytes)) = (&mut self.leaving, frame.data_mut()) {
                    leaving.pass(bytes);
                }
                self.give_back_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.lease.take().into_iter().for_each(Lease::end);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                let given_up = self.call.as_ref().and(self.lease.as_ref()).and_then(|lease| lease.fate.refusal.get());
                if let Some(mut lease) = self.lease.take() {
                    lease.counted.cut();
                }
                Poll::Ready(Some(Err(given_up.map_or(Broken::Upstream(error), Broken::Call))))
            }
        }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        // hyper lets go of a body before its end only where the client has gone.
        if let (Source::Upstream(body), Some(record)) = (&self.source, &mut self.record)
            && body.lease.is_some()
        {
            record.cut(Fault::ClientGone);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let Some(record) = &mut this.record else { return Poll::Ready(None) };
        let frame = match &mut this.source {
            Source::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Source::Upstream(body) => body.poll(context, record.is_late(), record.is_blocked()),
        };
        match &frame {
            Poll::Ready(Some(Ok(frame))) => record.sent(frame.data_ref().map_or(0, Bytes::len)),
            Poll::Ready(Some(Err(Broken::Upstream(_)))) => record.cut(Fault::AnswerCut),
            Poll::Ready(Some(Err(Broken::Deadline))) => record.cut(Fault::AnswerTooSlow),
            Poll::Ready(Some(Err(Broken::Call(refusal)))) => record.cut(Fault::Refused(*refusal)),
            _ => (),
        }
        let is_call = record.is_call();
        match frame {
            Poll::Ready(Some(frame)) if is_call => Poll::Ready(Some(Ok(this.frame_of_call(frame)))),
            frame => frame,
        }
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
