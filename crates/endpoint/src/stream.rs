//! A byte stream on any kind of connection.

use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream, plain or TLS
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
