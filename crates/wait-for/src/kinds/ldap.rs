//! `ldap://host[:port]`, `ldaps://`: a bind is answered, as nobody or as a user.
//!
//! Result codes: RFC 4511, appendix A.

use std::sync::Arc;

use endpoint::{Options, Stream, one_line};
use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::io::AsyncWriteExt;
use url::Url;

use super::{
    ldap_wire::{Outcome, ask, bind, start_tls, unbind},
    shape,
};
use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    wire::{self, Login, Server},
};

const PORT: u16 = 389;
const TLS_PORT: u16 = 636;

const SUCCESS: u8 = 0;
const PROTOCOL_ERROR: u8 = 2;
const STRONGER_AUTH_REQUIRED: u8 = 8;
const CONFIDENTIALITY_REQUIRED: u8 = 13;
const INAPPROPRIATE_AUTHENTICATION: u8 = 48;
const INVALID_CREDENTIALS: u8 = 49;
const INSUFFICIENT_ACCESS_RIGHTS: u8 = 50;
const BUSY: u8 = 51;
const UNAVAILABLE: u8 = 52;
const UNWILLING_TO_PERFORM: u8 = 53;

#[derive(Debug)]
struct Ldap {
    server: Server,
    /// TLS begins with the first byte.
    is_tls: bool,
}

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "tls=require")?;
    shape::no_path(url)?;
    let is_tls = url.scheme() == "ldaps";
    let server = Server::from_url(url, if is_tls { TLS_PORT } else { PORT }, is_tls, options)?;
    if server.has_password() && !server.has_user() {
        return Err(format!(
            "a login needs the name of an entry before the @, such as {}://cn=app,dc=example,dc=org@HOST",
            url.scheme()
        ));
    }
    Ok(Arc::new(Ldap { server, is_tls }))
}

impl Check for Ldap {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let login = self.server.login().await?;
            if login.password.is_some() && login.tls.is_none() {
                return Err(wire::password_needs_tls());
            }
            let mut plain = login.dial(network).await?;
            let mut stream = if login.tls.is_some() && !self.is_tls {
                judge_start_tls(&ask(&mut plain, &start_tls()).await?)?;
                login.secure_agreed(plain).await?
            } else {
                login.secure(plain).await?
            };
            let verdict = log_in(&login, &mut stream).await;
            let _ = stream.write_all(&unbind()).await;
            wire::close(&mut stream).await;
            login.judged(verdict)
        }
        .boxed_local()
    }
}

async fn log_in(login: &Login<'_>, stream: &mut Box<dyn Stream>) -> Verdict {
    let (name, password) = match (login.user, &login.password) {
        (Some(name), Some(password)) => (name, password.expose()),
        // A name without a password is a bind as nobody that many servers refuse (RFC 4513, section
        // 5.1.2).
        _ => ("", ""),
    };
    judge_bind(&ask(stream, &bind(name, password)).await?, !name.is_empty())
}

fn judge_start_tls(outcome: &Outcome) -> Result<(), NotReady> {
    match outcome.code {
        SUCCESS => Ok(()),
        PROTOCOL_ERROR => {
            Err(NotReady::never("the server offers no StartTLS: leave tls=require off, or write ldaps://"))
        }
        _ => Err(NotReady::new(Cause::Busy, reason(outcome))),
    }
}

fn judge_bind(outcome: &Outcome, with_password: bool) -> Verdict {
    match outcome.code {
        SUCCESS if with_password => Ok("logged in".into()),
        SUCCESS => Ok("bound as nobody".into()),
        STRONGER_AUTH_REQUIRED | CONFIDENTIALITY_REQUIRED => {
            Err(NotReady::never(format!("{}: add tls=require, or write ldaps://", reason(outcome))))
        }
        INAPPROPRIATE_AUTHENTICATION | INSUFFICIENT_ACCESS_RIGHTS | UNWILLING_TO_PERFORM if !with_password => {
            Ok("answers, but more can't be known without a password".into())
        }
        INAPPROPRIATE_AUTHENTICATION | INVALID_CREDENTIALS | INSUFFICIENT_ACCESS_RIGHTS | UNWILLING_TO_PERFORM => {
            Err(NotReady::denied(format!("login refused: {}", reason(outcome))))
        }
        // Busy, unavailable, and others that may pass
        _ => Err(NotReady::new(Cause::Busy, reason(outcome))),
    }
}

fn reason(outcome: &Outcome) -> String {
    let name = match outcome.code {
        STRONGER_AUTH_REQUIRED => "stronger login required",
        CONFIDENTIALITY_REQUIRED => "confidentiality required",
        INAPPROPRIATE_AUTHENTICATION => "inappropriate login",
        INVALID_CREDENTIALS => "invalid credentials",
        INSUFFICIENT_ACCESS_RIGHTS => "insufficient access rights",
        BUSY => "busy",
        UNAVAILABLE => "unavailable",
        UNWILLING_TO_PERFORM => "unwilling to perform",
        _ => "of another kind",
    };
    let text = one_line(&outcome.text);
    let text = if text.is_empty() { text } else { format!(": {text}") };
    format!("LDAP result {}, {name}{text}", outcome.code)
}

#[cfg(test)]
mod tests {
    use lifecycle::Exit;

    use super::*;

    #[test]
    fn results_of_a_bind() {
        let cause = |code, with_password| {
            judge_bind(&Outcome { code, text: "text".into() }, with_password).err().map(|failure| failure.cause)
        };
        for (code, as_nobody, with_password) in [
            (SUCCESS, None, None),
            (INVALID_CREDENTIALS, Some(Cause::Never(Exit::Denied)), Some(Cause::Never(Exit::Denied))),
            (INAPPROPRIATE_AUTHENTICATION, None, Some(Cause::Never(Exit::Denied))),
            (UNWILLING_TO_PERFORM, None, Some(Cause::Never(Exit::Denied))),
            (CONFIDENTIALITY_REQUIRED, Some(Cause::Never(Exit::Unavailable)), Some(Cause::Never(Exit::Unavailable))),
            (BUSY, Some(Cause::Busy), Some(Cause::Busy)),
            (UNAVAILABLE, Some(Cause::Busy), Some(Cause::Busy)),
        ] {
            assert_eq!((cause(code, false), cause(code, true)), (as_nobody, with_password), "{code}");
        }
        assert_eq!(
            judge_start_tls(&Outcome { code: 2, text: String::new() }).unwrap_err().cause,
            Cause::Never(Exit::Unavailable)
        );
    }
}
