//! The meaning of the command line and the configuration file together: listeners, routes,
//! upstreams.
//!
//! Long because flags and file mean the same things, and everything that does not fit together is found here.

pub(crate) mod entry;

use std::{path::PathBuf, sync::Arc};

use endpoint::{CertificatePair, ServerTls, ServerTlsSettings};
use http::{HeaderMap, HeaderName, HeaderValue};
use lifecycle::Misfit;

use self::entry::{CertificateEntry, HeaderChanges, ListenerEntry, RouteEntry};
use crate::{
    args::Args,
    client_auth::ClientAuth,
    direction::Direction,
    head::{
        forwarded::{client_certificate, trusted::Cidr},
        spelling::is_mimic,
    },
    listener_address::ListenerAddress,
    peer::Peer,
    route::{
        HeaderRules, Route, Routes,
        probe_path::ProbePath,
        upstream_url::{UpstreamEntry, UpstreamUrl, login::RESERVED},
    },
};

const NO_TRUST_OUTBOUND: &str =
    "an outbound listener tells its upstream nothing of a client, so it has no proxy to trust";
const NO_IDENTITY_OUTBOUND: &str =
    "an outbound listener tells its upstream nothing of a client, so it has no identity to tell";
const ONE_IDENTITY: &str = "identity-header sets x-forwarded-client-cert from the verified certificate of a client: \
                            leave it out of header rules and logins";

/// One listener with its routes
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListenerPlan {
    /// As metrics and logs name it
    pub(crate) name: String,
    pub(crate) address: ListenerAddress,
    pub(crate) direction: Direction,
    pub(crate) tls: Option<Arc<ServerTls>>,
    /// Whether the app gets the names in the certificate of a client
    pub(crate) tells_identity: bool,
    /// Clients whose word about their own clients is believed
    pub(crate) trusted: Vec<Cidr>,
    pub(crate) routes: Routes,
}

impl ListenerPlan {
    /// Whether to believe this client's word about its own client.
    pub(crate) fn trusts(&self, peer: Peer) -> bool {
        self.trusted.iter().any(|network| network.contains(peer))
    }
}

/// Everything that is to be served
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) listeners: Vec<ListenerPlan>,
    /// Each once, whichever routes lead there
    pub(crate) upstreams: Vec<UpstreamUrl>,
}

impl Plan {
    /// Whether an inbound listener leads to this upstream.
    pub(crate) fn is_app(&self, upstream: &UpstreamUrl) -> bool {
        let inbound = self.listeners.iter().filter(|listener| listener.direction == Direction::Inbound);
        let mut routes = inbound.flat_map(|listener| listener.routes.all());
        routes.any(|route| self.upstreams[route.upstream] == *upstream)
    }

    /// The upstream that the first outbound listener names first
    pub(crate) fn first_outbound(&self) -> Option<&UpstreamUrl> {
        let outbound = self.listeners.iter().find(|listener| listener.direction == Direction::Outbound)?;
        let upstreams = outbound.routes.all().iter().map(|route| route.upstream);
        upstreams.min().map(|upstream| &self.upstreams[upstream])
    }

    /// The app that probes of this path are asked of: where the first inbound listener sends them
    pub(crate) fn probed_app(&self, path: &ProbePath) -> Result<&UpstreamUrl, String> {
        let inbound = self.listeners.iter().find(|listener| listener.direction == Direction::Inbound);
        let inbound =
            inbound.ok_or("--probe-pass needs an inbound listener, because it passes probes to the app behind it")?;
        let route = inbound.routes.find(path.uri(), &HeaderMap::new());
        let route = route.map_err(|_| format!("the first inbound listener has no route for --probe-pass {path}"))?;
        Ok(&self.upstreams[inbound.routes.all()[route].upstream])
    }

