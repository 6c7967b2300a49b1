//! The parts of WebSocket (RFC 6455) that a proxy needs: the handshake's keys, the bounds of frames, and one frame of its own.

pub(crate) mod close;
pub(crate) mod frames;
pub(crate) mod key;
