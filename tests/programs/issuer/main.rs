//! An OAuth issuer and an API behind its tokens, for stories and the demo: tokens with short lives, and answers as the test asks.
//!
//! `test-issuer ADDRESS [LIFE]` takes, over HTTP/1.1,
//! - `GET /.well-known/…`: the metadata of the issuer;
//! - `POST /token`: the grant of client credentials for `app` with the secret `not-a-secret`. Tokens live for LIFE seconds, by default 5;
//! - `POST /tell/ANSWER`: its answer to grants from now on, one of `grant`, `refuse` and `away`, which closes the connection;
//! - `GET /report`: what it has seen, as JSON;
//! - any other request: the API, which answers 401 without a token, or with one that has expired.
//!
//! A token says itself how long it lives, so an issuer that was restarted knows the tokens of the one before.

use std::{
    env,
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

/// Of a request's line and headers together, and of a body
const LIMIT: u64 = 64 << 10;
/// A client and its secret, as they stand in a login of HTTP
const LOGIN: &str = "app:not-a-secret";
/// What every token begins with
const PREFIX: &str = "test-token-";

/// The answer to a grant
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Answer {
    /// A token
    #[default]
    Grant,
    /// The client is not known any more.
    Refuse,
    /// The connection is closed, as by a server that is away.
    Away,
}

/// What was seen
#[derive(Default)]
struct Counts {
    grants_asked: u64,
    tokens: u64,
    requests_valid: u64,
    requests_expired: u64,
    requests_without: u64,
}

struct Issuer {
    life: Duration,
    state: Mutex<(Answer, Counts)>,
}

/// A request, of which only this counts
struct Request {
    method: String,
    path: String,
    host: String,
    /// Its scheme in lower case, and the rest
    authorization: Option<(String, String)>,
    body: String,
}

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "0.0.0.0:8080".to_owned());
    let seconds = arguments.next().map_or(Ok(5.0), |seconds| seconds.parse());
    let life = seconds.map(Duration::from_secs_f64).map_err(|_| malformed("LIFE is a number of seconds"))?;
    let issuer = Arc::new(Issuer { life, state: Mutex::default() });
    let listener = TcpListener::bind(address)?;
    writeln!(io::stdout(), "listens on {}", listener.local_addr()?)?;
    for stream in listener.incoming() {
        let (stream, issuer) = (stream?, issuer.clone());
        thread::spawn(move || serve(&stream, &issuer));
    }
    Ok(())
}

/// Serves one request after another, until the client or an answer ends the connection.
fn serve(stream: &TcpStream, issuer: &Issuer) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let Some((status, body)) = issuer.answer(&request) else { break };
        reply(stream, status, &body)?;
    }
    Ok(())
}

impl Issuer {
    /// Status and body; `None` closes the connection.
    fn answer(&self, request: &Request) -> Option<(u16, Value)> {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", path) if path.starts_with("/.well-known/") => {
                let issuer = format!("http://{}", request.host);
                Some((200, json!({"issuer": issuer, "token_endpoint": format!("{issuer}/token")})))
            }
            ("POST", "/token") => self.grant(request),
            ("GET", "/report") => Some((200, self.report())),
            ("POST", path) if path.starts_with("/tell/") => {
                let answer = match &path["/tell/".len()..] {
                    "grant" => Answer::Grant,
                    "refuse" => Answer::Refuse,
                    "away" => Answer::Away,
                    _ => return Some((404, Value::Null)),
                };
                self.state().0 = answer;
                Some((200, Value::Null))
            }
            _ => Some(self.serve_api(request)),
        }
    }

    /// RFC 6749, section 4.4, with `client_secret_basic`
    fn grant(&self, request: &Request) -> Option<(u16, Value)> {
        let mut state = self.state();
        state.1.grants_asked += 1;
        let login = request.authorization.as_ref().filter(|(scheme, _)| scheme == "basic");
        let login = login.and_then(|(_, login)| BASE64_STANDARD.decode(login).ok());
        match state.0 {
            Answer::Away => None,
            Answer::Grant if login.as_deref() == Some(LOGIN.as_bytes()) => {
                if !request.body.split('&').any(|pair| pair == "grant_type=client_credentials") {
                    return Some((400, json!({"error": "unsupported_grant_type"})));
                }
                state.1.tokens += 1;
                let token = format!("{PREFIX}{}-{}", state.1.tokens, (now() + self.life).as_millis());
                let seconds = self.life.as_secs();
                Some((200, json!({"access_token": token, "token_type": "Bearer", "expires_in": seconds})))
            }
            _ => Some((401, json!({"error": "invalid_client"}))),
        }
    }

    /// 200 for a token that is valid
    fn serve_api(&self, request: &Request) -> (u16, Value) {
        let token = request.authorization.as_ref().filter(|(scheme, _)| scheme == "bearer");
        let expiry = token.and_then(|(_, token)| token.strip_prefix(PREFIX)?.split_once('-')?.1.parse().ok());
        let counts = &mut self.state().1;
        match expiry {
            Some(expiry) if now() < Duration::from_millis(expiry) => {
                counts.requests_valid += 1;
                (200, json!({"message": "welcome"}))
            }
            Some(_) => {
                counts.requests_expired += 1;
                (401, json!({"error": "the token has expired"}))
            }
            None => {
                counts.requests_without += 1;
                (401, json!({"error": "no token"}))
            }
        }
    }

    fn report(&self) -> Value {
        let counts = &self.state().1;
        json!({
            "grants_asked": counts.grants_asked,
            "tokens": counts.tokens,
            "requests": {
                "valid": counts.requests_valid,
                "expired": counts.requests_expired,
                "without": counts.requests_without,
            },
        })
    }

    fn state(&self) -> MutexGuard<'_, (Answer, Counts)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next request; `None` at the end of the connection
fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut reader = reader.take(LIMIT);
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Err(malformed("no request line")) };
    let path = path.split('?').next().unwrap_or(path);
    let (mut host, mut authorization, mut length) = (String::new(), None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(malformed("a request without an end"));
        }
        let Some((name, value)) = line.split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "host" => value.clone_into(&mut host),
            "content-length" => length = value.parse().map_err(|_| malformed("a length that is no number"))?,
            "authorization" => {
                authorization = value.split_once(' ').map(|(scheme, rest)| (scheme.to_lowercase(), rest.to_owned()));
            }
            _ => {}
        }
    }
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body)?;
    Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), host, authorization, body }))
}

fn reply(mut stream: &TcpStream, status: u16, body: &Value) -> io::Result<()> {
    let (body, length) = (body.to_string(), body.to_string().len());
    // In one write: the second of two small ones would wait until the first is acknowledged.
    let answer =
        format!("HTTP/1.1 {status} .\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(answer.as_bytes())
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
