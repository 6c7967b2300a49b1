//! `postgres://host[:port]`: any answer but "cannot connect now" means ready, as libpq's PQping has it.
//!
//! With a password the proof is a login and `SELECT 1`. Protocol 3.0: PostgreSQL documentation, "Frontend/Backend
//! Protocol"; error codes: its appendix A.

use std::{io, sync::Arc};

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use futures_util::{FutureExt, future::LocalBoxFuture};
use lifecycle::Secret;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    },
    message::{
        backend::{ErrorResponseBody, Message},
        frontend,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

use crate::{
    check::{Cause, Check, Network, NotReady, Verdict, said},
    options::Options,
    wire::{Server, Stream},
};

const PORT: u16 = 5432;
/// Exists nearly everywhere; a name that does not would leave a line in the server's log under `trust`.
const USER: &str = "postgres";
/// Bytes; messages of a login and of `SELECT 1` are far smaller.
const MESSAGE_LIMIT: usize = 64 * 1024;

#[derive(Debug)]
struct Postgres(Server);

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    Ok(Arc::new(Postgres(Server::from_url(url, PORT, false, options)?)))
}

impl Check for Postgres {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let mut stream = self.0.dial(&network.names).await?;
            if self.0.tls.is_some() {
                ask_for_tls(&mut stream).await?;
            }
            let stream = self.0.secure(stream).await?;
            let mut wire = Wire { stream, received: BytesMut::new(), sent: BytesMut::new() };
            self.start(&mut wire).await?;
            match &self.0.password {
                None => knock(&mut wire).await,
                Some(password) => self.log_in(&mut wire, password).await,
            }
        }
        .boxed_local()
    }
}

impl Postgres {
    fn user(&self) -> &str {
        self.0.user.as_deref().unwrap_or(USER)
    }

    async fn start(&self, wire: &mut Wire) -> Result<(), NotReady> {
        let database = self.0.database.as_deref().map(|name| ("database", name));
        let parameters = [("user", self.user()), ("application_name", "wait-for")];
        frontend::startup_message(parameters.into_iter().chain(database), &mut wire.sent)?;
        wire.send().await
    }

    /// Logs in and asks for `SELECT 1`.
    async fn log_in(&self, wire: &mut Wire, password: &Secret) -> Verdict {
        let secret = password.expose().as_bytes();
        loop {
            match wire.receive().await? {
                Message::AuthenticationOk => break,
                Message::AuthenticationCleartextPassword => frontend::password_message(secret, &mut wire.sent)?,
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(self.user().as_bytes(), secret, body.salt());
                    frontend::password_message(hash.as_bytes(), &mut wire.sent)?;
                }
                Message::AuthenticationSasl(_) => scram(wire, secret).await?,
                Message::ErrorResponse(body) => return Err(refusal(&Said::of(&body)?)),
                _ => return Err(NotReady::never("the server asks for a kind of login that is not supported here")),
            }
            wire.send().await?;
        }
        wire.wait_until_idle().await?;
        frontend::query("SELECT 1", &mut wire.sent)?;
        wire.send().await?;
        wire.wait_until_idle().await?;
        wire.leave().await;
        Ok("logged in, SELECT 1 answered".into())
    }
}

/// Without a password: any word but "not now" is proof enough, and so is a role that does not exist.
async fn knock(wire: &mut Wire) -> Verdict {
    loop {
        match wire.receive().await? {
            Message::AuthenticationOk => {}
            Message::ReadyForQuery(_) => {
                wire.leave().await;
                return Ok("lets in without a password".into());
            }
            Message::ErrorResponse(body) => {
                let said = Said::of(&body)?;
                let busy = said.is_busy();
                return if busy { Err(said.into_not_ready(Cause::Busy)) } else { Ok(format!("answers {}", said.code)) };
            }
            // A plain close: where a password is due, the server logs a Terminate as a protocol violation, and a close not at all.
            _ => return Ok("asks for a login".into()),
        }
    }
}

async fn ask_for_tls(stream: &mut TcpStream) -> Result<(), NotReady> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request).await?;
    match stream.read_u8().await? {
        b'S' => Ok(()),
        b'N' => Err(NotReady::never("the server offers no TLS: leave tls=require off, or turn ssl on there")),
        _ => Err(NotReady::new(Cause::Odd, "the answer is not PostgreSQL")),
    }
}

