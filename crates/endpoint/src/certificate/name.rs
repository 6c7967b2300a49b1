//! Names in a certificate: the subject's common name, and its alternative names.

use std::net::IpAddr;

use super::{NAME_LIMIT, SubjectName};
use crate::der::{
    BMP_STRING, IA5_STRING, Malformed, OBJECT_IDENTIFIER, PRINTABLE_STRING, Reader, SEQUENCE, SET, TELETEX_STRING,
    UTF8_STRING,
};

/// The object identifier of a common name, RFC 5280 appendix A.1
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

// The kinds of `GeneralName`, section 4.2.1.6
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

/// The last common name, which is the most specific one. A text in an unknown alphabet is none.
pub(super) fn common_name(mut subject: Reader) -> Result<Option<String>, Malformed> {
    let mut found = None;
    while let Some((tag, set)) = subject.next()? {
        if tag != SET {
            return Err(Malformed);
        }
        let mut set = Reader::new(set);
        while let Some((tag, attribute)) = set.next()? {
            let mut attribute = Reader::new(attribute);
            let id = attribute.take(OBJECT_IDENTIFIER)?;
            let (kind, value) = attribute.next()?.ok_or(Malformed)?;
            attribute.end()?;
            if tag != SEQUENCE {
                return Err(Malformed);
            }
            if id == COMMON_NAME {
                found = text(kind, value).or(found);
            }
        }
    }
    Ok(found)
}

fn text(kind: u8, value: &[u8]) -> Option<String> {
    match kind {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING | TELETEX_STRING => Some(String::from_utf8_lossy(value).into()),
        BMP_STRING => {
            let units = value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            Some(char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
        }
        _ => None,
    }
}

/// `SubjectAltName` of section 4.2.1.6. There is at least one name.
pub(super) fn alternative_names(value: &[u8]) -> Result<Vec<SubjectName>, Malformed> {
    let mut outer = Reader::new(value);
    let mut list = outer.enter(SEQUENCE)?;
    outer.end()?;
    let (mut names, mut count) = (Vec::new(), 0);
    while let Some((kind, name)) = list.next()? {
        count += 1;
        match kind {
            EMAIL => names.push(SubjectName::Email(printable(name)?.to_owned())),
            DNS => names.push(SubjectName::Dns(printable(name)?.to_ascii_lowercase())),
            URI => names.push(SubjectName::Uri(printable(name)?.to_owned())),
            IP => names.push(SubjectName::Ip(ip(name)?)),
            // Names of directories, and kinds that some product has invented
            _ => (),
        }
    }
    if (1..=NAME_LIMIT).contains(&count) { Ok(names) } else { Err(Malformed) }
}

/// Text that can stand in a log line and in a header as it is. A byte 0 in a name has fooled verifiers before.
fn printable(name: &[u8]) -> Result<&str, Malformed> {
    let is_printable = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    str::from_utf8(name).ok().filter(|_| is_printable).ok_or(Malformed)
}

fn ip(bytes: &[u8]) -> Result<IpAddr, Malformed> {
    let of_version_4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    of_version_4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).map_err(|_| Malformed)
}
