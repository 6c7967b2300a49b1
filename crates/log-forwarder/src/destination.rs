//! An output as a URL; its options stand in the fragment, joined by `&`, and never reach a server.

use std::{fmt, str::FromStr};

use url::Url;

use crate::{
    encoding::Encoding,
    outputs::{Output, SCHEMES, Scheme},
    pool::Pool,
};

/// An output that is known to be possible
#[derive(Clone)]
pub(crate) struct Destination {
    scheme: &'static Scheme,
    url: Url,
    encoding: Encoding,
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
        let Some(scheme) = SCHEMES.iter().find(|scheme| scheme.name == url.scheme()) else {
            let known: Vec<_> = SCHEMES.iter().map(|scheme| format!("{}://", scheme.name)).collect();
            return Err(format!("unknown scheme {}://: known are {}", url.scheme(), known.join(", ")));
        };
        if url.password().is_some() || !url.username().is_empty() {
            return Err("a user or a password in an argument is visible to all who can list processes".into());
        }
        let mut encoding = scheme.encoding;
        for option in url.fragment().unwrap_or_default().split('&').filter(|option| !option.is_empty()) {
            encoding = match option {
                "as=raw" => Encoding::Raw,
                "as=ndjson" => Encoding::Ndjson,
                _ => return Err(format!("unknown option #{option}: known are #as=raw, #as=ndjson")),
            };
        }
        let destination = Self { scheme, url, encoding };
        destination.open(&Pool::default()).map(|_| destination)
    }
}

impl Destination {
    /// The output, not yet connected; an error is a fault in the URL.
    pub(crate) fn open(&self, pool: &Pool) -> Result<Box<dyn Output>, String> {
        (self.scheme.open)(&self.url, self.encoding, pool)
    }

    /// What may be told of it: no query, which may hold a token
    pub(crate) fn label(&self) -> String {
        self.url[..url::Position::AfterPath].to_owned()
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?} as {:?}", self.label(), self.encoding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said() {
        let refusal = |text: &str| text.parse::<Destination>().unwrap_err();
        assert!(refusal("collector:5140").starts_with("unknown scheme collector://: known are stdout://"));
        assert!(refusal("tcp://collector").contains("port"));
        assert!(refusal("tcp://user:secret@collector:1").contains("visible"));
        assert!(refusal("tcp://collector:5140#as=xml").contains("known are #as=raw"));
        assert!(refusal("file://host/x").contains("file:///"));
        assert!(refusal("stdout://x").contains("stdout://"));
    }

    #[test]
    fn a_label_holds_no_secret() {
        let destination: Destination = "http://collector/lines?token=secret#as=raw".parse().unwrap();
        assert_eq!(destination.label(), "http://collector/lines");
        assert!(!format!("{destination:?}").contains("secret"));
    }
}
