//! Pages of a helper's own on the health listener: `/metrics` and `/debug/…`, answered by the job on its runtime.
//!
//! A page may take as long as a scrape, so its connection has limits of its own and does not count among those of the kubelet's
//! probes. The health thread waits for the job only within bounds, because the job's thread may be stuck.

use std::{
    mem,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use hyper::{Request, Response, StatusCode};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task,
    time::timeout,
};
use tokio_util::task::TaskTracker;

use crate::{
    answer::{Answer, text},
    visit::{PageTicket, Visit},
};

/// The most pages in flight. Two Prometheus servers need two; the others are for people and for scrapers that hang.
const PAGE_LIMIT: usize = 16;
/// The time until the job takes a request. A job that takes longer is stuck or overloaded.
const TAKE_LIMIT: Duration = Duration::from_secs(5);
/// The time from there until the answer: the longest scrape timeout in use is a minute.
const ANSWER_LIMIT: Duration = Duration::from_secs(65);
/// The time that a scraper has to read that its page is given up; a stop's deadline is near by then.
const REFUSAL_LIMIT: Duration = Duration::from_millis(100);
/// The time until the scraper has read the answer
const READ_LIMIT: Duration = Duration::from_secs(10);

/// The way to the job's pages; empty until the job serves pages
#[derive(Clone, Default)]
pub(crate) struct Pages(Arc<OnceLock<Desk>>);

/// The queue from the health thread to the job, and its places
struct Desk {
    requests: mpsc::Sender<Asked>,
    places: Arc<Semaphore>,
}

/// One request on its way to the job
struct Asked {
    head: Request<()>,
    taken: oneshot::Sender<()>,
    /// Closes when the scraper has hung up
    answer: oneshot::Sender<Response<Vec<u8>>>,
    /// Resolves when the connection has ended
    connection: oneshot::Receiver<()>,
}

impl Pages {
    /// Serves these pages from now on. Each one is a task of the job, until shortly before a stop's deadline.
    ///
    /// # Panics
    /// When the job serves pages already.
    pub(crate) fn serve<F, D>(
        &self,
        tasks: TaskTracker,
        deadline_near: impl Fn() -> D + Send + 'static,
        answer: impl Fn(Request<()>) -> F + Send + 'static,
    ) where
        F: Future<Output = Response<Vec<u8>>> + Send + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        let (requests, mut asked) = mpsc::channel::<Asked>(PAGE_LIMIT);
        let desk = Desk { requests, places: Arc::new(Semaphore::new(PAGE_LIMIT)) };
        assert!(self.0.set(desk).is_ok(), "a job serves its pages once");
        // None of the job's tasks, because it ends with the runtime only: scrapers are answered during the whole drain.
        task::spawn(async move {
            while let Some(Asked { head, taken, answer: reply, connection }) = asked.recv().await {
                // A scraper that has hung up, or was refused because the job was stuck, needs no page.
                if taken.send(()).is_ok() {
                    let path = head.uri().path().to_owned();
                    let (page, near) = (answer(head), deadline_near());
                    tasks.spawn(deliver(path, page, reply, connection, near));
                }
            }
        });
    }

    /// True for a path that the job answers.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.are_served() && (["/metrics", "/debug"].contains(&path) || path.starts_with("/debug/"))
    }

    pub(crate) fn are_served(&self) -> bool {
        self.0.get().is_some()
    }

    /// The job's answer, or 503 when the job or a place is not free within the limits.
    pub(crate) async fn answer(&self, head: Request<()>, visit: &Visit) -> Answer {
        let Some(desk) = self.0.get() else { return unavailable("no pages yet") };
        let Ok(place) = desk.places.clone().try_acquire_owned() else {
            return unavailable("too many pages are asked for at once");
        };
        let (connection, connection_end) = oneshot::channel();
        visit.begin_page(PageTicket { _place: place, _connection: connection }, TAKE_LIMIT + ANSWER_LIMIT + READ_LIMIT);
        let answer = desk.ask(head, connection_end).await;
        visit.allow(READ_LIMIT);
        answer
    }
}

impl Desk {
    async fn ask(&self, head: Request<()>, connection: oneshot::Receiver<()>) -> Answer {
        let (taken, is_taken) = oneshot::channel();
        let (reply, answer) = oneshot::channel();
        // The queue cannot be full, because it is as long as there are places.
        if self.requests.try_send(Asked { head, taken, answer: reply, connection }).is_err() {
            return unavailable("the helper ends");
        }
        match timeout(TAKE_LIMIT, is_taken).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return unavailable("the helper ends"),
            Err(_) => return unavailable("the helper's thread is busy"),
        }
        match timeout(ANSWER_LIMIT, answer).await {
            Ok(Ok(answer)) => answer.map(Into::into),
            // The sender is gone after a panic or at the deadline of a stop.
            Ok(Err(_)) => unavailable("the page was given up"),
            Err(_) => unavailable("the page took too long"),
        }
    }
}

/// Makes one page, and waits until the scraper has read it, because the end of the process would cut it off. Gives the page up
/// when the stop's deadline is near.
async fn deliver(
    path: String,
    page: impl Future<Output = Response<Vec<u8>>>,
    mut reply: oneshot::Sender<Response<Vec<u8>>>,
    connection: oneshot::Receiver<()>,
    near: impl Future<Output = ()>,
) {
    let mut near = pin!(near);
    tokio::select! {
        () = reply.closed() => {}
        mut page = page => {
            // The page keeps the job's resources until the scraper has read it.
            let _held = mem::take(page.extensions_mut());
            drop(reply.send(page));
            tokio::select! {
                _ = connection => {}
                () = near => {}
            }
        }
        () = &mut near => {
            // A lost scrape is no unfinished work, so the stop still succeeds.
            tracing::info!(path, "a page is given up, because the stop's deadline is near");
            drop(reply);
            let _ = timeout(REFUSAL_LIMIT, connection).await;
        }
    }
}

fn unavailable(reason: &str) -> Answer {
    text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n"))
}
