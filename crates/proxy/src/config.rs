//! `--config FILE`: listeners and their routes as YAML.

use std::path::{Path, PathBuf};

use endpoint::ServerTlsPart;
use lifecycle::{Configuration, Exit, Misfit};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    args::Args,
    plan::{Plan, entry::ListenerEntry},
};

/// The content of a configuration file
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where connections are accepted, and where their requests go
    #[serde(deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(min = 1, max = 100))]
    pub(crate) listeners: Vec<ListenerEntry>,
}

impl Config {
    /// The meaning of a file that was judged, or of the flags without one; an error is a misuse of
    /// the flags.
    pub(crate) fn plan(args: &Args, config: Option<&Self>) -> anyhow::Result<Plan> {
        let plan = Plan::of(args, config.map(|config| &config.listeners[..]));
        plan.map_err(|misfits| Exit::Usage.because(in_one_line(misfits)))
    }
}

impl Configuration for Config {
    type Args = Args;

    fn judge_args(args: &Args) -> Result<(), String> {
        let misfits = if args.config.is_none() { Plan::of(args, None).err() } else { None };
        misfits.map_or(Ok(()), |misfits| Err(in_one_line(misfits)))
    }

    fn files(&self) -> Vec<PathBuf> {
        let routes = || self.listeners.iter().flat_map(|listener| &listener.routes);
        let logins = routes().filter_map(|route| route.upstream.0.login.as_ref());
        let upstreams = routes().filter_map(|route| route.upstream.0.url.tls.as_ref());
        let of_upstreams = upstreams.flat_map(|tls| tls.files().map(Path::to_owned));
        let listeners = self.listeners.iter().filter_map(|listener| listener.tls.as_ref());
        let of_listeners = listeners.flat_map(|tls| {
            let pairs = tls.certificates.iter().flat_map(|pair| [&pair.cert, &pair.key]);
            pairs.chain(&tls.client_ca).cloned()
        });
        logins.flat_map(|login| login.files()).chain(of_upstreams).chain(of_listeners).collect()
    }

    fn judge_files(&self, args: &Args) -> Vec<Misfit> {
        // It was judged, so it has the listeners of the file in their order.
        let Ok(plan) = Plan::of(args, Some(&self.listeners)) else { return Vec::new() };
        let mut misfits = Vec::new();
        for (at, (entry, listener)) in self.listeners.iter().zip(&plan.listeners).enumerate() {
            let faults = listener.tls.iter().flat_map(|tls| tls.check());
            misfits.extend(faults.map(|(part, message)| {
                let part = match part {
                    ServerTlsPart::Pair(nth) => format!("certificates.{nth}"),
                    ServerTlsPart::ClientCa => "client-ca".into(),
                };
                Misfit { at: format!("listeners.{at}.tls.{part}"), message }
            }));
            for (nth, route) in entry.routes.iter().enumerate() {
                let fault = route.upstream.0.url.tls.as_ref().and_then(|tls| tls.check().err());
                let at = || format!("listeners.{at}.routes.{nth}.upstream");
                misfits.extend(fault.map(|message| Misfit { at: at(), message }));
            }
        }
        misfits
    }

    fn judge(&self, args: &Args) -> Vec<Misfit> {
        Plan::of(args, Some(&self.listeners)).err().unwrap_or_default()
    }
}

/// The JSON Schema of a configuration file
pub fn schema() -> String {
    lifecycle::config::schema::<Config>()
}

fn in_one_line(misfits: Vec<Misfit>) -> String {
    let messages: Vec<_> = misfits.into_iter().map(|misfit| misfit.message).collect();
    messages.join("; ")
}
