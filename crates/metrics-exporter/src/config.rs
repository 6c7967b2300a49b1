//! `--config FILE`: sources, each with its relabelling rules, as YAML.

use std::path::{Path, PathBuf};

use lifecycle::{Configuration, Misfit};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    args::Args,
    collect::collector::Collector,
    merge::Rule,
    plan,
    source::{Source, entry::SourceEntry},
};

/// The content of a configuration file
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Endpoints whose pages are merged
    #[serde(default, deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(max = 100))]
    pub(crate) scrape: Vec<SourceEntry>,
    /// Rules for the series of all sources, after each one's own
    #[serde(default, rename = "metric_relabel_configs", deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(max = 100))]
    pub(crate) rules: Vec<Rule>,
}

impl Config {
    /// The sources of the flags, then its own
    pub(crate) fn sources(&self, args: &Args) -> Result<Vec<Source>, Vec<Misfit>> {
        plan::sources(args, &self.scrape, &self.rules)
    }
}

impl Configuration for Config {
    type Args = Args;

    fn judge_args(args: &Args) -> Result<(), String> {
        if !args.textfile_directories().is_empty() && !args.collect.0.contains(&Collector::Textfile) {
            return Err("--textfile-directory: no collector reads it: add textfile to --collect".to_owned());
        }
        Self::default().sources(args).map(drop).map_err(|misfits| {
            let messages: Vec<_> = misfits.into_iter().map(|misfit| misfit.message).collect();
            messages.join("; ")
        })
    }

    fn judge(&self, args: &Args) -> Vec<Misfit> {
        self.sources(args).err().unwrap_or_default()
    }

    fn files(&self) -> Vec<PathBuf> {
        self.scrape.iter().flat_map(|entry| entry.url.client.files()).map(Path::to_owned).collect()
    }
}

/// The JSON Schema of a configuration file
pub fn schema() -> String {
    lifecycle::config::schema::<Config>()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn names(flags: &[&str], file: &str) -> Result<Vec<String>, Vec<String>> {
        let flags = flags.iter().flat_map(|url| ["--scrape", url]);
        let args = Args::try_parse_from(["metrics-exporter"].into_iter().chain(flags)).unwrap();
        let config = lifecycle::config::judged::<Config>("x".as_ref(), file, &args);
        let config = config.map_err(|error| vec![error.to_string()])?;
        Ok(config.sources(&args).unwrap().into_iter().map(|source| source.name).collect())
    }

    #[test]
    fn each_source_has_a_name_of_its_own() {
        let flags = ["http://a:1/metrics", "http://a:1/other", "http://a:1/other", "http://b:1/#name=app"];
        let file = "scrape: [{url: http://c:1/, name: c}, {url: {url: 'http+unix:///run/a:1:/x', name: d}}]";
        let found = names(&flags, file).unwrap();
        assert_eq!(found, ["a:1", "a:1/other", "a:1/other-2", "app", "c", "d"]);
    }

    #[test]
    fn a_name_that_is_given_goes_before_one_that_is_made() {
        assert_eq!(names(&["http://a:1/x", "http://b:1/#name=a:1"], "{}").unwrap(), ["a:1/x", "a:1"]);
    }

    #[test]
    fn a_name_that_is_given_twice_is_refused_with_its_place() {
        let file = "scrape:\n- {url: http://a:1/, name: app}\n- {url: http://b:1/, name: app}\n";
        let fault = names(&[], file).unwrap_err();
        assert!(fault[0].starts_with("x:3:3: two sources are named app"), "{fault:?}");
        let file = "scrape: [{url: 'http://a:1/#name=x', name: y}]";
        assert!(names(&[], file).unwrap_err()[0].contains("the name is given twice"));
    }
}
