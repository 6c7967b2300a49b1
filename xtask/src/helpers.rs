//! The helpers whose documentation is generated. A new helper is a line here.

use clap::Command;

/// A helper's command line and, where it has one, the schema of its configuration file
pub(crate) struct Described {
    pub(crate) command: Command,
    pub(crate) schema: Option<String>,
}

/// All helpers
pub(crate) fn all() -> Vec<Described> {
    vec![
        describe::<fix_perms::Args>(&fix_perms::HELPER, Some(fix_perms::schema())),
        describe::<log_forwarder::Args>(&log_forwarder::HELPER, Some(log_forwarder::schema())),
        describe::<proxy::Args>(&proxy::HELPER, Some(proxy::schema())),
        describe::<token_refresher::Args>(&token_refresher::HELPER, Some(token_refresher::schema())),
        describe::<wait_for::Args>(&wait_for::HELPER, Some(wait_for::schema())),
    ]
}

fn describe<A: clap::CommandFactory>(helper: &lifecycle::Helper, schema: Option<String>) -> Described {
    Described { command: helper.command::<A>().term_width(100), schema }
}
