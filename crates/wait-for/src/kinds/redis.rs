//! `redis://host[:port]`, `rediss://`: PING answers PONG.
//!
//! Protocol: RESP 2, <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use std::sync::Arc;

use endpoint::{Options, Stream, one_line};
use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use url::Url;

use super::shape;
use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    wire::{self, Login, Server},
};

const PORT: u16 = 6379;
/// Bytes of one reply; PONG and every error fit.
const REPLY_LIMIT: u64 = 1024;

#[derive(Debug)]
struct Redis(Server);

/// One attempt
struct Session<'a>(Login<'a>);

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "tls=require")?;
    Ok(Arc::new(Redis(Server::from_url(url, PORT, url.scheme() == "rediss", options)?)))
}

impl Check for Redis {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let session = Session(self.0.login().await?);
            let stream = session.0.dial(network).await?;
            let mut stream = BufReader::new(session.0.secure(stream).await?);
            let verdict = session.converse(&mut stream).await;
            wire::close(stream.get_mut()).await;
            verdict
        }
        .boxed_local()
    }
}

impl Session<'_> {
    async fn converse(&self, stream: &mut BufReader<Box<dyn Stream>>) -> Verdict {
        if let Some(password) = &self.0.password {
            let words = ["AUTH"].into_iter().chain(self.0.user).chain([password.expose()]);
            // Redis repeats the words of a command that it does not know, AUTH included.
            let reply = self.0.without_password(&ask(stream, words).await?);
            judge_login(&reply)?;
        }
        judge_ping(&ask(stream, ["PING"]).await?)
    }
}

/// Sends one command as an array of bulk strings and reads one line.
async fn ask(
    stream: &mut BufReader<Box<dyn Stream>>,
    words: impl IntoIterator<Item = &str>,
) -> Result<String, NotReady> {
    let words: Vec<_> = words.into_iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    let command = format!("*{}\r\n{}", words.len(), words.concat());
    stream.write_all(command.as_bytes()).await?;
    stream.flush().await?;
    let mut reply = Vec::new();
    (&mut *stream).take(REPLY_LIMIT).read_until(b'\n', &mut reply).await?;
    if reply.is_empty() {
        return Err(NotReady::new(Cause::Absent, "closed without an answer"));
    }
    Ok(String::from_utf8_lossy(&reply).trim_end().to_owned())
}

fn judge_login(reply: &str) -> Result<(), NotReady> {
    match error_code(reply) {
        None if reply == "+OK" => Ok(()),
        Some(code) if is_about_the_login(code, reply) => {
            Err(NotReady::denied(format!("login refused: {}", one_line(&reply[1..]))))
        }
        Some(_) => Err(busy(reply)),
        None => Err(not_redis(reply)),
    }
}

/// ERR is of many meanings, too many clients among them; before Redis 6 it was that of a wrong password too.
fn is_about_the_login(code: &str, reply: &str) -> bool {
    let words = reply.to_ascii_lowercase();
    match code {
        "WRONGPASS" | "NOAUTH" | "NOPERM" | "DENIED" => true,
        "ERR" => words.contains("auth") || words.contains("password"),
        _ => false,
    }
}

fn judge_ping(reply: &str) -> Verdict {
    match error_code(reply) {
        None if reply == "+PONG" => Ok("PONG".into()),
        // Redis asks for the password before it says that it is still loading.
        Some("NOAUTH") => Ok("answers, but more can't be known without a password".into()),
        Some("DENIED" | "NOPERM") => Err(NotReady::denied(one_line(&reply[1..]))),
        Some(_) => Err(busy(reply)),
        None => Err(not_redis(reply)),
    }
}

fn error_code(reply: &str) -> Option<&str> {
    reply.strip_prefix('-')?.split(' ').next()
}

fn busy(reply: &str) -> NotReady {
    NotReady::new(Cause::Busy, one_line(&reply[1..]))
}

fn not_redis(reply: &str) -> NotReady {
    NotReady::new(Cause::Odd, format!("the answer is not Redis: {:?}", one_line(reply)))
}

#[cfg(test)]
mod tests {
    use lifecycle::Exit;

    use super::*;

    fn cause(verdict: Verdict) -> Option<Cause> {
        verdict.err().map(|failure| failure.cause)
    }

    #[test]
    fn replies_to_ping() {
        assert_eq!(judge_ping("+PONG"), Ok("PONG".into()));
        assert!(judge_ping("-NOAUTH Authentication required.").unwrap().contains("password"));
        for busy in
            ["-LOADING Redis is loading", "-MASTERDOWN Link with MASTER is down", "-BUSY Redis is busy", "-ERR odd"]
        {
            assert_eq!(cause(judge_ping(busy)), Some(Cause::Busy), "{busy}");
        }
        assert_eq!(cause(judge_ping("-DENIED protected mode")), Some(Cause::Never(Exit::Denied)));
        assert_eq!(cause(judge_ping("HTTP/1.1 400 Bad Request")), Some(Cause::Odd));
    }

    #[test]
    fn replies_to_auth() {
        assert_eq!(judge_login("+OK"), Ok(()));
        for refused in [
            "-WRONGPASS invalid username-password pair",
            "-ERR AUTH called without any password configured",
            "-ERR invalid password",
            "-ERR wrong number of arguments for 'auth' command",
            "-DENIED protected mode",
        ] {
            assert_eq!(judge_login(refused).unwrap_err().cause, Cause::Never(Exit::Denied), "{refused}");
        }
        for busy in ["-LOADING Redis is loading", "-ERR max number of clients reached", "-TRYAGAIN later"] {
            assert_eq!(judge_login(busy).unwrap_err().cause, Cause::Busy, "{busy}");
        }
    }
}
