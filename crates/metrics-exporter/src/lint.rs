//! `metrics-exporter lint`: the faults of a page, each with its remedy.

mod findings;
mod identifiers;
mod judge;
mod lines;
mod naming;
mod target;
mod units;
mod values;

use anyhow::Context as _;
use lifecycle::{End, Exit, Lines, LinesParser, OwnCommand};
use tokio::runtime;

use self::{judge::judge, target::Target};
use crate::{args::Args, exposition::page::Bounds};

/// The own commands of this helper
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Question {
    /// Say what is wrong with a page of metrics, one line each; exit with 0, or with 1 if anything is
    Lint(Lint),
}

/// The arguments of `lint`
#[derive(Debug, clap::Args)]
pub(crate) struct Lint {
    /// The page: a URL with options as for --scrape, a file, a pipe, or - for standard input
    #[arg(value_name = "URL|FILE", value_parser = TARGET)]
    page: Lines<Target>,
}

const TARGET: LinesParser<Target> =
    LinesParser { judge_argument: Target::judge_argument, ..LinesParser::new("page", Target::read, Target::label) };

/// Bounds far beyond those of any scraper, so that large pages have findings too
const BOUNDS: Bounds = Bounds::of_series(1_000_000);

impl OwnCommand for Question {
    type Args = Args;

    fn answer(self, _: Args) -> anyhow::Result<(String, End)> {
        let Self::Lint(Lint { page }) = self;
        // Cannot fail: the parser returns at least one entry.
        let target = page.0.into_iter().next().context("the page is missing")?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot read the page")?;
        let body = runtime.block_on(target.body());
        // Do not wait for a thread that reads from a hung volume.
        runtime.shutdown_background();
        let body = body?;
        if body.bytes.is_empty() {
            // An empty page is no clean page, because a failed command at the other end of a pipe leaves nothing.
            return Err(Exit::Data.because("this is no page of metrics: it is empty"));
        }
        let findings = judge(body.format, &body.bytes, &BOUNDS)
            .map_err(|fault| Exit::Data.because(format!("this is no page of metrics: {fault}")))?;
        let count = findings.count();
        let end = match count {
            0 => Exit::Done.into(),
            _ => End { last: Some(format!("findings: {count}")), ..Exit::Failed.into() },
        };
        Ok((findings.into_text(), end))
    }
}
