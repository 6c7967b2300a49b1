//! A target: its check, and how often and how it is asked.

mod faults;
mod label;
#[cfg(test)]
mod refusals;
mod schema;
mod yaml;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use endpoint::Options;
use lifecycle::Exit;

use crate::{
    check::Check,
    foreign::{FOREIGN, no_option},
    hosts,
    not_ready::{Cause, NotReady, Verdict},
    schemes::{SCHEMES, Scheme},
    tls_hint::TlsHint,
};

pub(crate) use label::label;

/// Something to wait for
#[derive(Clone)]
pub(crate) struct Target {
    /// The URL without user, password, query (but a selector of pods) and fragment: what may be
    /// printed
    pub(crate) label: String,
    /// The name of its group, of which one target is enough
    pub(crate) group: Option<String>,
    /// The URL named a password
    pub(crate) has_password: bool,
    /// The name of an option of ours that stands in the query, which goes to the server
    pub(crate) query_option: Option<&'static str>,
    pub(crate) check: Arc<dyn Check>,
    pub(crate) tls_hint: TlsHint,
    /// The files that its options name
    pub(crate) files: Vec<PathBuf>,
    /// Wait until it is proven gone; what all targets do if it says nothing
    pub(crate) not: Option<bool>,
    pub(crate) stable: Option<u32>,
    pub(crate) interval: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.label)
    }
}

impl Target {
    /// Reads a URL with its options in the fragment. Errors hold no credentials.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
        let target = Options::from_fragment(fragment).and_then(|options| Self::with_options(url, options));
        // A password that was torn apart
        let hint = if fragment.contains('@') { "; write a # in a password as %23" } else { "" };
        target.map_err(|error| error + hint)
    }

    /// Reads a URL whose options came apart from it.
    pub(crate) fn with_options(text: &str, mut options: Options) -> Result<Self, String> {
        let name = text.split_once("://").map(|(name, _)| name.to_ascii_lowercase());
        let name = name.ok_or_else(|| faults::no_url(text))?;
        faults::refuse_list(text)?;
        let scheme = Scheme::named(&name).ok_or_else(|| unknown_scheme(&name))?;
        let urls = if scheme.several_hosts { hosts::urls(text)? } else { vec![text.to_owned()] };
        let urls = urls.iter().map(|url| faults::parse_url(url)).collect::<Result<Vec<_>, _>>()?;
        if urls.iter().any(|url| url.host_str().is_some_and(|host| host.contains(','))) {
            return Err(format!("{name} has one host a target: give two targets, with --any where one is enough"));
        }
        let (files, all_options) = (options.files(), options.clone());
        let mut checks = Vec::new();
        for url in &urls {
            options = all_options.clone();
            checks.push((scheme.parse)(url, &mut options)?);
        }
        let target = Self {
            label: label(text),
            has_password: urls.iter().any(|url| url.password().is_some()),
            query_option: urls.first().and_then(|url| scheme.option_in_query(url)),
            check: hosts::any_of(text, checks),
            group: None,
            tls_hint: TlsHint::of(scheme, &name, all_options.clone().text("tls")?.as_deref()),
            files,
            not: options.optional_switch("not")?,
            stable: options.number("stable")?,
            interval: options.parsed("interval", positive_duration)?,
            attempt_timeout: options.parsed("attempt-timeout", positive_duration)?,
        };
        if target.stable == Some(0) {
            return Err("option stable: at least 1".into());
        }
        if let Some((unknown, remedy)) = options.untaken().and_then(|name| Some((name, no_option(name, scheme)?))) {
            return Err(format!("{name} has no option {unknown:?}; {remedy}"));
        }
        options.finish(&name, &scheme.all_options(), scheme.tls)?;
        Ok(target)
    }

    /// Turns what the check found into what the user asked for.
    pub(crate) fn judge(&self, verdict: Verdict, not: bool) -> Verdict {
        if self.not.unwrap_or(not) { invert(verdict) } else { verdict }
    }
}

/// A duration for an attempt, or for the pause before the next one
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    lifecycle::duration(text).and_then(|duration| match duration {
        Duration::ZERO => Err("give a time longer than 0s".into()),
        duration => Ok(duration),
    })
}

