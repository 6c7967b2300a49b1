//! `request`: an HTTP request to the app, such as one to its reload endpoint, until the expected status comes.

use std::time::Duration;

use endpoint::{HttpClient, HttpRequest};
use http::HeaderMap;

use super::{method::Method, statuses::Statuses};

/// An app may reload before it answers; one that takes longer would be asked to reload again and again.
const LIMIT: Duration = Duration::from_secs(30);
/// Bytes of an answer; only its status counts.
const BODY_LIMIT: usize = 1024 * 1024;

/// A request without a body, and the answer that means success
#[derive(Clone, Debug)]
pub(crate) struct RequestTell {
    pub(super) client: HttpClient,
    pub(super) method: Method,
    pub(super) expected: Statuses,
}

impl RequestTell {
    /// Sends the request once.
    pub(super) async fn tell(&self) -> Result<(), String> {
        self.send(LIMIT).await
    }

    pub(super) fn label(&self) -> String {
        format!("{} {}", http::Method::from(self.method), self.client.label())
    }

    async fn send(&self, limit: Duration) -> Result<(), String> {
        let (method, url) = (self.method.into(), self.client.url().clone());
        let request = HttpRequest { method, url, headers: HeaderMap::new(), body: Vec::new() };
        let answer = self.client.send(request, limit, BODY_LIMIT).await.map_err(|failure| failure.to_string())?;
        let status = answer.status;
        if self.expected.has(status.as_u16()) {
            return Ok(());
        }
        let remedy = if status.is_redirection() {
            "; write the URL that it leads to, because no redirect is followed"
        } else {
            ""
        };
        Err(format!("the answer has status {}, and {} is expected{remedy}", status.as_u16(), self.expected))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::{SocketAddr, TcpListener},
        sync::mpsc::{self, Receiver},
        thread,
    };

    use super::*;

    /// A server that gives these answers, a connection each, and then none to the next one; and the first lines of the requests
    fn server(answers: &'static [&'static str]) -> (SocketAddr, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            let mut silent = Vec::new();
            for answer in answers.iter().map(Some).chain(std::iter::repeat(None)) {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let head = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let head: Vec<_> = head.take_while(|line| !line.is_empty()).collect();
                if sender.send(head.join("\n")).is_err() {
                    return;
                }
                match answer {
                    Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                    None => silent.push(stream),
                }
            }
        });
        (address, requests)
    }

    fn tell(address: SocketAddr, expected: Statuses) -> RequestTell {
        let client = HttpClient::from_text(&format!("http://{address}/-/reload?now=1#header=X-App: a")).unwrap();
        RequestTell { client, method: Method::Post, expected }
    }

    #[tokio::test]
    async fn the_app_is_told_by_an_expected_status_alone() {
        const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";
        const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 7\r\n\r\nhunter2";
        const MOVED: &str = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";
        let (address, requests) = server(&[OK, BUSY, MOVED, OK, BUSY]);
        let any = tell(address, Statuses::default());
        assert_eq!(any.tell().await, Ok(()));
        let head = requests.recv().unwrap().to_lowercase();
        assert!(head.starts_with("post /-/reload?now=1 http/1.1\n"), "{head}");
        assert!(head.contains("\ncontent-length: 0") && head.contains("\nx-app: a"), "{head}");
        assert_eq!(any.tell().await.unwrap_err(), "the answer has status 503, and 2xx is expected");
        let moved = "the answer has status 302, and 2xx is expected; write the URL that it leads to, because no redirect is followed";
        assert_eq!(any.tell().await.unwrap_err(), moved);
        let named = tell(address, serde_json::from_str("[503, 200]").unwrap());
        assert_eq!(named.tell().await.unwrap_err(), "the answer has status 204, and 503 or 200 is expected");
        assert_eq!(named.tell().await, Ok(()));
        assert_eq!(named.label(), format!("POST http://{address}/-/reload"));
    }

    #[tokio::test]
    async fn an_app_that_never_answers_is_given_up_at_the_limit() {
        let (address, requests) = server(&[]);
        let reason = tell(address, Statuses::default()).send(Duration::from_millis(300)).await.unwrap_err();
        assert_eq!(reason, "timed out");
        assert!(requests.recv().unwrap().starts_with("POST /-/reload"));
    }

    #[tokio::test]
    async fn an_app_that_does_not_listen_is_named_as_the_reason() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(tell(address, Statuses::default()).tell().await.unwrap_err(), "connection refused");
    }
}
