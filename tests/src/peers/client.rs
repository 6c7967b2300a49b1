//! Clients of a proxy: curl, and scenarios by Python's libraries.

use std::process::Command;

use crate::{
    peers::python::script,
    process::{command, output},
};

/// curl with these arguments and no configuration of its own; what it writes to stdout
pub fn curl<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> String {
    output(curl_command(arguments))
}

/// The same, not run yet
pub fn curl_command<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut curl = command("curl");
    curl.args(["--disable", "--silent", "--show-error", "--fail", "--max-time", "60"]).args(arguments);
    curl
}

/// A scenario of a script in `clients`, with the target and, for TLS, the authority's file; not run yet
pub fn scenario(client: &str, name: &str, target: &str, authority: Option<&str>) -> Command {
    let mut program = script(&format!("clients/{client}"));
    program.args([name, target]).args(authority);
    program
}

/// Runs a scenario, which must succeed; what it prints.
pub fn play(client: &str, name: &str, target: &str, authority: Option<&str>) -> String {
    output(scenario(client, name, target, authority))
}
