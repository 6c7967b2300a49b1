//! `token-refresher explain`: what the helper would do with a configuration, said offline and without a secret.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use files::Permissions;
use lifecycle::{End, Exit, OwnCommand, config, format_duration, on_volume_in_turn};
use rustix::fs::{Mode, OFlags, open};
use tokio::runtime;

use crate::{
    args::Args,
    config::Config,
    config::plan::Plan,
    output::{Output, Place},
    secret_entry::{OnExpired, SecretEntry},
    tell::way::Way,
};

/// A volume that has not answered for this long does not answer at all.
const LIMIT: Duration = Duration::from_secs(10);

/// The commands of this helper's own
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Question {
    /// Say offline what would be done, and exit with 0, or with 65 if a place is refused or a file cannot be read
    Explain(Explain),
}

/// The configuration that is explained
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The configuration file; it may also stand before the command
    #[arg(long = "config", id = "explained", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The answer, and the first reason why the plan would not work
#[derive(Default)]
struct Answer {
    text: String,
    fault: Option<String>,
}

impl OwnCommand for Question {
    type Args = Args;

    fn answer(self, args: Args) -> anyhow::Result<(String, End)> {
        let Self::Explain(asked) = self;
        let path = asked.config.as_ref().or(args.config.as_ref());
        let path = path.ok_or_else(|| Exit::Usage.because("--config FILE is missing"))?;
        let config = config::load::<Config>(path, &args)?;
        // Cannot fail: a configuration with faults is not loaded.
        let plan = Plan::of(&config.secrets).map_err(|_| Exit::Config.because("the configuration has no order"))?;
        let runtime = runtime::Builder::new_current_thread().enable_time().build().context("cannot look at volumes")?;
        let answer = runtime.block_on(Answer::of(&plan));
        // A volume that hangs keeps its thread, for which nothing waits.
        runtime.shutdown_background();
        let end = match answer.fault {
            None => Exit::Done.into(),
            Some(fault) => End { last: Some(fault), ..Exit::Data.into() },
        };
        Ok((answer.text, end))
    }
}

impl Answer {
    async fn of(plan: &Plan) -> Self {
        let mut answer = Self::default();
        for (index, entry) in plan.secrets.iter().enumerate() {
            let _ = writeln!(answer.text, "{}. {}", index + 1, entry.name);
            answer.line("source", entry.source.label());
            let bases: BTreeSet<_> = entry.source.depends_on().into_iter().collect();
            if !bases.is_empty() {
                answer.line("builds on", bases.into_iter().collect::<Vec<_>>().join(", "));
            }
            answer.line("refreshed", refreshed(entry));
            answer.line("once expired", once_expired(entry.on_expired));
            answer.files(entry).await;
            for output in &entry.outputs {
                answer.output(output).await;
            }
            answer.ways(entry);
        }
        answer
    }

    /// The files that are read, and whether this user can read each of them now
    async fn files(&mut self, entry: &SecretEntry) {
        let ways = entry.tell.iter().filter_map(|tell| Way::of(tell).ok()).flat_map(|way| way.files());
        let of_source = entry.source.watched().into_iter().chain(entry.source.files()).map(Path::to_owned);
        let paths: BTreeSet<PathBuf> = of_source.chain(ways).collect();
        for path in paths {
            let shown = shown(&path);
            match can_read(path).await {
                Ok(()) => self.line("reads", shown),
                Err(error) => {
                    let fault = format!("{shown}, which cannot be read: {}", lifecycle::io_text(&error));
                    self.line("reads", &fault);
                    self.note(format!("secret {} reads {fault}", entry.name));
                }
            }
        }
    }

    async fn output(&mut self, output: &Output) {
        let Place { files, mount, is_mount_point, refusal } = match output.look().await {
            Ok(place) => place,
            Err(error) => {
                self.line("writes", output.path().display());
                return self.refuse(error.to_string());
            }
        };
        let kind = mount.kind;
        let kept = if mount.is_in_memory { "in memory" } else { "not in memory" };
        let own = if is_mount_point { ", a mount of its own" } else { "" };
        for (path, permissions) in files {
            let (path, permissions) = (path.display(), shown_permissions(permissions));
            self.line("writes", format_args!("{path} ({permissions}, {kind}, {kept}{own})"));
        }
        if let Some(reason) = refusal {
            self.refuse(reason);
        }
    }

    fn ways(&mut self, entry: &SecretEntry) {
        // Cannot be wrong: a configuration with faults is not loaded.
        for way in entry.tell.iter().filter_map(|tell| Way::of(tell).ok()) {
            self.line("tells", way.label());
            for line in way.explain() {
                let _ = writeln!(self.text, "    {line}");
            }
        }
    }

    fn refuse(&mut self, reason: String) {
        self.line("refused", &reason);
        self.note(reason);
    }

    fn note(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }

    fn line(&mut self, key: &str, value: impl fmt::Display) {
        let _ = writeln!(self.text, "  {key}: {value}");
    }
}

fn refreshed(entry: &SecretEntry) -> String {
    let rules = entry.rules();
    let every = format_duration(rules.every());
    if rules.is_local {
        return format!("when the file changes, and every {every}");
    }
    let (renewable, other) = (rules.share(true), rules.share(false));
    let share = if entry.source.may_renew() && renewable < other {
        format!("at {renewable} of its life if it can be renewed, else at {other}")
    } else {
        format!("at {other} of its life")
    };
    format!("{share}; every {every} if it has no expiry")
}

fn once_expired(on_expired: OnExpired) -> &'static str {
    match on_expired {
        OnExpired::Keep => "its files stay",
        OnExpired::Delete => "its files are removed",
        OnExpired::Unready => "its files stay, and /readyz fails",
    }
}

fn shown_permissions(permissions: Permissions) -> String {
    let Permissions { mode, user, group } = permissions;
    let id = |id: Option<u32>, default: &str| id.map_or_else(|| default.to_owned(), |id| id.to_string());
    format!("{mode:04o}, user {}, group {}", id(user, "of the helper"), id(group, "of the volume"))
}

/// A relative path may be a secret that was written in place of its file.
fn shown(path: &Path) -> String {
    if path.is_absolute() { path.display().to_string() } else { "a file with a relative path".into() }
}

/// Opens the file and reads nothing of it.
async fn can_read(path: PathBuf) -> io::Result<()> {
    let owned = path.clone();
    on_volume_in_turn(&path, LIMIT, move || {
        // A FIFO without a writer would keep the opening waiting.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(open(&owned, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(()) } else { Err(io::Error::other("it is not a regular file")) }
    })
    .await?
}
