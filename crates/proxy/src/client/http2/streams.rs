//! The streams of a connection that are open, and the tasks that hyper makes for them.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use hyper::rt::Executor;
use tokio::{task, time::Instant};

use super::stream::Stream;

/// The streams of a connection
#[derive(Default)]
pub(super) struct Streams {
    open: RefCell<Vec<Rc<Stream>>>,
    /// The one whose task hyper makes next
    next: Cell<Option<Rc<Stream>>>,
    /// The number of streams so far
    begun: Cell<u64>,
    /// When the connection looks at them next
    next_look: Cell<Option<Instant>>,
    connection: RefCell<Option<Waker>>,
    /// Whether new ones are refused
    pub(super) are_closed: Cell<bool>,
}

/// The finding of a look at the streams
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// The next deadline
    pub(super) soonest: Option<Instant>,
    /// Streams that end because the client gave no window for too long
    pub(super) stalled: u64,
}

/// Begins the tasks of a connection's streams on this thread
#[derive(Clone)]
pub(super) struct StreamTasks(pub(super) Rc<Streams>);

/// A stream that is open until this is dropped
pub(super) struct Open {
    streams: Rc<Streams>,
    stream: Rc<Stream>,
}

impl Streams {
    /// A request has come on a new stream.
    pub(super) fn begin(&self) -> Rc<Stream> {
        let stream = Rc::<Stream>::default();
        self.begun.update(|begun| begun + 1);
        self.next.set(Some(stream.clone()));
        stream
    }

    /// How many there were so far
    pub(super) fn begun(&self) -> u64 {
        self.begun.get()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.borrow().is_empty()
    }

    /// The connection looks at them at this time. A stream that has an earlier deadline wakes it.
    pub(super) fn set_next_look(&self, at: Instant, context: &Context) {
        self.next_look.set(Some(at));
        self.connection.replace(Some(context.waker().clone()));
    }

    /// The deadline of a stream that has become the soonest since the last look was set
    pub(super) fn take_sooner(&self, next_look: Instant) -> Option<Instant> {
        self.next_look.take().filter(|at| *at < next_look)
    }

    /// Finds the streams whose time is over, and ends those that the client keeps open, although
    /// its connection is not blocked.
    pub(super) fn look(&self, now: Instant, patience: Duration, is_blocked: bool) -> Look {
        let mut look = Look { soonest: None, stalled: 0 };
        for stream in &*self.open.borrow() {
            match stream.client.deadline.get() {
                Some(deadline) if deadline <= now => stream.is_late(),
                deadline => look.soonest = look.soonest.into_iter().chain(deadline).min(),
            }
            look.stalled += u64::from(stream.has_stalled(now, patience, is_blocked));
        }
        look
    }

    fn remove(&self, stream: &Stream) {
        let mut open = self.open.borrow_mut();
        let place = stream.place.get();
        open.swap_remove(place);
        if let Some(moved) = open.get(place) {
            moved.place.set(place);
        }
    }

    /// A stream's task has run.
    fn note_deadline(&self, stream: &Stream) {
        if let (Some(deadline), Some(look)) = (stream.client.deadline.get(), self.next_look.get())
            && deadline < look
            && !stream.client.is_late.get()
        {
            self.next_look.set(Some(deadline));
            if let Some(connection) = self.connection.take() {
                connection.wake();
            }
        }
    }
}

impl Open {
    fn new(streams: Rc<Streams>, stream: Rc<Stream>) -> Self {
        let mut open = streams.open.borrow_mut();
        stream.place.set(open.len());
        open.push(stream.clone());
        drop(open);
        Self { streams, stream }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.streams.remove(&self.stream);
    }
}

impl<F: Future + 'static> Executor<F> for StreamTasks {
    fn execute(&self, future: F) {
        let Some(stream) = self.0.next.take() else {
            // The task of a tunnel, whose stream has had its own before
            task::spawn_local(async move {
                future.await;
            });
            return;
        };
        let open = Open::new(self.0.clone(), stream);
        task::spawn_local(async move {
            // Dropped last
            let Open { streams, stream } = &open;
            let mut future = pin!(future);
            poll_fn(|context| {
                if stream.fault().is_some() || future.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                stream.set_task(context);
                streams.note_deadline(stream);
                Poll::Pending
            })
            .await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{client::client_io::ClientState, refusal::fault::Fault};

    const PATIENCE: Duration = Duration::from_secs(10);

    impl Streams {
        /// A stream that is open until this is dropped
        pub(in super::super) fn open_one(streams: &Rc<Self>) -> Open {
            streams.begin();
            Open::new(streams.clone(), streams.next.take().unwrap())
        }
    }

    impl Open {
        pub(in super::super) fn client(&self) -> &ClientState {
            &self.stream.client
        }

        pub(in super::super) fn note_deadline(&self) {
            self.streams.note_deadline(&self.stream);
        }
    }

    #[test]
    fn streams_end_in_any_order() {
        let streams = Rc::<Streams>::default();
        let mut all: Vec<_> = (0..5).map(|_| Streams::open_one(&streams)).collect();
        for place in [2, 0, 2, 1, 0] {
            assert!(!streams.is_empty());
            drop(all.remove(place));
        }
        assert!(streams.is_empty() && streams.begun() == 5);
    }

    #[test]
    fn a_stream_stalls_while_nothing_more_of_it_is_taken() {
        let (streams, start) = (Rc::<Streams>::default(), Instant::now());
        let open = Streams::open_one(&streams);
        let stream = &open.stream;
        let look =
            |seconds, is_blocked| streams.look(start + Duration::from_secs(seconds), PATIENCE, is_blocked).stalled;
        let stalled = |seconds| look(seconds, false);
        assert_eq!([stalled(0), stalled(60)], [0, 0], "the upstream is slow");
        stream.took();
        assert_eq!([stalled(61), stalled(70)], [0, 0]);
        stream.asked();
        stream.took();
        assert_eq!([stalled(72), stalled(81)], [0, 0], "the client took a part");
        assert_eq!([look(82, true), stalled(83), stalled(92)], [0, 0, 0], "the client read other parts");
        assert_eq!([stalled(93), stalled(110)], [1, 0], "it stalls once");
        assert_eq!(stream.fault(), Some(Fault::ClientGone));
    }

    #[test]
    fn a_late_stream_ends_at_once_only_where_the_client_holds_it() {
        let (streams, start) = (Rc::<Streams>::default(), Instant::now());
        let open = Streams::open_one(&streams);
        let stream = &open.stream;
        let deadline = start + Duration::from_secs(5);
        stream.client.deadline.set(Some(deadline));
        assert_eq!(streams.look(start, PATIENCE, false).soonest, Some(deadline));
        assert_eq!(streams.look(deadline, PATIENCE, false).soonest, None);
        assert!(stream.client.is_late.get() && stream.fault().is_none());
        stream.took();
        streams.look(deadline, PATIENCE, false);
        assert_eq!(stream.fault(), Some(Fault::AnswerTooSlow));
    }
}
