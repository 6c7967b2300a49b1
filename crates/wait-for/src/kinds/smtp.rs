//! `smtp://host[:port]`, `smtps://`: the server greets, and takes EHLO; with a password: logged in.
//!
//! Protocol: RFC 5321; STARTTLS: RFC 3207; AUTH PLAIN: RFC 4954 and 4616; TLS from the first byte:
//! RFC 8314.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use endpoint::{Options, Stream, one_line};
use futures_util::{FutureExt, future::LocalBoxFuture};
use lifecycle::Secret;
use tokio::{
    io::{AsyncBufRead, AsyncWrite, AsyncWriteExt, BufReader},
    time,
};
use url::Url;

use super::shape;
use crate::{
    check::Check,
    lines::{self, Lines, read_line},
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    wire::{self, Login, Server},
};

const PORT: u16 = 25;
const TLS_PORT: u16 = 465;
/// Bytes of a line, more than the 512 of RFC 5321
const LINE_LIMIT: u64 = 2048;
/// Lines of a reply: EHLO has one for each extension.
const MOST_LINES: usize = 100;
/// A client without a name of its own gives an address (RFC 5321, section 4.1.3).
const HELLO: &str = "EHLO [127.0.0.1]";

#[derive(Debug)]
struct Smtp {
    server: Server,
    /// TLS begins with the first byte.
    is_tls: bool,
}

/// A reply of several lines
#[derive(Debug, PartialEq, Eq)]
struct Reply {
    code: u16,
    lines: Vec<String>,
}

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "tls=require")?;
    shape::no_path(url)?;
    let is_tls = url.scheme() == "smtps";
    let server = Server::from_url(url, if is_tls { TLS_PORT } else { PORT }, is_tls, options)?;
    if server.has_password() && !server.has_user() {
        return Err(format!("a login needs a user: {}://USER@HOST", url.scheme()));
    }
    Ok(Arc::new(Smtp { server, is_tls }))
}

impl Check for Smtp {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let login = self.server.login().await?;
            let plain = login.dial(network).await?;
            let mut stream = if self.is_tls {
                BufReader::new(login.secure(plain).await?)
            } else {
                greet_and_secure(&login, plain, network).await?
            };
            let verdict = converse(&login, &mut stream, !self.is_tls).await;
            quit(&mut stream, network).await;
            wire::close(stream.get_mut()).await;
            login.judged(verdict)
        }
        .boxed_local()
    }
}

/// Reads the greeting, and goes over to TLS where that is wanted.
async fn greet_and_secure(login: &Login<'_>, plain: Box<dyn Stream>, network: &Network) -> Result<Lines, NotReady> {
    let mut plain = BufReader::new(plain);
    judge_greeting(&read_reply(&mut plain).await?)?;
    if login.tls.is_some() {
        let hello = ask(&mut plain, HELLO).await?;
        judge_hello(&hello)?;
        if !hello.offers("STARTTLS", "") {
            quit(&mut plain, network).await;
            return Err(NotReady::never("the server offers no STARTTLS: leave tls=require off, or write smtps://"));
        }
        let reply = ask(&mut plain, "STARTTLS").await?;
        if reply.code != 220 {
            return Err(NotReady::new(Cause::Busy, reply.text()));
        }
    }
    lines::secure(login, plain).await
}

async fn converse(login: &Login<'_>, stream: &mut Lines, was_greeted: bool) -> Verdict {
    if !was_greeted {
        judge_greeting(&read_reply(stream).await?)?;
    }
    let hello = ask(stream, HELLO).await?;
    judge_hello(&hello)?;
    let (Some(user), Some(password)) = (login.user, &login.password) else { return Ok("greets".into()) };
    if login.tls.is_none() {
        return Err(wire::password_needs_tls());
    }
    if !hello.offers("AUTH", "PLAIN") {
        return Err(NotReady::never("the server offers no login by AUTH PLAIN"));
    }
    let words = Secret::from(BASE64_STANDARD.encode(format!("\0{user}\0{}", password.expose())).as_str());
    let reply = ask(stream, &format!("AUTH PLAIN {}", words.expose())).await;
    let verdict = reply.and_then(|reply| judge_login(&reply));
    // A server that does not understand the command may repeat it.
    verdict.map_err(|refusal| NotReady { reason: words.blotted_out(&refusal.reason), ..refusal })?;
    Ok("logged in".into())
}

/// Takes leave: the server logs a client that goes without QUIT as one that broke off.
async fn quit(stream: &mut (impl AsyncBufRead + AsyncWrite + Unpin), network: &Network) {
    let _ = time::timeout(network.courtesy(), ask(stream, "QUIT")).await;
}

