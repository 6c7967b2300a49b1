//! A path of `--probe-pass`.

use std::{fmt, str::FromStr};

use http::Uri;

/// A path, with its query if it has one, as a probe names it
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProbePath {
    text: String,
    uri: Uri,
}

impl ProbePath {
    /// Whether this target is the path, byte for byte.
    pub(crate) fn is(&self, target: &Uri) -> bool {
        target.path_and_query().is_some_and(|path| path.as_str() == self.text)
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }
}

impl fmt::Display for ProbePath {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ProbePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write the path as the probe has it, such as /healthz, without a fragment".to_owned();
        if text.contains(",/") {
            return Err("write one path: give --probe-pass once for each".into());
        }
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let path = Self { text: text.to_owned(), uri };
        if text.starts_with('/') && text.is_ascii() && path.is(&path.uri) { Ok(path) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for right in ["/", "/healthz", "/healthz?full=1", "//healthz", "/a%2Fb"] {
            assert!(right.parse::<ProbePath>().is_ok(), "{right}");
        }
        for wrong in ["", "healthz", "http://a/healthz", "/healthz#a", "/a b", "*", "/caf\u{e9}", "/healthz,/ready"] {
            assert!(wrong.parse::<ProbePath>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_target_is_the_path_only_byte_for_byte() {
        let path: ProbePath = "/healthz".parse().unwrap();
        let is = |target: &str| path.is(&target.parse().unwrap());
        assert!(is("/healthz"));
        for other in
            ["/healthz/", "/healthz?", "/healthz?a=1", "/Healthz", "/%68ealthz", "/healthz/../admin", "//healthz"]
        {
            assert!(!is(other), "{other}");
        }
    }
}
