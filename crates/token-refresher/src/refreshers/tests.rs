//! Clocks that jump, and a machine that sleeps: the loop of a secret with a clock of the test.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use lifecycle::{End, Exit, TestLife, config::judged};
use tokio::time::{Instant, sleep};

use super::*;
use crate::{
    args::Args,
    schedule::clock::{Moment, Now},
};

/// Seconds of the value's life. It is refreshed at 0.8 of it, or up to a tenth of that earlier.
const LIFE: u64 = 1000;
/// No refresh is due before this moment of its life: 720 s, less [`SLACK`].
const SHORTLY_BEFORE: Duration = Duration::from_secs(718);
/// From then on, and [`SLACK`] longer than to [`LATEST`]
const WITHIN: Duration = Duration::from_secs(85);
/// After this one it is late.
const LATEST: Duration = Duration::from_secs(801);
/// Both clocks are compared this often at least.
const LOOK: Duration = Duration::from_secs(30);
/// For the work itself, and for the seconds that an expiry is rounded to
const SLACK: Duration = Duration::from_secs(2);

/// Clocks that go as fast as the runtime's one, but for what the test adds
#[derive(Clone, Default)]
struct Clocks(Arc<Mutex<(Duration, i64)>>);

impl Clocks {
    fn clock(&self) -> Clock {
        let (jumps, start, wall) = (self.0.clone(), Instant::now(), SystemTime::now());
        Clock::of(move || {
            let (slept, wall_jump) = *jumps.lock().unwrap();
            let since = start.elapsed() + slept;
            let jump = Duration::from_secs(wall_jump.unsigned_abs());
            let wall = if wall_jump < 0 { wall + since - jump } else { wall + since + jump };
            Now { moment: Moment::since_boot(Duration::from_secs(3600) + since), wall }
        })
    }

    /// The machine was suspended: both clocks went on, and the timers did not.
    fn suspend(&self, time: Duration) {
        self.0.lock().unwrap().0 += time;
    }

    /// The wall clock is set this many seconds forward, or back.
    fn set_wall(&self, seconds: i64) {
        self.0.lock().unwrap().1 += seconds;
    }
}

/// A configuration with a token that says itself when it expires
fn config(directory: &Path) -> Config {
    let expiry = SystemTime::now() + Duration::from_secs(LIFE);
    let expiry = expiry.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let claims = BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{expiry}}}"));
    // Changes beside the source make a refresh due as well.
    fs::create_dir(directory.join("source")).unwrap();
    fs::write(directory.join("source/in"), format!("e30.{claims}.c2ln")).unwrap();
    let shown = directory.display();
    let text = format!(
        "secrets: [{{name: token, source: {{file: {{path: {shown}/source/in}}}}, refresh-every: 24h, outputs: [{{file: {shown}/out}}]}}]\n"
    );
    let args = Args { config: None, once: false, timeout: None, state_dir: None, status_file: None };
    judged(Path::new("secrets.yaml"), &text, &args).unwrap()
}

/// Runs a story that begins with the first value; it gets the number of refreshes.
async fn story(story: impl AsyncFnOnce(&Clocks, &dyn Fn() -> u64)) {
    let directory = tempfile::tempdir().unwrap();
    let (life, clocks, config) = (TestLife::sidecar(), Clocks::default(), config(directory.path()));
    let end: End = life
        .run((), async |(), lifecycle| {
            let mut refreshers = Refreshers::new(&lifecycle, clocks.clock(), Board::new(), None)?;
            let telemetry = refreshers.metrics.of("token");
            let succeeded = || telemetry.refreshes.get();
            refreshers.keep(&config).await?;
            let start = std::time::Instant::now();
            while succeeded() == 0 || !directory.path().join("out").exists() {
                assert!(start.elapsed() < harness::DEADLINE, "there is no first value");
                let_threads_work().await;
            }
            story(&clocks, &succeeded).await;
            life.request_stop();
            Ok(lifecycle.stop_requested().await.into())
        })
        .await;
    assert_eq!(end.exit, Exit::Done, "{end:?}");
}

/// Waits until this is so, and fails after this time of the runtime's clock.
#[track_caller]
fn until(limit: Duration, is_so: impl Fn() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() <= limit, "{caller}: not so within {limit:?}");
            sleep(Duration::from_millis(100)).await;
            let_threads_work().await;
        }
    }
}

/// The runtime's clock stands still while threads work, which read files and watch them.
async fn let_threads_work() {
    tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refresh_is_due_by_its_life_while_no_clock_jumps() {
    story(async |_, refreshes| {
        sleep(SHORTLY_BEFORE).await;
        assert_eq!(refreshes(), 1);
        until(WITHIN, || refreshes() == 2).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_suspend_a_refresh_that_is_due_follows_within_the_look_at_the_clocks() {
    story(async |clocks, refreshes| {
        sleep(Duration::from_secs(45)).await;
        clocks.suspend(LATEST);
        until(LOOK + SLACK, || refreshes() == 2).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_went_on_alone_makes_a_refresh_due() {
    story(async |clocks, refreshes| {
        sleep(Duration::from_secs(45)).await;
        clocks.set_wall(i64::try_from(LATEST.as_secs()).unwrap());
        until(LOOK + SLACK, || refreshes() == 2).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_back_delays_no_refresh() {
    story(async |clocks, refreshes| {
        clocks.set_wall(-365 * 24 * 3600);
        sleep(SHORTLY_BEFORE).await;
        assert_eq!(refreshes(), 1);
        until(WITHIN, || refreshes() == 2).await;
    })
    .await;
}
