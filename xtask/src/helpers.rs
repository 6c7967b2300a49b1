//! The helpers, as documentation is generated from them. A new helper is a line here.

use clap::Command;

/// A helper's command line and, where it has one, the schema of its configuration file
pub(crate) struct Described {
    pub(crate) command: Command,
    pub(crate) schema: Option<String>,
}

/// All helpers
pub(crate) fn all() -> Vec<Described> {
    vec![describe::<fix_perms::Args>(&fix_perms::HELPER), describe::<wait_for::Args>(&wait_for::HELPER)]
}

fn describe<A: clap::CommandFactory>(helper: &lifecycle::Helper) -> Described {
    Described { command: helper.command::<A>().term_width(100), schema: helper.schema() }
}
