//! Reaching a server that a URL names: options, names, connections, a proxy's tunnel, TLS and logins.
//!
//! It knows no protocol, and no helper's judgement of an answer: every failure is a [`Failure`] that the helper interprets.

mod address;
mod certificate;
mod client_certificate_fault;
mod connect;
mod der;
mod echo;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http_client;
mod label;
mod login;
mod login_in_argument;
mod login_in_query;
mod mark;
mod named_certificate;
mod names;
mod one_line;
mod options;
mod pem;
mod retry_after;
mod rsa_public_key;
mod server_tls;
mod socket_url;
mod source;
mod stream;
mod tls;
mod tls_error;
mod trust;
mod tunnel;
mod unix;
mod written;
mod written_schema;

pub use address::{Address, check_name};
pub use certificate::{Certificate, SubjectName, date_text};
pub use client_certificate_fault::ClientCertificateFault;
pub use connect::{SILENCE_LIMIT, addresses, dial, dial_any, dial_with_limit};
pub use echo::{sent_secrets, without_secrets};
pub use failure::Failure;
pub use http_client::{CONNECTION_HEADERS, HTTP_OPTIONS, HttpAnswer, HttpClient, HttpRequest};
pub use label::url_label;
pub use login::{LOGIN_OPTIONS, LoginHeaders, PASSWORD_OPTIONS, Password, UrlLogin};
pub use login_in_argument::refuse_login_in_argument;
pub use login_in_query::refuse_login_in_query;
pub use mark::mark;
pub use names::Names;
pub use one_line::one_line;
pub use options::Options;
pub use retry_after::retry_after;
pub use rsa_public_key::{RsaKeyFile, RsaPublicKey};
pub use server_tls::{CertificatePair, ClientTrust, ServerTls, ServerTlsPart, ServerTlsSettings, peer_certificate};
pub use socket_url::{path_without_host, socket_path, split_http_unix, split_socket};
pub use source::read_files_again;
pub use stream::Stream;
pub use tls::{TLS_OPTIONS, TlsClient, server_name};
pub use tls_error::{tls_error, tls_error_text};
pub use tunnel::tunnel;
pub use unix::connect_unix;
pub use written::Written;
pub use written_schema::{option_schema, written_schema, written_schema_of};

/// The README's examples are tests
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
