//! The entries of a configuration file, as they are written.

use std::{borrow::Cow, collections::BTreeMap, path::PathBuf};

use endpoint::{Written, option_schema, written_schema_of};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::Error};

use crate::{
    client_auth::ClientAuth,
    direction::Direction,
    head::forwarded::trusted::Cidr,
    listener_address::ListenerAddress,
    route::upstream_url::{self, UpstreamEntry, login::option_names},
};

/// A listener
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ListenerEntry {
    /// Its name in metrics and logs; by default its address
    pub(crate) name: Option<String>,
    /// `:PORT` on all addresses, `IP:PORT`, or a socket, `unix:///run/proxy.sock#mode=0660`
    pub(crate) address: ListenText,
    /// Which way it faces
    pub(crate) direction: Direction,
    /// The TLS that clients speak; by default none
    pub(crate) tls: Option<TlsEntry>,
    /// Proxies whose word about their clients is believed, in `X-Forwarded-*` and `Forwarded`: addresses and networks, such as
    /// `10.0.0.0/8`, or `unix:` for all that come through a socket
    #[serde(default, deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(max = 100))]
    pub(crate) trusted_proxies: Vec<CidrText>,
    /// Tried by host and then by the longest path
    #[serde(deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(min = 1, max = 100))]
    pub(crate) routes: Vec<RouteEntry>,
}

impl ListenerEntry {
    pub(crate) fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.address.0.to_string())
    }

    /// Whether the app gets the names in the certificate of a client
    pub(crate) fn tells_identity(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.identity_header)
    }
}

/// The TLS of a listener
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TlsEntry {
    /// Certificates with their keys; the name that a client asks for chooses, and the first one is for all others
    #[serde(deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(min = 1, max = 100))]
    pub(crate) certificates: Vec<CertificateEntry>,
    /// Require a certificate of each client, from an authority of this PEM file
    pub(crate) client_ca: Option<PathBuf>,
    /// Whether clients need one of these certificates; by default they do
    pub(crate) client_auth: Option<ClientAuth>,
    /// Tell the app whom the verified certificate of a client names, in `X-Forwarded-Client-Cert`
    #[serde(default)]
    pub(crate) identity_header: bool,
}

/// A certificate and its key
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateEntry {
    /// The PEM file of the certificate and its chain
    pub(crate) cert: PathBuf,
    /// The PEM file of its private key
    pub(crate) key: PathBuf,
}

/// A route
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RouteEntry {
    /// Its name in metrics and logs; by default its place in the list
    pub(crate) name: Option<String>,
    /// The host that requests name, without a port; by default every host
    pub(crate) host: Option<String>,
    /// The beginning of the path, up to a slash; by default every path
    pub(crate) path: Option<String>,
    /// Where requests go: `http://HOST[:PORT]`, `https://HOST[:PORT]` or `http+unix:///PATH`, with options of TLS, of HTTP and of a login
    pub(crate) upstream: UpstreamText,
    /// Let paths with several spellings (`//`, `..`, `%2F`) pass although routes match by path
    #[serde(default)]
    pub(crate) ambiguous_paths: bool,
    /// Changes of the headers of requests
    #[serde(default)]
    pub(crate) request_headers: HeaderChanges,
    /// Changes of the headers of answers
    #[serde(default)]
    pub(crate) response_headers: HeaderChanges,
}

impl RouteEntry {
    /// Its name as the route at this place of the list
    pub(crate) fn name(&self, nth: usize) -> String {
        self.name.clone().unwrap_or_else(|| format!("route-{nth}"))
    }
}

/// Headers to remove, then to set, then to add
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderChanges {
    /// Names
    #[serde(default)]
    pub(crate) remove: Vec<String>,
    /// Values in place of all of this name
    #[serde(default)]
    pub(crate) set: BTreeMap<String, String>,
    /// Values beside those of this name
    #[serde(default)]
    pub(crate) add: BTreeMap<String, String>,
}

/// An address to listen on
#[derive(Debug)]
pub(crate) struct ListenText(pub(crate) ListenerAddress);

/// A network
#[derive(Debug)]
pub(crate) struct CidrText(pub(crate) Cidr);

/// An upstream
#[derive(Debug)]
pub(crate) struct UpstreamText(pub(crate) UpstreamEntry);

impl<'de> Deserialize<'de> for ListenText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|error| {
            if text.starts_with("unix:") {
                return D::Error::custom(error);
            }
            // The parser's own error repeats the value, which may stand in the wrong place.
            D::Error::custom("this is not an address to listen on: write :PORT, IP:PORT or unix:///PATH")
        })
    }
}

impl<'de> Deserialize<'de> for UpstreamText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer)?.read(str::parse, UpstreamEntry::with_options).map(Self)
    }
}

impl<'de> Deserialize<'de> for CidrText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for CidrText {
    fn schema_name() -> Cow<'static, str> {
        "Cidr".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

impl JsonSchema for ListenText {
    fn schema_name() -> Cow<'static, str> {
        "ListenAddress".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

impl JsonSchema for UpstreamText {
    fn schema_name() -> Cow<'static, str> {
        "Upstream".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let shared = option_names().chain(upstream_url::tls_option_names()).map(|name| (name, option_schema(name)));
        written_schema_of(shared.chain(upstream_url::own_options()))
    }
}
