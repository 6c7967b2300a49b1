//! The HTTP client of one target: our lookups, our TLS, a new connection for each attempt, no surprises.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::OnceLock,
};

use reqwest::{
    Response,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

use crate::{
    check::{Cause, Network, NotReady, said},
    names::Names,
    tls::Tls,
};

/// How requests travel; the client is made at the first one
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) tls: Tls,
    pub(crate) http2: bool,
    pub(crate) redirects: usize,
    pub(crate) unix_socket: Option<PathBuf>,
    /// The name in requests, and where it really is; the first differs from the host with `sni`, the second with `resolve`
    pub(crate) route: Option<(String, Destination)>,
    made: OnceLock<Result<reqwest::Client, NotReady>>,
}

/// Where a name leads
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    Address(IpAddr),
    Name(String),
}

impl Client {
    pub(crate) fn new(tls: Tls) -> Self {
        Self { tls, http2: false, redirects: 0, unix_socket: None, route: None, made: OnceLock::new() }
    }

    /// Sends a request and returns the answer with its head read.
    pub(crate) async fn send(&self, network: &Network, request: reqwest::Request) -> Result<Response, NotReady> {
        let client = self.made.get_or_init(|| self.make(network)).clone()?;
        client.execute(request).await.map_err(failure)
    }

    fn make(&self, network: &Network) -> Result<reqwest::Client, NotReady> {
        let redirects =
            if self.redirects == 0 { redirect::Policy::none() } else { redirect::Policy::limited(self.redirects) };
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("wait-for/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(self.tls.config_for(self.http2.then_some(b"h2")))
            .dns_resolver(Lookup { names: network.names.clone(), route: self.route.clone() })
            .pool_max_idle_per_host(0)
            .redirect(redirects)
            .referer(false)
            .retry(reqwest::retry::never());
        builder = if self.http2 { builder.http2_prior_knowledge() } else { builder.http1_only() };
        if !network.proxy_from_environment {
            builder = builder.no_proxy();
        }
        if let Some(path) = &self.unix_socket {
            builder = builder.unix_socket(path.as_path());
        }
        builder.build().map_err(|error| NotReady::never(format!("cannot set up HTTP: {error:?}")))
    }
}

/// Our lookups, for reqwest
struct Lookup {
    names: Names,
    route: Option<(String, Destination)>,
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.names.clone();
        let destination = match &self.route {
            Some((from, destination)) if from == name.as_str() => destination.clone(),
            _ => Destination::Name(name.as_str().to_owned()),
        };
        Box::pin(async move {
            let addresses = match destination {
                Destination::Address(ip) => vec![ip],
                Destination::Name(name) => names.lookup(&name).await.map_err(LookupFailed)?,
            };
            // Port 0 stands for the URL's own.
            Ok(Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

/// Carries a failed lookup through reqwest's errors
#[derive(Debug)]
struct LookupFailed(NotReady);

impl fmt::Display for LookupFailed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0.reason)
    }
}

impl Error for LookupFailed {}

/// What an error means, by the innermost cause that we know. reqwest's own words would name the URL.
pub(crate) fn failure(error: reqwest::Error) -> NotReady {
    if error.is_timeout() {
        return NotReady::new(Cause::Silent, "timed out");
    }
    if error.is_redirect() {
        return NotReady::new(Cause::Contrary, "more redirects than redirects= allows");
    }
    let mut cause: &(dyn Error + 'static) = &error.without_url();
    loop {
        if let Some(LookupFailed(failure)) = cause.downcast_ref() {
            return failure.clone();
        }
        if let Some(error) = cause.downcast_ref::<std::io::Error>().and_then(known) {
            return error;
        }
        if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message) {
            return NotReady::new(Cause::Absent, "closed without an HTTP answer");
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None => return NotReady::new(Cause::Odd, said(&cause.to_string())),
        }
    }
}

/// An I/O error, unless it is a mere wrapper of what lies further in.
fn known(error: &std::io::Error) -> Option<NotReady> {
    crate::tls::failure(error).or_else(|| error.get_ref().is_none().then(|| std::io::Error::from(error.kind()).into()))
}