    /// Either the flags' one listener, or those of the file; or everything that does not fit together.
    pub(crate) fn of(args: &Args, entries: Option<&[ListenerEntry]>) -> Result<Self, Vec<Misfit>> {
        let mut plan = Self { listeners: Vec::new(), upstreams: Vec::new() };
        match (entries, &args.listen, &args.upstream) {
            (Some(entries), _, _) => plan.add_all(entries, args)?,
            (None, Some(address), Some(upstreams)) => {
                let [upstream] = &upstreams.0[..] else {
                    return Err(vec![misfit("", "give one upstream, or a --config with several")]);
                };
                let direction = args.direction.unwrap_or(if upstream.url.address.is_local() {
                    Direction::Inbound
                } else {
                    Direction::Outbound
                });
                let route = plan.route("default".into(), None, "/".into(), upstream);
                let trusted: Vec<_> = args.trusted_proxies.iter().flat_map(|lines| &lines.0).copied().collect();
                if let (Direction::Outbound, false) = (direction, trusted.is_empty()) {
                    return Err(vec![misfit("", &format!("--trusted-proxies: {NO_TRUST_OUTBOUND}"))]);
                }
                if args.identity_header && direction == Direction::Outbound {
                    return Err(vec![misfit("", &format!("--identity-header: {NO_IDENTITY_OUTBOUND}"))]);
                }
                if args.identity_header && route.changes(&client_certificate::HEADER) {
                    return Err(vec![misfit("", &format!("--{ONE_IDENTITY}"))]);
                }
                if args.listens_for_probes_at(address) {
                    return Err(vec![misfit("", "--listen and --probe-addr are one address")]);
                }
                let routes = Routes::new(vec![route]);
                let pairs = args.tls_cert.iter().zip(&args.tls_key);
                let tls = pairs.map(|(cert, key)| CertificatePair { cert: cert.clone(), key: key.clone() }).collect();
                let tls = tls_of(tls, args.client_ca.as_ref(), args.client_auth.unwrap_or_default());
                let tells_identity = args.identity_header;
                let (name, address) = (address.to_string(), address.clone());
                plan.listeners.push(ListenerPlan { name, address, direction, tls, tells_identity, trusted, routes });
            }
            _ => return Err(vec![misfit("", "give --listen with --upstream, or --config")]),
        }
        let misfits = plan.unfit_flags(args);
        if misfits.is_empty() { Ok(plan) } else { Err(misfits) }
    }

    /// Flags that need a listener which is not there
    fn unfit_flags(&self, args: &Args) -> Vec<Misfit> {
        let probes = args.probe_pass.iter().flat_map(|lines| &lines.0);
        let mut messages: Vec<_> = probes.filter_map(|path| self.probed_app(path).err()).collect();
        messages.dedup();
        if args.hold_start && self.first_outbound().is_none() {
            messages.push(
                "--hold-start needs an outbound listener: the app behind an inbound one starts after the proxy".into(),
            );
        }
        messages.iter().map(|message| misfit("", message)).collect()
    }

    fn add_all(&mut self, entries: &[ListenerEntry], args: &Args) -> Result<(), Vec<Misfit>> {
        let mut misfits = Vec::new();
        if entries.is_empty() {
            misfits.push(misfit("listeners", "give at least one listener"));
        }
        for (at, entry) in entries.iter().enumerate() {
            let place = format!("listeners.{at}.address");
            if entries[..at].iter().any(|before| before.address.0.is_same(&entry.address.0)) {
                misfits.push(misfit(&place, "another listener has this address"));
            }
            if entry.name.is_some() && entries[..at].iter().any(|before| before.name() == entry.name()) {
                misfits.push(misfit(&format!("listeners.{at}.name"), "another listener has this name"));
            }
            if args.listens_for_probes_at(&entry.address.0) {
                misfits.push(misfit(&place, "--probe-addr is this address"));
            }
            self.add(at, entry, &mut misfits);
        }
        if misfits.is_empty() { Ok(()) } else { Err(misfits) }
    }

