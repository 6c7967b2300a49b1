//! `postgres://host[:port]`: any answer but "cannot connect now" means ready, as libpq's `PQping`
//! has it.
//!
//! With a password the proof is a login and `SELECT 1`, and with a question its answer. Protocol
//! 3.0: PostgreSQL documentation, "Frontend/Backend Protocol"; error codes: its appendix A.

mod query;
pub(crate) mod wire;

use std::sync::Arc;

use endpoint::{Options, Stream};
use futures_util::{FutureExt, future::LocalBoxFuture};
use lifecycle::Secret;
use url::Url;

use self::{
    query::Enquiry,
    wire::{
        Authentication, Channel, Message, PASSWORD, QUERY, Said, TERMINATE, TOO_MANY_CONNECTIONS, md5_proof,
        not_postgres,
    },
};
use super::{
    question::{self, Question},
    shape,
};
use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    scram::{Hash, Scram},
    wire::{Login, Server, close, password_needs_tls},
};

pub(crate) const OPTIONS: [&str; 8] = [
    "tls=require|verify-ca",
    "user=NAME",
    "query=SQL",
    "query-file=PATH",
    "query-env=NAME",
    "table=[SCHEMA.]NAME",
    "migration=TOOL:VERSION",
    "schema=NAME",
];

const PORT: u16 = 5432;
/// Exists nearly everywhere; a name that does not would leave a line in the server's log under
/// `trust`.
const USER: &str = "postgres";
const MECHANISM: Hash = Hash::Sha256;
/// The code of `PgBouncer`'s own errors
const PROTOCOL_VIOLATION: &str = "08P01";

type Secured = Channel<Box<dyn Stream>>;

#[derive(Debug)]
struct Postgres {
    server: Server,
    enquiry: Option<Enquiry>,
}

/// One attempt
struct Session<'a> {
    login: Login<'a>,
    enquiry: Option<&'a Enquiry>,
    network: &'a Network,
}

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "tls=require")?;
    let question = Question::from_options(options)?;
    let schema = options.parsed("schema", question::name)?;
    let enquiry = match (question, schema) {
        (None, Some(_)) => return Err("option schema goes together with query, table or migration".into()),
        (question, schema) => question.map(|question| Enquiry { question, schema }),
    };
    Ok(Arc::new(Postgres { server: Server::from_url(url, PORT, false, options)?, enquiry }))
}

impl Check for Postgres {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let session = Session { login: self.server.login().await?, enquiry: self.enquiry.as_ref(), network };
            let mut plain = Channel(session.login.dial(network).await?);
            if session.login.tls.is_some() && !plain.ask_for_tls().await? {
                return Err(NotReady::never("the server offers no TLS: leave tls=require off, or turn ssl on there"));
            }
            let mut channel = Channel(session.login.secure_agreed(plain.0).await?);
            let verdict = session.converse(&mut channel).await;
            close(&mut channel.0).await;
            session.login.judged(verdict)
        }
        .boxed_local()
    }
}

impl Session<'_> {
    async fn converse(&self, channel: &mut Secured) -> Verdict {
        let mut parameters = vec![("user", self.user()), ("application_name", "wait-for")];
        parameters.extend(self.login.database.map(|name| ("database", name)));
        channel.start(&parameters).await?;
        match (&self.login.password, self.enquiry) {
            (None, None) => knock(channel).await,
            (password, _) => self.log_in(channel, password.as_ref()).await,
        }
    }

    fn user(&self) -> &str {
        self.login.user.unwrap_or(USER)
    }

    /// Logs in, and asks the question or `SELECT 1`. A server may let in without a password, for
    /// example by a certificate.
    async fn log_in(&self, channel: &mut Secured, password: Option<&Secret>) -> Verdict {
        loop {
            let request = authentication(channel).await?;
            if request == Authentication::Ok {
                break;
            }
            // A plain close, as in `knock`.
            let Some(password) = password else { return Err(question::needs_password()) };
            match request {
                Authentication::CleartextPassword if !self.login.is_private() => {
                    return Err(password_needs_tls());
                }
                Authentication::CleartextPassword => send_password(channel, password.expose()).await?,
                Authentication::Md5Password { salt } => {
                    send_password(channel, &md5_proof(self.user(), password.expose(), salt)).await?;
                }
                Authentication::Sasl { mechanisms } if mechanisms.iter().any(|name| name == MECHANISM.mechanism()) => {
                    log_in_by_scram(channel, password).await?;
                }
                Authentication::Sasl { .. } | Authentication::Unsupported => {
                    return Err(NotReady::never("the server asks for a kind of login that is not supported here"));
                }
                Authentication::Ok | Authentication::SaslContinue(_) | Authentication::SaslFinal(_) => {
                    return Err(not_postgres());
                }
            }
        }
        until_idle(channel).await?;
        let verdict = match self.enquiry {
            Some(enquiry) => enquiry.ask(channel, self.network.time_left()).await,
            None => select_one(channel).await,
        };
        leave(channel).await;
        verdict
    }
}

