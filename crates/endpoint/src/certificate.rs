//! The content of a certificate (X.509, RFC 5280): its dates, its names and its fingerprint.
//! Nothing here verifies it.

mod date;
mod name;
mod spiffe;
#[cfg(test)]
mod tests;

use std::{
    fmt::Write,
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use ring::digest;

pub use self::date::date_text;
use crate::{
    der::{
        BIT_STRING, BOOLEAN, GENERALIZED_TIME, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, UTC_TIME,
    },
    one_line::one_line,
};

/// Bytes; a TLS handshake message has no more, and a certificate has about a thousand.
const SIZE_LIMIT: usize = 64 * 1024;
/// Names of a certificate; public authorities put at most 100 into one.
const NAME_LIMIT: usize = 1000;

// Object identifiers of extensions, RFC 5280 section 4.2.1
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const SUBJECT_ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

/// Fields that are in a certificate only where they are needed: `[0] version`, `[1]` and `[2]` unique identifiers, `[3] extensions`
const VERSION: u8 = 0xa0;
const ISSUER_ID: u8 = 0x81;
const SUBJECT_ID: u8 = 0x82;
const EXTENSIONS: u8 = 0xa3;

/// A certificate that was read
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The first second in which it is valid, in seconds since 1970
    pub not_before: i64,
    /// The last second in which it is valid, in seconds since 1970
    pub not_after: i64,
    /// SHA-256 of the certificate, in lower-case hexadecimal digits
    pub fingerprint: String,
    /// The subject's common name, as one line of at most 200 bytes
    pub common_name: Option<String>,
    /// The alternative names of the subject, in their order. Other kinds than these are left out.
    pub names: Vec<SubjectName>,
    /// Whether it may sign certificates or revocation lists, so that it is none of a server or a client by SPIFFE's rules
    is_authority: bool,
    /// Whether the subject is the issuer too, as of the certificates that nothing else vouches for
    is_self_issued: bool,
}

/// A name in a certificate. The text has printable ASCII characters only, without spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectName {
    /// A host name in lower case, perhaps with `*` as its first label
    Dns(String),
    /// An address
    Ip(IpAddr),
    /// A URI, for example of SPIFFE
    Uri(String),
    /// An address of mail
    Email(String),
}

impl Certificate {
    /// Reads a certificate in DER. The error is the same for every certificate that is broken.
    pub fn from_der(der: &[u8]) -> Result<Self, String> {
        if der.len() > SIZE_LIMIT {
            return Err(format!("the certificate has more than {} KiB", SIZE_LIMIT / 1024));
        }
        Self::read(der).map_err(|Malformed| "the certificate is broken".to_owned())
    }

