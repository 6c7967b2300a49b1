//! The flags of filters.

use lifecycle::{Lines, LinesParser};

use super::{FieldTest, Level, Redact, ReplacementText, Rules};
use crate::format::Pattern;

/// Patterns and tests of fields, one a line in the variable
const KEEP: LinesParser<Pattern> = LinesParser::verbatim("keep pattern", Pattern::new, str::to_owned);
const DROP: LinesParser<Pattern> = LinesParser::verbatim("drop pattern", Pattern::new, str::to_owned);
const KEEP_FIELD: LinesParser<FieldTest> = LinesParser::verbatim("keep-field", str::parse, test_label);
const DROP_FIELD: LinesParser<FieldTest> = LinesParser::verbatim("drop-field", str::parse, test_label);
const REDACT: LinesParser<Redact> = LinesParser::verbatim("redact pattern", str::parse, redact_label);

// Which records are sent. Not a doc comment: clap would take it for the helper's description.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Which records are sent, and what is hidden in them")]
pub(crate) struct FilterFlags {
    /// Send only records in whose text this pattern is found, such as `ERROR|WARN`; of several, one
    /// is enough; in the variable, one a line
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true, value_parser = KEEP)]
    keep: Vec<Lines<Pattern>>,
    /// Drop records in whose text this pattern is found, such as `GET /healthz`; repeat for more;
    /// in the variable, one a line
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true, value_parser = DROP)]
    drop: Vec<Lines<Pattern>>,
    /// Send only records with this field: NAME=VALUE, or NAME~PATTERN; of these and of --keep, one
    /// is enough
    #[arg(long, value_name = "NAME=VALUE", allow_hyphen_values = true, value_parser = KEEP_FIELD)]
    keep_field: Vec<Lines<FieldTest>>,
    /// Drop records with this field: NAME=VALUE, or NAME~PATTERN
    #[arg(long, value_name = "NAME=VALUE", allow_hyphen_values = true, value_parser = DROP_FIELD)]
    drop_field: Vec<Lines<FieldTest>>,
    /// Drop records whose level is below this one, such as info; a record without a level is sent
    #[arg(long, value_name = "LEVEL")]
    drop_below: Option<Level>,
    /// Hide what this pattern finds, or only its group `secret`, such as `password=(?<secret>\S+)`,
    /// in lines and fields, before they leave the pod; repeat for more; in the variable, one a line
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true, value_parser = REDACT)]
    redact: Vec<Lines<Redact>>,
    /// Write this in place of what --redact finds; [REDACTED] without it
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    redact_with: Option<ReplacementText>,
}

impl FilterFlags {
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            keep: all(&self.keep),
            drop: all(&self.drop),
            keep_field: all(&self.keep_field),
            drop_field: all(&self.drop_field),
            drop_below: self.drop_below.clone(),
            redact: all(&self.redact),
            redact_with: self.redact_with.clone(),
        }
    }
}

fn all<T: Clone>(lines: &[Lines<T>]) -> Vec<T> {
    lines.iter().flat_map(|lines| &lines.0).cloned().collect()
}

/// In place of a test of a field, whose value may be a secret
fn test_label(text: &str) -> String {
    text.find(['=', '~']).map_or_else(|| "…".into(), |at| format!("{}…", &text[..=at]))
}

/// In place of a pattern of secrets, which may hold one
pub(crate) fn redact_label(_: &str) -> String {
    "…".into()
}
