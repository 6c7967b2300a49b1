//! A connection for one request that asks for another protocol. It speaks HTTP/1.1, because HTTP/2 knows no upgrades (RFC 9113, section
//! 8.6), and carries no other request after any answer.

use std::{rc::Rc, time::Instant};

use http::{Request, Response, StatusCode, response};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::task;

use crate::{
    refusal::Refusal,
    request_body::RequestBody,
    route::upstream_url::Versions,
    upstream::{
        HEAD_LIMIT, Upstream, drive,
        pool::Connection,
        upstream_io::{Traffic, UpstreamIo},
    },
};

/// The answer to a request for another protocol
pub(crate) enum Answer {
    /// The protocol has changed, if it is the right one: the connection, and the bytes that came behind the head
    Changed(response::Parts, Box<UpstreamIo>, Bytes),
    Other(Response<Incoming>, Connection),
}

/// A connection without a task of its own
struct Dedicated {
    sender: http1::SendRequest<RequestBody>,
    driver: http1::Connection<TokioIo<UpstreamIo>, RequestBody>,
    traffic: Rc<Traffic>,
}

impl Upstream {
    /// Sends a request for another protocol over a connection of its own. Where an app is down, the request waits for it if it may.
    pub(crate) async fn ask(self: &Rc<Self>, request: Request<RequestBody>) -> Result<Answer, Refusal> {
        let connect = async || self.while_it_reloads(async || self.connect_dedicated().await).await;
        let dedicated = self.or_wait(connect).await?;
        dedicated.ask(request, self).await
    }

    async fn connect_dedicated(&self) -> Result<Dedicated, Refusal> {
        let transport = self.transport(Versions::Http1).await?;
        self.counts.fresh.inc();
        let traffic = Rc::new(Traffic::new(self.counts.active.clone(), self.counts.idle.clone(), self.room.clone()));
        let io = TokioIo::new(UpstreamIo::new(transport, traffic.clone()));
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_LIMIT);
        let (sender, driver) = builder.handshake(io).await.map_err(|_| Refusal::UpstreamClosed)?;
        Ok(Dedicated { sender, driver, traffic })
    }
}

impl Dedicated {
    async fn ask(mut self, request: Request<RequestBody>, upstream: &Rc<Upstream>) -> Result<Answer, Refusal> {
        self.traffic.begin_request(false);
        let mut answer = Box::pin(self.sender.send_request(request));
        let mut has_ended = false;
        let answered = loop {
            tokio::select! {
                biased;
                answered = &mut answer => break answered,
                // The answer names the fault.
                _ = &mut self.driver, if !has_ended => has_ended = true,
            }
        };
        let response = answered.map_err(|error| {
            let is_broken = error.is_parse() || self.traffic.received.get() > 0;
            let refusal = if is_broken { Refusal::UpstreamBroken } else { Refusal::UpstreamClosed };
            upstream.refusal_of(&self.traffic, refusal)
        })?;
        self.traffic.end_head();
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if !has_ended {
                (&mut self.driver).await.map_err(|_| Refusal::UpstreamBroken)?;
            }
            let parts = self.driver.into_parts();
            self.traffic.begin_tunnel();
            return Ok(Answer::Changed(response.into_parts().0, Box::new(parts.io.into_inner()), parts.read_buf));
        }
        let (traffic, weak) = (self.traffic.clone(), Rc::downgrade(upstream));
        let driver = task::spawn_local(async move {
            if !has_ended {
                drive(self.driver, traffic, weak).await;
            }
        });
        let connection = Connection {
            sender: self.sender,
            traffic: self.traffic,
            driver: driver.abort_handle(),
            retires: upstream.retirement(Instant::now()),
            is_reused: false,
        };
        Ok(Answer::Other(response, connection))
    }
}
