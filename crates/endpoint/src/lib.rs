//! What helpers need to know of a server that a URL names: the options in the URL's fragment, TLS, and its words in a log.
//!
//! It knows no protocol, and no helper's judgement of what a server does.

mod failure;
mod options;
mod pem;
mod tls;
mod trust;
mod words;

pub use failure::{tls_error, tls_words};
pub use options::Options;
pub use tls::{TLS_OPTIONS, Tls, TlsSettings, server_name};
pub use words::said;
