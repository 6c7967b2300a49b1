//! HTTP for one target: a connection of its own for each request, dialed and secured as every other
//! kind is.

mod answer;
mod hidden;
mod opening;
mod redirect;
mod refusal;
mod request_target;

use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf};

use endpoint::{Address, Failure, Stream, TlsClient};
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
    header::{ACCEPT, HeaderValue, USER_AGENT},
};
use hyper_util::{
    client::proxy::matcher::Intercept,
    rt::{TokioExecutor, TokioIo},
};
use tokio::{task::JoinSet, time};

use self::answer::Driver;
pub(crate) use self::answer::{Answer, BODY_LIMIT, broken_body, read};
use self::hidden::Sent;
pub(crate) use self::hidden::without_query;
use self::opening::{Noting, Opening};
use self::redirect::{Detour, redirected};
pub(crate) use self::refusal::{refusal, wants_tls};
use self::request_target::{address, name_host, origin_form};
use crate::{
    http_error::{self, HEAD_LIMIT, HEADERS_LIMIT},
    network::Network,
    not_ready::{CUT, Cause, NotReady},
    proxy::{self, Way},
    wire::speaks_tls,
};

const OURSELVES: HeaderValue = HeaderValue::from_static(concat!("wait-for/", env!("CARGO_PKG_VERSION")));

/// How the requests of one target travel
#[derive(Debug)]
pub(crate) struct Client {
    /// Where the target itself is. The other fields hold for it alone, and not for a place to which
    /// a redirect leads, except `tls`: a server there that asks for it sees the client certificate.
    pub(crate) host: String,
    pub(crate) tls: TlsClient,
    pub(crate) http2: bool,
    /// The scheme to write for a server that speaks TLS
    pub(crate) secure_scheme: &'static str,
    pub(crate) redirects: usize,
    /// The statuses that are an answer of the target, also where a proxy could have made them
    pub(crate) status: Vec<RangeInclusive<u16>>,
    pub(crate) unix_socket: Option<PathBuf>,
    /// Where to dial instead of looking the host up
    pub(crate) resolve: Option<IpAddr>,
}

impl Client {
    /// For a target at `host`, with nothing special about it.
    pub(crate) fn new(host: String, tls: TlsClient) -> Self {
        Self {
            host,
            tls,
            http2: false,
            secure_scheme: "https",
            redirects: 0,
            status: Vec::new(),
            unix_socket: None,
            resolve: None,
        }
    }

    /// Whether a status is one of those that are wanted
    pub(crate) fn wants(&self, status: StatusCode) -> bool {
        self.status.iter().any(|range| range.contains(&status.as_u16()))
    }

    /// Sends a request, with an absolute URI, and follows as many redirects as it may.
    pub(crate) async fn send(&self, network: &Network, mut request: Request<Full<Bytes>>) -> Result<Answer, NotReady> {
        // A fault in the files shows also while the server is away.
        self.tls.ready().await?;
        let has_login = |request: &Request<_>| request.headers().values().any(HeaderValue::is_sensitive);
        let login_was_given = has_login(&request);
        let sent = Sent::of(&request);
        let mut detour = None;
        for _ in 0..=self.redirects {
            let mut answer = match &detour {
                None => self.send_once(network, request.clone(), true).await?,
                Some(detour) => self.send_after(detour, network, request.clone()).await?,
            };
            answer.detour = detour.take();
            if self.redirects == 0 {
                return Ok(answer);
            }
            match redirected(&request, &answer.response).map_err(|failure| answer.placed(failure))? {
                Some(next) => {
                    answer.leave().await;
                    request = next;
                    let lacks_login = login_was_given && !has_login(&request);
                    detour = Some(Detour::to(request.uri(), lacks_login, &sent));
                }
                None => return Ok(answer),
            }
        }
        let words = format!("more redirects than the {} that are allowed", self.redirects);
        // A server answers, so this proves nothing gone.
        Err(NotReady::new(Cause::Odd, words))
    }