async fn ask(stream: &mut (impl AsyncBufRead + AsyncWrite + Unpin), command: &str) -> Result<Reply, NotReady> {
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    stream.flush().await?;
    read_reply(stream).await
}

async fn read_reply(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Reply, NotReady> {
    let mut reply = Reply { code: 0, lines: Vec::new() };
    for _ in 0..MOST_LINES {
        let line = read_line(stream, LINE_LIMIT).await?;
        let (code, is_last, text) = parse_line(&line).ok_or_else(|| not_smtp(&line))?;
        reply.code = code;
        reply.lines.push(text.to_owned());
        if is_last {
            return Ok(reply);
        }
    }
    Err(NotReady::new(Cause::Odd, "a reply of the server has no end"))
}

/// `250-SIZE 1000` goes on, `250 HELP` is the last line of its reply.
fn parse_line(line: &str) -> Option<(u16, bool, &str)> {
    let (code, rest) = line.split_at_checked(3)?;
    let code: u16 = code.parse().ok().filter(|code| (200..600).contains(code))?;
    match rest.chars().next() {
        None => Some((code, true, "")),
        Some(' ') => Some((code, true, &rest[1..])),
        Some('-') => Some((code, false, &rest[1..])),
        Some(_) => None,
    }
}

impl Reply {
    /// Whether EHLO names an extension with this word among its parameters
    fn offers(&self, name: &str, parameter: &str) -> bool {
        self.lines.iter().any(|line| {
            let mut words = line.split([' ', '=']);
            words.next().is_some_and(|word| word.eq_ignore_ascii_case(name))
                && (parameter.is_empty() || words.any(|word| word.eq_ignore_ascii_case(parameter)))
        })
    }

    fn text(&self) -> String {
        format!("{} {}", self.code, one_line(&self.lines.join(" ")))
    }
}

fn judge_greeting(reply: &Reply) -> Result<(), NotReady> {
    match reply.code {
        220 => Ok(()),
        400..500 => Err(NotReady::new(Cause::Busy, reply.text())),
        // "No SMTP service here", or not for this host
        _ => Err(NotReady::new(Cause::Contrary, reply.text())),
    }
}

fn judge_hello(reply: &Reply) -> Result<(), NotReady> {
    match reply.code {
        250 => Ok(()),
        400..500 => Err(NotReady::new(Cause::Busy, reply.text())),
        _ => Err(NotReady::new(Cause::Odd, reply.text())),
    }
}

/// RFC 4954, section 6: 4xx will pass, and so may no other.
fn judge_login(reply: &Reply) -> Result<(), NotReady> {
    match reply.code {
        235 => Ok(()),
        400..500 => Err(NotReady::new(Cause::Busy, reply.text())),
        _ => Err(NotReady::denied(format!("login refused: {}", reply.text()))),
    }
}

fn not_smtp(line: &str) -> NotReady {
    NotReady::new(Cause::Odd, format!("the answer is not SMTP: {:?}", one_line(line)))
}

#[cfg(test)]
mod tests {
    use lifecycle::Exit;

    use super::*;

    fn reply(code: u16) -> Reply {
        Reply { code, lines: vec!["text".into()] }
    }

    #[test]
    fn lines_of_a_reply() {
        for (line, expected) in [
            ("250-SIZE 1000", Some((250, false, "SIZE 1000"))),
            ("250 HELP", Some((250, true, "HELP"))),
            ("220", Some((220, true, ""))),
            ("25", None),
            ("999 x", None),
            ("250+x", None),
            ("25é", None),
        ] {
            assert_eq!(parse_line(line), expected, "{line}");
        }
    }

    #[test]
    fn extensions_are_words() {
        let hello = Reply { code: 250, lines: vec!["mail".into(), "auth=LOGIN plain".into(), "STARTTLSX".into()] };
        assert!(hello.offers("AUTH", "PLAIN") && hello.offers("AUTH", ""));
        assert!(!hello.offers("AUTH", "CRAM-MD5") && !hello.offers("STARTTLS", ""));
    }

    #[test]
    fn codes() {
        let cause = |verdict: Result<(), NotReady>| verdict.err().map(|failure| failure.cause);
        assert_eq!(cause(judge_greeting(&reply(220))), None);
        assert_eq!(cause(judge_greeting(&reply(421))), Some(Cause::Busy));
        assert_eq!(cause(judge_greeting(&reply(554))), Some(Cause::Contrary));
        assert_eq!(cause(judge_hello(&reply(502))), Some(Cause::Odd));
        assert_eq!(cause(judge_login(&reply(235))), None);
        assert_eq!(cause(judge_login(&reply(454))), Some(Cause::Busy));
        assert_eq!(cause(judge_login(&reply(535))), Some(Cause::Never(Exit::Denied)));
    }
}
