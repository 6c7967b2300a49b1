//! TLS in front of a scripted upstream: it ends TLS, and passes the bytes on as they are.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use rustls::{HandshakeKind, ServerConfig};
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
    runtime,
};
use tokio_rustls::TlsAcceptor;

/// A server that speaks TLS for another; its thread ends with the test's process
pub(crate) struct TlsFront {
    pub(crate) address: SocketAddr,
    full: Arc<AtomicUsize>,
    resumed: Arc<AtomicUsize>,
}

impl TlsFront {
    /// Shows what `config` says, and agrees on one of these protocols.
    pub(crate) fn before(upstream: SocketAddr, config: &Arc<ServerConfig>, protocols: &[&str]) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), upstream, config, protocols)
    }

    /// The same on a listener
    pub(crate) fn on(
        listener: TcpListener,
        upstream: SocketAddr,
        config: &Arc<ServerConfig>,
        protocols: &[&str],
    ) -> Self {
        let mut config = ServerConfig::clone(config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let address = listener.local_addr().unwrap();
        let (full, resumed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let front = Self { address, full: full.clone(), resumed: resumed.clone() };
        listener.set_nonblocking(true).unwrap();
        thread::spawn(move || {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let (acceptor, full, resumed) = (acceptor.clone(), full.clone(), resumed.clone());
                    tokio::spawn(async move {
                        let mut outer = acceptor.accept(stream).await?;
                        let is_resumed = outer.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
                        if is_resumed { &resumed } else { &full }.fetch_add(1, SeqCst);
                        let mut inner = TcpStream::connect(upstream).await?;
                        inner.set_nodelay(true)?;
                        if copy_bidirectional(&mut outer, &mut inner).await.is_ok() {
                            outer.shutdown().await?;
                        }
                        Ok::<_, std::io::Error>(())
                    });
                }
            });
        });
        front
    }

    /// `https://localhost:PORT`
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// Handshakes so far: whole ones, and resumed ones
    pub(crate) fn handshakes(&self) -> (usize, usize) {
        (self.full.load(SeqCst), self.resumed.load(SeqCst))
    }
}
