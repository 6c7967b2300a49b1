//! `--config FILE`: listeners and their routes as YAML.

use std::path::PathBuf;

use lifecycle::{Configuration, Misfit};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    args::Args,
    plan::{
        Plan,
        entry::{ListenerEntry, bounded},
    },
};

/// The content of a configuration file
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where connections are accepted, and where their requests go
    #[serde(deserialize_with = "bounded")]
    #[schemars(length(min = 1, max = 100))]
    pub(crate) listeners: Vec<ListenerEntry>,
}

impl Configuration for Config {
    type Args = Args;

    fn judge_args(args: &Args) -> Result<(), String> {
        let misfits = if args.config.is_none() { Plan::of(args, None).err() } else { None };
        let messages: Vec<_> = misfits.into_iter().flatten().map(|misfit| misfit.message).collect();
        if messages.is_empty() { Ok(()) } else { Err(messages.join("; ")) }
    }

    fn files(&self) -> Vec<PathBuf> {
        let routes = self.listeners.iter().flat_map(|listener| &listener.routes);
        let logins = routes.filter_map(|route| route.upstream.0.login.as_ref());
        logins.flat_map(|login| login.files()).collect()
    }

    fn judge(&self, args: &Args) -> Vec<Misfit> {
        Plan::of(args, Some(&self.listeners)).err().unwrap_or_default()
    }
}

/// The JSON Schema of a configuration file
pub fn schema() -> String {
    lifecycle::config::schema::<Config>()
}
