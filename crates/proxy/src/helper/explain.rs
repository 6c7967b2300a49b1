//! `proxy explain METHOD URL`: what a request would meet, said by the functions of the data path, offline.

mod tls;

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header::HOST, request::Parts};
use lifecycle::{End, Exit, Lines, LinesParser, OwnCommand, config};

use crate::{
    args::Args,
    config::Config,
    head::{
        forwarded::{
            Forwarded,
            trace_context::{BeginTrace, Traces},
        },
        hop_by_hop::seen::Seen,
        request_head,
    },
    listener_address::ListenerAddress,
    peer::Peer,
    plan::{ListenerPlan, Plan},
    refusal::Refusal,
    rewrite,
    route::{HeaderRules, Route, upstream_url::Versions},
};

/// Headers whose values hold nothing of a user's; others are named only
const SHOWN: [&str; 11] = [
    "connection",
    "content-length",
    "forwarded",
    "host",
    "max-forwards",
    "te",
    "transfer-encoding",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// Printed in place of a value that may be a secret
const HIDDEN: &str = "…";

/// The commands of the proxy's own
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Question {
    /// Say offline what a request would meet, and exit with 0, or with 65 if it would be refused
    Explain(Explain),
}

/// A request that nobody sends
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The method, such as GET
    #[arg(value_name = "METHOD", value_parser = METHOD)]
    method: Lines<Method>,
    /// The URL as its client writes it, such as `http://shop.example/api`, or a path
    #[arg(value_name = "URL", value_parser = TARGET)]
    url: Lines<Uri>,
    /// A header of the request, as NAME:VALUE
    #[arg(short = 'H', long = "header", value_name = "NAME:VALUE", value_parser = HEADER)]
    headers: Vec<Lines<(HeaderName, HeaderValue)>>,
    /// The client's address; by default 127.0.0.1, and none where the listener is a Unix socket
    #[arg(long, value_name = "IP")]
    from: Option<IpAddr>,
    /// The listener, by name; by default the only one, or the one with the URL's port
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// The configuration file; it may also stand before the command
    #[arg(long = "config", id = "explained", value_name = "FILE")]
    config: Option<PathBuf>,
}

// A value may be a secret, or stand in the place of another argument.
const METHOD: LinesParser<Method> =
    LinesParser::new("method", |text| text.parse().map_err(|_| "write a method such as GET".into()), hidden);
const TARGET: LinesParser<Uri> =
    LinesParser::new("URL", |text| text.parse().map_err(|_| "write http://HOST/PATH or a path".into()), hidden);
const HEADER: LinesParser<(HeaderName, HeaderValue)> = LinesParser::new("header", header, hidden);

fn hidden(_: &str) -> String {
    HIDDEN.into()
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = || "write it as NAME:VALUE".to_owned();
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let name = HeaderName::try_from(name).map_err(|_| wrong())?;
    Ok((name, HeaderValue::from_str(value.trim()).map_err(|_| wrong())?))
}

impl OwnCommand for Question {
    type Args = Args;

    fn answer(self, args: Args) -> anyhow::Result<(String, End)> {
        let Self::Explain(asked) = self;
        let plan = asked.plan(&args)?;
        let listener = asked.listener(&plan).map_err(|message| Exit::Usage.because(message))?;
        if let (ListenerAddress::Unix(_), Some(_)) = (&listener.address, asked.from) {
            return Err(Exit::Usage.because("--from: a client of a Unix socket has no address"));
        }
        let mut text = String::new();
        let direction = format!("{:?}", listener.direction).to_lowercase();
        line(&mut text, "listener", format_args!("{} ({direction}, {})", listener.name, listener.address));
        for (key, value) in tls::of_listener(listener.tls.as_deref(), asked.server_name().as_deref()) {
            line(&mut text, key, value);
        }
        let end = match asked.meets(&plan, listener, &mut text) {
            Ok(()) => Exit::Done.into(),
            Err(refusal) => {
                let refused = format!("{} {}", refusal.status().as_u16(), refusal.name());
                line(&mut text, "refused", &refused);
                End { last: Some(format!("refused: {refused}")), ..Exit::Data.into() }
            }
        };
        Ok((text, end))
    }
}

impl Explain {
    fn plan(&self, args: &Args) -> anyhow::Result<Plan> {
        let config = match self.config.as_ref().or(args.config.as_ref()) {
            Some(path) => Some(config::load::<Config>(path, args)?),
            None => None,
        };
        Config::plan(args, config.as_ref())
    }

