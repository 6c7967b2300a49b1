//! A Kubernetes API server as a test writes it: over TLS, one request a connection, answered by a
//! script.

use std::{
    fs,
    io::Write,
    net::TcpStream,
    sync::{Arc, Mutex},
};

use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Authority,
    http::{Request, read_head},
    server::{Server, hold, reset},
};

/// The first token of the service account
pub(crate) const TOKEN: &str = "token-number-one";
/// The reason while `jobs/migrate` is not there
pub(crate) const ABSENT: &str =
    "no Job migrate in the namespace shop; is it still to come, or did ttlSecondsAfterFinished delete it?";

pub(crate) struct ApiServer {
    pub(crate) server: Server,
    pub(crate) authority: Authority,
    requests: Arc<Mutex<Vec<Request>>>,
    directory: TempDir,
}

/// The head of the answer to a watch
const WATCH: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The answer to one request
pub(crate) struct Answer(StreamOwned<ServerConnection, TcpStream>);

impl ApiServer {
    /// Gives each request to the script, which answers it.
    pub(crate) fn start(script: impl Fn(&Request, Answer) + Send + Sync + 'static) -> Self {
        Self::after_broken(|_| false, script)
    }

    /// Lists these objects at version 7, and gives each watch to the script.
    pub(crate) fn listing(objects: Vec<Value>, script: impl Fn(&Request, Answer) + Send + Sync + 'static) -> Self {
        Self::start(move |request, answer| {
            if is_watch(request) {
                script(request, answer);
            } else {
                answer.list("7", &objects);
            }
        })
    }

    /// As `start`; connections of these numbers are closed before TLS, as when the server behind a
    /// balancer is gone.
    pub(crate) fn after_broken(
        is_broken: impl Fn(usize) -> bool + Send + Sync + 'static,
        script: impl Fn(&Request, Answer) + Send + Sync + 'static,
    ) -> Self {
        let authority = Authority::new();
        let config = authority.server(&["localhost", "127.0.0.1"]);
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let noted = requests.clone();
        let server = Server::start(move |stream, nth| {
            if is_broken(nth) {
                return;
            }
            let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            let Some(head) = read_head(&mut tls) else { return };
            let mut lines = head.lines();
            let line = lines.next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
            let headers = lines.filter_map(|line| line.split_once(": "));
            let headers = headers.map(|(name, value)| format!("{}: {value}", name.to_lowercase())).collect();
            let request = {
                let mut requests = noted.lock().unwrap();
                let request = Request { nth: requests.len(), line, headers, server_name: None };
                requests.push(request.clone());
                request
            };
            script(&request, Answer(tls));
        });
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("token"), TOKEN).unwrap();
        Self { server, authority, requests, directory }
    }

    /// A target in the namespace `shop`, such as `jobs/migrate`, with more options
    pub(crate) fn target(&self, what: &str, options: &str) -> String {
        let (port, ca, token) = (self.server.port(), self.authority.ca(), self.token_file());
        format!(
            "kubernetes://{what}#server=https://localhost:{port}&ca={ca}&token-file={token}&namespace=shop{options}"
        )
    }

    pub(crate) fn token_file(&self) -> String {
        self.directory.path().join("token").display().to_string()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// `list` or `watch` of each request, and the version that a watch begins with
    pub(crate) fn verbs(&self) -> Vec<String> {
        self.requests().iter().map(verb).collect()
    }
}

fn verb(request: &Request) -> String {
    if !is_watch(request) {
        return "list".to_owned();
    }
    let version = request.line.split("resourceVersion=").nth(1).and_then(|rest| rest.split('&').next());
    format!("watch {}", version.unwrap_or_default())
}

pub(crate) fn is_watch(request: &Request) -> bool {
    request.line.contains("watch=true")
}

/// An object with this status
pub(crate) fn object(name: &str, version: &str, status: &Value) -> Value {
    json!({"metadata": {"name": name, "resourceVersion": version, "generation": 1}, "status": status})
}

/// A condition that is true
pub(crate) fn condition(kind: &str) -> Value {
    json!({"conditions": [{"type": kind, "status": "True", "reason": "BackoffLimitExceeded", "message": "it tried"}]})
}

/// Waits until the test says so.
pub(crate) fn gate() -> (impl Fn(), impl Fn() + Send + Sync + 'static) {
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let opened = Mutex::new(opened);
    (move || open.send(()).unwrap(), move || opened.lock().unwrap().recv().unwrap_or_default())
}

impl Answer {
    /// A list of these objects, at this version
    pub(crate) fn list(self, version: &str, objects: &[Value]) {
        self.whole("200 OK", &[], &json!({"metadata": {"resourceVersion": version}, "items": objects}));
    }

    /// A refusal in the API server's own form
    pub(crate) fn refuse(self, status: &str, headers: &[&str], message: &str) {
        self.whole(status, headers, &json!({"kind": "Status", "status": "Failure", "message": message}));
    }

    pub(crate) fn whole(mut self, status: &str, headers: &[&str], body: &Value) {
        self.say(super::http::response(status, headers, &body.to_string()).as_bytes());
        self.leave();
    }

    /// The start of a watch, in which events follow
    pub(crate) fn watch(mut self) -> Self {
        self.say(WATCH);
        self
    }

    /// A watch and its end, which arrive together however busy the machine is
    pub(crate) fn ended_watch(mut self) {
        self.say(&[WATCH, b"0\r\n\r\n"].concat());
        self.leave();
    }

    /// One event of a watch. A client that has left is no fault.
    pub(crate) fn event(&mut self, kind: &str, object: &Value) {
        self.part(format!("{}\n", json!({"type": kind, "object": object})).as_bytes());
    }

    /// Bytes of a watch
    pub(crate) fn part(&mut self, bytes: &[u8]) {
        self.say(&[format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat());
    }

    /// The end of a watch, as a server says it that stops
    pub(crate) fn end(mut self) {
        self.say(b"0\r\n\r\n");
        self.leave();
    }

    /// Keeps the watch open until the client leaves.
    pub(crate) fn hold(self) {
        hold(self.0);
    }

    /// Ends the connection by a reset, as a server that is killed.
    pub(crate) fn reset(self) {
        reset(self.0.sock);
    }

    fn leave(mut self) {
        self.0.conn.send_close_notify();
        let _ = self.0.flush();
        hold(self.0);
    }

    fn say(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).and_then(|()| self.0.flush());
    }
}