    /// `Certificate` and `TBSCertificate` of RFC 5280, section 4.1
    fn read(der: &[u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::new(der);
        let mut certificate = outer.enter(SEQUENCE)?;
        outer.end()?;
        let mut fields = certificate.enter(SEQUENCE)?;
        certificate.take(SEQUENCE)?;
        certificate.take(BIT_STRING)?;
        certificate.end()?;
        fields.take_optional(VERSION)?;
        let _serial_number = fields.next()?.ok_or(Malformed)?;
        let _signature_algorithm = fields.take(SEQUENCE)?;
        let issuer = fields.take(SEQUENCE)?;
        let mut validity = fields.enter(SEQUENCE)?;
        let not_before = time(&mut validity)?;
        let not_after = time(&mut validity)?;
        validity.end()?;
        let subject = fields.take(SEQUENCE)?;
        let common_name = name::common_name(Reader::new(subject))?;
        let _public_key = fields.take(SEQUENCE)?;
        fields.take_optional(ISSUER_ID)?;
        fields.take_optional(SUBJECT_ID)?;
        let extensions = fields.take_optional(EXTENSIONS)?;
        fields.end()?;
        let mut read = Self {
            not_before,
            not_after,
            fingerprint: fingerprint(der),
            common_name: common_name.map(|name| one_line(&name)),
            names: Vec::new(),
            is_authority: false,
            is_self_issued: issuer == subject,
        };
        if let Some(extensions) = extensions {
            read.read_extensions(extensions)?;
        }
        Ok(read)
    }

    fn read_extensions(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut outer = Reader::new(bytes);
        let mut extensions = outer.enter(SEQUENCE)?;
        outer.end()?;
        let mut names = None;
        while let Some((tag, content)) = extensions.next()? {
            if tag != SEQUENCE {
                return Err(Malformed);
            }
            let mut extension = Reader::new(content);
            let id = extension.take(OBJECT_IDENTIFIER)?;
            extension.take_optional(BOOLEAN)?;
            let value = extension.take(OCTET_STRING)?;
            extension.end()?;
            match id {
                // A certificate has each extension once at most (section 4.2).
                SUBJECT_ALTERNATIVE_NAMES if names.is_some() => return Err(Malformed),
                SUBJECT_ALTERNATIVE_NAMES => names = Some(name::alternative_names(value)?),
                BASIC_CONSTRAINTS => self.is_authority |= is_marked_as_authority(value)?,
                KEY_USAGE => self.is_authority |= may_sign_certificates(value)?,
                _ => (),
            }
        }
        self.names = names.unwrap_or_default();
        Ok(())
    }

    /// The SPIFFE ID, where this is an X.509-SVID of a workload: exactly one URI, which is a SPIFFE ID, and no authority.
    /// <https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md>
    pub fn spiffe_id(&self) -> Option<&str> {
        let mut uris = self.names.iter().filter_map(|name| match name {
            SubjectName::Uri(uri) => Some(&**uri),
            _ => None,
        });
        let only = uris.next().filter(|_| uris.next().is_none())?;
        Some(only).filter(|uri| !self.is_authority && spiffe::is_workload(uri))
    }

    /// Whether it can vouch for another certificate, or at least for itself. A certificate without extensions (X.509 version 1) that
    /// vouches for itself may be an authority's.
    pub(crate) fn can_vouch(&self) -> bool {
        self.is_authority || self.is_self_issued
    }

    /// The host names, without those of other kinds
    pub fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| match name {
            SubjectName::Dns(name) => Some(&**name),
            _ => None,
        })
    }

    /// A name for metrics and messages: the first host name, else the common name, else the first name of any kind, else nothing
    pub fn display_name(&self) -> String {
        let dns = self.dns_names().next().map(one_line);
        let other = || self.names.first().map(|name| one_line(&name.to_string()));
        dns.or_else(|| self.common_name.clone()).or_else(other).unwrap_or_default()
    }

    /// Why the certificate is not valid at this time, if it is not
    pub fn invalid_at(&self, now: SystemTime) -> Option<&'static str> {
        let now = unix_seconds(now);
        if now > self.not_after {
            Some("the certificate has expired")
        } else if now < self.not_before {
            Some("the certificate is not valid yet: is the clock right?")
        } else {
            None
        }
    }
}

impl std::fmt::Display for SubjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Dns(text) | Self::Uri(text) | Self::Email(text) => f.write_str(text),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

fn unix_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}

fn fingerprint(der: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, der);
    digest.as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `Time` of section 4.1.2.5, in seconds since 1970
fn time(validity: &mut Reader) -> Result<i64, Malformed> {
    match validity.next()? {
        Some((UTC_TIME, text)) => date::utc_time(text),
        Some((GENERALIZED_TIME, text)) => date::generalized_time(text),
        _ => Err(Malformed),
    }
}

/// `BasicConstraints` of section 4.2.1.9
fn is_marked_as_authority(value: &[u8]) -> Result<bool, Malformed> {
    let mut outer = Reader::new(value);
    let mut constraints = outer.enter(SEQUENCE)?;
    outer.end()?;
    Ok(constraints.take_optional(BOOLEAN)?.is_some_and(|is_authority| is_authority != [0]))
}

/// `KeyUsage` of section 4.2.1.3: whether the bits keyCertSign (5) or cRLSign (6) are set
fn may_sign_certificates(value: &[u8]) -> Result<bool, Malformed> {
    let mut outer = Reader::new(value);
    let bits = outer.take(BIT_STRING)?;
    outer.end()?;
    // The first byte is the number of unused bits at the end, which are zero.
    Ok(bits.get(1).is_some_and(|bits| bits & 0b0000_0110 != 0))
}
