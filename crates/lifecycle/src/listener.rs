//! The HTTP listener for the kubelet and for Prometheus, and the one for admin commands.
//!
//! Both have a thread and a runtime of their own, so that they can report a job whose thread is
//! stuck. Each connection serves one request.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::TcpListener,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::Sender,
    },
    thread,
    time::{Duration, Instant},
};

use hyper::{Method, Request, StatusCode, body::Incoming, header::CONTENT_TYPE, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, task, time};

use crate::{
    admin,
    answer::{Answer, refuse_method, text},
    app_exit_watch::AppExitWatch,
    event::Event,
    finding::Finding,
    health::Health,
    job::Control,
    log_throttle::LogThrottle,
    metrics,
    visit::Visit,
};

/// The most open connections, without those that wait for a page of the job; the kubelet and Prometheus need three. One more
/// closes the oldest, because any pod can reach the listener and idle connections must not lock the kubelet out.
const CONNECTION_LIMIT: usize = 32;
/// The time for a request's head; the kubelet sends it in one piece.
const HEAD_TIMEOUT: Duration = Duration::from_secs(1);
/// The time for a request and its answer, unless it is a page of the job; the kubelet's own default is one second.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a request's head
const HEAD_LIMIT: usize = 16 * 1024;
/// The pause after a failed accept, whose usual cause is a lack of descriptors: trying again at
/// once would not free any.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The pages that a listener serves
#[derive(Clone)]
pub(crate) enum Service {
    Health(Control),
    Admin(Control),
}

/// Serves until the process ends.
pub(crate) fn serve(services: Vec<(TcpListener, Service)>, app_exit_watch: AppExitWatch) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || {
        runtime.block_on(async {
            for (listener, service) in services {
                tokio::spawn(accept(listener, service));
            }
            app_exit_watch.watch().await;
            std::future::pending::<()>().await;
        });
    };
    thread::Builder::new().name("health".into()).spawn(work).map(drop)
}

async fn accept(listener: TcpListener, service: Service) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot serve"),
    };
    let mut open = VecDeque::new();
    let mut throttle = LogThrottle::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                if throttle.is_due(&error.to_string(), Instant::now()) {
                    tracing::warn!(%error, "cannot accept");
                }
                time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        make_room(&mut open);
        let (service, is_page) = (service.clone(), Arc::new(AtomicBool::new(false)));
        let visit = Visit::new(CONNECTION_TIMEOUT, is_page.clone());
        let task = tokio::spawn(async move { service.serve(stream, visit).await }).abort_handle();
        open.push_back(Connection { task, is_page });
        // Let the new connection answer a request that it already has, before the next one can
        // close it.
        task::yield_now().await;
    }
}

/// A connection that may be closed for a newer one, unless it waits for a page
struct Connection {
    task: task::AbortHandle,
    is_page: Arc<AtomicBool>,
}

/// Closes the oldest connection at the limit. Pages have a limit of their own.
fn make_room(open: &mut VecDeque<Connection>) {
    open.retain(|connection| !connection.task.is_finished() && !connection.is_page.load(Relaxed));
    if open.len() >= CONNECTION_LIMIT
        && let Some(oldest) = open.pop_front()
    {
        oldest.task.abort();
    }
}

/// The event that an admin request asks for, sent when the connection ends
struct Asked {
    event: OnceLock<Event>,
    events: Sender<Event>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(event) = self.event.take() {
            let _ = self.events.send(event);
        }
    }
}

impl Service {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Health(_) => "health",
            Self::Admin(_) => "admin",
        }
    }

    fn control(&self) -> &Control {
        let (Self::Health(control) | Self::Admin(control)) = self;
        control
    }

    async fn serve(&self, stream: TcpStream, visit: Visit) {
        // Sent only after the connection, because the end of the process would cut the answer off.
        let asked = Asked { event: OnceLock::new(), events: self.control().events.clone() };
        let answer = service_fn(async |request| {
            let (answer, event) = self.answer(request, &visit).await;
            if let Some(event) = event {
                let _ = asked.event.set(event);
            }
            Ok::<_, Infallible>(answer)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .keep_alive(false)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(stream), answer);
        tokio::select! {
            // A client that closes early loses only its own answer.
            _ = connection => (),
            () = visit.time_passed() => (),
        }
    }

    async fn answer(&self, request: Request<Incoming>, visit: &Visit) -> (Answer, Option<Event>) {
        match self {
            Self::Health(control) => (health(control, request, visit).await, None),
            Self::Admin(_) => admin::answer(request.method(), request.uri().path()),
        }
    }
}

async fn health(control: &Control, request: Request<Incoming>, visit: &Visit) -> Answer {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return refuse_method("GET, HEAD");
    }
    let health: &Health = &control.health;
    let (name, findings) = match request.uri().path() {
        "/livez" | "/healthz" => ("livez", health.livez(Instant::now())),
        "/readyz" => ("readyz", health.readyz()),
        "/startupz" => ("startupz", health.startupz()),
        path if control.pages.has(path) => return control.pages.answer(request.map(drop), visit).await,
        "/metrics" => return metrics(control),
        _ => {
            let paths =
                if control.pages.are_served() { "/startupz, /metrics or /debug" } else { "/startupz or /metrics" };
            return text(StatusCode::NOT_FOUND, format!("try /livez, /readyz, {paths}\n"));
        }
    };
    let verbose = request.uri().query().is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
    report(name, &findings, verbose)
}

/// `ok`, or one line per check as the Kubernetes API server prints it.
fn report(name: &str, findings: &[Finding], verbose: bool) -> Answer {
    let well = findings.iter().all(Finding::is_well);
    if well && !verbose {
        return text(StatusCode::OK, "ok".into());
    }
    let lines = findings.iter().map(Finding::line);
    let verdict = format!("{name} check {}\n", if well { "passed" } else { "failed" });
    let body = lines.chain([verdict]).collect();
    text(if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, body)
}

fn metrics(control: &Control) -> Answer {
    match metrics::render(&control.registry, &control.writers) {
        Ok(page) => {
            let mut answer = text(StatusCode::OK, page);
            answer.headers_mut().insert(CONTENT_TYPE, metrics::CONTENT_TYPE.parse().expect("a constant"));
            answer
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}
