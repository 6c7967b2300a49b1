//! The plainest HTTP/1.1 server: one request a connection, remembered, answered by a script.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr},
    os::unix::net::UnixListener,
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::server::{Server, hold};

/// The head of a request, and how many came before
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) nth: usize,
    /// Method and target, such as `GET /healthz`
    pub(crate) line: String,
    /// The header lines, names in lower case
    pub(crate) headers: Vec<String>,
    /// The name that a TLS client asked for
    pub(crate) server_name: Option<String>,
}

/// What requests have come
#[derive(Clone, Default)]
pub(crate) struct Requests(Arc<Mutex<Vec<Request>>>);

/// An HTTP server
pub(crate) struct Http {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Requests,
}

impl Http {
    /// Answers each request with what the script says: a whole response.
    pub(crate) fn start(script: impl Fn(&Request) -> String + Send + Sync + 'static) -> Self {
        let requests = Requests::default();
        let noted = requests.clone();
        let server = Server::start(move |mut stream, _| {
            noted.serve(&mut stream, None, &script);
            // Leaving with bytes unread would be a reset.
            let _ = stream.shutdown(Shutdown::Write);
            hold(stream);
        });
        Self { address: server.address, requests }
    }

    /// The same over TLS
    pub(crate) fn start_tls(
        config: Arc<ServerConfig>,
        script: impl Fn(&Request) -> String + Send + Sync + 'static,
    ) -> Self {
        let requests = Requests::default();
        let noted = requests.clone();
        let server = Server::start(move |stream, _| {
            let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            while tls.conn.is_handshaking() {
                if tls.conn.complete_io(&mut tls.sock).is_err() {
                    return;
                }
            }
            let server_name = tls.conn.server_name().map(String::from);
            noted.serve(&mut tls, server_name, &script);
            tls.conn.send_close_notify();
            let _ = tls.flush();
        });
        Self { address: server.address, requests }
    }

    /// The same on a UNIX socket
    pub(crate) fn start_unix(path: &Path, script: impl Fn(&Request) -> String + Send + 'static) -> Requests {
        let listener = UnixListener::bind(path).unwrap();
        let requests = Requests::default();
        let noted = requests.clone();
        thread::spawn(move || listener.incoming().for_each(|stream| noted.serve(stream.unwrap(), None, &script)));
        requests
    }

    /// A URL with this path and fragment.
    pub(crate) fn url(&self, rest: &str) -> String {
        format!("http://{}{rest}", self.address)
    }

    /// The same with the name `localhost` and TLS
    pub(crate) fn url_tls(&self, rest: &str) -> String {
        format!("https://localhost:{}{rest}", self.address.port())
    }
}

impl Requests {
    fn serve(&self, mut stream: impl Read + Write, server_name: Option<String>, script: &impl Fn(&Request) -> String) {
        let Some(head) = read_head(&mut stream) else { return };
        let mut lines = head.lines();
        let line = lines.next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| format!("{}: {value}", name.to_lowercase())).collect();
        let request = {
            let mut requests = self.0.lock().unwrap();
            let request = Request { nth: requests.len(), line, headers, server_name };
            requests.push(request.clone());
            request
        };
        let _ = stream.write_all(script(&request).as_bytes());
        let _ = stream.flush();
    }

    pub(crate) fn all(&self) -> Vec<Request> {
        self.0.lock().unwrap().clone()
    }

    /// The only request that came.
    #[track_caller]
    pub(crate) fn only(&self) -> Request {
        let all = self.all();
        assert_eq!(all.len(), 1, "{all:#?}");
        all[0].clone()
    }
}

impl Request {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|header| header.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Reads to the empty line; `None` if the client leaves before.
pub(crate) fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// A whole response: status line, further header lines, body.
pub(crate) fn response(status: &str, headers: &[&str], body: &str) -> String {
    let (line, length) = (format!("HTTP/1.1 {status}"), format!("Content-Length: {}", body.len()));
    [&[&line[..]], headers, &[&length, "Connection: close", "", body]].concat().join("\r\n")
}

/// A response without a body of note.
pub(crate) fn status(status: &str) -> String {
    response(status, &[], "")
}

/// A server whose answer to everything is this.
pub(crate) fn always(answer: &str) -> Http {
    let answer = answer.to_owned();
    Http::start(move |_| answer.clone())
}

/// A server that redirects every request to this place.
pub(crate) fn leading_to(url: &str) -> Http {
    always(&response("302 Found", &[&format!("Location: {url}")], ""))
}
