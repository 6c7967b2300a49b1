//! HTTP for one target: a connection of its own for each request, dialed and secured as every other kind is.

use std::{error::Error, net::IpAddr, path::PathBuf, time::Duration};

use endpoint::{Tls, one_line};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::{Body, Bytes, Incoming},
    client::conn::{http1, http2},
    header::{ACCEPT, HOST, HeaderValue, LOCATION, USER_AGENT},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::UnixStream, task::JoinSet, time};
use url::Url;

use crate::{
    check::{Cause, Network, NotReady},
    connect::{Address, Stream},
    proxy,
};

/// Bytes of a body that are read
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;
/// Bytes of an answer's head that are read
const HEAD_LIMIT: usize = 64 * 1024;
const OURSELVES: HeaderValue = HeaderValue::from_static(concat!("wait-for/", env!("CARGO_PKG_VERSION")));

/// How the requests of one target travel
#[derive(Debug)]
pub(crate) struct Client {
    /// Where the target itself is. What follows holds for it alone, not for where a redirect leads, but for the trust in `tls`.
    pub(crate) host: String,
    pub(crate) tls: Tls,
    pub(crate) http2: bool,
    pub(crate) redirects: usize,
    pub(crate) unix_socket: Option<PathBuf>,
    /// Where to dial instead of looking the host up
    pub(crate) resolve: Option<IpAddr>,
}

/// What nobody wants of an answer is still read for this long: leaving at once would be a reset in the server's log.
const COURTESY: Duration = Duration::from_millis(100);

/// An answer whose head is read; its connection ends with it
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    connection: JoinSet<()>,
}

impl Answer {
    /// Ends the connection politely: the body read, as far as there is one, and the last words of TLS and HTTP/2 said.
    pub(crate) async fn leave(self) {
        let Self { response, mut connection } = self;
        let end = async {
            let _ = read(&mut response.into_body(), BODY_LIMIT).await;
            while connection.join_next().await.is_some() {}
        };
        let _ = time::timeout(COURTESY, end).await;
    }
}

impl Client {
    /// For a target at `host`, with nothing special about it.
    pub(crate) fn new(host: String, tls: Tls) -> Self {
        Self { host, tls, http2: false, redirects: 0, unix_socket: None, resolve: None }
    }

    /// Sends a request, with an absolute URI, and follows as many redirects as it may.
    pub(crate) async fn send(&self, network: &Network, mut request: Request<Full<Bytes>>) -> Result<Answer, NotReady> {
        for _ in 0..=self.redirects {
            let answer = self.send_once(network, request.clone()).await?;
            match redirected(&request, &answer.response) {
                Some(next) if self.redirects > 0 => {
                    answer.leave().await;
                    request = next;
                }
                _ => return Ok(answer),
            }
        }
        let words = format!("more redirects than the {} that are allowed", self.redirects);
        // Whoever answers is there: this proves nothing gone.
        Err(NotReady::new(Cause::Odd, words))
    }

    async fn send_once(&self, network: &Network, mut request: Request<Full<Bytes>>) -> Result<Answer, NotReady> {
        request.headers_mut().entry(USER_AGENT).or_insert(OURSELVES);
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        let mut connection = JoinSet::new();
        let (stream, by_proxy) = self.open(network, &mut request, &mut connection).await?;
        let response = match self.ask(stream, request, &mut connection).await {
            Ok(response) if by_proxy && proxy::speaks_for_itself(response.status()) => {
                return Err(NotReady::new(Cause::Odd, format!("proxy: HTTP {}", response.status())));
            }
            Err(failure) if by_proxy => return Err(proxy::blame(failure)),
            response => response?,
        };
        Ok(Answer { response, connection })
    }

    async fn ask(
        &self,
        stream: Box<dyn Stream>,
        request: Request<Full<Bytes>>,
        connection: &mut JoinSet<()>,
    ) -> Result<Response<Incoming>, NotReady> {
        if !self.http2 {
            let mut settings = http1::Builder::new();
            let (mut sender, driver) = settings.max_buf_size(HEAD_LIMIT).handshake(TokioIo::new(stream)).await?;
            connection.spawn(async { drop(driver.await) });
            return Ok(sender.send_request(request).await?);
        }
        let mut settings = http2::Builder::new(TokioExecutor::new());
        settings.max_header_list_size(u32::try_from(HEAD_LIMIT).unwrap_or(u32::MAX));
        let (mut sender, driver) = settings.handshake(TokioIo::new(stream)).await?;
        connection.spawn(async { drop(driver.await) });
        sender.send_request(request).await.map_err(|error| match NotReady::from(error) {
            NotReady { cause: Cause::Odd, reason } => {
                NotReady::new(Cause::Odd, format!("{reason}; does the server speak HTTP/2?"))
            }
            failure => failure,
        })
    }

