//! The lines of an answer. They hide what may be a secret.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, Method, Uri};

use crate::route::{HeaderRules, Route};

/// Headers whose values hold nothing of a user's; others are named only
const SHOWN: [&str; 12] = [
    "connection",
    "content-length",
    "forwarded",
    "host",
    "max-forwards",
    "te",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// Printed in place of a value that may be a secret
pub(super) const HIDDEN: &str = "…";

pub(super) fn write_route(text: &mut String, route: &Route) {
    let host = route.host.as_deref().unwrap_or("every host");
    line(text, "route", format_args!("{} ({host}, {})", route.name, route.path));
}

/// Names without values, which may be secrets
pub(super) fn write_rules(text: &mut String, key: &str, rules: &HeaderRules) {
    let removed = rules.remove.iter().map(|name| format!("removes {name}"));
    let set = rules.set.iter().map(|(name, _)| format!("sets {name}"));
    let added = rules.add.iter().map(|(name, _)| format!("adds {name}"));
    let all: Vec<_> = removed.chain(set).chain(added).collect();
    if !all.is_empty() {
        line(text, key, all.join(", "));
    }
}

/// The head of a request as the upstream gets it in this version of HTTP
pub(super) fn write_head(
    text: &mut String,
    version: &str,
    method: &Method,
    target: &Uri,
    headers: &HeaderMap,
    route: &Route,
) {
    let query = target.query().map_or("", |_| "?…");
    line(text, "sends", format_args!("{method} {}{query} {version}", target.path()));
    if let (Some(scheme), Some(authority)) = (target.scheme_str(), target.authority()) {
        let _ = writeln!(text, "  :scheme: {scheme}\n  :authority: {authority}");
    }
    let is_shown = |name: &HeaderName| {
        let HeaderRules { set, add, .. } = &route.request_headers;
        SHOWN.contains(&name.as_str()) && !set.iter().chain(add).any(|(ruled, _)| ruled == name)
    };
    for (name, value) in headers {
        let value = if is_shown(name) { String::from_utf8_lossy(value.as_bytes()) } else { HIDDEN.into() };
        let _ = writeln!(text, "  {name}: {value}");
    }
    for (name, _) in route.login.iter().flat_map(|login| login.headers()) {
        let _ = writeln!(text, "  {name}: {HIDDEN}");
    }
}

pub(super) fn line(text: &mut String, key: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{key}: {value}");
}
