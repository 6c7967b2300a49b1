//! The body of an upstream's answer, whichever version it comes in.

use std::{
    error, fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use h2::RecvStream;
use http::{HeaderMap, StatusCode, header::CONTENT_LENGTH};
use hyper::body::{self, Body, Bytes, Frame, SizeHint};

use crate::{head::field_section, upstream::HEAD_LIMIT};

/// The body of an answer
pub(crate) enum Incoming {
    Http1(body::Incoming),
    Http2(Http2Body),
}

/// A body that comes in the frames of one stream
pub(crate) struct Http2Body {
    stream: RecvStream,
    /// Bytes that the head has announced and that have not come yet
    left: Option<u64>,
    /// The status allows no content (RFC 9110, sections 15.3.5 and 15.4.5): bytes that come all the same are dropped.
    is_without_content: bool,
    /// Bytes that were dropped
    dropped: usize,
    /// Whether only trailers may follow
    has_data_ended: bool,
}

/// Why a body broke off
#[derive(Debug)]
pub(crate) enum Cut {
    Http1(hyper::Error),
    Http2(h2::Error),
    /// The trailers are too long
    Trailers,
    /// Too many bytes came behind a head that allows none
    Content,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Http1(error) => error.fmt(f),
            Self::Http2(error) => error.fmt(f),
            Self::Trailers => f.write_str("the trailers have more than 64 KiB"),
            Self::Content => f.write_str("its status allows no content, and more than 64 KiB came"),
        }
    }
}

impl error::Error for Cut {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Http1(error) => Some(error),
            Self::Http2(error) => Some(error),
            Self::Trailers | Self::Content => None,
        }
    }
}

impl Incoming {
    /// The body behind this head, which was received in HTTP/2
    pub(crate) fn http2(status: StatusCode, headers: &HeaderMap, stream: RecvStream) -> Self {
        let is_without_content = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
        // h2 has refused a head with a length that is no number. An answer to HEAD announces a length, and has no body.
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let left = if stream.is_end_stream() { Some(0) } else { announced };
        Self::Http2(Http2Body { stream, left, is_without_content, dropped: 0, has_data_ended: false })
    }

    /// Whether all of the answer has come, but perhaps for trailers behind the last byte of a known length
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Self::Http1(incoming) => incoming.is_end_stream(),
            Self::Http2(body) => body.left == Some(0) || body.stream.is_end_stream(),
        }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Http1(incoming) => Pin::new(incoming).poll_frame(context).map_err(Cut::Http1),
            Self::Http2(body) => body.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(incoming) => incoming.is_end_stream(),
            Self::Http2(body) => body.stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(incoming) => incoming.size_hint(),
            Self::Http2(body) => body.left.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}

impl Http2Body {
    fn poll(&mut self, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        while !self.has_data_ended {
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(data)) => {
                    // The bytes go on to the client's connection now, which asks for no more than it can hold.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    if self.is_without_content {
                        self.dropped += data.len();
                        if self.dropped > HEAD_LIMIT {
                            return Poll::Ready(Some(Err(Cut::Content)));
                        }
                        continue;
                    }
                    self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(self.ended_by(error)),
                None => self.has_data_ended = true,
            }
        }
        Poll::Ready(match ready!(self.stream.poll_trailers(context)) {
            Ok(trailers) => trailers.map(|trailers| {
                let are_too_long = field_section::size(&trailers) > HEAD_LIMIT;
                if are_too_long { Err(Cut::Trailers) } else { Ok(Frame::trailers(trailers)) }
            }),
            Err(error) => self.ended_by(error),
        })
    }

    /// An error ends the body well only behind all bytes that its head has announced. `NO_ERROR` is
    /// no exception: behind `END_STREAM`, where a server may send it (RFC 9113, section 8.1), h2
    /// reports the end and no error.
    fn ended_by(&mut self, error: h2::Error) -> Option<Result<Frame<Bytes>, Cut>> {
        if self.left == Some(0) { None } else { Some(Err(Cut::Http2(error))) }
    }
}
