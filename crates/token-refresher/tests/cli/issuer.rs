//! A store of tokens that does what a test says.

use std::{
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use harness::{HttpServer, Reply};
use serde_json::json;

use crate::support::MARK;

/// Answers with a new token at each call, unless it was told otherwise
pub(crate) struct Issuer {
    server: Option<HttpServer>,
    script: Arc<Script>,
    port: u16,
}

#[derive(Default)]
struct Script {
    /// In place of a token, while it is set
    reply: Mutex<Option<Reply>>,
    life: Mutex<Option<u64>>,
    tokens: AtomicUsize,
    calls: Mutex<Vec<Instant>>,
}

impl Issuer {
    /// Its tokens live for so many seconds.
    pub(crate) fn start(life: u64) -> Self {
        let script = Arc::new(Script::default());
        *script.life.lock().unwrap() = Some(life);
        let mut issuer = Self { server: None, script, port: 0 };
        issuer.come_back();
        issuer
    }

    /// Its tokens have no known expiry.
    pub(crate) fn without_expiry() -> Self {
        let issuer = Self::start(0);
        *issuer.script.life.lock().unwrap() = None;
        issuer
    }

    /// Listens where it did before.
    pub(crate) fn come_back(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        self.port = listener.local_addr().unwrap().port();
        let script = self.script.clone();
        self.server = Some(HttpServer::on(listener, None, move |_| script.reply()));
    }

    /// Refuses connections.
    pub(crate) fn go_down(&mut self) {
        self.server = None;
        let address = ("127.0.0.1", self.port);
        harness::until("the issuer is gone", || std::net::TcpStream::connect(address).is_err().then_some(()));
    }

    /// Gives this answer in place of tokens; `None` gives tokens again.
    pub(crate) fn answer(&self, reply: impl Into<Option<Reply>>) {
        *self.script.reply.lock().unwrap() = reply.into();
    }

    /// The life of tokens from here on, in seconds
    pub(crate) fn set_life(&self, life: u64) {
        *self.script.life.lock().unwrap() = Some(life);
    }

    /// The moments of all calls
    pub(crate) fn calls(&self) -> Vec<Instant> {
        self.script.calls.lock().unwrap().clone()
    }

    /// The token that it gave at its so-manieth success, from one
    pub(crate) fn token(number: usize) -> String {
        format!("token-{MARK}-{number}-end")
    }

    /// How many tokens it gave
    pub(crate) fn tokens(&self) -> usize {
        self.script.tokens.load(Relaxed)
    }

    /// The source as a configuration has it
    pub(crate) fn source(&self) -> String {
        let port = self.port;
        let life = if self.script.life.lock().unwrap().is_some() { ", expires-in: /expires_in" } else { "" };
        format!("{{http: {{url: \"http://127.0.0.1:{port}/token\", value: /access_token{life}}}}}")
    }
}

impl Script {
    fn reply(&self) -> Reply {
        self.calls.lock().unwrap().push(Instant::now());
        if let Some(reply) = self.reply.lock().unwrap().clone() {
            return reply;
        }
        let token = Issuer::token(self.tokens.fetch_add(1, Relaxed) + 1);
        match *self.life.lock().unwrap() {
            Some(life) => Reply::json(200, &json!({"access_token": token, "expires_in": life})),
            None => Reply::json(200, &json!({"access_token": token, "expires_in": null})),
        }
    }
}
