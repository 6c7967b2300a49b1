//! A probe's request to the app, over a connection of its own: plain or with TLS, over HTTP/1.1 or HTTP/2.

use std::pin::pin;

use endpoint::Names;
use h2::RecvStream;
use http::{Request, Response, request::Parts};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;

use super::{ANSWER_LIMIT, ANSWER_TIMEOUT};
use crate::{
    refusal::Refusal,
    rewrite,
    route::upstream_url::{UpstreamUrl, Versions},
    transport::Transport,
    upstream::{
        handshake::refusal,
        reach::{dial_with_limit, refuses},
    },
};

/// The window of an answer's stream, and the bound of its head
const ANSWER_WINDOW: u32 = 64 * 1024;

/// Asks the app, in the version of HTTP that other requests would have. The answer has at most [`ANSWER_LIMIT`] bytes.
pub(super) async fn ask(app: &UpstreamUrl, names: &Names, head: Parts) -> Result<Response<Bytes>, Refusal> {
    let transport = connect(app, names).await?;
    if transport.speaks_http2() || app.tls.is_none() && app.versions == Versions::Http2 {
        return over_http2(transport, app, &head).await;
    }
    if app.versions == Versions::Http2 {
        return Err(Refusal::UpstreamBroken);
    }
    over_http1(transport, head).await
}

async fn connect(app: &UpstreamUrl, names: &Names) -> Result<Transport, Refusal> {
    let dialled = dial_with_limit(&app.address, names, ANSWER_TIMEOUT).await;
    let refusal_of =
        |failure| if refuses(&app.address, &failure) { Refusal::AppDown } else { Refusal::UpstreamUnreachable };
    let socket = dialled.map_err(refusal_of)?;
    app.secure(socket, app.versions).await.map_err(|failure| refusal(&failure))
}

async fn over_http1(transport: Transport, head: Parts) -> Result<Response<Bytes>, Refusal> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(ANSWER_LIMIT);
    let begun = builder.handshake(TokioIo::new(transport)).await;
    let (mut sender, connection) = begun.map_err(|_| Refusal::UpstreamClosed)?;
    let asking = async {
        let request = Request::from_parts(head, Empty::<Bytes>::new());
        let (head, body) = sender.send_request(request).await.map_err(|_| Refusal::UpstreamClosed)?.into_parts();
        let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(|_| Refusal::UpstreamBroken)?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    with(connection, asking).await
}

async fn over_http2(transport: Transport, app: &UpstreamUrl, head: &Parts) -> Result<Response<Bytes>, Refusal> {
    let request = rewrite::http2::head(head, app.tls.is_some(), &app.authority);
    let mut builder = h2::client::Builder::new();
    builder.enable_push(false).initial_window_size(ANSWER_WINDOW).max_header_list_size(ANSWER_WINDOW);
    let begun = builder.handshake::<_, Bytes>(transport).await;
    let (sender, connection) = begun.map_err(|error| of_http2(&error))?;
    let asking = async {
        let mut sender = sender.ready().await.map_err(|error| of_http2(&error))?;
        let (answer, _) = sender.send_request(request, true).map_err(|error| of_http2(&error))?;
        let (head, body) = answer.await.map_err(|error| of_http2(&error))?.into_parts();
        Ok(Response::from_parts(head, collect(body).await?))
    };
    with(connection, asking).await
}

async fn collect(mut body: RecvStream) -> Result<Bytes, Refusal> {
    let mut collected = Vec::new();
    while let Some(bytes) = body.data().await {
        let bytes = bytes.map_err(|_| Refusal::UpstreamBroken)?;
        // The stream is open, or it needs no more room.
        let _ = body.flow_control().release_capacity(bytes.len());
        collected.extend_from_slice(&bytes);
        if collected.len() > ANSWER_LIMIT {
            return Err(Refusal::UpstreamBroken);
        }
    }
    Ok(collected.into())
}

fn of_http2(error: &h2::Error) -> Refusal {
    if error.is_io() || error.is_remote() { Refusal::UpstreamClosed } else { Refusal::UpstreamBroken }
}

/// Runs the connection while the answer comes.
async fn with<T>(connection: impl Future, asking: impl Future<Output = T>) -> T {
    let (mut connection, mut asking) = (pin!(connection), pin!(asking));
    let mut has_ended = false;
    loop {
        tokio::select! {
            biased;
            answer = &mut asking => return answer,
            _ = &mut connection, if !has_ended => has_ended = true,
        }
    }
}
