//! Settings from the environment: every flag has a variable, and a misspelt variable is an error.

use std::{env, ffi::OsString};

use clap::{ArgAction, Command, builder::BoolishValueParser};

use crate::exit::Exit;

/// A misspelt name has at most one wrong letter (or swapped pair) in so many; a farther one would only mislead.
const LETTERS_PER_TYPO: usize = 3;

/// Gives every flag of the command that has no variable yet `SIDEKIT_<HELPER>_<FLAG>`; switches read `1`, `true`,
/// `yes`, `on` and their opposites.
pub(crate) fn give_each_flag_a_variable(command: Command) -> Command {
    let prefix = prefix(command.get_name());
    command.mut_args(|arg| {
        let arg = match arg.get_action() {
            ArgAction::SetTrue => arg.value_parser(BoolishValueParser::new()),
            _ => arg,
        };
        let variable = match arg.get_long() {
            Some(long) if arg.get_env().is_none() => format!("{prefix}{}", words(long)),
            _ => return arg.hide_env_values(true),
        };
        arg.env(variable).hide_env_values(true)
    })
}

/// Refuses variables that begin as this helper's do and belong to none of its flags: a typo must not be ignored.
pub(crate) fn check_spelling(command: &Command, present: impl Iterator<Item = OsString>) -> anyhow::Result<()> {
    let prefix = prefix(command.get_name());
    let known: Vec<_> = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).collect();
    for name in present {
        let name = name.to_string_lossy();
        let Some(own) = name.strip_prefix(&prefix) else { continue };
        if !known.contains(&&*name) && !is_of_a_service(own) {
            let hint = nearest(&name, known.iter().copied()).map(|near| format!("; did you mean {near}?"));
            return Err(Exit::Usage.because(format!("unknown variable {name}{}", hint.unwrap_or_default())));
        }
    }
    Ok(())
}

/// Whether Kubernetes made a variable for a Service that is called as the helper is, such as `sidekit-proxy`: `SERVICE_HOST`,
/// `SERVICE_PORT`, `SERVICE_PORT_<NAME>`, `PORT`, `PORT_<NUMBER>_TCP` and what follows it (Kubernetes documentation, "Discovering services").
fn is_of_a_service(name: &str) -> bool {
    let is_of_a_port = |rest: &str| {
        let number = rest.split('_').next().unwrap_or_default();
        number.parse::<u16>().is_ok() && ["TCP", "UDP", "SCTP"].iter().any(|protocol| rest.contains(protocol))
    };
    matches!(name, "SERVICE_HOST" | "SERVICE_PORT" | "PORT")
        || name.starts_with("SERVICE_PORT_")
        || name.strip_prefix("PORT_").is_some_and(is_of_a_port)
}

/// The known name that a misspelt one most likely meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(typos, known)| *typos <= known.len() / LETTERS_PER_TYPO)
        .min_by_key(|(typos, _)| *typos)
        .map(|(_, known)| known)
}

/// The names of all variables.
#[expect(clippy::disallowed_methods, reason = "the check for misspelt variables must see all of them")]
pub(crate) fn names() -> impl Iterator<Item = OsString> {
    env::vars_os().map(|(name, _)| name)
}

/// The value of a variable that the user has named in a setting, such as `password-env=PGPASSWORD`.
#[expect(clippy::disallowed_methods, reason = "the one place for variables whose name is itself a setting")]
pub fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| match error {
        env::VarError::NotPresent => format!("variable {name} is not set"),
        env::VarError::NotUnicode(_) => format!("variable {name} is not UTF-8"),
    })
}

fn prefix(helper: &str) -> String {
    format!("SIDEKIT_{}_", words(helper))
}

fn words(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn command() -> Command {
        let flags =
            [Arg::new("interval").long("interval"), Arg::new("log-level").long("log-level").env("SIDEKIT_LOG_LEVEL")];
        give_each_flag_a_variable(Command::new("wait-for").args(flags))
    }

    fn complaint(name: &str) -> Option<String> {
        check_spelling(&command(), [OsString::from(name)].into_iter()).err().map(|error| error.to_string())
    }

    #[test]
    fn a_misspelt_variable_names_the_nearest() {
        assert_eq!(
            complaint("SIDEKIT_WAIT_FOR_INTERVALL").unwrap(),
            "unknown variable SIDEKIT_WAIT_FOR_INTERVALL; did you mean SIDEKIT_WAIT_FOR_INTERVAL?"
        );
    }

    #[test]
    fn a_service_of_the_same_name_is_no_typo() {
        for own in ["SERVICE_HOST", "SERVICE_PORT_HTTP", "PORT", "PORT_80_TCP", "PORT_80_TCP_ADDR"] {
            assert_eq!(complaint(&format!("SIDEKIT_WAIT_FOR_{own}")), None, "{own}");
        }
        for own in ["SERVICE", "PORT_HTTP", "PORT_80", "HOST"] {
            assert!(complaint(&format!("SIDEKIT_WAIT_FOR_{own}")).is_some(), "{own}");
        }
    }

    #[test]
    fn only_this_helpers_variables_are_checked() {
        for name in ["SIDEKIT_WAIT_FOR_INTERVAL", "SIDEKIT_PROXY_LISTEN", "SIDEKIT_LOG_LEVEL", "WAIT_FOR_PORT"] {
            assert_eq!(complaint(name), None);
        }
    }
}
