//! HTTP through a proxy: plain requests in absolute form, TLS through a tunnel (RFC 9110, sections 7.1 and 9.3.6).

use http_body_util::Empty;
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    client::conn::http1,
    header::{HOST, PROXY_AUTHORIZATION},
};
use hyper_util::{client::proxy::matcher::Intercept, rt::TokioIo};
use tokio::task::JoinSet;

use crate::{
    check::{Cause, Network, NotReady},
    connect::{Address, Stream},
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
    Ok(Box::new(address.dial(&network.names).await.map_err(blame)?))
}

/// What goes wrong with a proxy says nothing of the target: it must not count as gone.
pub(crate) fn blame(NotReady { cause, reason }: NotReady) -> NotReady {
    let cause = match cause {
        Cause::Absent | Cause::UnknownName | Cause::Contrary => Cause::Odd,
        cause => cause,
    };
    NotReady::new(cause, format!("proxy: {reason}"))
}

/// An answer in the target's place: a login of its own, or its word that the target does not answer it.
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

/// Opens a tunnel to `address`; `connection` keeps it going.
pub(crate) async fn tunnel(
    network: &Network,
    via: &Intercept,
    address: &Address,
    connection: &mut JoinSet<()>,
) -> Result<Box<dyn Stream>, NotReady> {
    let authority = address.authority();
    let request = Request::builder().method(Method::CONNECT).uri(&authority).header(HOST, &authority);
    let mut request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| NotReady::never(format!("cannot ask the proxy: {error}")))?;
    authorize(&mut request, via);
    let stream = TokioIo::new(dial(network, via).await?);
    let (mut sender, driver) = http1::handshake(stream).await.map_err(|error| blame(error.into()))?;
    connection.spawn(async { drop(driver.with_upgrades().await) });
    let answer = sender.send_request(request).await.map_err(|error| blame(error.into()))?;
    if !answer.status().is_success() {
        return Err(NotReady::new(Cause::Odd, format!("proxy: HTTP {}", answer.status())));
    }
    Ok(Box::new(TokioIo::new(hyper::upgrade::on(answer).await?)))
}
