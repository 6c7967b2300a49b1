//! The body of an HTTP request.

use endpoint::{Failure, Options, Password};

/// The body of an HTTP request
#[derive(Debug)]
pub(super) enum RequestBody {
    Text(String),
    /// From a file or a variable, because it may hold a secret
    Named(Password),
}

impl RequestBody {
    pub(super) fn from_options(options: &mut Options) -> Result<Option<Self>, String> {
        let text = options.text("request-body")?.map(Self::Text);
        let named = Password::named(options, "request-body-file", "request-body-env")?.map(Self::Named);
        if text.is_some() && named.is_some() {
            return Err("the body of the request is given twice".into());
        }
        Ok(text.or(named))
    }

    /// The body as the file is now
    pub(super) async fn current(&self) -> Result<String, Failure> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Named(named) => Ok(named.current().await?.expose().to_owned()),
        }
    }
}
