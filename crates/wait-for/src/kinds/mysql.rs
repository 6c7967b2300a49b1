//! `mysql://host[:port]`, `mysql+unix:///socket`: the server speaks first, and its greeting is
//! answered in full.
//!
//! A connection that ends within its handshake counts as broken, and after `max_connect_errors` of
//! them the server blocks the host. So every handshake is brought to its end, also where the reason
//! against the server is known before: a server that is not trusted, or whose plugin is not
//! supported, gets the answers of a client without a password, and no secret. OK and
//! "access denied" both mean ready; with a password the proof is a login and `SELECT 1`.
//! Protocol: MySQL documentation, "Connection Phase"; MariaDB's is the same.

pub(crate) mod query;

use std::sync::Arc;

use endpoint::{Options, RsaKeyFile, RsaPublicKey};
use futures_util::{FutureExt, future::LocalBoxFuture};
use lifecycle::Secret;
use tokio::time;
use url::Url;

use super::{
    mysql_exchange::Exchange,
    mysql_verdicts::{judge, judge_login},
    mysql_wire::{Channel, Failure, Greeting, QUERY, client_answer, client_header, not_mysql, parse_switch},
    question::{self, Question},
    shape,
};
use crate::{
    check::Check,
    network::Network,
    not_ready::{NotReady, Verdict},
    wire::{self, Login, Server},
};

pub(crate) const OPTIONS: [&str; 8] = [
    wire::OPTIONS[0],
    wire::OPTIONS[1],
    "server-key=PATH",
    "query=SQL",
    "query-file=PATH",
    "query-env=NAME",
    "table=[DATABASE.]NAME",
    "migration=TOOL:VERSION",
];

const PORT: u16 = 3306;
/// The name of the helper, because it stands in the server's log.
const USER: &str = "wait-for";

/// A command of the command phase
const QUIT: u8 = 0x01;
/// First bytes of answers
const OK: u8 = 0x00;
const MORE_DATA: u8 = 0x01;
const SWITCH: u8 = 0xfe;

#[derive(Debug)]
struct Mysql {
    server: Server,
    /// The key that passwords are encrypted with, where there is no TLS
    server_key: Option<RsaKeyFile>,
    question: Option<Question>,
}

/// One attempt
struct Session<'a> {
    login: Login<'a>,
    server_key: Option<RsaPublicKey>,
    /// Only a login or a question needs one.
    database: Option<&'a str>,
    question: Option<&'a Question>,
    network: &'a Network,
}

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "tls=require")?;
    let server_key = RsaKeyFile::from_options(options, "server-key")?;
    let question = Question::from_options(options)?;
    let server = Server::from_url(url, PORT, false, options)?;
    if let Some(question) = &question {
        query::check_database(question, server.database())?;
    }
    Ok(Arc::new(Mysql { server, server_key, question }))
}

impl Check for Mysql {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let login = self.server.login().await?;
            let server_key = match &self.server_key {
                Some(file) => Some(file.current().await?),
                None => None,
            };
            let question = self.question.as_ref();
            let database = login.database.filter(|_| login.password.is_some() || question.is_some());
            let session = Session { login, server_key, database, question, network };
            let channel = Channel::new(session.login.dial(network).await?);
            session.login.judged(session.converse(channel).await)
        }
        .boxed_local()
    }
}

