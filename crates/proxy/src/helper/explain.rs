//! `proxy explain METHOD URL`: what a request would meet, said by the functions of the data path, offline.

mod http2;
mod lines;
mod tls;

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use http::{HeaderName, HeaderValue, Method, Request, Uri, Version, header::HOST, request::Parts};
use lifecycle::{End, Exit, Lines, LinesParser, OwnCommand, config};

use self::{
    http2::Http2,
    lines::{HIDDEN, line, write_head, write_route, write_rules},
};
use crate::{
    args::Args,
    client::upgrade,
    config::Config,
    grpc::{self, status::Status},
    head::{
        forwarded::{
            Forwarded,
            trace_context::{BeginTrace, Traces},
        },
        hop_by_hop::seen::Seen,
        request_head,
        upgrade::Upgrade,
    },
    listener_address::ListenerAddress,
    peer::Peer,
    plan::{ListenerPlan, Plan},
    refusal::Refusal,
    rewrite,
    route::upstream_url::Versions,
};

/// The commands of the proxy's own
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Question {
    /// Say offline what a request would meet, and exit with 0, with 65 if it would be refused, or 78 if a file cannot be used
    Explain(Explain),
}

/// A request that is not sent
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
    #[command(flatten)]
    http2: Http2,
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

/// Why a request would not go on
enum Refused {
    /// By an answer of the proxy
    Answered(Refusal),
    /// By a reset of its stream
    Reset(String),
}

impl Refused {
    /// Without a value of the request
    fn reason(&self, is_call: bool) -> String {
        match self {
            Self::Answered(refusal) if is_call => {
                format!("200 {}, grpc-status {}", refusal.name(), Status::of_refusal(*refusal).name())
            }
            Self::Answered(refusal) => format!("{} {}", refusal.status().as_u16(), refusal.name()),
            Self::Reset(reason) => format!("bad-head, by a reset of the stream (PROTOCOL_ERROR): {reason}"),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Answered(refusal)
    }
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
        if listener.tells_identity {
            line(&mut text, "identity", "the app reads the names of a verified certificate in x-forwarded-client-cert");
        }
        let met = asked.meets(&plan, listener, &mut text);
        let fault = text.lines().find(|line| line.starts_with("fault: ")).map(str::to_owned);
        let end = match met {
            Ok(()) if fault.is_some() => End { last: fault, ..Exit::Config.into() },
            Ok(()) => Exit::Done.into(),
            Err(refused) => {
                let refused = refused.reason(asked.is_call());
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
    fn meets(&self, plan: &Plan, listener: &ListenerPlan, text: &mut String) -> Result<(), Refused> {
        self.judge_scheme(listener, text)?;
        let mut head = self.head();
        self.http2.judge(&head.headers)?;
        let seen = Seen::of(&head.headers);
        let seen = request_head::complete(&mut head, seen);
        // On the data path its key is random; here it is hidden.
        let connect = Upgrade::of_connect(&mut head, Default::default)?;
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
        let is_call = self.is_call();
        if is_call && !upstream.may_speak_http2() {
            return Err(Refusal::GrpcNeedsHttp2.into());
        }
        let wish = upgrade::wish(connect, &head, seen, false, upstream)?;
        write_rules(text, "request-headers", &route.request_headers);
        write_rules(text, "response-headers", &route.response_headers);
        let (forwarded, traces) = (Forwarded::new(self.peer(listener)), Traces::new(BeginTrace::Never));
        let forwarded = if listener.tls.is_some() { forwarded.over_tls(None) } else { forwarded };
        rewrite::to_upstream(&mut head, listener, &forwarded, route, upstream, &traces, seen);
        if let Some(login) = &route.login {
            login.clear(&mut head.headers);
        }
        if let Some(wish) = wish {
            wish.ask(&mut head.headers);
            line(text, "opens", "a tunnel, once the upstream answers with 101 for a protocol that was asked for");
            write_head(text, "HTTP/1.1", &head.method, &head.uri, &head.headers, route);
            return Ok(());
        }
        if upstream.versions != Versions::Http2 && !is_call {
            write_head(text, "HTTP/1.1", &head.method, &head.uri, &head.headers, route);
        }
        if upstream.may_speak_http2() {
            let head = rewrite::http2::head(&head, upstream.tls.is_some(), &upstream.authority);
            write_head(text, "HTTP/2", head.method(), head.uri(), head.headers(), route);
        }
        Ok(())
    }

    /// A client that speaks TLS only to one side of the connection gets no further.
    fn judge_scheme(&self, listener: &ListenerPlan, text: &mut String) -> Result<(), Refusal> {
        let (refusal, remedy) = match (self.url().scheme_str(), &listener.tls) {
            (Some("http"), Some(_)) => (Refusal::PlainHttp, "this listener speaks TLS: write https://"),
            (Some("https"), None) => (Refusal::BadHead, "this listener speaks no TLS: write http://"),
            _ => return Ok(()),
        };
        line(text, "scheme", remedy);
        Err(refusal)
    }

    fn peer(&self, listener: &ListenerPlan) -> Peer {
        match (&listener.address, self.from) {
            (ListenerAddress::Unix(_), _) => Peer::Unix,
            (ListenerAddress::Tcp(_), from) => from.unwrap_or(Ipv4Addr::LOCALHOST.into()).into(),
        }
    }

    /// Whether it is a call of gRPC
    fn is_call(&self) -> bool {
        grpc::is_call(&Request::from_parts(self.head(), ()))
    }

    /// The head as a client would send it: over HTTP/1.1 with a path and `Host`.
    fn head(&self) -> Parts {
        let url = self.url();
        let mut head = self.http2.head(url);
        head.method = self.method.0.first().cloned().unwrap_or_default();
        for (name, value) in self.headers.iter().flat_map(|lines| &lines.0) {
            head.headers.append(name, value.clone());
        }
        if self.http2.is_spoken {
            return head;
        }
        head.version = Version::HTTP_11;
        if let (Some(path), Some(_)) = (url.path_and_query(), url.authority()) {
            head.uri = path.clone().into();
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
