//! Where tokens are asked for: named by the settings, or found from the issuer (RFC 8414, and what
//! `OpenID` Connect had before it).

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use endpoint::{HttpClient, HttpRequest, url_label};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use url::{Host, Url};

use super::issuer::Issuer;
use crate::{exchange::Answer, exchange::server::Server, value::fetch_error::FetchError};

/// How long metadata is kept. An issuer that moves its endpoint keeps the old one for longer than this.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// The token endpoint of an issuer
#[derive(Clone, Debug)]
pub(super) struct TokenEndpoint {
    origin: Origin,
    /// The client logs in by its certificate, for which some issuers have an endpoint of its own (RFC 8705, section 5)
    by_certificate: bool,
    insecure_http: bool,
}

#[derive(Clone)]
enum Origin {
    Named(Server),
    Issuer(Box<Issuer>, Arc<Mutex<Option<Kept>>>),
}

/// Without what was read: the text of a source is how another process knows it again.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Named(server) => f.debug_tuple("Named").field(server).finish(),
            Self::Issuer(issuer, _) => f.debug_tuple("Issuer").field(issuer).finish(),
        }
    }
}

/// Metadata that was read
#[derive(Clone, Debug)]
struct Kept {
    url: Url,
    read: Instant,
}

/// An endpoint that requests can be sent to
pub(super) struct Found<'a> {
    pub(super) client: &'a HttpClient,
    pub(super) url: Url,
    /// What an assertion for this server is addressed to: the issuer where it is known, because an endpoint may be shared
    pub(super) audience: String,
}

impl TokenEndpoint {
    /// One of both, with TLS unless it is on this host or the user has agreed.
    pub(super) fn new(
        issuer: Option<Issuer>,
        named: Option<Server>,
        by_certificate: bool,
        insecure_http: bool,
    ) -> Result<Self, String> {
        let origin = match (issuer, named) {
            (Some(issuer), None) => Origin::Issuer(Box::new(issuer), Arc::default()),
            (None, Some(named)) => Origin::Named(named),
            (Some(_), Some(_)) => return Err("issuer and token-endpoint exclude each other".into()),
            (None, None) => return Err("an issuer or a token-endpoint is missing".into()),
        };
        let endpoint = Self { origin, by_certificate, insecure_http };
        if endpoint.may_be_asked(endpoint.client().url()) {
            Ok(endpoint)
        } else {
            Err("secrets would travel in the clear: write https://, or set insecure-http: true".into())
        }
    }

    /// The endpoint, after a look at the issuer's metadata where that is due.
    pub(super) async fn find(&self) -> Result<Found<'_>, FetchError> {
        match &self.origin {
            Origin::Named(Server(client)) => {
                let url = client.url().clone();
                Ok(Found { client, audience: url.to_string(), url })
            }
            Origin::Issuer(issuer, kept) => {
                let audience = issuer.identifier().to_owned();
                let fresh = lock(kept).clone().filter(|kept| kept.read.elapsed() < KEPT);
                if let Some(Kept { url, .. }) = fresh {
                    return Ok(Found { client: &issuer.client, url, audience });
                }
                let url = self.discover(issuer).await?;
                *lock(kept) = Some(Kept { url: url.clone(), read: Instant::now() });
                Ok(Found { client: &issuer.client, url, audience })
            }
        }
    }

    /// Looks at the metadata again next time: the endpoint is not there.
    pub(super) fn forget(&self) {
        if let Origin::Issuer(_, kept) = &self.origin {
            lock(kept).take();
        }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.client().files()
    }

    /// Whether the URL's options have a certificate or a login of their own
    pub(super) fn client(&self) -> &HttpClient {
        match &self.origin {
            Origin::Named(Server(client)) => client,
            Origin::Issuer(issuer, _) => &issuer.client,
        }
    }

    async fn discover(&self, issuer: &Issuer) -> Result<Url, FetchError> {
        let mut answer = ask(issuer, issuer.client.under(".well-known/openid-configuration")).await?;
        if is_missing(answer.status) {
            // RFC 8414 puts the well-known part before the issuer's own path.
            let mut url = issuer.client.url().clone();
            let path = url.path().trim_end_matches('/').to_owned();
            url.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
            answer = ask(issuer, url).await?;
        }
        let answer = answer.success()?;
        let metadata = answer.json()?;
        // An issuer that speaks for another one may lead the client's secret elsewhere (RFC 8414, section 3.3).
        match metadata["issuer"].as_str() {
            Some(identifier) if identifier == issuer.identifier() => {}
            Some(other) => {
                let other = url_label(other);
                return Err(answer.bad(format_args!("the metadata of another issuer, {other}: write it exactly so")));
            }
            None => return Err(answer.bad("without an issuer")),
        }
        let url = self.token_endpoint(&metadata).ok_or_else(|| answer.bad("without a token_endpoint"))?;
        if self.may_lead_to(issuer.client.url(), &url) {
            Ok(url)
        } else {
            Err(answer.bad("wrong: its token_endpoint has no TLS"))
        }
    }

    fn token_endpoint(&self, metadata: &Value) -> Option<Url> {
        let alias = metadata.pointer("/mtls_endpoint_aliases/token_endpoint").filter(|_| self.by_certificate);
        let url = Url::parse(alias.or_else(|| metadata.get("token_endpoint"))?.as_str()?).ok()?;
        url.has_host().then_some(url)
    }

    /// Metadata that came by TLS must not lead the secret past it, nor a request to another server on this host.
    fn may_lead_to(&self, issuer: &Url, endpoint: &Url) -> bool {
        let is_weaker = issuer.scheme() == "https" && endpoint.scheme() == "http" && !self.insecure_http;
        self.may_be_asked(endpoint) && !is_weaker
    }

    /// TLS, or a server that is on this host
    fn may_be_asked(&self, url: &Url) -> bool {
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        url.scheme() == "https" || (url.scheme() == "http" && (is_here || self.insecure_http))
    }
}

async fn ask(issuer: &Issuer, url: Url) -> Result<Answer, FetchError> {
    let request = HttpRequest { method: Method::GET, url, headers: HeaderMap::new(), body: Vec::new() };
    Answer::to(&issuer.client, request, Vec::new()).await
}

/// Whether this kind of metadata is not there, and the other kind may be
fn is_missing(status: StatusCode) -> bool {
    let of_the_client = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];
    status.is_client_error() && !of_the_client.contains(&status)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_leads_to_no_weaker_place_than_its_own() {
        let client = HttpClient::from_text("https://issuer.example").unwrap();
        let leads = |insecure_http, issuer: &str, endpoint: &str| {
            let endpoint_of = TokenEndpoint::new(None, Some(Server(client.clone())), false, insecure_http).unwrap();
            endpoint_of.may_lead_to(&Url::parse(issuer).unwrap(), &Url::parse(endpoint).unwrap())
        };
        for (issuer, endpoint) in [
            ("https://issuer.example", "https://tokens.example/token"),
            ("http://localhost:8080", "http://localhost:8081/token"),
            ("http://127.0.0.1:8080", "https://issuer.example/token"),
        ] {
            assert!(leads(false, issuer, endpoint), "{endpoint}");
        }
        // The admin listener of a helper in the same pod
        let (issuer, quit) = ("https://issuer.example", "http://127.0.0.1:9483/quit");
        assert!(!leads(false, issuer, quit) && leads(true, issuer, quit));
        for endpoint in ["http://issuer.example/token", "file:///etc/passwd", "ftp://issuer.example/token"] {
            assert!(!leads(false, issuer, endpoint), "{endpoint}");
        }
    }
}
