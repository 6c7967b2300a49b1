//! HTTP for all outputs that speak it: one connection that is kept, plain or TLS, with logins that
//! change and bodies that are compressed.

mod answer;
mod api_path;
mod body;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use endpoint::{LOGIN_OPTIONS, LoginHeaders, UrlLogin, refuse_login_in_query};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{
        CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
        PROXY_AUTHORIZATION, TRANSFER_ENCODING, USER_AGENT,
    },
};
use hyper_util::rt::TokioIo;
use tokio::time::{self, Instant};

use self::body::Pieces;
pub(super) use self::{answer::Answer, api_path::api_path};
use super::{
    Attempt, OptionGroup, Setup,
    compression::Compression,
    dial::{self, Dialer},
    final_status::{self, FinalStatuses},
    proxy::{self, Proxy},
};
use crate::records::pool::{Buffer, Pool};

/// A whole exchange must pass within this.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The body of a success has this time, unless its output needs it: the status has delivered the batch already.
const SUCCESS_BODY_LIMIT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read; its first words are the reason of a refusal
const ANSWER_LIMIT: usize = 64 * 1024;
const OURSELVES: HeaderValue = HeaderValue::from_static(concat!("log-forwarder/", env!("CARGO_PKG_VERSION")));

/// Headers that no option may set, because a wrong value would make a request unreadable, or a
/// repeated one
const OURS: [HeaderName; 5] =
    [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING, HeaderName::from_static("idempotency-key")];

/// The options of all kinds that speak HTTP
pub(super) const OPTIONS: OptionGroup = OptionGroup {
    name: "HTTP",
    options: &{
        let [token, token_env, user, password, password_env, header, header_file] = LOGIN_OPTIONS;
        let [proxy, proxy_user, proxy_password, proxy_password_env] = proxy::OPTIONS;
        [
            "gzip",
            "zstd",
            token,
            token_env,
            user,
            password,
            password_env,
            header,
            header_file,
            final_status::OPTION,
            dial::AGE_OPTION,
            proxy,
            proxy_user,
            proxy_password,
            proxy_password_env,
        ]
    },
};

/// Requests to one server
pub(super) struct Client {
    dialer: Dialer,
    host: HeaderValue,
    login: LoginHeaders,
    /// The logins of the last request
    sent: HeaderMap,
    /// Before the path of a request: the server, if the request goes to a proxy
    origin: String,
    final_statuses: FinalStatuses,
    compression: Option<Compression>,
    pool: Pool,
    sender: Option<SendRequest<Pieces>>,
    /// Bytes of an answer that are read, where an output needs more than its first words
    pub(super) answer_limit: usize,
    /// Whether only the body of a success says what is delivered
    pub(super) needs_body: bool,
}

/// A request whose answer has begun
struct Begun {
    sender: SendRequest<Pieces>,
    /// Whether the last byte of the request's body went out, now and when the head of the answer came
    sent: Arc<AtomicBool>,
    in_time: bool,
    response: Response<Incoming>,
}

