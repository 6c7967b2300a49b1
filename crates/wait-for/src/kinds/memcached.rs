//! `memcached://host[:port]`: `version` is answered, after a login if the server asks for one.
//!
//! Protocol: `doc/protocol.txt` of memcached, the text protocol and its login (`-Y`).

use std::sync::Arc;

use endpoint::{Options, one_line};
use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::io::{AsyncWriteExt, BufReader};
use url::Url;

use super::shape;
use crate::{
    check::Check,
    lines::{Lines, read_line},
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    wire::{self, Login, Server},
};

const PORT: u16 = 11211;
/// Bytes of an answer
const LINE_LIMIT: u64 = 1024;
const UNAUTHENTICATED: &str = "CLIENT_ERROR unauthenticated";

#[derive(Debug)]
struct Memcached(Server);

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "tls=require")?;
    shape::no_path(url)?;
    let server = Server::from_url(url, PORT, false, options)?;
    if server.has_password() && !server.has_user() {
        return Err("a login needs a user: memcached://USER@HOST".into());
    }
    Ok(Arc::new(Memcached(server)))
}

impl Check for Memcached {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let login = self.0.login().await?;
            let stream = login.dial(network).await?;
            let mut stream = BufReader::new(login.secure(stream).await?);
            let verdict = converse(&login, &mut stream).await;
            if verdict.is_ok() {
                let _ = stream.write_all(b"quit\r\n").await;
            }
            wire::close(stream.get_mut()).await;
            login.judged(verdict)
        }
        .boxed_local()
    }
}

/// A login is a `set`, which a server that asks for none would store. So it is sent only to a
/// server that has asked.
async fn converse(login: &Login<'_>, stream: &mut Lines) -> Verdict {
    let answer = ask(stream, "version").await?;
    let (UNAUTHENTICATED, Some(user), Some(password)) = (&*answer, login.user, &login.password) else {
        return judge_version(&answer);
    };
    let words = format!("{user} {}", password.expose());
    judge_login(&ask(stream, &format!("set auth 0 0 {}\r\n{words}", words.len())).await?)?;
    judge_version(&ask(stream, "version").await?).map(|proof| format!("logged in, {proof}"))
}

async fn ask(stream: &mut Lines, command: &str) -> Result<String, NotReady> {
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    stream.flush().await?;
    read_line(stream, LINE_LIMIT).await
}

fn judge_login(answer: &str) -> Result<(), NotReady> {
    match answer {
        "STORED" => Ok(()),
        refused if refused.starts_with("CLIENT_ERROR") => {
            Err(NotReady::denied(format!("login refused: {}", one_line(refused))))
        }
        other => Err(judge_other(other)),
    }
}

fn judge_version(answer: &str) -> Verdict {
    match answer.strip_prefix("VERSION ") {
        Some(version) => Ok(format!("version {}", one_line(version))),
        None if answer == UNAUTHENTICATED => Ok("answers, but more can't be known without a password".into()),
        None => Err(judge_other(answer)),
    }
}

fn judge_other(answer: &str) -> NotReady {
    if answer.starts_with("ERROR Too many open connections") {
        return NotReady::full(one_line(answer));
    }
    let is_of_memcached = ["ERROR", "SERVER_ERROR", "CLIENT_ERROR"].iter().any(|word| answer.starts_with(word));
    if is_of_memcached {
        // Out of memory
        NotReady::new(Cause::Busy, one_line(answer))
    } else {
        NotReady::new(Cause::Odd, format!("the answer is not memcached: {:?}", one_line(answer)))
    }
}

#[cfg(test)]
mod tests {
    use lifecycle::Exit;

    use super::*;

    #[test]
    fn answers_of_a_server() {
        assert_eq!(judge_version("VERSION 1.6.18"), Ok("version 1.6.18".into()));
        assert!(judge_version(UNAUTHENTICATED).unwrap().contains("without a password"));
        let cause = |answer| judge_version(answer).unwrap_err().cause;
        assert_eq!(cause("ERROR Too many open connections"), Cause::Busy);
        let full = judge_version("ERROR Too many open connections\x1b[2J").unwrap_err();
        assert!(full.rest.is_some() && !full.reason.contains('\x1b'), "{full:?}");
        assert_eq!(cause("HTTP/1.1 400 Bad Request"), Cause::Odd);
        assert_eq!(judge_login("STORED"), Ok(()));
        let refused = judge_login("CLIENT_ERROR authentication failure").unwrap_err();
        assert_eq!(refused.cause, Cause::Never(Exit::Denied));
        assert_eq!(judge_login("SERVER_ERROR out of memory").unwrap_err().cause, Cause::Busy);
    }
}
