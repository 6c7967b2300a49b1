//! The command line, nothing else.

use std::path::PathBuf;

use endpoint::url_label;
use lifecycle::{Lines, LinesParser, ListenAddress};

use crate::{
    access_log,
    client_auth::ClientAuth,
    direction::Direction,
    head::forwarded::{trace_context::BeginTrace, trusted::Cidr},
    limits::Limits,
    listener_address::ListenerAddress,
    route::{probe_path::ProbePath, upstream_url::UpstreamEntry},
    upstream::app,
};

/// Forward HTTP/1.1, HTTP/2 and gRPC to and from the app, strictly, through every rollout
///
/// In front of the app, requests are validated, bounded and counted before the app sees them, and a rollout loses none of them.
/// On the app's way out, connections are kept and stale ones are noticed.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "proxy", version, after_help = EXAMPLES)]
pub struct Args {
    /// Accept connections here: `:PORT` on all addresses, `IP:PORT`, or a socket, `unix:///run/proxy.sock#mode=0660`
    #[arg(long, value_name = "ADDRESS", requires = "upstream", required_unless_present = "config")]
    pub(crate) listen: Option<ListenerAddress>,
    /// Send requests there, such as `http://127.0.0.1:8080`, with a login of files: `http://api.example#token-file=/run/token`
    #[arg(long, value_name = "URL", requires = "listen", value_parser = UPSTREAM)]
    pub(crate) upstream: Option<Lines<UpstreamEntry>>,
    /// Which way --listen faces; by default inbound where the upstream is on this host, and else outbound
    #[arg(long, value_enum, requires = "listen")]
    pub(crate) direction: Option<Direction>,
    /// Speak TLS with the clients of --listen: the PEM file of the certificate and its chain
    #[arg(long, value_name = "FILE", requires_all = ["listen", "tls_key"])]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The PEM file of the private key of --tls-cert
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Require a certificate of each client, from an authority of this PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) client_ca: Option<PathBuf>,
    /// Whether clients need a certificate of --client-ca; by default they do
    #[arg(long, value_enum, requires = "client_ca")]
    pub(crate) client_auth: Option<ClientAuth>,
    /// Tell the app whom the verified certificate of a client names, in `X-Forwarded-Client-Cert`
    #[arg(long, requires = "client_ca")]
    pub(crate) identity_header: bool,
    /// Believe what proxies at these addresses say of their clients in `X-Forwarded-*` and `Forwarded`, such as `10.0.0.0/8`, or
    /// `unix:` for all that come through a socket; give it once for each
    #[arg(long, value_name = "CIDR", requires = "listen", value_parser = TRUSTED)]
    pub(crate) trusted_proxies: Vec<Lines<Cidr>>,
    /// Read listeners and routes from this YAML file, in place of --listen and the flags that belong to it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["listen", "upstream", "direction", "trusted_proxies", "tls_cert", "tls_key", "client_ca", "client_auth", "identity_header"])]
    pub(crate) config: Option<PathBuf>,
    /// Threads that serve, each with connections of its own
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) workers: u32,
    /// Open no listener before the first upstream of an outbound listener accepts a connection: /startupz is 503 until then
    #[arg(long)]
    pub(crate) hold_start: bool,
    /// Pass the kubelet's probes of exactly this path on to the app, at --probe-addr; give it once for each path
    #[arg(long, value_name = "PATH", value_parser = PROBE_PATH)]
    pub(crate) probe_pass: Vec<Lines<ProbePath>>,
    /// Where --probe-pass listens: `:PORT` on all addresses, or `IP:PORT`
    #[arg(long, value_name = "ADDRESS", default_value = ":9491", requires = "probe_pass")]
    pub(crate) probe_addr: ListenAddress,
    /// Begin a W3C trace where a request has no valid `traceparent`; a valid one goes on as it is
    #[arg(long, value_enum, default_value_t = BeginTrace::Sampled)]
    pub(crate) begin_trace: BeginTrace,
    /// The lines on stdout
    #[command(flatten)]
    pub(crate) access_log: access_log::Settings,
    /// The settings for an app that is down
    #[command(flatten)]
    pub(crate) app: app::AppSettings,
    /// The bounds of each listener
    #[command(flatten)]
    pub(crate) limits: Limits,
}

impl Args {
    /// Whether the listener of --probe-pass has this address too. Port 0 is another port each time.
    pub(crate) fn listens_for_probes_at(&self, address: &ListenerAddress) -> bool {
        let is_same = ListenerAddress::Tcp(self.probe_addr).is_same(address);
        !self.probe_pass.is_empty() && address.port() != Some(0) && is_same
    }
}

/// The URL may hold a secret by mistake.
const UPSTREAM: LinesParser<UpstreamEntry> = LinesParser::new("upstream", str::parse, url_label);

const PROBE_PATH: LinesParser<ProbePath> = LinesParser::new("path of --probe-pass", str::parse, path_label);

/// A text that is no network may be a secret in the wrong place.
const TRUSTED: LinesParser<Cidr> = LinesParser::new("network", str::parse, |text| match text.parse::<Cidr>() {
    Ok(_) => text.to_owned(),
    Err(_) => "…".to_owned(),
});

/// A value that is no path may be a secret.
fn path_label(text: &str) -> String {
    if text.starts_with('/') { text.to_owned() } else { "…".to_owned() }
}

const EXAMPLES: &str = "
Examples:
  proxy --listen :8000 --upstream http://127.0.0.1:8080
  proxy --listen 127.0.0.1:9000 --upstream http://api.example --direction outbound
  proxy --listen 127.0.0.1:9000 --upstream 'http://api.example#token-file=/run/tokens/api'
  proxy --config /etc/proxy/proxy.yaml --workers 2
  proxy check /etc/proxy/proxy.yaml
  proxy explain --config /etc/proxy/proxy.yaml GET http://shop.example/api

Exit codes: 0 drained, 64 usage, 65 `explain`: would be refused, 69 address in use, 75 stopped with requests in flight, 78 configuration";
