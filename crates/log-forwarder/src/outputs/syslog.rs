//! `syslog+tcp://host:601`, `syslog+tls://host:6514`, `syslog+udp://host:514`: RFC 5424 messages,
//! with their length before each on a connection (RFC 6587, 5425), and alone in a datagram (RFC
//! 5426). There is no acknowledgement.

mod datagrams;
mod message;

use futures_util::future::BoxFuture;
use rustix::system::uname;

use self::{datagrams::Datagrams, message::Header};
use super::{Attempt, Opened, Output, Scheme, Setup, dial, oneway::OneWay};
use crate::records::{batch::Batch, pool::Pool};

/// Bytes of a message around its text
const OVERHEAD: usize = 200;
const HEADER_OPTIONS: [&str; 3] = ["facility=local0", "app=NAME", "sd-id=NAME@NUMBER"];

/// Messages on one connection
pub(super) const TCP: Scheme = Scheme {
    name: "syslog+tcp",
    example: "syslog+tcp://rsyslog:601",
    delivered: "once the system has taken it; there is no acknowledgement",
    options: &[HEADER_OPTIONS[0], HEADER_OPTIONS[1], HEADER_OPTIONS[2], dial::AGE_OPTION],
    shared: &[],
    open: |setup| {
        let connection = OneWay::plain(setup, Some(601))?;
        open(setup, connection)
    },
};

/// The same, over TLS
pub(super) const TLS: Scheme = Scheme {
    name: "syslog+tls",
    example: "syslog+tls://rsyslog:6514",
    shared: &[dial::TLS],
    open: |setup| {
        let connection = OneWay::secure(setup, Some(6514))?;
        open(setup, connection)
    },
    ..TCP
};

/// A datagram for each message
pub(super) const UDP: Scheme = Scheme {
    name: "syslog+udp",
    example: "syslog+udp://rsyslog:514",
    delivered: "once the system has taken it; whether it arrives is not known",
    options: &[HEADER_OPTIONS[0], HEADER_OPTIONS[1], HEADER_OPTIONS[2], "max-datagram=2048"],
    open: |setup| {
        let datagrams = Datagrams::open(setup, Some(514))?;
        Ok(Box::new(Udp { header: header(setup)?, datagrams, pool: setup.pool.clone() }))
    },
    ..TCP
};

fn open(setup: &mut Setup, connection: OneWay) -> Opened {
    Ok(Box::new(Connected { header: header(setup)?, connection, pool: setup.pool.clone() }))
}

fn header(setup: &mut Setup) -> Result<Header, String> {
    let (facility, app) = (setup.options.text("facility")?, setup.options.text("app")?);
    let element = setup.options.text("sd-id")?;
    Header::new(facility.as_deref(), &uname().nodename().to_string_lossy(), app, element)
}

struct Connected {
    header: Header,
    connection: OneWay,
    pool: Pool,
}

impl Output for Connected {
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            let mut messages = self.pool.empty(batch.length() * 2 + OVERHEAD);
            batch.spans().iter().for_each(|span| self.header.write(span, true, &mut messages, |_| {}));
            self.connection.deliver(&messages).await
        })
    }
}

struct Udp {
    header: Header,
    datagrams: Datagrams,
    pool: Pool,
}

impl Output for Udp {
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            let mut messages = self.pool.empty(batch.length() * 2 + OVERHEAD);
            let mut ends = Vec::new();
            for span in batch.spans() {
                self.header.write(span, false, &mut messages, |end| ends.push(end));
            }
            self.datagrams.deliver(&messages, &ends).await
        })
    }
}
