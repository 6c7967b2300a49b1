//! A small sidecar that logs a greeting and fails as its flags say; the example of how a sidecar uses `lifecycle`.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use hyper::{Request, Response};
use lifecycle::{
    ConfigFile, Configuration, End, Exit, Heartbeat, Helper, Hold, Lifecycle, Misfit, OwnCommand, OwnCommands, reload,
};

/// Soon enough for a test that waits, seldom enough for a machine with many of them
const TICK: Duration = Duration::from_millis(50);

/// Stand beside an app and say a greeting
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "test-sidecar", version)]
struct Args {
    /// Take the greeting from this file, and from each new version of it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Follow this file too, and take nothing from it
    #[arg(long, value_name = "FILE")]
    second_config: Option<PathBuf>,
    /// The most bytes of a greeting
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    longest_greeting: usize,
    /// How long the vital loop may be silent before /livez tells
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = lifecycle::duration)]
    bound: Duration,
    /// Become ready only once this file exists
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Hold the job's thread without a beat while this file exists
    #[arg(long, value_name = "PATH")]
    stall_file: Option<PathBuf>,
    /// Panic in the vital loop once this file exists
    #[arg(long, value_name = "PATH")]
    panic_file: Option<PathBuf>,
    /// Return from the vital loop once this file exists
    #[arg(long, value_name = "PATH")]
    return_file: Option<PathBuf>,
    /// Hold the job's thread before its first vital loop until this file exists
    #[arg(long, value_name = "PATH")]
    begin_file: Option<PathBuf>,
    /// End the job once this file exists, with its loops still running
    #[arg(long, value_name = "PATH")]
    end_file: Option<PathBuf>,
    /// Has a parser that opens a file, however long that takes
    #[arg(long, value_name = "PATH", value_parser = opened)]
    opened: Option<PathBuf>,
    /// Answer /metrics and /debug/… itself, and /debug/slow only once this file exists
    #[arg(long, value_name = "PATH")]
    page_file: Option<PathBuf>,
    /// Have this many batches that can never be delivered
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    stuck_batches: u64,
}

/// Of its configuration file; a helper's is generated
const SCHEMA: &str = include_str!("sidecar.json");

/// The content of the configuration file
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What to say
    greeting: String,
}

impl Configuration for Config {
    type Args = Args;

    fn judge(&self, args: &Args) -> Vec<Misfit> {
        assert_ne!(self.greeting, "panic", "told to panic");
        if self.greeting.len() > args.longest_greeting {
            let message = "the greeting is longer than --longest-greeting".into();
            return vec![Misfit { at: "greeting".into(), message }];
        }
        Vec::new()
    }

    /// A greeting may be in a file.
    fn files(&self) -> Vec<PathBuf> {
        if self.greeting.starts_with('/') { vec![self.greeting.clone().into()] } else { Vec::new() }
    }

    fn judge_files(&self, args: &Args) -> Vec<Misfit> {
        let is_long = |path: PathBuf| std::fs::read(path).is_ok_and(|text| text.len() > args.longest_greeting);
        let message = "the file's greeting is longer than --longest-greeting".to_owned();
        if self.files().into_iter().any(is_long) { vec![Misfit { at: "greeting".into(), message }] } else { Vec::new() }
    }
}

/// The commands of its own
#[derive(Debug, clap::Subcommand)]
enum Say {
    /// Say the greeting of the configuration file a number of times
    Say {
        /// How often
        times: usize,
    },
}

impl OwnCommand for Say {
    type Args = Args;

    fn answer(self, args: Args) -> anyhow::Result<(String, End)> {
        let Self::Say { times } = self;
        let path = args.config.as_deref().ok_or_else(|| Exit::Usage.because("say needs --config"))?;
        let greeting = lifecycle::config::load::<Config>(path, &args)?.greeting;
        let end = match times {
            0 => End { last: Some("nothing was said".into()), ..Exit::Data.into() },
            _ => Exit::Done.into(),
        };
        Ok((vec![greeting; times].join(" "), end))
    }
}

fn opened(path: &str) -> io::Result<PathBuf> {
    File::open(path).map(|_| path.into())
}

fn main() -> ExitCode {
    let helper = Helper::sidecar(9470, Some(ConfigFile::of::<Config>(SCHEMA))).with_commands(OwnCommands::of::<Say>());
    lifecycle::main(helper, run)
}

async fn run(args: Args, life: Lifecycle) -> anyhow::Result<End> {
    let ready = life.hold("ready-file");
    life.pending("batches").add(args.stuck_batches);
    if let Some(path) = &args.config {
        life.spawn(greet(life.clone(), reload::follow(path, args.clone(), &life).await?));
    }
    if let Some(path) = &args.second_config {
        reload::follow::<Config>(path, args.clone(), &life).await?;
    }
    while args.begin_file.as_deref().is_some_and(|path| !path.exists()) {
        thread::sleep(TICK);
    }
    if let Some(path) = args.page_file.clone() {
        life.serve_pages(move |request| page(request, path.clone()));
    }
    let end_file = args.end_file.clone();
    life.vital("work", args.bound, |heartbeat| work(args, life.clone(), ready, heartbeat));
    tokio::select! {
        exit = life.stop_requested() => Ok(exit.into()),
        () = until_there(end_file) => Ok(Exit::Done.into()),
    }
}

/// Logs its begin and its end.
async fn page(request: Request<()>, slow_until: PathBuf) -> Response<Vec<u8>> {
    let path = request.uri().path();
    let limit = request.headers().get("x-prometheus-scrape-timeout-seconds").and_then(|limit| limit.to_str().ok());
    tracing::info!(path, limit, "page begun");
    let mut ending = Ending { path: path.to_owned(), is_made: false };
    match path {
        "/debug/panic" => panic!("told to panic"),
        "/debug/slow" => until_there(Some(slow_until)).await,
        _ => {}
    }
    ending.is_made = true;
    let body = format!("{} {path}\n", request.method());
    Response::builder().status(203).header("content-type", "text/x-page").body(body.into()).expect("a constant head")
}

/// Logs the end of a page
struct Ending {
    path: String,
    is_made: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        tracing::info!(path = self.path, "page {}", if self.is_made { "made" } else { "given up" });
    }
}

async fn until_there(path: Option<PathBuf>) {
    while !exists(path.as_deref()) {
        tokio::time::sleep(TICK).await;
    }
}

async fn greet(life: Lifecycle, mut config: reload::Reloads<Config>) {
    loop {
        tracing::info!(greeting = config.borrow_and_update().greeting, "the greeting");
        tokio::select! {
            _ = life.stop_requested() => return,
            changed = config.changed() => if changed.is_err() { return },
        }
    }
}

/// Goes on until it may stop taking new work, and for ever with batches that are stuck.
async fn work(args: Args, life: Lifecycle, ready: Hold, heartbeat: Heartbeat) -> anyhow::Result<()> {
    loop {
        while exists(args.stall_file.as_deref()) {
            thread::sleep(TICK);
        }
        assert!(!exists(args.panic_file.as_deref()), "told to panic");
        if exists(args.return_file.as_deref()) {
            return Ok(());
        }
        heartbeat.beat();
        life.started();
        if args.ready_file.is_none() || exists(args.ready_file.as_deref()) {
            ready.release();
        }
        tokio::select! {
            _ = life.refuse_new_work(), if args.stuck_batches == 0 => return Ok(()),
            () = tokio::time::sleep(heartbeat.interval().min(TICK)) => {}
        }
    }
}

fn exists(path: Option<&Path>) -> bool {
    path.is_some_and(Path::exists)
}