    fn add(&mut self, at: usize, entry: &ListenerEntry, misfits: &mut Vec<Misfit>) {
        let mut routes = Vec::new();
        if entry.routes.is_empty() {
            misfits.push(misfit(&format!("listeners.{at}.routes"), "give at least one route"));
        }
        for (nth, route) in entry.routes.iter().enumerate() {
            let place = format!("listeners.{at}.routes.{nth}");
            let is_same = |before: &RouteEntry| before.host == route.host && before.path == route.path;
            if entry.routes[..nth].iter().any(is_same) {
                misfits.push(misfit(&place, "another route has this host and path"));
            }
            if entry.routes[..nth].iter().enumerate().any(|(before, other)| other.name(before) == route.name(nth)) {
                misfits.push(misfit(&format!("{place}.name"), "another route of this listener has this name"));
            }
            match self.route_of(nth, route) {
                Ok(route) if entry.tells_identity() && route.changes(&client_certificate::HEADER) => {
                    misfits.push(misfit(&place, ONE_IDENTITY));
                }
                Ok(route) => routes.push(route),
                Err((key, message)) => misfits.push(misfit(&format!("{place}.{key}"), &message)),
            }
        }
        let trusted: Vec<_> = entry.trusted_proxies.iter().map(|network| network.0).collect();
        if let (Direction::Outbound, false) = (entry.direction, trusted.is_empty()) {
            misfits.push(misfit(&format!("listeners.{at}.trusted-proxies"), NO_TRUST_OUTBOUND));
        }
        let address = entry.address.0.clone();
        let name = entry.name();
        let tls = entry.tls.as_ref().and_then(|tls| {
            let pair = |pair: &CertificateEntry| CertificatePair { cert: pair.cert.clone(), key: pair.key.clone() };
            if tls.client_ca.is_none() && (tls.client_auth.is_some() || tls.identity_header) {
                let place = format!("listeners.{at}.tls");
                misfits.push(misfit(&place, "client-auth and identity-header need client-ca, which verifies clients"));
            }
            if tls.identity_header && entry.direction == Direction::Outbound {
                misfits.push(misfit(&format!("listeners.{at}.tls.identity-header"), NO_IDENTITY_OUTBOUND));
            }
            if tls.certificates.is_empty() {
                misfits.push(misfit(&format!("listeners.{at}.tls.certificates"), "give at least one certificate"));
            }
            tls_of(
                tls.certificates.iter().map(pair).collect(),
                tls.client_ca.as_ref(),
                tls.client_auth.unwrap_or_default(),
            )
        });
        self.listeners.push(ListenerPlan {
            name,
            address,
            direction: entry.direction,
            tls,
            tells_identity: entry.tells_identity(),
            trusted,
            routes: Routes::new(routes),
        });
    }

    fn route_of(&mut self, nth: usize, entry: &RouteEntry) -> Result<Route, (&'static str, String)> {
        let path = entry.path.clone().unwrap_or_else(|| "/".into());
        if !path.starts_with('/') || path.contains(['?', '#', ' ']) || !path.is_ascii() {
            return Err(("path", "write a path prefix that begins with /, without a query".into()));
        }
        let host = entry.host.as_ref().map(|host| host.to_ascii_lowercase());
        if let Some(host) = &host {
            if host.contains('*') {
                return Err(("host", "a host is one name and no pattern: write a route for each name".into()));
            }
            let is_bracketed = host.starts_with('[') && host.ends_with(']');
            if !is_bracketed {
                endpoint::check_name(host).map_err(|_| ("host", "write a host name without a port".to_owned()))?;
                if host.contains(':') {
                    return Err(("host", "write a host name without a port".into()));
                }
            }
        }
        let name = entry.name(nth);
        let request_headers = rules(&entry.request_headers).map_err(|message| ("request-headers", message))?;
        let response_headers = rules(&entry.response_headers).map_err(|message| ("response-headers", message))?;
        let route = self.route(name, host, path, &entry.upstream.0);
        let is_ruled = |name: &HeaderName| {
            let HeaderRules { remove, set, add } = &request_headers;
            remove.contains(name) || set.iter().chain(add).any(|(known, _)| known == name)
        };
        if let Some((name, _)) = route.login.iter().flat_map(|login| login.headers()).find(|(name, _)| is_ruled(name)) {
            return Err(("request-headers", format!("the login of the upstream sets {name}")));
        }
        let allows_ambiguous_paths = entry.ambiguous_paths;
        Ok(Route { allows_ambiguous_paths, request_headers, response_headers, ..route })
    }

