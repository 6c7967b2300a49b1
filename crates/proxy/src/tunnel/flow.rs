//! One direction of a tunnel. While nothing waits for the other side to read, it holds no buffer.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::body::Bytes;
use prometheus::IntCounter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::websocket::frames::{Frames, Place};

/// Bytes of one read, and the most that waits to be written
const READ: usize = 16 * 1024;
/// Reads in a row, before the other direction and other tasks have their turn
const TURN: u32 = 16;

/// One direction
pub(super) struct Flow {
    state: State,
    /// Bytes for the writer, of which the first ones are written
    waiting: Vec<u8>,
    written: usize,
    must_flush: bool,
    /// Follows a WebSocket
    frames: Option<Frames>,
    end: End,
    /// Bytes that were written
    pub(super) passed: u64,
    counter: IntCounter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The reader has ended; the writer is still to be told
    Ending,
    Ended,
}

/// Where the proxy ends the direction itself
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Never,
    /// With this frame, at the end of the next message
    AfterMessage(&'static [u8]),
    /// At the end of the next frame
    AfterFrame(&'static [u8]),
    /// It has: bytes that are read go nowhere.
    Written,
}

/// The side of a direction that broke
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    Reader,
    Writer,
}

impl Flow {
    /// A direction that begins with bytes that have been read already
    pub(super) fn new(early: &Bytes, frames: Option<Frames>, counter: IntCounter) -> Self {
        let mut flow = Self {
            state: State::Open,
            waiting: Vec::new(),
            written: 0,
            must_flush: false,
            frames,
            end: End::Never,
            passed: 0,
            counter,
        };
        flow.follow(early);
        flow.waiting = early.to_vec();
        flow
    }

    /// Moves bytes until there are no more for now; ready when the direction has ended.
    pub(super) fn poll<R, W>(
        &mut self,
        context: &mut Context,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<Result<(), Broken>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        for _ in 0..TURN {
            ready!(self.poll_write_waiting(context, writer)).map_err(|_| Broken::Writer)?;
            match self.state {
                State::Open => {
                    let mut room = [const { MaybeUninit::uninit() }; READ];
                    let mut room = ReadBuf::uninit(&mut room);
                    ready!(Pin::new(&mut *reader).poll_read(context, &mut room)).map_err(|_| Broken::Reader)?;
                    if room.filled().is_empty() {
                        self.state = State::Ending;
                    } else {
                        self.forward(context, room.filled(), writer).map_err(|_| Broken::Writer)?;
                    }
                }
                State::Ending => {
                    ready!(Pin::new(&mut *writer).poll_shutdown(context)).map_err(|_| Broken::Writer)?;
                    self.state = State::Ended;
                }
                State::Ended => return Poll::Ready(Ok(())),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Where a WebSocket is; `Lost` where it is none.
    pub(super) fn place(&self) -> Place {
        self.frames.as_ref().map_or(Place::Lost, Frames::place)
    }

    /// Writes this frame behind the message under way, or behind the frame under way, and forwards nothing behind it. `true` once that
    /// is done, or the direction has ended by itself.
    pub(super) fn end_with(&mut self, frame: &'static [u8], may_cut_message: bool) -> bool {
        if self.state != State::Open {
            return true;
        }
        if self.end != End::Written {
            self.end = if may_cut_message { End::AfterFrame(frame) } else { End::AfterMessage(frame) };
            self.end_here();
        }
        self.end == End::Written
    }

    /// Reads no more. Bytes that wait are written, with this frame behind them if it may stand
    /// there; then the writer gets the end.
    pub(super) fn finish(&mut self, frame: &[u8]) {
        if self.state != State::Open {
            return;
        }
        if self.end != End::Written && matches!(self.place(), Place::BetweenMessages | Place::BetweenFrames) {
            self.waiting.extend_from_slice(frame);
        }
        self.state = State::Ending;
    }

    /// Writes at once what the writer takes, and keeps the rest.
    fn forward<W>(&mut self, context: &mut Context, bytes: &[u8], writer: &mut W) -> io::Result<()>
    where
        W: AsyncWrite + Unpin,
    {
        if self.end == End::Written {
            return Ok(());
        }
        let bytes = &bytes[..self.follow(bytes)];
        let length = match Pin::new(writer).poll_write(context, bytes) {
            Poll::Ready(length) => length?,
            Poll::Pending => 0,
        };
        self.count(length);
        self.waiting.extend_from_slice(&bytes[length..]);
        self.end_here();
        Ok(())
    }

    fn poll_write_waiting<W>(&mut self, context: &mut Context, writer: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        while self.written < self.waiting.len() {
            let length = ready!(Pin::new(&mut *writer).poll_write(context, &self.waiting[self.written..]))?;
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += length;
            self.count(length);
        }
        if self.written > 0 {
            (self.waiting, self.written) = (Vec::new(), 0);
        }
        if self.must_flush {
            ready!(Pin::new(writer).poll_flush(context))?;
            self.must_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    fn count(&mut self, written: usize) {
        self.must_flush |= written > 0;
        self.passed += written as u64;
        self.counter.inc_by(written as u64);
    }

    /// Goes on through these bytes, at most to where the direction ends; their number.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        let Some(frames) = &mut self.frames else { return bytes.len() };
        let mut at = 0;
        while at < bytes.len() {
            at += frames.pass(&bytes[at..]);
            if self.end.is_at(frames.place()) {
                break;
            }
        }
        at
    }

    /// Ends the direction, if it may end behind the bytes that were read last.
    fn end_here(&mut self) {
        if let End::AfterMessage(frame) | End::AfterFrame(frame) = self.end
            && self.end.is_at(self.place())
        {
            self.waiting.extend_from_slice(frame);
            self.end = End::Written;
        }
    }
}

impl End {
    fn is_at(self, place: Place) -> bool {
        match self {
            Self::Never | Self::Written => false,
            Self::AfterMessage(_) => place == Place::BetweenMessages,
            Self::AfterFrame(_) => matches!(place, Place::BetweenMessages | Place::BetweenFrames),
        }
    }
}
