//! What can be wrong with the certificate that a client shows, in words.

use std::fmt;

/// The fault of a client certificate
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificateFault {
    /// The server wants one, and none is given
    Missing,
    /// The server has asked for one, none was given, and the server closed the connection without a word
    MaybeMissing,
    /// The server does not take the one that is given
    Refused,
}

impl fmt::Display for ClientCertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the server wants a client certificate: give cert=PATH and key=PATH",
            Self::MaybeMissing => {
                "closed without an answer after the server asked for a client certificate: give cert=PATH and key=PATH"
            }
            Self::Refused => {
                "the server refuses our client certificate: name one that it trusts with cert=PATH and key=PATH"
            }
        })
    }
}

impl std::error::Error for ClientCertificateFault {}
