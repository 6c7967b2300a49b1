//! Servers that several secrets may come from: while a server gives no answer, its secrets share one call every five seconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::schedule::clock::{Moment, Now};

/// Between the starts of two calls of a server that does not answer, whichever secrets they are for
const SPACING: Duration = Duration::from_secs(5);

/// The servers of all secrets, by their origins
#[derive(Clone, Debug, Default)]
pub(crate) struct Stores(Arc<Mutex<HashMap<String, Store>>>);

/// One server. Clones share its state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store(watch::Sender<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// The last call that ended was answered. A server is not trusted before its first answer.
    answers: bool,
    /// The start of the last call
    called: Option<Moment>,
}

impl Stores {
    /// The server of this origin
    pub(crate) fn of(&self, origin: &str) -> Store {
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stores.entry(origin.to_owned()).or_default().clone()
    }
}

impl Store {
    /// No secret calls the server before this moment; none while the server answers.
    pub(crate) fn earliest(&self) -> Option<Moment> {
        let State { answers, called } = *self.0.borrow();
        called.filter(|_| !answers).map(|called| called.plus(SPACING))
    }

    /// Takes the turn for a call. The result is whether no other secret has it; one that is pressed does not wait.
    pub(crate) fn begin(&self, is_pressed: bool, now: &Now) -> bool {
        let mut is_free = false;
        self.0.send_if_modified(|state| {
            is_free =
                is_pressed || state.answers || state.called.is_none_or(|called| now.moment >= called.plus(SPACING));
            if is_free {
                state.called = Some(now.moment);
            }
            false
        });
        is_free
    }

    /// Notes whether a call was answered. The first answer wakes all secrets that wait for their turn.
    pub(crate) fn end(&self, answers: bool) {
        self.0.send_if_modified(|state| {
            let is_back = answers && !state.answers;
            state.answers = answers;
            is_back
        });
    }

    /// Waits until the server answers again.
    pub(crate) fn returns(&self) -> Returns {
        Returns(self.0.subscribe())
    }
}

/// Notices when a server answers again
#[derive(Debug)]
pub(crate) struct Returns(watch::Receiver<State>);

impl Returns {
    /// Resolves at the next return that was not noticed yet.
    pub(crate) async fn next(&mut self) {
        // A store that no secret uses any more never returns.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn at(seconds: f64) -> Now {
        Now { moment: Moment::since_boot(Duration::from_secs_f64(seconds)), wall: SystemTime::UNIX_EPOCH }
    }

    #[test]
    fn a_server_that_does_not_answer_is_called_every_five_seconds() {
        let stores = Stores::default();
        let (store, same, other) = (stores.of("https://a"), stores.of("https://a"), stores.of("https://b"));
        assert!(store.begin(false, &at(0.0)) && !same.begin(false, &at(0.0)) && other.begin(false, &at(0.0)));
        store.end(false);
        assert_eq!(same.earliest(), Some(at(5.0).moment));
        assert!(!same.begin(false, &at(4.9)) && same.begin(false, &at(5.0)) && !store.begin(false, &at(5.0)));
        same.end(true);
        assert_eq!(store.earliest(), None);
        assert!(store.begin(false, &at(5.1)) && same.begin(false, &at(5.2)));
        store.end(false);
        assert!(
            !same.begin(false, &at(10.1)) && same.begin(false, &at(10.2)),
            "counted from the start of the last call"
        );
    }

    #[tokio::test]
    async fn the_first_answer_after_an_outage_wakes_those_that_wait() {
        let store = Store::default();
        let mut returns = store.returns();
        store.end(false);
        assert!(!returns.0.has_changed().unwrap());
        store.end(true);
        returns.next().await;
        store.end(true);
        assert!(!returns.0.has_changed().unwrap());
    }
}
