//! The command line, nothing else.

use std::{path::PathBuf, time::Duration};

use endpoint::url_label;
use lifecycle::{Lines, LinesParser};

use crate::{
    collect::collector::Collector,
    merge::{Caps, MergeSettings, OnDuplicate},
    page_memory,
    source::source_url::SourceUrl,
};

/// Serve one valid page of metrics for the whole pod
///
/// It measures its container, the pod's network, volumes and processes, and merges the pages of all other endpoints in the pod.
/// The page is /metrics of the health listener.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "metrics-exporter", version, after_help = EXAMPLES)]
pub struct Args {
    /// Merge the page of this URL (http, https, `http+unix:///run/app.sock:/metrics`); repeat for more; in the variable, one a
    /// line
    #[arg(long = "scrape", value_name = "URL", value_parser = SOURCES)]
    scrape: Vec<Lines<SourceUrl>>,
    /// Read more sources and their relabelling rules from this YAML file, and again when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Run only these collectors, joined by commas or, in the variable, one a line: cgroup, network, volumes, processes,
    /// textfile; or none [default: all]
    #[arg(long, value_name = "LIST", value_parser = Collectors::read, default_value = "all", hide_default_value = true)]
    pub(crate) collect: Collectors,
    /// Merge the files `*.prom` of this directory, pages in text format; repeat for more; in the variable, one a line
    #[arg(long = "textfile-directory", value_name = "DIRECTORY", value_parser = DIRECTORIES)]
    textfile_directories: Vec<Lines<PathBuf>>,
    /// Read proc/ and sys/ under this directory
    #[arg(long, value_name = "DIRECTORY", default_value = "/")]
    pub(crate) root: PathBuf,
    /// When two sources send the same series: label all series of its name with their source, or refuse the later one
    #[arg(long, value_name = "WAY", value_enum, default_value = "label", hide_possible_values = true)]
    on_duplicate: OnDuplicate,
    /// Refuse the page of a source that is larger than this
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = source_size)]
    pub(crate) max_source_size: usize,
    /// Use at most this much memory for the pages of sources and the page that is made of them [default: four fifths of the
    /// container's memory limit less 6MiB; 256MiB without a limit]
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub(crate) max_memory: Option<usize>,
    /// Take at most this many series of one source
    #[arg(long, value_name = "COUNT", default_value_t = 50_000, value_parser = count)]
    max_source_series: usize,
    /// Take at most this many series of one metric
    #[arg(long, value_name = "COUNT", default_value_t = 20_000, value_parser = count)]
    max_metric_series: usize,
    /// Take at most this many series of all sources
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = count)]
    max_series: usize,
}

impl Args {
    /// The sources of the command line
    pub(crate) fn sources(&self) -> impl Iterator<Item = &SourceUrl> {
        self.scrape.iter().flat_map(|lines| &lines.0)
    }

    /// The directories of textfiles
    pub(crate) fn textfile_directories(&self) -> Vec<PathBuf> {
        self.textfile_directories.iter().flat_map(|lines| lines.0.clone()).collect()
    }

    /// The caps, the treatment of duplicates, and the time for the rules of one page
    pub(crate) fn merge_settings(&self, rule_time: Duration) -> MergeSettings {
        MergeSettings {
            on_duplicate: self.on_duplicate,
            caps: Caps { source: self.max_source_series, metric: self.max_metric_series, page: self.max_series },
            rule_time,
        }
    }
}

/// The collectors of `--collect`, without repetitions
#[derive(Clone, Debug)]
pub(crate) struct Collectors(pub(crate) Vec<Collector>);

impl Collectors {
    /// Reads names that are joined by commas or stand one a line; empty lines are no names, as in all lists in variables.
    fn read(text: &str) -> Result<Self, String> {
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        match *lines {
            ["all"] => Ok(Self(Collector::ALL.to_vec())),
            ["none"] => Ok(Self(Vec::new())),
            _ => {
                let mut collectors = Vec::new();
                for name in lines.join(",").split(',') {
                    let collector = name.trim().parse()?;
                    if !collectors.contains(&collector) {
                        collectors.push(collector);
                    }
                }
                Ok(Self(collectors))
            }
        }
    }
}

/// URLs, one a line in the variable; their options may hold secrets
const SOURCES: LinesParser<SourceUrl> =
    LinesParser { judge_argument: without_password, ..LinesParser::new("source", SourceUrl::from_text, url_label) };

/// Directories, one a line in the variable
const DIRECTORIES: LinesParser<PathBuf> = LinesParser::new("directory", directory, str::to_owned);

fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("no directory has this name".into()) } else { Ok(text.into()) }
}

pub(crate) fn without_password(source: &SourceUrl) -> Result<(), String> {
    if source.has_password {
        return Err("a password in an argument is visible to all who can list processes: \
                    write #user=NAME&password-file=PATH"
            .into());
    }
    Ok(())
}

fn source_size(text: &str) -> Result<usize, String> {
    match usize::try_from(lifecycle::size(text)?) {
        Ok(0) | Err(_) => Err("no page has this size: give at least 1".into()),
        Ok(size) => Ok(size),
    }
}

fn memory(text: &str) -> Result<usize, String> {
    match usize::try_from(lifecycle::size(text)?) {
        Ok(size) if size >= page_memory::LEAST => Ok(size),
        _ => Err("a page of a few hundred series takes 1MiB: give at least that".into()),
    }
}

/// Prometheus takes 0 for no limit; here it would leave out everything.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("0 would leave out every series: give the most that there may be, such as 100000".into()),
        Ok(count) => Ok(count),
        Err(_) => Err("write a number without a unit, such as 100000".into()),
    }
}

const EXAMPLES: &str = "
Examples:
  metrics-exporter --scrape http://127.0.0.1:8080/metrics#name=app
  metrics-exporter --scrape http://127.0.0.1:8080/metrics --scrape http+unix:///run/proxy.sock:/metrics --collect network
  metrics-exporter --config /etc/metrics-exporter/sources.yaml

Options of a URL stand in its fragment: #name=app #ca=PATH #cert=PATH #key=PATH #sni=NAME #insecure #header=NAME: VALUE
  #header-file=NAME: PATH #token-file=PATH #token-env=NAME #user=NAME #password-file=PATH #password-env=NAME

Exit codes: 0 stopped, 64 usage, 69 address in use, 78 configuration";