/// SCRAM-SHA-256 up to the server's proof (RFC 5802); the caller waits for what follows.
async fn scram(wire: &mut Wire, password: &[u8]) -> Result<(), NotReady> {
    let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
    frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut wire.sent)?;
    wire.send().await?;
    match wire.receive().await? {
        Message::AuthenticationSaslContinue(body) => scram.update(body.data())?,
        Message::ErrorResponse(body) => return Err(refusal(&Said::of(&body)?)),
        _ => return Err(unexpected()),
    }
    frontend::sasl_response(scram.message(), &mut wire.sent)?;
    wire.send().await?;
    match wire.receive().await? {
        Message::AuthenticationSaslFinal(body) => Ok(scram.finish(body.data())?),
        Message::ErrorResponse(body) => Err(refusal(&Said::of(&body)?)),
        _ => Err(unexpected()),
    }
}

/// What a server says to a login.
fn refusal(said: &Said) -> NotReady {
    let cause = match said.code.as_str() {
        _ if said.is_busy() => Cause::Busy,
        // invalid_authorization_specification, invalid_password, insufficient_privilege
        "28000" | "28P01" | "42501" => return NotReady::denied(format!("login refused: {}", said.message)),
        // invalid_catalog_name: the database may be made later.
        "3D000" => Cause::Contrary,
        _ => Cause::Odd,
    };
    NotReady::new(cause, said.message.clone())
}

fn unexpected() -> NotReady {
    NotReady::new(Cause::Odd, "the answer is not in PostgreSQL's order")
}

/// An error as the server tells it
struct Said {
    code: String,
    message: String,
}

impl Said {
    fn of(body: &ErrorResponseBody) -> io::Result<Self> {
        let field = |kind: u8| {
            let found = body.fields().find(|field| Ok(field.type_() == kind))?;
            Ok::<_, io::Error>(
                found.map(|field| said(&String::from_utf8_lossy(field.value_bytes()))).unwrap_or_default(),
            )
        };
        Ok(Self { code: field(b'C')?, message: field(b'M')? })
    }

    /// cannot_connect_now, too_many_connections, and the shutdowns
    fn is_busy(&self) -> bool {
        ["57P03", "53300", "57P01", "57P02"].contains(&self.code.as_str())
    }

    fn into_not_ready(self, cause: Cause) -> NotReady {
        NotReady::new(cause, self.message)
    }
}

/// A connection with what is to be sent and what has come
struct Wire {
    stream: Box<dyn Stream>,
    sent: BytesMut,
    received: BytesMut,
}

impl Wire {
    async fn send(&mut self) -> Result<(), NotReady> {
        self.stream.write_all(&self.sent.split()).await?;
        Ok(self.stream.flush().await?)
    }

    /// The next message that is not a mere notice or setting.
    async fn receive(&mut self) -> Result<Message, NotReady> {
        loop {
            match Message::parse(&mut self.received)
                .map_err(|_| NotReady::new(Cause::Odd, "the answer is not PostgreSQL"))?
            {
                Some(Message::NoticeResponse(_) | Message::ParameterStatus(_) | Message::BackendKeyData(_)) => {}
                Some(message) => return Ok(message),
                None if self.received.len() > MESSAGE_LIMIT => {
                    return Err(NotReady::new(Cause::Odd, "the answer is not PostgreSQL"));
                }
                None if self.stream.read_buf(&mut self.received).await? == 0 => {
                    return Err(NotReady::new(Cause::Absent, "closed without an answer"));
                }
                None => {}
            }
        }
    }

    /// Reads on to ReadyForQuery.
    async fn wait_until_idle(&mut self) -> Result<(), NotReady> {
        loop {
            match self.receive().await? {
                Message::ReadyForQuery(_) => return Ok(()),
                Message::ErrorResponse(body) => return Err(refusal(&Said::of(&body)?)),
                _ => {}
            }
        }
    }

    /// Terminate, so that the server does not log a lost connection. What comes of it no longer matters.
    async fn leave(&mut self) {
        frontend::terminate(&mut self.sent);
        let _ = self.send().await;
    }
}
