//! The rows of `fix-perms`, which handles no secret: what matters is a secret in the wrong place.

use crate::{flags, places, row::Row, secret::spellings};

pub(crate) const HELPER: places::Helper = places::Helper {
    name: "fix-perms",
    right: &["--mode=0644", "--dry-run", "--max-depth=0", "/etc/hostname"],
    takes_paths: true,
    subcommands: &["check", "schema"],
    keys: &["volumes"],
    entry_keys: &[
        ("volumes", "mode"),
        ("volumes", "owner"),
        ("volumes", "exclude"),
        ("volumes", "default-acl"),
        ("volumes", "max-depth"),
        ("volumes", "policy"),
        ("volumes", "create"),
    ],
};

/// Flags whose errors or start line may repeat the value: patterns and paths
const REPEATED: [&str; 2] = ["config", "exclude"];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = HELPER.rows();
    rows.extend(flags::rows(&HELPER, &REPEATED));
    for secret in spellings() {
        let command = ["--mode=0644", "--dry-run", "/etc/hostname", "--", "/bin/true", &secret];
        rows.push(Row::new(HELPER.name, "COMMAND's argument", &command));
    }
    rows
}
