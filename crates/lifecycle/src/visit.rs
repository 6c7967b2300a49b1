//! One connection to a listener: its deadline, and the place of the page that it waits for.

use std::{
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, oneshot, watch},
    time::{self, Instant},
};

/// The deadline of a connection, and its page
pub(crate) struct Visit {
    deadline: watch::Sender<Instant>,
    ticket: OnceLock<PageTicket>,
    is_page: Arc<AtomicBool>,
}

/// A page's place among the pages in flight, and a sender whose drop tells the job that the connection has ended
pub(crate) struct PageTicket {
    pub(crate) _place: OwnedSemaphorePermit,
    pub(crate) _connection: oneshot::Sender<()>,
}

impl Visit {
    /// A connection that may take `limit` from now. `is_page` becomes true when it asks for a page of the job.
    pub(crate) fn new(limit: Duration, is_page: Arc<AtomicBool>) -> Self {
        Self { deadline: watch::Sender::new(Instant::now() + limit), ticket: OnceLock::new(), is_page }
    }

    /// Marks that the connection waits for a page, and moves its deadline to `limit` from now.
    pub(crate) fn begin_page(&self, ticket: PageTicket, limit: Duration) {
        // Cannot fail, because a connection serves one request.
        let _ = self.ticket.set(ticket);
        self.is_page.store(true, Relaxed);
        self.allow(limit);
    }

    /// Moves the deadline to `limit` from now.
    pub(crate) fn allow(&self, limit: Duration) {
        self.deadline.send_replace(Instant::now() + limit);
    }

    /// Resolves when the deadline has passed.
    pub(crate) async fn time_passed(&self) {
        let mut deadline = self.deadline.subscribe();
        // One timer for all deadlines, because a timer that is moved to a later time does not wake the runtime.
        let mut timer = pin!(time::sleep_until(*deadline.borrow_and_update()));
        loop {
            tokio::select! {
                () = &mut timer => return,
                _ = deadline.changed() => timer.as_mut().reset(*deadline.borrow_and_update()),
            }
        }
    }
}
