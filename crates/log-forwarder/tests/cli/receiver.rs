//! A small HTTP server that keeps each request, and answers as a function says.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// One request
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// Path and query
    pub(crate) target: String,
    /// By name, in lower case
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// Status, header lines, body; none means that the connection is closed without an answer.
pub(crate) type Reply = Option<(u16, String, String)>;

/// Serves connections until the test's end
pub(crate) struct Receiver {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

type Answer = Arc<Mutex<dyn FnMut(&Request) -> Reply + Send>>;

impl Receiver {
    pub(crate) fn start(answer: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<Request>>>::default());
        let (answer, shared): (Answer, _) = (Arc::new(Mutex::new(answer)), requests.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, requests) = (answer.clone(), shared.clone());
                thread::spawn(move || while serve(&stream, &answer, &requests).is_some() {});
            }
        });
        Self { address, requests }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Those that were answered, or were not to be
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Serves one request; `None` ends the connection.
fn serve(mut stream: &TcpStream, answer: &Answer, requests: &Mutex<Vec<Request>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut request = Request::default();
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.split(' ').nth(1)?.clone_into(&mut request.target);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        request.headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    request.body = vec![0; request.headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut request.body).ok()?;
    let reply = (answer.lock().unwrap())(&request);
    requests.lock().unwrap().push(request);
    let (status, headers, body) = reply?;
    if headers.contains("chunked") {
        let (first, rest) = body.split_at(body.len() / 2);
        let chunk = |part: &str| format!("{:x}\r\n{part}\r\n", part.len());
        let _ = write!(stream, "HTTP/1.1 {status} X\r\n{headers}\r\n{}{}0\r\n\r\n", chunk(first), chunk(rest));
        return Some(());
    }
    // A length of its own can be longer than the body, which then stalls.
    let length = if status == 204 || headers.contains("Content-Length") {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let _ = write!(stream, "HTTP/1.1 {status} X\r\n{length}{headers}\r\n{body}");
    Some(())
}
