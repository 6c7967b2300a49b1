//! The command line, nothing else.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use lifecycle::Lines;

use crate::{accounts::Owner, fixer::Treatment, paths::PathsParser, report::Output, volume::Volume};

/// Threads only wait for the disk or the server; more of them than this wait for each other.
const THREAD_LIMIT: u16 = 64;

/// The words that stand in the place of a PATH
const COMMANDS: [&str; 4] = ["check", "schema", "completions", "help"];

/// Set the owner and mode of everything below each PATH; change only wrong entries
///
/// fix-perms looks at each entry first, and once more after a change. It changes the root of a tree
/// last, and only if everything below is right. It never leaves a PATH: it follows no symbolic
/// link, and leaves files alone that have names outside.
#[derive(Clone, clap::Parser)]
#[command(name = "fix-perms", version, after_help = EXAMPLES, override_usage = USAGE)]
pub struct Args {
    /// The root of a tree, or a single file; repeat for more; in the variable, one a line
    #[arg(value_name = "PATH", env = "SIDEKIT_FIX_PERMS_PATHS", value_parser = PathsParser, required_unless_present = "config")]
    pub(crate) paths: Vec<Lines<PathBuf>>,
    /// Become this command at the end: same process, same environment, its own exit code
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
    #[command(flatten)]
    pub(crate) volume: Volume,
    /// Read more trees, each with its own settings, from this YAML file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Change nothing; exit with 0 if everything is right, otherwise with 1 and the first
    /// differences
    #[arg(long)]
    pub(crate) verify: bool,
    /// With --verify: look at each PATH and at COUNT entries below it, drawn at random
    #[arg(long, value_name = "COUNT")]
    pub(crate) sample: Option<u32>,
    /// Change nothing; print the changes that a run would make
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Look at COUNT entries at once [default: the CPU quota; 16 on network file systems]
    #[arg(long, value_name = "COUNT", value_parser = thread_count)]
    pub(crate) threads: Option<u16>,
    /// json prints one object on stdout at the end, and one for each difference before
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text", hide_possible_values = true)]
    #[arg(help = "json prints one object on stdout for each difference, and a summary object at the end")]
    pub(crate) output: Output,
    /// Become COMMAND as this user and group: UID:GID, without any capability or other group
    #[arg(long = "as", id = "as", value_name = "UID:GID", requires = "command", value_parser = user_and_group)]
    pub(crate) run_as: Option<(u32, u32)>,
}

impl Args {
    /// Faults of flags together. clap's own conflicts count a switch that a variable turns off,
    /// too.
    pub(crate) fn check(&self) -> Result<(), String> {
        let says = |what: &str| Err(what.to_owned());
        if !self.volume.wants_something()
            && let Some(hint) = self.paths().find_map(|path| misread_path(path))
        {
            return Err(hint);
        }
        match self {
            Self { verify: true, dry_run: true, .. } => says("--verify and --dry-run are two ways to look: give one"),
            Self { verify: false, sample: Some(_), .. } => says("--sample goes with --verify"),
            Self { dry_run: true, command, .. } if !command.is_empty() => {
                says("--dry-run sets nothing right, so COMMAND would start on what is wrong: leave one of them out")
            }
            Self { volume, .. } if self.paths().next().is_none() && volume.says_something() => says(
                "flags and variables of volumes hold for each PATH, and there is none: name one, or write them into the file of --config",
            ),
            _ => Ok(()),
        }
    }

    /// The paths of the command line, or those of the variable.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.paths.iter().flat_map(|lines| &lines.0)
    }

    pub(crate) fn treatment(&self) -> Treatment {
        match (self.verify, self.dry_run) {
            (true, _) => Treatment::Verify,
            (_, true) => Treatment::DryRun,
            _ => Treatment::Apply,
        }
    }
}

/// The remedy for a PATH that is a misspelt command, or an owner as chown takes it. The
/// caller asks only when nothing is wanted, so a directory with such a name stays a PATH in every
/// command line that could do something.
fn misread_path(path: &Path) -> Option<String> {
    let word = path.to_str().filter(|word| !word.contains('/'))?;
    if word.contains(':') && word.parse::<Owner>().is_ok() {
        return Some(format!("{word} stands where a PATH belongs: an owner is written as --owner {word}"));
    }
    let near = lifecycle::nearest(word, COMMANDS.into_iter())?;
    Some(format!("nothing is wanted of the PATH {word}; did you mean the command {near}?"))
}

fn thread_count(text: &str) -> Result<u16, String> {
    let count = text.parse().ok().filter(|count| (1..=THREAD_LIMIT).contains(count));
    count.ok_or_else(|| format!("write a number from 1 to {THREAD_LIMIT}, or leave it out: the CPU quota decides then"))
}

fn user_and_group(text: &str) -> Result<(u32, u32), String> {
    match text.parse::<Owner>()? {
        Owner { user: Some(user), group: Some(group) } => Ok((user, group)),
        _ => Err("this lacks a user or a group: write it as 1000:1000".into()),
    }
}

const USAGE: &str = "fix-perms [OPTIONS] PATH... [-- COMMAND [ARG...]]
       fix-perms check FILE
       fix-perms schema
       fix-perms completions SHELL";

const EXAMPLES: &str = "\
Examples:
  fix-perms --owner 1000:1000 /data
  fix-perms --owner 1000:1000 --mode u=rwX,g=rX,o= --private --policy stamp /data
  fix-perms --fs-group 2000 --verify /data
  fix-perms --owner 1000:1000 --create /data/cache --as 1000:1000 -- /app

Exit codes: 0 right, 1 different or failed, 64 usage, 74 disk error, 77 denied, 78 config,
  126 and 127 COMMAND can't run, 143 SIGTERM";
