//! `tcp://host:port`, `tls://host:port`: lines on one connection. There is no acknowledgement, so a
//! connection that breaks may take along what the other side had not read.

use futures_util::future::BoxFuture;

use super::{Attempt, Opened, Output, Scheme, Setup, dial, oneway::OneWay};
use crate::{
    outputs::encoding::{self, Encoding},
    records::batch::Batch,
};

/// Lines on one connection
pub(super) const TCP: Scheme = Scheme {
    name: "tcp",
    example: "tcp://collector:5140",
    delivered: "once the system has taken it; there is no acknowledgement",
    options: &[encoding::OPTION, dial::AGE_OPTION],
    shared: &[],
    open: |setup| {
        let connection = OneWay::plain(setup, None)?;
        open(setup, connection)
    },
};

/// The same, over TLS
pub(super) const TLS: Scheme = Scheme {
    name: "tls",
    example: "tls://collector:6514",
    shared: &[dial::TLS],
    open: |setup| {
        let connection = OneWay::secure(setup, None)?;
        open(setup, connection)
    },
    ..TCP
};

fn open(setup: &mut Setup, connection: OneWay) -> Opened {
    let encoding = Encoding::from_options(&mut setup.options, Encoding::Raw)?;
    Ok(Box::new(Tcp { connection, encoding, room: Vec::new() }))
}

struct Tcp {
    connection: OneWay,
    encoding: Encoding,
    room: Vec<u8>,
}

impl Output for Tcp {
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Attempt> {
        Box::pin(self.connection.deliver(self.encoding.bytes(batch, &mut self.room)))
    }
}
