//! The command line, nothing else.

use std::{ffi::OsString, fmt, path::PathBuf, time::Duration};

use endpoint::TLS_OPTIONS;
use lifecycle::{Lines, LinesParser};

use crate::{
    schemes::{COMMON_OPTIONS, SCHEMES},
    target::{self, Target, positive_duration},
};

/// Wait until every target is ready, then exit 0 or become COMMAND
///
/// A target is a URL. Options of one target stand in its fragment, joined by `&`, and never reach a
/// server. All targets are asked at once. SIGTERM ends the wait within 100 ms.
#[derive(Clone, clap::Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(name = "wait-for", version, after_help = after_help(), override_usage = USAGE)]
pub struct Args {
    /// What to wait for, such as `tcp://db:5432`; in the variable, one a line
    #[arg(value_name = "TARGET", env = "SIDEKIT_WAIT_FOR_TARGETS", value_parser = TARGETS)]
    pub(crate) targets: Vec<Lines<Target>>,
    /// Become this command once all are ready: same process, same environment, its own exit code
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
    /// Read targets from this YAML file too
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Give up after this long, with exit code 124; 0 waits for ever
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = lifecycle::duration)]
    pub(crate) timeout: Duration,
    /// End one attempt after this long
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = positive_duration)]
    pub(crate) attempt_timeout: Duration,
    /// Always pause this long between attempts, instead of a pace that follows the reason
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub(crate) interval: Option<Duration>,
    /// Ask for this many successes in a row
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) stable: u32,
    /// One ready target is enough
    #[arg(long)]
    pub(crate) any: bool,
    /// Wait until the targets are proven gone: refused, closed, no such name or file
    #[arg(long)]
    pub(crate) not: bool,
    /// Keep trying after what will hardly change, such as a wrong certificate or a refused login
    #[arg(long)]
    pub(crate) retry_all: bool,
    /// Run COMMAND after a timeout too
    #[arg(long, requires_if("true", "command"))]
    pub(crate) run_anyway: bool,
    /// Skip the waiting, though targets are still read: exit 0, or become COMMAND, at once
    #[arg(long)]
    pub(crate) disabled: bool,
    /// HTTP proxy: none, or env for that of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`
    #[arg(long, value_name = "SOURCE", value_enum, default_value = "none", hide_possible_values = true)]
    pub(crate) proxy: Proxy,
    /// json prints one object on stdout at the end; text prints nothing there
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text", hide_possible_values = true)]
    pub(crate) output: Output,
}

/// Targets, one a line in the variable
const TARGETS: LinesParser<Target> = LinesParser {
    judge_argument: without_password,
    argument_hint: behind_dashes,
    ..LinesParser::new("target", Target::parse, target::label)
};

/// A word without a colon is no misspelt target, but a misspelt command or the name of a program.
fn behind_dashes(argument: &str) -> &'static str {
    match lifecycle::nearest(argument, ["check", "schema", "completions", "help"].into_iter()) {
        _ if argument.contains(':') => "",
        Some("check") => "; did you mean the command check?",
        Some("schema") => "; did you mean the command schema?",
        Some("completions") => "; did you mean the command completions?",
        Some(_) => "; did you mean the command help?",
        None => "; a command stands behind --, as in wait-for TARGET -- COMMAND",
    }
}

fn without_password(target: &Target) -> Result<(), String> {
    if target.has_password {
        return Err("a password in an argument is visible to all who can list processes: \
                    write #password-file=PATH or #password-env=NAME"
            .into());
    }
    Ok(())
}

/// Where the HTTP proxy comes from
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Proxy {
    /// Every connection is direct
    None,
    /// From the variables that curl reads too
    Env,
}

/// The output on stdout
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// Nothing
    Text,
    /// One object: targets, state, last reason, attempts, seconds
    Json,
}

const USAGE: &str = "wait-for [OPTIONS] TARGET... [-- COMMAND [ARG...]]
       wait-for check FILE
       wait-for schema
       wait-for completions SHELL";

/// The kinds of target, from their table.
fn after_help() -> String {
    use fmt::Write as _;
    let mut text = String::from("Targets, and when they are ready:\n");
    for scheme in &SCHEMES {
        for (url, ready) in scheme.examples {
            let _ = writeln!(text, "  {url:<35} {ready}");
        }
        for options in [scheme.options, scheme.login].into_iter().filter(|options| !options.is_empty()) {
            let _ = writeln!(text, "      #{}", options.join(" #"));
        }
    }
    let _ = writeln!(text, "\nOptions of every target: #{}", COMMON_OPTIONS.join(" #"));
    let _ = writeln!(text, "Options of TLS (databases: with #tls=require): #{}", TLS_OPTIONS.join(" #"));
    text + EXAMPLES
}

const EXAMPLES: &str = "
Examples:
  wait-for mysql://db:3306
  wait-for --timeout 2m tcp://cache:6379 'https://api:8443/healthz#status=200&stable=3' -- /app

Exit codes: 0 ready, 64 usage, 69 never, 77 denied, 78 config, 124 timed out,
  126 and 127 COMMAND can't run, 143 SIGTERM";
