//! HTTP through a proxy: plain requests in absolute form, TLS through a tunnel (RFC 9110, sections
//! 7.1 and 9.3.6).

use endpoint::{Address, Failure, Stream};
use hyper::{
    Request, StatusCode,
    header::{HeaderValue, PROXY_AUTHORIZATION},
};
use hyper_util::client::proxy::matcher::Intercept;

use crate::{
    network::Network,
    not_ready::{Cause, NotReady},
};

const PORT: u16 = 80;

/// The way of a request to its server
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    /// A proxy answers, maybe with the words of the server.
    Proxy,
    /// A proxy has opened a connection to the server.
    Tunnel,
}

impl Way {
    /// The failure of a request, and whose it is. Some proxies open a tunnel before they reach its
    /// end, and close it when they do not.
    pub(crate) fn judged(self, failure: NotReady) -> NotReady {
        match self {
            Self::Tunnel if failure.cause == Cause::Absent => blame(failure),
            Self::Direct | Self::Tunnel => failure,
            Self::Proxy => blame(failure),
        }
    }
}

/// Connects to the proxy.
pub(crate) async fn dial(network: &Network, via: &Intercept) -> Result<Box<dyn Stream>, NotReady> {
    let uri = via.uri();
    if uri.scheme_str() != Some("http") {
        return Err(NotReady::never("only http:// proxies are supported"));
    }
    let host = uri.host().ok_or_else(|| NotReady::never("the proxy's URL has no host"))?;
    let address = Address { host: host.trim_matches(['[', ']']).to_owned(), port: uri.port_u16().unwrap_or(PORT) };
    Ok(Box::new(network.dial(&address).await?))
}

/// A failure of the proxy says nothing of the target: it must not count as gone, and need not want
/// TLS.
pub(crate) fn blame(failure: NotReady) -> NotReady {
    let NotReady { cause, reason, rest, tls_doubt: _ } = failure;
    let cause = match cause {
        Cause::Absent | Cause::UnknownName | Cause::Contrary => Cause::Odd,
        cause => cause,
    };
    NotReady { rest, ..NotReady::new(cause, format!("proxy: {reason}")) }
}

/// An answer in the target's place: a login of its own, or its word that the target does not answer
/// it.
pub(crate) fn speaks_for_itself(status: StatusCode) -> bool {
    [
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ]
    .contains(&status)
}

/// Logs in at the proxy, where its URL says how.
pub(crate) fn authorize<B>(request: &mut Request<B>, via: &Intercept) {
    if let Some(login) = via.basic_auth() {
        request.headers_mut().insert(PROXY_AUTHORIZATION, login.clone());
    }
}

/// Opens a tunnel to `address`.
pub(crate) async fn tunnel(network: &Network, via: &Intercept, address: &Address) -> Result<Box<dyn Stream>, NotReady> {
    let stream = dial(network, via).await.map_err(blame)?;
    let login = via.basic_auth().map(HeaderValue::as_bytes);
    endpoint::tunnel(stream, address, login).await.map_err(|failure| {
        let is_overloaded = failure == Failure::ProxyRefused(StatusCode::SERVICE_UNAVAILABLE)
            || failure == Failure::ProxyRefused(StatusCode::TOO_MANY_REQUESTS);
        let refusal = blame(failure.into());
        if is_overloaded { refusal.overloaded(None) } else { refusal }
    })
}
