//! The bounds of the data path. Each has a default, a flag and a reason.

pub(crate) mod descriptors;
pub(crate) mod memory;
pub(crate) mod room;

use std::time::Duration;

/// The bounds of a listener
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Clients' connections at once, for each listener and worker; more wait to be accepted
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: u32,
    /// Requests in flight at once, for each listener and worker; more are answered with 503
    #[arg(long, value_name = "COUNT", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_requests: u32,
    /// Bytes of a request's head; more is 431
    #[arg(long, value_name = "SIZE", default_value = "32KiB", value_parser = header_size)]
    pub(crate) max_header_size: u64,
    /// Lines of a request's head; more is 431
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) max_headers: u32,
    /// Bytes of a request's body, and of each message of a gRPC call; more is 413; 0 is no limit
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = lifecycle::size)]
    pub(crate) max_body: u64,
    /// The time for a TLS handshake, from the client's connection
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = positive)]
    pub(crate) handshake_timeout: Duration,
    /// TLS handshakes at once, for each worker; while more wait for their turn, each has 1 s
    #[arg(long, value_name = "COUNT", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) max_handshakes: u32,
    /// The time for a request's head, from its first byte
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = positive)]
    pub(crate) header_timeout: Duration,
    /// Close a client's connection that is idle for longer, or that reads nothing for longer
    #[arg(long, value_name = "DURATION", default_value = "75s", value_parser = positive)]
    pub(crate) idle_timeout: Duration,
    /// Bytes a second that a request's body must have over 10 s; 0 is no bound
    #[arg(long, value_name = "SIZE", default_value = "240", value_parser = lifecycle::size)]
    pub(crate) min_body_rate: u64,
    /// The time from a request's head to the end of its answer, but for event streams and tunnels; 0s is no limit
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = lifecycle::duration)]
    pub(crate) request_timeout: Duration,
    /// Use a connection to an upstream for no longer, so that requests come to new servers behind its name; 0s is no limit
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = lifecycle::duration)]
    pub(crate) max_upstream_age: Duration,
    /// Close a tunnel (a WebSocket or another upgraded connection) through which no byte passes for longer
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = positive)]
    pub(crate) tunnel_timeout: Duration,
}

impl Limits {
    /// Bytes of a request's trailers. h2 holds twice the size of a head, and drops a field beyond
    /// that without an error. This bound is a quarter of that, so that the fields which h2 keeps, or
    /// the length of the block on the wire, already exceed it.
    pub(crate) fn longest_trailers(&self) -> usize {
        usize::try_from(self.max_header_size / 2).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
impl Limits {
    /// Those of these flags, and the defaults of the others
    pub(crate) fn of_flags(flags: &[&str]) -> Self {
        #[derive(clap::Parser)]
        struct Flags {
            #[command(flatten)]
            limits: Limits,
        }
        <Flags as clap::Parser>::parse_from([&["test"], flags].concat()).limits
    }
}

/// hyper needs 8 KiB, and more than 64 KiB is no head that an app would read.
fn header_size(text: &str) -> Result<u64, String> {
    match lifecycle::size(text)? {
        size @ 8_192..=65_536 => Ok(size),
        _ => Err("give a size from 8KiB to 64KiB".into()),
    }
}

fn positive(text: &str) -> Result<Duration, String> {
    match lifecycle::duration(text)? {
        Duration::ZERO => Err("give a time longer than 0s".into()),
        time => Ok(time),
    }
}
