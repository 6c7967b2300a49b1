//! `nats://host[:port]`: the server takes the connection, and the login if there is one, and
//! answers PING.
//!
//! Protocol: <https://docs.nats.io/reference/reference-protocols/nats-protocol>. The server speaks
//! first, also before TLS.

use std::sync::Arc;

use endpoint::{Options, one_line};
use futures_util::{FutureExt, future::LocalBoxFuture};
use lifecycle::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, BufReader};
use url::Url;

use super::shape;
use crate::{
    check::Check,
    lines::{self, Lines, read_line},
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    wire::{self, Login, Server},
};

const PORT: u16 = 4222;
/// Bytes of a line: INFO names all servers of a cluster.
const LINE_LIMIT: u64 = 64 * 1024;
/// Lines that may stand before PONG, such as a second INFO
const MOST_LINES: usize = 16;

#[derive(Debug)]
struct Nats(Server);

/// The server's first word: an object in JSON
struct Info(Value);

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "tls=require")?;
    shape::no_path(url)?;
    Ok(Arc::new(Nats(Server::from_url(url, PORT, false, options)?)))
}

impl Check for Nats {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let login = self.0.login().await?;
            let mut plain = BufReader::new(login.dial(network).await?);
            let info = judge_info(&read_line(&mut plain, LINE_LIMIT).await?, login.tls.is_some())?;
            let mut stream = lines::secure(&login, plain).await?;
            let verdict = if info.says("auth_required") && login.password.is_none() {
                Ok("answers, but more can't be known without a password".into())
            } else {
                converse(&login, &mut stream).await
            };
            wire::close(stream.get_mut()).await;
            login.judged(verdict)
        }
        .boxed_local()
    }
}

impl Info {
    fn says(&self, name: &str) -> bool {
        self.0[name] == true
    }
}

fn judge_info(line: &str, wants_tls: bool) -> Result<Info, NotReady> {
    let Some(text) = line.strip_prefix("INFO ") else {
        return Err(judge_error(line).unwrap_or_else(|| not_nats(line)));
    };
    let info = Info(serde_json::from_str(text).map_err(|_| not_nats(line))?);
    // Lame duck mode: its clients are to go to other servers.
    if info.says("ldm") {
        return Err(NotReady::new(Cause::Busy, "the server is about to end (lame duck mode)"));
    }
    match wants_tls {
        false if info.says("tls_required") => Err(NotReady::never("the server asks for TLS: add tls=require")),
        true if !info.says("tls_required") && !info.says("tls_available") => {
            Err(NotReady::never("the server offers no TLS: leave tls=require off, or configure tls there"))
        }
        _ => Ok(info),
    }
}

async fn converse(login: &Login<'_>, stream: &mut Lines) -> Verdict {
    let (user, password) = (login.user, login.password.as_ref().map(Secret::expose));
    let mut connect = json!({
        "verbose": false, "pedantic": false, "tls_required": login.tls.is_some(), "name": "wait-for", "lang": "rust",
        "version": env!("CARGO_PKG_VERSION"), "protocol": 1,
    });
    match (user, password) {
        (Some(user), password) => (connect["user"], connect["pass"]) = (user.into(), password.into()),
        // A token is a password without a user.
        (None, Some(token)) => connect["auth_token"] = token.into(),
        (None, None) => {}
    }
    stream.write_all(format!("CONNECT {connect}\r\nPING\r\n").as_bytes()).await?;
    stream.flush().await?;
    for _ in 0..MOST_LINES {
        let line = read_line(stream, LINE_LIMIT).await?;
        match &*line {
            "PONG" => return Ok(if password.is_some() { "logged in, PONG" } else { "PONG" }.into()),
            "+OK" | "PING" => {}
            line if line.starts_with("INFO ") => {}
            line => return Err(judge_error(line).unwrap_or_else(|| not_nats(line))),
        }
    }
    Err(NotReady::new(Cause::Odd, "the server answers with everything but PONG"))
}

/// `-ERR 'reason'`, which ends the connection
fn judge_error(line: &str) -> Option<NotReady> {
    let reason = one_line(line.strip_prefix("-ERR")?.trim());
    let words = reason.to_ascii_lowercase();
    let is_about = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    Some(if is_about(&["authorization violation", "authentication expired", "revoked"]) {
        NotReady::denied(format!("login refused: {reason}"))
    } else if is_about(&["tls required"]) {
        NotReady::never("the server asks for TLS: add tls=require")
    } else if is_about(&["maximum connections", "maximum account"]) {
        NotReady::full(reason)
    } else {
        // A login that took too long
        NotReady::new(Cause::Busy, reason)
    })
}

fn not_nats(line: &str) -> NotReady {
    NotReady::new(Cause::Odd, format!("the answer is not NATS: {:?}", one_line(line)))
}

#[cfg(test)]
mod tests {
    use lifecycle::Exit;

    use super::*;

    fn cause(line: &str, wants_tls: bool) -> Option<Cause> {
        judge_info(line, wants_tls).err().map(|failure| failure.cause)
    }

    #[test]
    fn the_first_word_of_a_server() {
        let never = Some(Cause::Never(Exit::Unavailable));
        for (line, wants_tls, expected) in [
            (r#"INFO {"server_id":"x","max_payload":1048576}"#, false, None),
            (r#"INFO {"tls_required":true}"#, false, never),
            (r#"INFO {"tls_required":true}"#, true, None),
            (r#"INFO {"tls_available":true}"#, true, None),
            (r#"INFO {"tls_available":true}"#, false, None),
            ("INFO {}", true, never),
            (r#"INFO {"ldm":true}"#, false, Some(Cause::Busy)),
            ("-ERR 'maximum connections exceeded'", false, Some(Cause::Busy)),
            ("INFO {", false, Some(Cause::Odd)),
            ("220 mail ESMTP", false, Some(Cause::Odd)),
        ] {
            assert_eq!(cause(line, wants_tls), expected, "{line}");
        }
    }

    #[test]
    fn errors_of_a_server() {
        for (line, expected) in [
            ("-ERR 'Authorization Violation'", Cause::Never(Exit::Denied)),
            ("-ERR 'User Authentication Expired'", Cause::Never(Exit::Denied)),
            ("-ERR 'Secure Connection - TLS Required'", Cause::Never(Exit::Unavailable)),
            ("-ERR 'Authentication Timeout'", Cause::Busy),
        ] {
            assert_eq!(judge_error(line).unwrap().cause, expected, "{line}");
        }
        assert_eq!(judge_error("MSG x"), None);
    }
}
