//! The time of a call: until the client's own deadline, and until the upstream has begun to answer.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::HeaderMap;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    grpc::timeout::{self, TIMEOUT},
    refusal::Refusal,
};

/// A call under way
pub(crate) struct Call {
    pub(crate) deadline: Deadline,
    /// The time for the head of the answer, and when it is over; nothing once the head has come
    head: Option<(Duration, Instant)>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Resolves when the process is about to end; nothing once it has
    ending: Option<Ending>,
}

/// Resolves at the end of a drain
type Ending = Pin<Box<dyn Future<Output = ()>>>;

/// When the time is over that the client gives a call, if it gives any
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// Tells the upstream the time that is left, which is never more than the client's.
    pub(crate) fn tell(self, headers: &mut HeaderMap, now: Instant) {
        if let Some(deadline) = self.0 {
            headers.insert(TIMEOUT, timeout::write(deadline.saturating_duration_since(now)));
        }
    }

    /// Whether the time is over then
    pub(crate) fn is_over(self, then: Instant) -> bool {
        self.0.is_some_and(|deadline| deadline <= then)
    }
}

impl Call {
    /// A call that has begun at this time. The head of its answer has `head_timeout`, or no limit.
    pub(crate) fn begin(
        headers: &HeaderMap,
        begun: Instant,
        head_timeout: Option<Duration>,
        ending: impl Future<Output = ()> + 'static,
    ) -> Result<Self, Refusal> {
        let time = timeout::of(headers).map_err(|_| Refusal::BadGrpcTimeout)?;
        if time == Some(Duration::ZERO) {
            return Err(Refusal::GrpcDeadline);
        }
        // A time that the clock cannot hold is none.
        let later = |time| begun.checked_add(time);
        let head = head_timeout.and_then(|time| Some((time, later(time)?)));
        Ok(Self { deadline: Deadline(time.and_then(later)), head, timer: None, ending: Some(Box::pin(ending)) })
    }

    /// The head of the answer has come: only the client's own time counts from now on.
    pub(crate) fn has_head(&mut self) {
        self.head = None;
    }

    /// Waits until the call is too late. The time for the head begins when the client has sent all, because servers send their head
    /// with their first message, and many wait for all of the client's messages with that.
    /// A call that outlasts a drain is late too, because most streams end only when one side wants them to.
    pub(crate) fn poll_late(&mut self, context: &mut Context, sent: Option<Instant>) -> Poll<Refusal> {
        if self.ending.as_mut().is_some_and(|ending| ending.as_mut().poll(context).is_ready()) {
            self.ending = None;
            return Poll::Ready(Refusal::Stopping);
        }
        loop {
            let head = self.head.map(|(_, end)| end);
            let Some(next) = self.deadline.0.into_iter().chain(head).min() else { return Poll::Pending };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(next)));
            if timer.deadline() != next {
                timer.as_mut().reset(next);
            }
            ready!(timer.as_mut().poll(context));
            match &mut self.head {
                Some((time, end)) if *end == next => match sent.unwrap_or_else(Instant::now) + *time {
                    later if later > *end => *end = later,
                    _ => return Poll::Ready(Refusal::UpstreamSilent),
                },
                _ => return Poll::Ready(Refusal::GrpcDeadline),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};

    use http::HeaderValue;

    use super::*;

    fn call(value: Option<&'static str>, head_seconds: Option<u64>) -> Result<Call, Refusal> {
        let headers = value.map(|value| (TIMEOUT, HeaderValue::from_static(value))).into_iter().collect();
        Call::begin(&headers, Instant::now(), head_seconds.map(Duration::from_secs), pending())
    }

    /// Why the call is late, and after how many seconds; nothing if it is not within an hour.
    async fn late(call: &mut Call, sent: Option<Instant>) -> Option<(Refusal, u64)> {
        let start = Instant::now();
        let late = poll_fn(|context| call.poll_late(context, sent));
        let refusal = tokio::time::timeout(Duration::from_secs(3_600), late).await.ok()?;
        Some((refusal, start.elapsed().as_secs()))
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_of_both_times_ends_a_call_without_an_answer() {
        for (value, head_seconds, refusal) in [
            (Some("5S"), Some(300), Some((Refusal::GrpcDeadline, 5))),
            (Some("1H"), Some(300), Some((Refusal::UpstreamSilent, 300))),
            (None, Some(300), Some((Refusal::UpstreamSilent, 300))),
            (None, None, None),
            (Some("99999999H"), None, None),
        ] {
            let mut call = call(value, head_seconds).unwrap();
            assert_eq!(late(&mut call, Some(Instant::now())).await, refusal, "{value:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_has_the_clients_time_alone() {
        let mut stream = call(Some("10M"), Some(300)).unwrap();
        assert_eq!(late(&mut stream, None).await, Some((Refusal::GrpcDeadline, 600)));
        let mut answered = call(Some("10M"), Some(300)).unwrap();
        answered.has_head();
        assert_eq!(late(&mut answered, Some(Instant::now())).await, Some((Refusal::GrpcDeadline, 600)));
        // The upstream has the whole time after the last message.
        let mut upload = call(None, Some(10)).unwrap();
        assert!(tokio::time::timeout(Duration::from_secs(69), late(&mut upload, None)).await.is_err());
        assert_eq!(late(&mut upload, Some(Instant::now())).await, Some((Refusal::UpstreamSilent, 10)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_upstream_hears_of_the_time_that_is_left() {
        let call = call(Some("5S"), None).unwrap();
        tokio::time::sleep(Duration::from_millis(1_250)).await;
        let mut headers = HeaderMap::from_iter([(TIMEOUT, HeaderValue::from_static("5S"))]);
        call.deadline.tell(&mut headers, Instant::now());
        assert_eq!(headers[TIMEOUT], "3750000u");
        assert!(super::tests::call(None, None).is_ok_and(|call| call.deadline.0.is_none()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_drain_ends_a_call() {
        let ending = tokio::time::sleep(Duration::from_secs(7));
        let mut call = Call::begin(&HeaderMap::new(), Instant::now(), None, ending).unwrap();
        assert_eq!(late(&mut call, None).await, Some((Refusal::Stopping, 7)));
    }

    #[tokio::test]
    async fn a_time_must_be_one_that_is_not_over() {
        assert_eq!(call(Some("x"), None).err(), Some(Refusal::BadGrpcTimeout));
        assert_eq!(call(Some("0m"), None).err(), Some(Refusal::GrpcDeadline));
    }
}
