//! Which of the files that an input matches are read, and from where.

use std::{
    fmt,
    path::Path,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lifecycle::{Lines, LinesParser};

use super::path_pattern::PathPattern;

/// Patterns, one a line in the variable
const EXCLUDES: LinesParser<Exclude> = LinesParser::new("exclude", str::parse, str::to_owned);

/// A pattern of files that are not read although an input matches them
#[derive(Clone)]
pub(crate) struct Exclude(PathPattern);

/// Where reading begins in files that are there when an input is first looked for
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StartAt {
    #[default]
    Beginning,
    End,
}

/// A duration that is not zero
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period(pub(crate) Duration);

// Which files are read. Not a doc comment: clap would take it for the helper's description.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Which files are read")]
pub(crate) struct SelectionFlags {
    /// Leave files with names like this alone, such as `/var/log/**/*.gz`; repeat for more; in the
    /// variable, one a line
    #[arg(long = "exclude", value_name = "GLOB", value_parser = EXCLUDES)]
    excludes: Vec<Lines<Exclude>>,
    /// At the first start, read files that are there already from their beginning or from their
    /// end; later files are read from their beginning
    #[arg(long, value_name = "PLACE", default_value_t)]
    start_at: StartAt,
    /// Leave files alone that nothing was written to for this long, such as 24h, until something is
    /// written to them
    #[arg(long, value_name = "DURATION")]
    ignore_older: Option<Period>,
    /// Read compressed files (gzip, zstd) to their end, once; without it they are left alone
    #[arg(long)]
    pub(crate) read_compressed: bool,
    /// Close a file that has not grown for this long once all its lines are delivered, and open it
    /// again when it grows
    #[arg(long, value_name = "DURATION")]
    pub(crate) close_inactive: Option<Period>,
}

/// Which of its files an input reads, and from where
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) excludes: Vec<Exclude>,
    pub(crate) start_at: StartAt,
    pub(crate) ignore_older: Option<Period>,
}

impl SelectionFlags {
    /// The settings of an input, for which these flags give those that it has not. Its excluded
    /// files are added to those of the flags.
    pub(crate) fn selection(
        &self,
        excludes: &[Exclude],
        start_at: Option<StartAt>,
        ignore_older: Option<Period>,
    ) -> Selection {
        let of_flags = self.excludes.iter().flat_map(|lines| &lines.0);
        Selection {
            excludes: of_flags.chain(excludes).cloned().collect(),
            start_at: start_at.unwrap_or(self.start_at),
            ignore_older: ignore_older.or(self.ignore_older),
        }
    }
}

impl Selection {
    /// Whether a file is not read because of its path.
    pub(crate) fn excludes(&self, path: &Path) -> bool {
        self.excludes.iter().any(|Exclude(pattern)| pattern.matches(path))
    }

    /// Whether a file is not read because it was last written too long ago, in nanoseconds since
    /// 1970.
    pub(crate) fn is_too_old(&self, modified: i64, clock: SystemTime) -> bool {
        let since_1970 = clock.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified = Duration::from_nanos(modified.try_into().unwrap_or_default());
        self.ignore_older.is_some_and(|Period(limit)| since_1970.saturating_sub(modified) >= limit)
    }
}

impl FromStr for Exclude {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err("this is not an absolute path: begin it with /, or with /**/ for any directory".into());
        }
        if text.ends_with('/') {
            return Err("this is a directory: end it with /** for all files below it".into());
        }
        text.parse().map(Self)
    }
}

impl fmt::Debug for Exclude {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for StartAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "beginning" => Ok(Self::Beginning),
            "end" => Ok(Self::End),
            _ => Err("reading starts at the beginning or at the end: write beginning or end".into()),
        }
    }
}

impl fmt::Display for StartAt {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Beginning => "beginning",
            Self::End => "end",
        })
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match lifecycle::duration(text)? {
            Duration::ZERO => Err("it would concern every file at any time: leave it out, or make it longer".into()),
            duration => Ok(Self(duration)),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&lifecycle::elapsed(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excluded_files_have_absolute_paths() {
        let excludes = vec!["/logs/{debug,trace}.log".parse().unwrap(), "/logs/**/tmp/**".parse().unwrap()];
        let selection = Selection { excludes, ..Selection::default() };
        for path in ["/logs/debug.log", "/logs/trace.log", "/logs/tmp/a.log", "/logs/a/tmp/b/c.log"] {
            assert!(selection.excludes(Path::new(path)), "{path}");
        }
        assert!(!selection.excludes(Path::new("/logs/app.log")));
        for (text, remedy) in [("*.gz", "/**/"), ("logs/app.log", "begin it with /"), ("/logs/tmp/", "/**")] {
            assert!(text.parse::<Exclude>().unwrap_err().contains(remedy), "{text}");
        }
    }

    #[test]
    fn a_file_is_too_old_once_it_was_not_written_for_the_period() {
        let clock = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let at = |seconds: i64| seconds * 1_000_000_000;
        let selection = Selection { ignore_older: "24h".parse().ok(), ..Selection::default() };
        assert!(selection.is_too_old(at(1_000_000 - 86_400), clock));
        assert!(!selection.is_too_old(at(1_000_000 - 86_399), clock));
        // Clocks of other hosts may be ahead.
        assert!(!selection.is_too_old(at(1_000_001), clock));
        assert!(!Selection::default().is_too_old(at(0), clock));
        assert!("0s".parse::<Period>().is_err());
    }
}