    /// Opens a connection for a request, and gives the request the form that it needs there. Tells whether who answers on it
    /// is a proxy.
    async fn open(
        &self,
        network: &Network,
        request: &mut Request<Full<Bytes>>,
        connection: &mut JoinSet<()>,
    ) -> Result<(Box<dyn Stream>, bool), NotReady> {
        let uri = request.uri().clone();
        let address = address(&uri)?;
        let ours = address.host == self.host;
        let secure = uri.scheme_str() == Some("https");
        let via = network.proxies.as_ref().and_then(|proxies| proxies.intercept(&uri));
        let stream: Box<dyn Stream> = match (&self.unix_socket, via) {
            (Some(path), _) if ours => Box::new(UnixStream::connect(path).await?),
            (_, Some(via)) if secure => proxy::tunnel(network, &via, &address, connection).await?,
            (_, Some(via)) => {
                proxy::authorize(request, &via);
                name_host(request)?;
                return Ok((proxy::dial(network, &via).await?, true));
            }
            (_, None) => match self.resolve.filter(|_| ours) {
                Some(ip) => Box::new(Address { host: ip.to_string(), ..address.clone() }.dial(&network.names).await?),
                None => Box::new(address.dial(&network.names).await?),
            },
        };
        if !self.http2 {
            name_host(request)?;
            *request.uri_mut() = origin_form(&uri);
        }
        if !secure {
            return Ok((stream, false));
        }
        let name = self.tls.sni.as_ref().filter(|_| ours).unwrap_or(&address.host);
        let name = endpoint::server_name(name).map_err(NotReady::never)?;
        let stream = self.tls.connect(name, stream, self.http2.then_some(b"h2")).await?;
        Ok((Box::new(stream), false))
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

/// The request that a redirect asks for (RFC 9110, section 15.4); `None` if the answer is no redirect to HTTP.
fn redirected<B>(request: &Request<Full<Bytes>>, answer: &Response<B>) -> Option<Request<Full<Bytes>>> {
    const REWRITE_POST: [StatusCode; 2] = [StatusCode::MOVED_PERMANENTLY, StatusCode::FOUND];
    const REWRITE_ALL: StatusCode = StatusCode::SEE_OTHER;
    const KEEP: [StatusCode; 2] = [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT];
    let status = answer.status();
    if status != REWRITE_ALL && !REWRITE_POST.contains(&status) && !KEEP.contains(&status) {
        return None;
    }
    let before = Url::parse(&request.uri().to_string()).ok()?;
    let after = before.join(answer.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    if !["http", "https"].contains(&after.scheme()) {
        return None;
    }
    let mut next = request.clone();
    *next.uri_mut() = after[..url::Position::AfterQuery].parse().ok()?;
    next.headers_mut().remove(HOST);
    if after.origin() != before.origin() {
        // Whatever the user gave was meant for the target, credentials above all.
        next.headers_mut().clear();
    }
    let method = request.method();
    if (REWRITE_POST.contains(&status) && method == Method::POST) || (status == REWRITE_ALL && method != Method::HEAD) {
        *next.method_mut() = Method::GET;
    }
    Some(next)
}

/// Reads at most `limit` bytes of a body. A body that is cut short proves nothing gone: its head has arrived.
pub(crate) async fn read(body: &mut Incoming, limit: usize) -> Result<Vec<u8>, NotReady> {
    let mut read = Vec::new();
    while read.len() < limit && !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|error| NotReady { cause: Cause::Odd, ..error.into() })?;
        if let Some(data) = frame.data_ref() {
            read.extend_from_slice(&data[..data.len().min(limit - read.len())]);
        }
    }
    Ok(read)
}

impl From<hyper::Error> for NotReady {
    fn from(error: hyper::Error) -> Self {
        if error.is_incomplete_message() {
            return Self::new(Cause::Absent, "closed without an HTTP answer");
        }
        if error.is_parse_too_large() {
            return Self::new(Cause::Odd, format!("the answer's head is over {} KiB", HEAD_LIMIT / 1024));
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        let mut words = String::new();
        while let Some(inner) = cause {
            if let Some(io) = inner.downcast_ref::<std::io::Error>() {
                return crate::tls::failure(io).unwrap_or_else(|| std::io::Error::from(io.kind()).into());
            }
            words = inner.to_string();
            cause = inner.source();
        }
        Self::new(Cause::Odd, format!("the answer is not HTTP: {}", one_line(&words)))
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::AUTHORIZATION;

    use super::*;

    fn redirect(method: Method, status: u16, location: &str) -> Option<Request<Full<Bytes>>> {
        let request = Request::builder().method(method).uri("http://a/old?q=1").header(AUTHORIZATION, "secret");
        let answer = Response::builder().status(status).header(LOCATION, location).body(()).unwrap();
        redirected(&request.body(Full::default()).unwrap(), &answer)
    }

    #[test]
    fn a_redirect_within_the_origin_keeps_headers_and_one_elsewhere_does_not() {
        let next = redirect(Method::GET, 302, "/new").unwrap();
        assert_eq!((next.uri().to_string().as_str(), next.headers().len()), ("http://a/new", 1));
        for elsewhere in ["http://b/new", "https://a/new", "http://a:81/"] {
            assert!(redirect(Method::GET, 302, elsewhere).unwrap().headers().is_empty(), "{elsewhere}");
        }
    }

    #[test]
    fn methods_change_as_browsers_do_it() {
        let method = |method, status| redirect(method, status, "/new").map(|next| next.method().clone());
        assert_eq!(method(Method::POST, 302), Some(Method::GET));
        assert_eq!(method(Method::POST, 307), Some(Method::POST));
        assert_eq!(method(Method::PUT, 303), Some(Method::GET));
        assert_eq!(method(Method::HEAD, 303), Some(Method::HEAD));
        assert_eq!(method(Method::GET, 200), None);
        assert!(redirect(Method::GET, 302, "ftp://a/").is_none());
    }
}