    /// Sends a request to where a redirect has led. Every failure names that place, also the lack
    /// of an answer in time.
    async fn send_after(
        &self,
        detour: &Detour,
        network: &Network,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, NotReady> {
        network.progress.hear(detour.named("no answer yet"));
        let sent = time::timeout(network.time_for_answer(), self.send_once(network, request, false)).await;
        sent.unwrap_or_else(|_| Err(network.out_of_time())).map_err(|failure| detour.blame(failure))
    }

    /// Sends a request. `is_first` is for one to the URL that the user has written.
    async fn send_once(
        &self,
        network: &Network,
        mut request: Request<Full<Bytes>>,
        is_first: bool,
    ) -> Result<Answer, NotReady> {
        request.headers_mut().entry(USER_AGENT).or_insert(OURSELVES);
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        let place = self.place(request.uri())?;
        let proxies = network.proxies.as_ref().filter(|_| !place.is_ours || self.unix_socket.is_none());
        let via = proxies.and_then(|proxies| proxies.intercept(request.uri()));
        let way = match &via {
            None => Way::Direct,
            Some(_) if place.is_secure => Way::Tunnel,
            Some(_) => Way::Proxy,
        };
        let may_want_tls = is_first && way == Way::Direct && !place.is_secure && self.unix_socket.is_none();
        let mut connection = JoinSet::new();
        let response = async {
            let stream = self.open(network, &place, via.as_ref()).await?;
            self.name(&mut request, via.as_ref().filter(|_| way == Way::Proxy))?;
            self.ask(stream, request, &mut connection, may_want_tls).await
        };
        let response = response.await.map_err(|failure| way.judged(failure))?;
        let status = response.status();
        // 407 is always the proxy's own.
        let may_be_wanted = status != StatusCode::PROXY_AUTHENTICATION_REQUIRED && self.wants(status);
        if way == Way::Proxy && proxy::speaks_for_itself(status) && !may_be_wanted {
            return Err(proxy::blame(match status {
                StatusCode::PROXY_AUTHENTICATION_REQUIRED => Failure::ProxyRefused(status).into(),
                status => refusal(status, response.headers()),
            }));
        }
        let mut answer = Answer::new(response, connection);
        answer.proxy_login = via.filter(|_| way == Way::Proxy).and_then(|via| via.basic_auth().cloned());
        Ok(answer)
    }

    /// Sends the request on a connection. `may_want_tls` is for one without TLS to the server
    /// itself.
    async fn ask(
        &self,
        stream: Box<dyn Stream>,
        request: Request<Full<Bytes>>,
        connection: &mut Driver,
        may_want_tls: bool,
    ) -> Result<Response<Incoming>, NotReady> {
        let (stream, noted) = Noting::new(stream);
        let answer = if self.http2 {
            self.ask_http2(stream, request, connection).await
        } else {
            ask_http1(stream, request, connection).await.map_err(|error| http_error::not_ready(&error))
        };
        answer.map_err(|failure| self.explained(failure, noted.opening(), may_want_tls))
    }

    async fn ask_http2(
        &self,
        stream: Noting<Box<dyn Stream>>,
        request: Request<Full<Bytes>>,
        connection: &mut Driver,
    ) -> Result<Response<Incoming>, NotReady> {
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
        match self.tls.certificate_fault().await {
            Some(fault) => Err(fault.into()),
            None => Err(http_error::not_ready(&error)),
        }
    }

    /// A failure in the light of the first bytes of the answer.
    fn explained(&self, failure: NotReady, opening: Opening, may_want_tls: bool) -> NotReady {
        match opening {
            Opening::TlsAlert if may_want_tls => return speaks_tls(&format!("write {}://", self.secure_scheme)),
            Opening::Http2 if !self.http2 => {
                return NotReady::new(Cause::Odd, "the server speaks HTTP/2 and not HTTP/1.1: add http2");
            }
            // The hint at TLS follows.
            Opening::Nothing if !self.http2 || may_want_tls => return failure,
            _ => {}
        }
        let is_closed = failure == NotReady::unanswered() || failure.reason == CUT;
        let failure = if is_closed && opening != Opening::Nothing { NotReady::new(Cause::Odd, CUT) } else { failure };
        let is_other = opening == Opening::Other && failure.cause == Cause::Odd;
        if self.http2 && opening != Opening::Http2 && (is_closed || is_other) {
            return NotReady { reason: format!("{}; does the server speak HTTP/2?", failure.reason), ..failure };
        }
        failure
    }

    /// Where a request goes
    fn place(&self, uri: &Uri) -> Result<Place, NotReady> {
        let address = address(uri)?;
        // A socket is one origin, on the default port.
        let is_ours = address.host == self.host && (self.unix_socket.is_none() || address.port == 80);
        Ok(Place { address, is_ours, is_secure: uri.scheme_str() == Some("https") })
    }

    /// Opens a connection for a request.
    async fn open(
        &self,
        network: &Network,
        Place { address, is_ours, is_secure }: &Place,
        via: Option<&Intercept>,
    ) -> Result<Box<dyn Stream>, NotReady> {
        // Timing decides whether a reset is seen while dialing or in the handshake.
        let dial = async |address: &Address| match network.dial(address).await {
            Err(Failure::Reset) if *is_secure => Err(Failure::HandshakeCut),
            dialed => dialed,
        };
        let stream: Box<dyn Stream> = match (&self.unix_socket, via) {
            (Some(path), _) if *is_ours => Box::new(network.dial_unix(path).await?),
            (_, Some(via)) if *is_secure => proxy::tunnel(network, via, address).await?,
            (_, Some(via)) => return proxy::dial(network, via).await,
            (_, None) => match self.resolve.filter(|_| *is_ours) {
                Some(ip) => Box::new(dial(&Address { host: ip.to_string(), ..address.clone() }).await?),
                None => Box::new(dial(address).await?),
            },
        };
        if !is_secure {
            return Ok(stream);
        }
        let name = if *is_ours { self.tls.name_for(&address.host) } else { endpoint::server_name(&address.host) };
        let name = name.map_err(NotReady::never)?;
        Ok(self.tls.secure(name, stream, if self.http2 { &[b"h2"] } else { &[] }).await?)
    }

    /// Gives a request the form that its receiver wants: a proxy that answers itself, or a server.
    fn name(&self, request: &mut Request<Full<Bytes>>, proxy: Option<&Intercept>) -> Result<(), NotReady> {
        if let Some(via) = proxy {
            proxy::authorize(request, via);
            return name_host(request);
        }
        if !self.http2 {
            name_host(request)?;
            *request.uri_mut() = origin_form(request.uri());
        }
        Ok(())
    }
}

/// The place that a URL names
struct Place {
    address: Address,
    /// It is the target itself.
    is_ours: bool,
    is_secure: bool,
}

async fn ask_http1(
    stream: Noting<Box<dyn Stream>>,
    request: Request<Full<Bytes>>,
    connection: &mut Driver,
) -> hyper::Result<Response<Incoming>> {
    let mut settings = http1::Builder::new();
    settings.max_buf_size(HEAD_LIMIT).max_header_size(HEAD_LIMIT).max_headers(HEADERS_LIMIT);
    let (mut sender, driver) = settings.handshake(TokioIo::new(stream)).await?;
    connection.spawn(async { driver.await.err() });
    sender.send_request(request).await
}