    fn route(&mut self, name: String, host: Option<String>, path: String, entry: &UpstreamEntry) -> Route {
        let known = self.upstreams.iter().position(|known| *known == entry.url);
        let upstream = known.unwrap_or_else(|| {
            self.upstreams.push(entry.url.clone());
            self.upstreams.len() - 1
        });
        Route {
            name,
            host,
            path,
            upstream,
            login: entry.login.clone(),
            allows_ambiguous_paths: false,
            request_headers: HeaderRules::default(),
            response_headers: HeaderRules::default(),
        }
    }
}

fn tls_of(pairs: Vec<CertificatePair>, client_ca: Option<&PathBuf>, client_auth: ClientAuth) -> Option<Arc<ServerTls>> {
    const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
    let client_may_be_anonymous = client_auth == ClientAuth::Optional;
    let settings = ServerTlsSettings { pairs, client_ca: client_ca.cloned(), client_may_be_anonymous };
    (!settings.pairs.is_empty()).then(|| ServerTls::new(settings, &PROTOCOLS).into())
}

fn rules(changes: &HeaderChanges) -> Result<HeaderRules, String> {
    let name = |text: &str| {
        let name = HeaderName::try_from(text).map_err(|_| "a name is no header name".to_owned())?;
        let is_ours = RESERVED.iter().any(|ours| name == ours || is_mimic(&name, ours.as_str()));
        if is_ours { Err(format!("{name} is the proxy's own to set")) } else { Ok(name) }
    };
    let pair = |(key, value): (&String, &String)| {
        let name = name(key)?;
        let mut value = HeaderValue::try_from(value).map_err(|_| "a value is no header value".to_owned())?;
        // It may be a login.
        value.set_sensitive(true);
        Ok::<_, String>((name, value))
    };
    Ok(HeaderRules {
        remove: changes.remove.iter().map(|text| name(text)).collect::<Result<_, _>>()?,
        set: changes.set.iter().map(pair).collect::<Result<_, _>>()?,
        add: changes.add.iter().map(pair).collect::<Result<_, _>>()?,
    })
}

fn misfit(at: &str, message: &str) -> Misfit {
    Misfit { at: at.into(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_touches_no_header_of_ours_and_shows_no_value() {
        let pairs = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
        for name in RESERVED.iter().map(HeaderName::as_str) {
            let own = format!("{name} is the proxy's own to set");
            for changes in [
                HeaderChanges { set: pairs(name, "x"), ..HeaderChanges::default() },
                HeaderChanges { add: pairs(name, "x"), ..HeaderChanges::default() },
                HeaderChanges { remove: vec![name.to_uppercase()], ..HeaderChanges::default() },
            ] {
                assert_eq!(rules(&changes), Err(own.clone()));
            }
        }
        let other_spelling = HeaderChanges { remove: vec!["Content_Length".into()], ..HeaderChanges::default() };
        assert_eq!(rules(&other_spelling), Err("content_length is the proxy's own to set".into()));
        let secret = rules(&HeaderChanges { set: pairs("Authorization", "hunter2"), ..HeaderChanges::default() });
        assert!(secret.is_ok() && !format!("{secret:?}").contains("hunter2"));
        let wrong = rules(&HeaderChanges { add: pairs("X-Key", "hunter2\n"), ..HeaderChanges::default() });
        assert!(!wrong.unwrap_err().contains("hunter2"));
    }
}
