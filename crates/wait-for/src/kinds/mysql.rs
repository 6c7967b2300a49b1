//! `mysql://host[:port]`: the server speaks first, and its greeting is answered in full.
//!
//! A connection that leaves the greeting unanswered counts as broken, and after `max_connect_errors` of them the server
//! blocks the host. So the answer is a proper `HandshakeResponse41`, and OK or "access denied" both mean ready. With a
//! password the proof is a login and `SELECT 1`. Protocol: MySQL Internals, "Connection Phase"; MariaDB's is the same.

use std::sync::Arc;

use endpoint::{Options, Stream, one_line};
use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::net::TcpStream;
use url::Url;

use super::{
    mysql_wire::{
        Channel, Failure, Greeting, Refusal, client_answer, client_header, hash_native, hash_sha2, not_mysql,
        parse_switch,
    },
    shape,
};
use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    wire::{self, Login, Server},
};

const PORT: u16 = 3306;
/// The name of the helper, because it stands in the server's log.
const USER: &str = "wait-for";

/// Commands of the command phase
const QUIT: u8 = 0x01;
const QUERY: u8 = 0x03;
/// First bytes of answers
const OK: u8 = 0x00;
const MORE_DATA: u8 = 0x01;
const SWITCH: u8 = 0xfe;
/// What follows `MORE_DATA` in `caching_sha2_password`
const FULL_AUTHENTICATION: u8 = 0x04;

#[derive(Debug)]
struct Mysql(Server);

/// One attempt
struct Session<'a>(Login<'a>);

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "tls=require")?;
    Ok(Arc::new(Mysql(Server::from_url(url, PORT, false, options)?)))
}

impl Check for Mysql {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let session = Session(self.0.login().await?);
            let stream = session.0.dial(network).await?;
            session.0.judged(session.log_in(Channel::new(stream)).await)
        }
        .boxed_local()
    }
}

impl Session<'_> {
    /// Answers the greeting; without a password, any word about the login is proof enough.
    async fn log_in(&self, mut channel: Channel<TcpStream>) -> Verdict {
        let greeting = match channel.read().await {
            Ok(packet) => Greeting::parse(&packet)?,
            Err(failure) => return Err(self.meaning(failure)),
        };
        let server = &self.0;
        if server.tls.is_some() {
            if !greeting.offers_tls() {
                return Err(NotReady::never("the server offers no TLS: leave tls=require off, or turn ssl on there"));
            }
            channel.write(&client_header(true, self.database().is_some())).await?;
        }
        let mut channel = channel.upgrade(async |stream| server.secure(stream).await).await?;
        let verdict = self.answer(&mut channel, &greeting).await;
        channel.close().await;
        verdict
    }

    async fn answer(&self, channel: &mut Channel<Box<dyn Stream>>, greeting: &Greeting) -> Verdict {
        let server = &self.0;
        let proof = self.proof(&greeting.plugin, &greeting.nonce).unwrap_or_default();
        let user = server.user.unwrap_or(USER);
        channel.write(&client_answer(server.tls.is_some(), user, &proof, self.database(), &greeting.plugin)).await?;
        match self.authenticate(channel).await {
            Ok(()) if server.password.is_some() => select_one(channel).await.map_err(|failure| self.meaning(failure)),
            Ok(()) => {
                leave(channel).await;
                Ok("lets in without a password".into())
            }
            Err(Failure::Refused(refusal)) if server.password.is_none() && refusal.is_about_the_login() => {
                Ok(format!("asks for a login (error {})", refusal.code))
            }
            Err(failure) => Err(self.meaning(failure)),
        }
    }

    /// Answers what the server asks for until it says OK.
    async fn authenticate(&self, channel: &mut Channel<Box<dyn Stream>>) -> Result<(), Failure> {
        loop {
            let packet = channel.read().await?;
            match packet.split_first() {
                Some((&OK, _)) => return Ok(()),
                Some((&SWITCH, request)) => {
                    let (plugin, nonce) = parse_switch(request).ok_or_else(not_mysql)?;
                    // Without a password an empty answer keeps the handshake whole, so that it does not count as broken.
                    let proof = self.proof(&plugin, &nonce);
                    if proof.is_none() && self.0.password.is_some() {
                        let advice = "check without a password instead";
                        return Err(NotReady::never(format!(
                            "plugin {} is not supported: {advice}",
                            one_line(&plugin)
                        ))
                        .into());
                    }
                    channel.write(&proof.unwrap_or_default()).await?;
                }
                Some((&MORE_DATA, [FULL_AUTHENTICATION])) => channel.write(&self.password_in_the_clear()?).await?,
                Some((&MORE_DATA, _)) => {}
                _ => return Err(not_mysql().into()),
            }
        }
    }

    /// What proves the password; nothing for a plugin that is not known here.
    fn proof(&self, plugin: &str, nonce: &[u8]) -> Option<Vec<u8>> {
        let password = self.0.password.as_ref()?.expose().as_bytes();
        match plugin {
            _ if password.is_empty() => Some(Vec::new()),
            "mysql_native_password" => Some(hash_native(password, nonce)),
            "caching_sha2_password" => Some(hash_sha2(password, nonce)),
            "mysql_clear_password" => self.password_in_the_clear().ok(),
            _ => None,
        }
    }

    /// Full authentication sends the password itself, so only inside TLS; without a password there is nothing to hide.
    fn password_in_the_clear(&self) -> Result<Vec<u8>, NotReady> {
        let password = self.0.password.as_ref().map_or("", |password| password.expose());
        if self.0.tls.is_none() && !password.is_empty() {
            return Err(wire::password_needs_tls());
        }
        Ok([password.as_bytes(), &[0]].concat())
    }

    /// Only a login needs a database.
    fn database(&self) -> Option<&str> {
        self.0.database.filter(|_| self.0.password.is_some())
    }

    fn meaning(&self, failure: Failure) -> NotReady {
        let Refusal { code, message } = match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Broken(failure) => return failure,
        };
        let told = format!("error {code}: {message}");
        match code {
            // The server has blocked this host; only its administrator can undo that.
            1129 => NotReady::never(format!("{told} (mariadb-admin flush-hosts, on the server, lifts it)")),
            1130 | 1044 => NotReady::denied(told),
            1045 | 1698 if self.0.password.is_some() => NotReady::denied(told),
            // Too many connections: in all, of the user, or by a limit of the account
            1040 | 1203 | 1226 => NotReady::full(told),
            // Unknown database: it may be made later.
            1049 => NotReady::new(Cause::Contrary, told),
            _ => NotReady::new(Cause::Busy, told),
        }
    }
}

/// Reads the answer to `SELECT 1`: the number of columns, a column, end, a row, end.
async fn select_one(channel: &mut Channel<Box<dyn Stream>>) -> Result<String, Failure> {
    channel.command(QUERY, b"SELECT 1").await?;
    for _ in 0..5 {
        channel.read().await?;
    }
    leave(channel).await;
    Ok("logged in, SELECT 1 answered".into())
}

/// Says goodbye, so that the server does not log an aborted connection. An error no longer matters.
async fn leave(channel: &mut Channel<Box<dyn Stream>>) {
    let _ = channel.command(QUIT, &[]).await;
}