/// For `not`: only a definite "no" proves that something is gone. A DNS server that fails proves
/// nothing, and neither does a certificate that is refused, because a server showed it.
fn invert(verdict: Verdict) -> Verdict {
    match verdict {
        Ok(proof) => Err(NotReady::new(Cause::Contrary, format!("still there: {proof}"))),
        Err(NotReady {
            cause: Cause::Absent | Cause::UnknownName | Cause::Contrary | Cause::Watched, reason, ..
        }) => Ok(format!("gone: {reason}")),
        // A fault in the target's own options says nothing of the target.
        Err(refusal @ NotReady { cause: Cause::Never(Exit::Usage), .. }) => Err(refusal),
        Err(NotReady { cause: Cause::Never(_), reason, .. }) => {
            Err(NotReady::new(Cause::Odd, format!("not proven gone: {reason}")))
        }
        Err(refusal) => Err(NotReady { reason: format!("not proven gone: {}", refusal.reason), ..refusal }),
    }
}

fn unknown_scheme(name: &str) -> String {
    if let Some((_, remedy)) = FOREIGN.iter().find(|(foreign, _)| *foreign == name) {
        return format!("{name}:// is not supported; {remedy}");
    }
    let known: Vec<_> = SCHEMES.iter().flat_map(|scheme| scheme.names).copied().collect();
    match lifecycle::nearest(name, known.iter().copied()) {
        Some(near) => format!("unknown scheme {name:?}; did you mean {near}://?"),
        None => format!("unknown scheme {name:?}; there are {}; tcp:// does for any server", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> String {
        Target::parse(text).map(|target| format!("{target:?} was taken")).unwrap_err()
    }

    #[test]
    fn every_example_is_a_target() {
        for (example, _) in SCHEMES.iter().flat_map(|scheme| scheme.examples) {
            // A machine without a bundle of authorities has none to trust.
            let trust = if ["https", "grpcs", "rediss", "smtps", "ldaps", "kafkas"]
                .iter()
                .any(|name| example.starts_with(name))
            {
                "#insecure"
            } else {
                ""
            };
            Target::parse(&format!("{example}{trust}")).unwrap();
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, reason) in [
            ("db:5432", "a target is a URL, such as tcp://db:5432"),
            ("/run/x", "a target is a URL, such as file:///PATH or unix:///PATH"),
            ("TCP://db", "the port is missing: write tcp://db:PORT"),
            ("tcp://a..b:1", "\"a..b\" can't be a host name"),
            (
                "mysql://root:12#34SECRET@db",
                "mysql does not know option number 1; it takes tls, user, server-key, query, query-file, query-env, table, migration, password-file, password-env, ca, cert, key, sni, insecure, stable, interval, attempt-timeout, not; write a # in a password as %23",
            ),
            ("tpc://db:5432", r#"unknown scheme "tpc"; did you mean tcp://?"#),
            (
                "mongodb+srv://app:SECRET@cluster.example/db",
                "mongodb+srv:// is not supported; its hosts stand in the DNS record _mongodb._tcp.NAME (SRV): write them as mongodb://HOST1,HOST2#tls=require",
            ),
            ("tcp://db", "the port is missing: write tcp://db:PORT"),
            ("tcp://db:0", "port 0 can't be dialed: give a port from 1 to 65535"),
            ("tcp://db:65536", "the port is not a number from 1 to 65535"),
            ("tcp://db:1/x", "a tcp target has no path"),
            ("tcp://u:/SECRET@db", "in a password / is written as %2F, and in a path @ as %40"),
            ("redis://u:1/SECRET@db", "in a password / is written as %2F, and in a path @ as %40"),
            ("postgres://u:/SECRET@db:5432/app", "in a password / is written as %2F, and in a path @ as %40"),
            ("tcp://db:1#hodl=1s", r#"tcp has no option "hodl"; did you mean hold?"#),
            ("http://a#status=2xx", "option status: this is not a list such as 200-299,404"),
            ("http://a#stable=0", "option stable: at least 1"),
            ("https://a#cert=/none", "options cert and key go together"),
            ("dns://db#type=MX", "option type: this is neither A, AAAA nor SRV"),
            (
                "mysql+unix://app@/run/db.sock",
                "a socket's URL has no host and no @: write mysql+unix:///PATH#user=NAME",
            ),
            ("mysql+unix://run/db.sock", "the path must be absolute: write mysql+unix:///PATH"),
            (
                "redis+unix:///run/redis.sock#tls=require",
                "option tls: no other host can listen to a UNIX socket, so leave it out",
            ),
            ("postgres://app@db#user=root", "the user is given twice"),
            ("redis://db#tls=verify-ca", "tls=verify-ca goes with ca=PATH, and without insecure"),
            ("redis://db#tls=on", "option tls: this is neither require, verify-ca nor off"),
            ("redis://a,b", "redis has one host a target: give two targets, with --any where one is enough"),
            ("tcp://a,b:1", "tcp has one host a target: give two targets, with --any where one is enough"),
            ("file://relative", "the path must be absolute: write file:///PATH"),
            ("mongodb://:x@h1", "a login needs a user before the @, such as mongodb://USER@HOST"),
            ("mongodb://h1#role=x", "option role: this is neither primary, secondary nor any"),
            ("mongodb://h1#authsource=app", "option authsource is for a login: give a user, and password-file=PATH"),
            ("mongodb://h1#replicaset=", "option replicaset: the name is missing"),
            ("amqp://app@h1", "a login needs a password: add password-file=PATH, or leave out the user"),
            ("amqp://:x@h1", "a login needs a user before the @, such as amqp://USER@HOST"),
            ("amqp://h1#user=app", "a login needs a password: add password-file=PATH, or leave out the user"),
            ("kafka://app@h1", "a login needs a password: add password-file=PATH, or leave out the user"),
            ("mongodb://h1#user=app", "a login needs a password: add password-file=PATH, or leave out the user"),
            ("amqps://h1#tls=off", "option tls: this scheme is TLS, so leave it out"),
            ("kafka://h1,,h2", "a host between two commas is missing"),
            ("kafka://h1:x,h2", "the port is not a number from 1 to 65535"),
            ("kafka://h1/orders", "a kafka target has no path: write #topic=NAME for a topic"),
            ("kafka://h1#brokers=0", "option brokers: at least 1"),
            ("kafka://h1#sasl=GSSAPI", "option sasl: this is neither PLAIN, SCRAM-SHA-256 nor SCRAM-SHA-512"),
            ("kafka://h1#sasl=PLAIN", "option sasl is for a login: give a user, and password-file=PATH"),
            ("kafka://:x@h1", "a login needs a user before the @, such as kafka://USER@HOST"),
            (
                "kafka://h1#topic=a b",
                "option topic: this is not the name of a topic, which has letters, digits, '.', '_' and '-'",
            ),
        ] {
            assert_eq!(refusal(text), reason, "{text}");
        }
    }

    #[test]
    fn only_a_definite_no_proves_that_something_is_gone() {
        let gone = |cause| invert(Err(NotReady::new(cause, "x"))).is_ok();
        assert!([Cause::Absent, Cause::UnknownName, Cause::Contrary, Cause::Watched].into_iter().all(gone));
        let unproven = [Cause::NoResolver, Cause::Silent, Cause::Odd, Cause::Busy, Cause::Never(Exit::Unavailable)];
        assert!(!unproven.into_iter().any(gone));
        assert_eq!(invert(Ok("HTTP 200".into())).unwrap_err().reason, "still there: HTTP 200");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "([a-z+]{1,9}://)?\\PC*") {
            let _ = Target::parse(&text);
        }

        #[test]
        fn no_complaint_holds_the_password(
            scheme in "(tcp|http|mysql|redis|nats|ldap|dns|tpc|postgres|kafka|amqp|mongodb)",
            user in "([a-z]{0,3}:|[a-z])[0-9]{0,3}[a-z/?#@: ]{0,2}",
            host in "[a-z%:/@,]{0,9}",
            query in "(\\?[a-z]*=hunter2@?[a-z]*)?",
            fragment in "[a-z=&]{0,9}(=hunter2(@[a-z]*)?)?",
        ) {
            let text = format!("{scheme}://{user}hunter2@{host}{query}#{fragment}");
            if let Err(reason) = Target::parse(&text) {
                prop_assert!(!reason.contains("hunter2"), "{}", reason);
            }
        }
    }
}