impl Session<'_> {
    async fn converse(&self, mut channel: Channel) -> Verdict {
        let greeting = match channel.read().await {
            Ok(packet) => Greeting::parse(&packet)?,
            Err(failure) => return Err(self.meaning(failure)),
        };
        let (mut channel, trusted) = self.secure(channel, &greeting).await?;
        let verdict = match trusted {
            Ok(()) => self.log_in(&mut channel, &greeting).await,
            Err(refusal) => {
                let login = self.login.without_secrets();
                let stranger = Session { login, server_key: None, question: None, ..*self };
                let _ = time::timeout(self.network.courtesy(), stranger.log_in(&mut channel, &greeting)).await;
                Err(refusal)
            }
        };
        channel.close().await;
        verdict
    }

    /// Goes over to TLS where that is wanted. Beside the connection stands whether the server is
    /// trusted with a login.
    async fn secure(
        &self,
        mut channel: Channel,
        greeting: &Greeting,
    ) -> Result<(Channel, Result<(), NotReady>), NotReady> {
        if self.login.tls.is_none() {
            return Ok((channel, Ok(())));
        }
        if !greeting.offers_tls() {
            let refusal = NotReady::never("the server offers no TLS: leave tls=require off, or turn ssl on there");
            return Ok((channel, Err(refusal)));
        }
        channel.write(&client_header(true, self.database.is_some())).await?;
        channel.secure(&self.login).await
    }

    /// Answers the greeting; without a password, any word about the login is proof enough.
    async fn log_in(&self, channel: &mut Channel, greeting: &Greeting) -> Verdict {
        let has_password = self.login.password.is_some();
        match self.authenticate(channel, greeting).await {
            Ok(()) => {
                let verdict = match self.question {
                    Some(question) => query::ask(channel, question, self.network.time_left()).await,
                    None if has_password => select_one(channel).await.map_err(|failure| self.meaning(failure)),
                    None => Ok("lets in without a password".into()),
                };
                // Without this word the server logs an aborted connection. An error no longer
                // matters.
                let _ = channel.command(QUIT, &[]).await;
                verdict
            }
            Err(Failure::Refused(refusal)) if !has_password && refusal.is_about_the_login() => {
                if self.question.is_some() {
                    return Err(question::needs_password());
                }
                Ok(format!("asks for a login (error {})", refusal.code))
            }
            Err(failure) => Err(self.meaning(failure)),
        }
    }

    /// Answers what the server asks for until it says OK. Where the password cannot be proven, the
    /// answers are empty from there on, until the server refuses the login.
    async fn authenticate(&self, channel: &mut Channel, greeting: &Greeting) -> Result<(), Failure> {
        let mut exchange = Exchange {
            password: self.login.password.as_ref().map(Secret::expose),
            is_private: self.login.is_private(),
            is_tls: channel.is_tls,
            server_key: self.server_key.as_ref(),
            plugin: greeting.plugin.clone(),
            nonce: greeting.nonce.clone(),
        };
        // The length has one byte in this packet.
        let is_short = |proof: &Vec<u8>| u8::try_from(proof.len()).is_ok();
        let too_long = || NotReady::never("the password is longer than 254 bytes, which MySQL does not take");
        let proof = exchange.proof().and_then(|proof| Some(proof).filter(is_short).ok_or_else(too_long));
        let (proof, mut unproven) = or_instead(proof, &[]);
        // A login without its password counts as a failed one, and some accounts are locked after a
        // few of them.
        let may_log_in = self.login.password.is_some() || self.question.is_some() || self.login.is_private();
        let user = self.login.user.filter(|_| may_log_in).unwrap_or(USER);
        channel.write(&client_answer(channel.is_tls, user, &proof, self.database, &greeting.plugin)).await?;
        loop {
            let packet = match unproven.take() {
                None => channel.read().await?,
                Some(reason) => match time::timeout(self.network.courtesy(), channel.read()).await {
                    Ok(Ok(packet)) => packet,
                    _ => return Err(reason.into()),
                },
            };
            let answer = match packet.split_first() {
                Some((&OK, _)) => return Ok(()),
                Some((&SWITCH, request)) => {
                    (exchange.plugin, exchange.nonce) = parse_switch(request).ok_or_else(not_mysql)?;
                    Some(or_instead(exchange.proof(), &[]))
                }
                // An empty packet here is a broken handshake for the server.
                Some((&MORE_DATA, data)) => exchange.answer(data).transpose().map(|answer| or_instead(answer, &[0])),
                _ => return Err(not_mysql().into()),
            };
            if let Some((answer, reason)) = answer {
                unproven = reason;
                channel.write(&answer).await?;
            }
        }
    }

    /// The settings, in addition to the password, for which a server refuses a login
    fn doubts(&self) -> &'static str {
        if self.login.is_private() {
            ""
        } else if self.server_key.is_some() {
            "; are the password and server-key right, or does the account want TLS (tls=require)?"
        } else {
            "; is the password right, or does the account want TLS (tls=require)?"
        }
    }

    fn meaning(&self, failure: Failure) -> NotReady {
        match failure {
            Failure::Refused(refusal) if self.login.password.is_some() => judge_login(&refusal, self.doubts()),
            Failure::Refused(refusal) => judge(&refusal),
            Failure::Broken(failure) => failure,
        }
    }
}

/// An answer, or the one in its place and the reason
fn or_instead(answer: Result<Vec<u8>, NotReady>, instead: &[u8]) -> (Vec<u8>, Option<NotReady>) {
    match answer {
        Ok(answer) => (answer, None),
        Err(reason) => (instead.to_vec(), Some(reason)),
    }
}

/// Reads the answer to `SELECT 1`: the number of columns, a column, end, a row, end.
async fn select_one(channel: &mut Channel) -> Result<String, Failure> {
    channel.command(QUERY, b"SELECT 1").await?;
    for _ in 0..5 {
        channel.read().await?;
    }
    Ok("logged in, SELECT 1 answered".into())
}
