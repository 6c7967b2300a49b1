//! A request to an upstream, counted when it has ended.

use std::{rc::Rc, time::Instant};

use http::{Method, StatusCode};

use crate::{
    refusal::{Refusal, fault::Fault},
    telemetry::durations::Durations,
};

/// A request that was sent, or is about to be
pub(crate) struct Attempt {
    durations: Rc<Durations>,
    method: Method,
    begun: Instant,
    /// When it ended well
    ended: Option<Instant>,
    status: Option<StatusCode>,
    fault: Option<Fault>,
}

impl Attempt {
    /// One that begins now
    pub(crate) fn begin(durations: Rc<Durations>, method: Method, now: Instant) -> Self {
        Self { durations, method, begun: now, ended: None, status: None, fault: Some(Fault::GivenUp) }
    }

    /// The head of its answer has come.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// No answer, or none that can be used
    pub(crate) fn failed(&mut self, refusal: Refusal) {
        self.fault = Some(Fault::Refused(refusal));
    }

    /// The answer broke off.
    pub(crate) fn cut(&mut self) {
        self.fault = Some(Fault::AnswerCut);
    }

    /// The answer has ended well, at this time.
    pub(crate) fn ended(&mut self, now: Instant) {
        self.ended = Some(now);
        self.fault = None;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let ended = self.ended.unwrap_or_else(Instant::now);
        let elapsed = ended.saturating_duration_since(self.begun);
        self.durations.observe(&self.method, self.status, self.fault, elapsed.as_secs_f64());
    }
}
