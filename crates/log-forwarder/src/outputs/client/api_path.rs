//! The path of an API below the URL of its server.

use url::{Position, Url};

/// The URL's path, which is where the server stands, then the API's, unless it is there already, and the URL's query
pub(in crate::outputs) fn api_path(url: &Url, api: &str) -> String {
    let (base, query) = (url.path().trim_end_matches('/'), &url[Position::AfterPath..Position::AfterQuery]);
    let api = if base.ends_with(api) { "" } else { api };
    format!("{base}{api}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_api_follows_once() {
        for (url, expected) in [
            ("otlp+http://collector", "/v1/logs"),
            ("otlp+http://collector:4318/", "/v1/logs"),
            ("otlp+http://collector/otlp", "/otlp/v1/logs"),
            ("otlp+http://collector/otlp?x=y", "/otlp/v1/logs?x=y"),
            ("otlp+http://collector/v1/logs?x=y", "/v1/logs?x=y"),
        ] {
            assert_eq!(api_path(&url.parse().unwrap(), "/v1/logs"), expected);
        }
    }
}
