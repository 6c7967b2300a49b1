//! HTTP through a proxy: plain requests in absolute form, TLS through a tunnel (RFC 9110, sections
//! 7.1 and 9.3.6).

use endpoint::{Address, Stream};
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

/// Connects to the proxy.
pub(crate) async fn dial(network: &Network, via: &Intercept) -> Result<Box<dyn Stream>, NotReady> {
    let uri = via.uri();
    if uri.scheme_str() != Some("http") {
        return Err(NotReady::never("only http:// proxies are supported"));
    }
    let host = uri.host().ok_or_else(|| NotReady::never("the proxy's URL has no host"))?;
    let address = Address { host: host.trim_matches(['[', ']']).to_owned(), port: uri.port_u16().unwrap_or(PORT) };
    let stream = network.dial(&address).await.map_err(|failure| blame(failure.into()))?;
    Ok(Box::new(stream))
}

/// A failure of the proxy says nothing of the target, which must not count as gone.
pub(crate) fn blame(mut failure: NotReady) -> NotReady {
    if matches!(failure.cause, Cause::Absent | Cause::UnknownName | Cause::Contrary) {
        failure.cause = Cause::Odd;
    }
    failure.reason.insert_str(0, "proxy: ");
    failure
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
    let stream = dial(network, via).await?;
    let login = via.basic_auth().map(HeaderValue::as_bytes);
    endpoint::tunnel(stream, address, login).await.map_err(|failure| blame(failure.into()))
}
