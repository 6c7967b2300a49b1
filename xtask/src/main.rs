//! Chores of this repository: `cargo xtask tidy` checks the house rules, `cargo xtask docs` writes the generated files.

mod argument;
mod completions;
mod docs;
mod helpers;
mod man;
mod markdown;
mod tidy;

use std::{io::Write, path::Path, process::ExitCode};

use clap::Parser;

/// Chores of this repository
#[derive(Parser)]
enum Chore {
    /// Check the house rules that no other tool checks
    Tidy,
    /// Write usage blocks, lists of metrics, exit codes, flag reference, man pages, completions and schemas
    Docs {
        /// Write nothing; fail if anything is not fresh
        #[arg(long)]
        check: bool,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let complaints = match Chore::parse() {
        Chore::Tidy => tidy::complaints(&root)?,
        Chore::Docs { check: true } => docs::stale(&root)?,
        Chore::Docs { check: false } => docs::write(&root).map(|()| Vec::new())?,
    };
    for complaint in &complaints {
        writeln!(std::io::stderr(), "{complaint}")?;
    }
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
