//! `amqp://host[:5672][/vhost]`, `amqps://`: AMQP 0-9-1 as `RabbitMQ` speaks it: logged in, and the
//! virtual host opens.

use std::sync::Arc;

use endpoint::{Options, one_line};
use futures_util::{FutureExt, future::LocalBoxFuture};
use lifecycle::Secret;
use tokio::time;
use url::Url;

use super::{
    amqp_wire::{Channel, Method, not_amqp},
    shape,
};
use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    wire::{self, Login, Server},
};

const PORT: u16 = 5672;
const TLS_PORT: u16 = 5671;
/// User and password of a new server, which takes them from its own machine only
const GUEST: &str = "guest";
const DEFAULT_HOST: &str = "/";
/// Bytes of a virtual host's name, because of the byte that holds its length
const NAME_LIMIT: usize = 255;

// Reply codes of the specification, section 1.2
const ACCESS_REFUSED: u16 = 403;
/// The virtual host in older versions
const INVALID_PATH: u16 = 402;
const NOT_ALLOWED: u16 = 530;

#[derive(Debug)]
struct Amqp(Server);

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "tls=require")?;
    let is_tls = url.scheme() == "amqps";
    let server = Server::from_url(url, if is_tls { TLS_PORT } else { PORT }, is_tls, options)?;
    server.check_login(url)?;
    if server.database().is_some_and(|name| name.len() > NAME_LIMIT) {
        return Err(format!("the name of a virtual host has at most {NAME_LIMIT} bytes"));
    }
    Ok(Arc::new(Amqp(server)))
}

impl Check for Amqp {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let login = self.0.login().await?;
            let stream = login.dial(network).await?;
            let mut channel = Channel(login.secure(stream).await?);
            let verdict = converse(&mut channel, &login, network).await;
            wire::close(&mut channel.0).await;
            login.judged(verdict)
        }
        .boxed_local()
    }
}

async fn converse(channel: &mut Channel, login: &Login<'_>, network: &Network) -> Verdict {
    channel.begin().await?;
    match channel.read().await? {
        Method::Start { mechanisms } if mechanisms.iter().any(|name| name == "PLAIN") => {}
        Method::Start { mechanisms } => {
            return Err(NotReady::never(format!(
                "the server takes no PLAIN, but {}: turn PLAIN on there (auth_mechanisms)",
                one_line(&mechanisms.join(", "))
            )));
        }
        Method::Close { code, text } => return refused(channel, login, code, text).await,
        _ => return Err(not_amqp()),
    }
    channel.start_ok(login.user.unwrap_or(GUEST), login.password.as_ref().map_or(GUEST, Secret::expose)).await?;
    match channel.read().await? {
        Method::Tune { channels, frame_size } => channel.tune_ok(channels, frame_size).await?,
        Method::Close { code, text } => return refused(channel, login, code, text).await,
        Method::Secure => {
            return Err(NotReady::never(
                "the server asks for more than user and password: let it take PLAIN (auth_mechanisms), or check it by tcp://",
            ));
        }
        _ => return Err(not_amqp()),
    }
    let virtual_host = login.database.unwrap_or(DEFAULT_HOST);
    channel.open(virtual_host).await?;
    match channel.read().await? {
        Method::OpenOk => {}
        Method::Close { code, text } => return refused(channel, login, code, text).await,
        _ => return Err(not_amqp()),
    }
    // Without it the server logs that the connection broke.
    let _ = time::timeout(network.courtesy(), channel.close()).await;
    let user = if login.password.is_some() { "logged in" } else { "logged in as guest" };
    Ok(format!("{user}, virtual host {virtual_host} opened"))
}

/// Confirms the server's close, and says what it means.
async fn refused(channel: &mut Channel, login: &Login<'_>, code: u16, text: String) -> Verdict {
    let _ = channel.close_ok().await;
    judge_close(code, text, login.password.is_some(), login.database.is_some())
}

/// A virtual host that does not exist and one that the user may not use are not ready yet: both are
/// made after the server has started, the host first and its permissions a moment later.
fn judge_close(code: u16, text: String, with_password: bool, with_host: bool) -> Verdict {
    let words = text.to_ascii_lowercase();
    match code {
        ACCESS_REFUSED if with_password => Err(NotReady::denied(format!("login refused: {text}"))),
        ACCESS_REFUSED if with_host => {
            Err(NotReady::denied(format!("login refused to guest: {text}: give a user, and password-file=PATH")))
        }
        ACCESS_REFUSED => Ok("answers, but more can't be known without a password".into()),
        NOT_ALLOWED if words.contains("connection limit") => Err(NotReady::full(text)),
        // "access to vhost … refused" is no proof that it is gone.
        NOT_ALLOWED if words.ends_with("is down") || words.contains("refused") => Err(NotReady::new(Cause::Busy, text)),
        NOT_ALLOWED | INVALID_PATH => Err(NotReady::new(Cause::Contrary, text)),
        // A server that ends (320), or is broken inside (541)
        _ => Err(NotReady::new(Cause::Busy, format!("closed with {code}: {text}"))),
    }
}

#[cfg(test)]
mod tests {
    use lifecycle::Exit;

    use super::*;

    #[test]
    fn closes_of_a_server() {
        let denied = Some(Cause::Never(Exit::Denied));
        for (code, text, with_password, with_host, expected) in [
            (403, "ACCESS_REFUSED - Login was refused", true, false, denied),
            (403, "ACCESS_REFUSED - Login was refused", false, true, denied),
            (403, "ACCESS_REFUSED - Login was refused", false, false, None),
            (530, "NOT_ALLOWED - vhost shop not found", true, true, Some(Cause::Contrary)),
            (530, "NOT_ALLOWED - access to vhost 'shop' refused for user 'app'", true, true, Some(Cause::Busy)),
            (530, "NOT_ALLOWED - vhost limits not found", true, true, Some(Cause::Contrary)),
            (530, "NOT_ALLOWED - vhost 'shop' is down", true, true, Some(Cause::Busy)),
            (530, "NOT_ALLOWED - vhost connection limit (1) is reached", true, true, Some(Cause::Busy)),
            (320, "CONNECTION_FORCED - broker forced connection closure", true, true, Some(Cause::Busy)),
        ] {
            let verdict = judge_close(code, text.into(), with_password, with_host);
            let is_full = verdict.as_ref().is_err_and(|failure| failure.rest.is_some());
            assert_eq!(is_full, text.contains("connection limit"), "{text}");
            assert_eq!(verdict.err().map(|failure| failure.cause), expected, "{text}");
        }
    }
}