    fn listener<'a>(&self, plan: &'a Plan) -> Result<&'a ListenerPlan, String> {
        let port = self.url().port_u16().unwrap_or(if self.url().scheme_str() == Some("https") { 443 } else { 80 });
        let is_it = |listener: &&ListenerPlan| match &self.listener {
            Some(name) => listener.name == *name,
            None => plan.listeners.len() == 1 || listener.address.port() == Some(port),
        };
        let mut fitting = plan.listeners.iter().filter(is_it);
        if let (Some(listener), None) = (fitting.next(), fitting.next()) {
            return Ok(listener);
        }
        let names: Vec<_> = plan.listeners.iter().map(|listener| &*listener.name).collect();
        Err(format!("say which listener by --listener: {}", names.join(", ")))
    }

    /// Goes the way of a request as `handler.rs` does, and writes what it meets.
    fn meets(&self, plan: &Plan, listener: &ListenerPlan, text: &mut String) -> Result<(), Refusal> {
        let mut head = self.head();
        request_head::complete(&mut head);
        let seen = Seen::of(&head.headers);
        request_head::judge(&head, seen)?;
        let route = &listener.routes.all()[listener.routes.find(&head.uri, &head.headers)?];
        write_route(text, route);
        if !rewrite::may_go_on(&head.method, &mut head.headers) {
            line(text, "answered", "204 by the proxy itself, because Max-Forwards is 0");
            return Ok(());
        }
        let upstream = &plan.upstreams[route.upstream];
        line(text, "upstream", upstream);
        for (key, value) in tls::of_upstream(upstream) {
            line(text, key, value);
        }
        for (name, file) in route.login.iter().flat_map(|login| login.headers()) {
            let source = file.map_or("a value of its own".into(), |file| file.display().to_string());
            line(text, "login", format_args!("{name} from {source}"));
        }
        write_rules(text, "request-headers", &route.request_headers);
        write_rules(text, "response-headers", &route.response_headers);
        let (forwarded, traces) = (Forwarded::new(self.peer(listener)), Traces::new(BeginTrace::Never));
        let forwarded = if listener.tls.is_some() { forwarded.over_tls(None) } else { forwarded };
        rewrite::to_upstream(&mut head, listener, &forwarded, route, upstream, &traces, seen);
        if let Some(login) = &route.login {
            login.clear(&mut head.headers);
        }
        if upstream.versions != Versions::Http2 {
            write_head(text, "HTTP/1.1", &head.method, &head.uri, &head.headers, route);
        }
        let may_be_http2 = upstream.versions == Versions::Http2 || upstream.tls.is_some();
        if may_be_http2 && upstream.versions != Versions::Http1 {
            let head = rewrite::http2::head(&head, upstream.tls.is_some(), &upstream.authority);
            write_head(text, "HTTP/2", head.method(), head.uri(), head.headers(), route);
        }
        Ok(())
    }

    fn peer(&self, listener: &ListenerPlan) -> Peer {
        match (&listener.address, self.from) {
            (ListenerAddress::Unix(_), _) => Peer::Unix,
            (ListenerAddress::Tcp(_), from) => Peer::Ip(from.unwrap_or(Ipv4Addr::LOCALHOST.into())),
        }
    }

    /// The head as a client would send it: a path, and `Host`.
    fn head(&self) -> Parts {
        let url = self.url();
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = self.method.0.first().cloned().unwrap_or_default();
        head.uri = match url.path_and_query() {
            Some(path) if url.authority().is_some() => Uri::from(path.clone()),
            _ => url.clone(),
        };
        for (name, value) in self.headers.iter().flat_map(|lines| &lines.0) {
            head.headers.append(name, value.clone());
        }
        let authority = url.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        if let (Some(authority), false) = (authority, head.headers.contains_key(HOST)) {
            head.headers.insert(HOST, authority);
        }
        head
    }

    /// The name that a client of this URL asks for in its TLS handshake: the host, unless it is an address
    fn server_name(&self) -> Option<String> {
        let headers = self.headers.iter().flat_map(|lines| &lines.0);
        let named = headers.filter(|(name, _)| name == HOST).find_map(|(_, value)| value.to_str().ok()?.parse().ok());
        let authority = self.url().authority().cloned().or(named)?;
        let is_address = authority.host().starts_with('[') || authority.host().parse::<IpAddr>().is_ok();
        (!is_address).then(|| authority.host().to_owned())
    }

    fn url(&self) -> &Uri {
        &self.url.0[0]
    }
}

fn write_route(text: &mut String, route: &Route) {
    let host = route.host.as_deref().unwrap_or("every host");
    line(text, "route", format_args!("{} ({host}, {})", route.name, route.path));
}

/// Names without values, which may be secrets
fn write_rules(text: &mut String, key: &str, rules: &HeaderRules) {
    let removed = rules.remove.iter().map(|name| format!("removes {name}"));
    let set = rules.set.iter().map(|(name, _)| format!("sets {name}"));
    let added = rules.add.iter().map(|(name, _)| format!("adds {name}"));
    let all: Vec<_> = removed.chain(set).chain(added).collect();
    if !all.is_empty() {
        line(text, key, all.join(", "));
    }
}

/// The head of a request as the upstream gets it in this version of HTTP
fn write_head(text: &mut String, version: &str, method: &Method, target: &Uri, headers: &HeaderMap, route: &Route) {
    let query = target.query().map_or("", |_| "?…");
    line(text, "sends", format_args!("{method} {}{query} {version}", target.path()));
    if let (Some(scheme), Some(authority)) = (target.scheme_str(), target.authority()) {
        let _ = writeln!(text, "  :scheme: {scheme}\n  :authority: {authority}");
    }
    let is_shown = |name: &HeaderName| {
        let HeaderRules { set, add, .. } = &route.request_headers;
        SHOWN.contains(&name.as_str()) && !set.iter().chain(add).any(|(ruled, _)| ruled == name)
    };
    for (name, value) in headers {
        let value = if is_shown(name) { String::from_utf8_lossy(value.as_bytes()) } else { HIDDEN.into() };
        let _ = writeln!(text, "  {name}: {value}");
    }
    for (name, _) in route.login.iter().flat_map(|login| login.headers()) {
        let _ = writeln!(text, "  {name}: {HIDDEN}");
    }
}

fn line(text: &mut String, key: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{key}: {value}");
}