impl Client {
    /// For `http://` and `https://`, and all kinds that say `+http://` or `+https://`. The port is
    /// HTTP's if these have none of their own.
    pub(super) fn open(setup: &mut Setup, port: Option<u16>) -> Result<Self, String> {
        let url = setup.url;
        refuse_login_in_query(url)?;
        let mut dialer = match url.scheme() {
            scheme if scheme == "https" || scheme.ends_with("+https") => Dialer::secure(setup, port.or(Some(443)))?,
            _ => Dialer::plain(url, port.or(Some(80)))?,
        };
        let host = match url.port().or(port) {
            Some(_) => dialer.address.authority(),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        dialer.take_age(&mut setup.options)?;
        dialer.proxy = Proxy::from_options(&mut setup.options)?;
        let is_forwarded = dialer.proxy.is_some() && !dialer.is_secure();
        let origin = if is_forwarded { format!("http://{host}") } else { String::new() };
        Ok(Self {
            dialer,
            origin,
            final_statuses: FinalStatuses::from_options(&mut setup.options)?,
            host: HeaderValue::from_str(&host).map_err(|_| "the host is no header value")?,
            login: LoginHeaders::from_options(&mut setup.options, UrlLogin::default(), &OURS)?,
            sent: HeaderMap::new(),
            compression: Compression::from_options(&mut setup.options)?,
            pool: setup.pool.clone(),
            sender: None,
            answer_limit: ANSWER_LIMIT,
            needs_body: false,
        })
    }

    /// POSTs, and reads the answer. The error is the result of an attempt without an answer. A
    /// success that came before the end of the body was sent is such an attempt. An answer whose
    /// head came is one, also when its body stalls or breaks off.
    pub(super) async fn post(
        &mut self,
        path_and_query: &str,
        content_type: &HeaderValue,
        headers: &[(HeaderName, HeaderValue)],
        body: Buffer,
    ) -> Result<Answer, Attempt> {
        let deadline = Instant::now() + TIMEOUT;
        let head = async {
            let mut all = self.login.current().await.map_err(|failure| failure.to_string())?;
            if let Some(login) = self.proxy_login().await? {
                all.insert(PROXY_AUTHORIZATION, login);
            }
            self.sent.clone_from(&all);
            let request = self.request(path_and_query, all, content_type, headers, body)?;
            self.head(request).await
        };
        match time::timeout_at(deadline, head).await {
            Ok(Ok(begun)) => self.answer(begun, deadline).await.map_err(Attempt::again),
            Ok(Err(reason)) => Err(Attempt::again(reason)),
            Err(_) => Err(Attempt::again("no answer within a minute")),
        }
    }

    /// The attempt with reasons that do not repeat the login of the last request.
    pub(super) fn without_secrets(&self, attempt: Attempt) -> Attempt {
        attempt.with_reasons(|reason| endpoint::without_secrets(reason, &self.sent))
    }

    /// Whether the server refuses a batch for good by this status
    pub(super) fn is_final(&self, status: StatusCode) -> bool {
        self.final_statuses.contain(status)
    }

    /// The login that a request to a proxy carries; in a tunnel it would reach the server.
    async fn proxy_login(&self) -> Result<Option<HeaderValue>, String> {
        match &self.dialer.proxy {
            Some(proxy) if !self.dialer.is_secure() => {
                proxy.login().await.map_err(|failure| format!("proxy: {failure}"))
            }
            _ => Ok(None),
        }
    }

    /// Sends a request, and waits for the head of its answer.
    async fn head(&mut self, request: Request<Pieces>) -> Result<Begun, String> {
        let sent = request.body().sent();
        // The connection is put back only after a whole exchange, so that an exchange that fails or
        // is given up ends it.
        let mut sender = self.connection().await?;
        let response = sender.send_request(request).await.map_err(|error| error_text(&error))?;
        let in_time = sent.load(Relaxed);
        Ok(Begun { sender, sent, in_time, response })
    }

    /// Reads the rest of an answer, or as much of it as comes in time.
    async fn answer(&mut self, begun: Begun, deadline: Instant) -> Result<Answer, String> {
        let Begun { sender, sent, in_time, response } = begun;
        let until = match response.status() {
            status if status.is_success() && !self.needs_body => deadline.min(Instant::now() + SUCCESS_BODY_LIMIT),
            _ => deadline,
        };
        let answer = Answer::read(response, self.answer_limit, until).await;
        if answer.status == StatusCode::UNAUTHORIZED {
            self.login.forget();
        }
        if let Some(proxy) = &self.dialer.proxy {
            proxy.heed(answer.status);
        }
        if answer.whole && sent.load(Relaxed) {
            self.sender = Some(sender);
        }
        if answer.status.is_success() && !in_time {
            return Err("it was answered before it was sent".into());
        }
        Ok(answer)
    }

    /// The connection of the last request, or a new one
    async fn connection(&mut self) -> Result<SendRequest<Pieces>, String> {
        if let Some(mut sender) = self.sender.take().filter(|_| !self.dialer.is_expired())
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let stream = self.dialer.dial().await?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error_text(&error))?;
        // It ends with its sender, and its error reaches the request.
        tokio::spawn(async { drop(driver.await) });
        Ok(sender)
    }

    fn request(
        &mut self,
        path_and_query: &str,
        mut all: HeaderMap,
        content_type: &HeaderValue,
        headers: &[(HeaderName, HeaderValue)],
        body: Buffer,
    ) -> Result<Request<Pieces>, String> {
        for (name, value) in [(HOST, &self.host), (USER_AGENT, &OURSELVES), (CONTENT_TYPE, content_type)] {
            all.entry(name).or_insert_with(|| value.clone());
        }
        all.extend(headers.iter().cloned());
        let body = match &mut self.compression {
            Some(compression) => {
                all.insert(CONTENT_ENCODING, compression.name());
                compression.compress(&body, &self.pool)?
            }
            None => body,
        };
        let body = Pieces::new(Bytes::from_owner(body));
        let mut request =
            Request::post(format!("{}{path_and_query}", self.origin)).body(body).map_err(|error| error.to_string())?;
        *request.headers_mut() = all;
        Ok(request)
    }
}

/// The innermost cause: hyper's own words say only in which step it was.
fn error_text(error: &hyper::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            return dial::error_text(error);
        }
    }
    if error.is_incomplete_message() { "closed without an answer".into() } else { cause.to_string() }
}
