//! What helpers need to know of a server that a URL names: the options in the URL's fragment, TLS, and its words in a log.
//!
//! It knows no protocol, and no helper's judgement of what a server does.

mod failure;
mod label;
mod one_line;
mod options;
mod pem;
mod tls;
mod trust;

pub use failure::{tls_error, tls_error_text};
pub use label::url_label;
pub use one_line::one_line;
pub use options::Options;
pub use tls::{TLS_OPTIONS, Tls, TlsSettings, server_name};
