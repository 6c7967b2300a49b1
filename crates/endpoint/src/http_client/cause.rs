//! The cause inside an error of the library.

use std::{error::Error, io::ErrorKind};

use crate::{failure::Failure, one_line::one_line};

/// The cause inside the library's error, whose own text would repeat the URL
pub(super) fn failure(error: &reqwest::Error) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    let mut text = "the request cannot be made".to_owned();
    while let Some(inner) = cause {
        if let Some(failure) = inner.downcast_ref::<Failure>() {
            return failure.clone();
        }
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            match io.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()) {
                Some(failure) => return failure.clone(),
                None => return Failure::from(io),
            }
        }
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return Failure::Tls(tls.clone());
        }
        text = inner.to_string();
        cause = inner.source();
    }
    if error.is_timeout() {
        return Failure::Silent;
    }
    Failure::Io { kind: ErrorKind::UnexpectedEof, text: one_line(&text) }
}