async fn select_one(channel: &mut Secured) -> Verdict {
    channel.write(QUERY, b"SELECT 1\0").await?;
    until_idle(channel).await?;
    Ok("logged in, SELECT 1 answered".into())
}

/// Without a password: any word but "not now" is proof enough, and so is a role that does not
/// exist.
async fn knock(channel: &mut Secured) -> Verdict {
    loop {
        match channel.read().await? {
            Message::Authentication(Authentication::Ok) => {}
            Message::ReadyForQuery => {
                leave(channel).await;
                return Ok("lets in without a password".into());
            }
            // A plain close: where a password is due, the server logs a Terminate as a protocol
            // violation, and a close not at all.
            Message::Authentication(_) => return Ok("asks for a login".into()),
            Message::Error(said) if said.is_busy() => return Err(refusal(said)),
            Message::Error(said) => return Ok(format!("answers {}", said.code)),
            _ => return Err(not_postgres()),
        }
    }
}

/// SCRAM-SHA-256 up to the server's proof; the caller waits for what follows.
async fn log_in_by_scram(channel: &mut Secured, password: &Secret) -> Result<(), NotReady> {
    let scram = Scram::new(MECHANISM, "", 1)?;
    let first = scram.first_message();
    let length = u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes();
    channel.write(PASSWORD, &[MECHANISM.mechanism().as_bytes(), &[0], &length, first.as_bytes()].concat()).await?;
    let Authentication::SaslContinue(server_first) = authentication(channel).await? else { return Err(not_postgres()) };
    let (last, unproven) = scram.answer(&server_first, password.expose()).await?;
    channel.write(PASSWORD, last.as_bytes()).await?;
    let Authentication::SaslFinal(server_last) = authentication(channel).await? else { return Err(not_postgres()) };
    unproven.check(&server_last)
}

async fn send_password(channel: &mut Secured, password: &str) -> Result<(), NotReady> {
    channel.write(PASSWORD, &[password.as_bytes(), &[0]].concat()).await
}

async fn authentication(channel: &mut Secured) -> Result<Authentication, NotReady> {
    match channel.read().await? {
        Message::Authentication(request) => Ok(request),
        Message::Error(said) => Err(refusal(said)),
        _ => Err(not_postgres()),
    }
}

/// Reads on to `ReadyForQuery`.
async fn until_idle(channel: &mut Secured) -> Result<(), NotReady> {
    loop {
        match channel.read().await? {
            Message::ReadyForQuery => return Ok(()),
            Message::Error(said) => return Err(refusal(said)),
            _ => {}
        }
    }
}

/// Sends Terminate, so that the server does not log a lost connection. An error no longer matters.
async fn leave(channel: &mut Secured) {
    let _ = channel.write(TERMINATE, &[]).await;
}

/// Whether `pg_hba.conf` has no line for a connection without TLS
fn wants_tls(message: &str) -> bool {
    ["no encryption", "SSL off"].iter().any(|words| message.contains(words))
}

/// The words of `PgBouncer`, which has one code for all its errors in older versions
fn is_refused_login(message: &str) -> bool {
    let words = message.to_ascii_lowercase();
    ["authentication failed", "auth failed", "no such user", "login rejected"].iter().any(|part| words.contains(part))
}

/// The meaning of a server's refusal for a login.
fn refusal(said: Said) -> NotReady {
    let cause = match said.code.as_str() {
        TOO_MANY_CONNECTIONS => return NotReady::full(said.message),
        // PgBouncer
        PROTOCOL_VIOLATION if said.message.contains("no more connections") => return NotReady::full(said.message),
        _ if said.is_busy() => Cause::Busy,
        // invalid_authorization_specification, invalid_password, insufficient_privilege
        "28000" | "28P01" | "42501" => {
            let remedy = if wants_tls(&said.message) { "; does the server want TLS? give tls=require" } else { "" };
            return NotReady::denied(format!("login refused: {}{remedy}", said.message));
        }
        PROTOCOL_VIOLATION if is_refused_login(&said.message) => {
            return NotReady::denied(format!("login refused: {}", said.message));
        }
        PROTOCOL_VIOLATION if said.message.contains("no such database") => {
            return NotReady::never(format!("{}: PgBouncer has no such entry in its [databases]", said.message));
        }
        // invalid_catalog_name: the database may be made later.
        "3D000" => Cause::Contrary,
        _ => Cause::Odd,
    };
    NotReady::new(cause, said.message)
}
