//! HTTP for one target: a connection of its own for each request, dialed and secured as every other
//! kind is.

mod answer;
mod redirect;
mod refusal;

use std::{net::IpAddr, path::PathBuf};

use endpoint::{Address, Failure, Stream, TlsClient};
use http_body_util::Full;
use hyper::{
    Request, Response, Uri,
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
    header::{ACCEPT, HOST, HeaderValue, USER_AGENT},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinSet;

use self::answer::Driver;
pub(crate) use self::answer::{Answer, BODY_LIMIT, read};
use self::redirect::redirected;
pub(crate) use self::refusal::{refusal, wants_tls};
use crate::{
    http_error::{self, HEAD_LIMIT},
    network::Network,
    not_ready::{Cause, NotReady},
    proxy,
};

const OURSELVES: HeaderValue = HeaderValue::from_static(concat!("wait-for/", env!("CARGO_PKG_VERSION")));

/// How the requests of one target travel
#[derive(Debug)]
pub(crate) struct Client {
    /// Where the target itself is. What follows holds for it alone, not for where a redirect leads,
    /// but for the trust in `tls`.
    pub(crate) host: String,
    pub(crate) tls: TlsClient,
    pub(crate) http2: bool,
    pub(crate) redirects: usize,
    pub(crate) unix_socket: Option<PathBuf>,
    /// Where to dial instead of looking the host up
    pub(crate) resolve: Option<IpAddr>,
}

impl Client {
    /// For a target at `host`, with nothing special about it.
    pub(crate) fn new(host: String, tls: TlsClient) -> Self {
        Self { host, tls, http2: false, redirects: 0, unix_socket: None, resolve: None }
    }

    /// Sends a request, with an absolute URI, and follows as many redirects as it may.
    pub(crate) async fn send(&self, network: &Network, mut request: Request<Full<Bytes>>) -> Result<Answer, NotReady> {
        // A fault in the files shows also while the server is away.
        self.tls.ready().await?;
        let has_login = |request: &Request<_>| request.headers().values().any(HeaderValue::is_sensitive);
        let login_was_given = has_login(&request);
        for _ in 0..=self.redirects {
            let mut answer = self.send_once(network, request.clone()).await?;
            answer.lacks_login = login_was_given && !has_login(&request);
            if self.redirects == 0 {
                return Ok(answer);
            }
            match redirected(&request, &answer.response)? {
                Some(next) => {
                    answer.leave().await;
                    request = next;
                }
                None => return Ok(answer),
            }
        }
        let words = format!("more redirects than the {} that are allowed", self.redirects);
        // A server answers, so this proves nothing gone.
        Err(NotReady::new(Cause::Odd, words))
    }

    async fn send_once(&self, network: &Network, mut request: Request<Full<Bytes>>) -> Result<Answer, NotReady> {
        request.headers_mut().entry(USER_AGENT).or_insert(OURSELVES);
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        let mut connection = JoinSet::new();
        let (stream, by_proxy) = self.open(network, &mut request).await?;
        let response = match self.ask(stream, request, &mut connection).await {
            Ok(response) if by_proxy && proxy::speaks_for_itself(response.status()) => {
                return Err(proxy::blame(Failure::ProxyRefused(response.status()).into()));
            }
            Err(failure) if by_proxy => return Err(proxy::blame(failure)),
            response => response?,
        };
        Ok(Answer::new(response, connection))
    }

    async fn ask(
        &self,
        stream: Box<dyn Stream>,
        request: Request<Full<Bytes>>,
        connection: &mut Driver,
    ) -> Result<Response<Incoming>, NotReady> {
        if !self.http2 {
            let mut settings = http1::Builder::new();
            let (mut sender, driver) = settings
                .max_buf_size(HEAD_LIMIT)
                .handshake(TokioIo::new(stream))
                .await
                .map_err(|error| http_error::not_ready(&error))?;
            connection.spawn(async { driver.await.err() });
            return sender.send_request(request).await.map_err(|error| http_error::not_ready(&error));
        }
        let mut settings = http2::Builder::new(TokioExecutor::new());
        settings.max_header_list_size(u32::try_from(HEAD_LIMIT).unwrap_or(u32::MAX));
        let (mut sender, driver) =
            settings.handshake(TokioIo::new(stream)).await.map_err(|error| http_error::not_ready(&error))?;
        connection.spawn(async { driver.await.err() });
        let error = match sender.send_request(request).await {
            Ok(answer) => return Ok(answer),
            // The driver knows why the connection ended.
            Err(error) if error.is_closed() || error.is_canceled() => match connection.join_next().await {
                Some(Ok(Some(cause))) => cause,
                _ => error,
            },
            Err(error) => error,
        };
        if let Some(fault) = self.tls.certificate_fault().await {
            return Err(fault.into());
        }
        Err(match http_error::not_ready(&error) {
            NotReady { cause: cause @ (Cause::Odd | Cause::Absent), reason, .. } => {
                NotReady::new(cause, format!("{reason}; does the server speak HTTP/2?"))
            }
            failure => failure,
        })
    }

    /// Opens a connection for a request, and gives the request the form that it needs there. Also
    /// tells whether a proxy answers on the connection.
    async fn open(
        &self,
        network: &Network,
        request: &mut Request<Full<Bytes>>,
    ) -> Result<(Box<dyn Stream>, bool), NotReady> {
        let uri = request.uri().clone();
        let address = address(&uri)?;
        // A socket is one origin, on the default port.
        let ours = address.host == self.host && (self.unix_socket.is_none() || address.port == 80);
        let secure = uri.scheme_str() == Some("https");
        let via = network.proxies.as_ref().and_then(|proxies| proxies.intercept(&uri));
        let stream: Box<dyn Stream> = match (&self.unix_socket, via) {
            (Some(path), _) if ours => Box::new(network.dial_unix(path).await?),
            (_, Some(via)) if secure => proxy::tunnel(network, &via, &address).await?,
            (_, Some(via)) => {
                proxy::authorize(request, &via);
                name_host(request)?;
                return Ok((proxy::dial(network, &via).await?, true));
            }
            (_, None) => match self.resolve.filter(|_| ours) {
                Some(ip) => Box::new(network.dial(&Address { host: ip.to_string(), ..address.clone() }).await?),
                None => Box::new(network.dial(&address).await?),
            },
        };
        if !self.http2 {
            name_host(request)?;
            *request.uri_mut() = origin_form(&uri);
        }
        if !secure {
            return Ok((stream, false));
        }
        let name = if ours { self.tls.name_for(&address.host) } else { endpoint::server_name(&address.host) };
        let name = name.map_err(NotReady::never)?;
        let stream = self.tls.secure(name, stream, if self.http2 { &[b"h2"] } else { &[] }).await?;
        Ok((stream, false))
    }
}

fn address(uri: &Uri) -> Result<Address, NotReady> {
    let host = uri.host().ok_or_else(|| NotReady::never("the URL has no host"))?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    Ok(Address { host: host.trim_matches(['[', ']']).to_owned(), port })
}

fn name_host(request: &mut Request<Full<Bytes>>) -> Result<(), NotReady> {
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    let authority = authority.and_then(Result::ok).ok_or_else(|| NotReady::never("the host is not a header value"))?;
    request.headers_mut().entry(HOST).or_insert(authority);
    Ok(())
}

/// Path and query, as a server wants them that is no proxy (RFC 9112, section 3.2.1).
fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query().map_or_else(|| Uri::from_static("/"), |path| Uri::from(path.clone()))
}
