//! Settings from the environment: every flag has a variable, and a misspelt variable is an error.

use std::{
    env,
    ffi::{OsStr, OsString},
};

use clap::{
    Arg, ArgAction, Command,
    builder::Resettable,
    error::{ContextKind, ContextValue},
};

use crate::exit::Exit;

/// Letters for each wrong letter (or swapped pair) of a misspelt name; a farther name would only mislead.
const LETTERS_PER_TYPO: usize = 3;
/// The prefix of variables that all helpers share
const SHARED: &str = "SIDEKIT_LOG_";
/// The prefix of one helper's own variables, which begins with the shared prefix
const NOT_SHARED: &str = "SIDEKIT_LOG_FORWARDER_";
/// The protocols of a Service's ports
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// Gives every flag of the command that has no variable yet `SIDEKIT_<HELPER>_<FLAG>`; switches read `1`, `true`,
/// `yes`, `on` and their opposites.
pub(crate) fn give_each_flag_a_variable(command: Command) -> Command {
    let prefix = prefix(command.get_name());
    command.mut_args(|arg| {
        let arg = match arg.get_action() {
            ArgAction::SetTrue => arg.value_parser(switch),
            _ => arg,
        };
        let variable = match arg.get_long() {
            Some(long) if arg.get_env().is_none() => format!("{prefix}{}", words(long)),
            _ => return arg.hide_env_values(true),
        };
        arg.env(variable).hide_env_values(true)
    })
}

fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "on" | "t" => Ok(true),
        "0" | "false" | "no" | "n" | "off" | "f" => Ok(false),
        _ => Err("write true or false".into()),
    }
}

/// Whether the variable of a helper's switch turns it on; a wrong value does not.
pub(crate) fn is_on(helper: &str, flag: &str) -> bool {
    variable(&format!("{}{}", prefix(helper), words(flag))).is_ok_and(|text| switch(&text) == Ok(true))
}

/// Takes empty variables off their flags, because they count as not set: a template writes one for a value that is not
/// given.
pub(crate) fn without_empty(command: Command) -> Command {
    command.mut_args(|arg| match arg.get_env() {
        Some(name) if is_empty(name) => arg.env(Resettable::Reset),
        _ => arg,
    })
}

/// Names the variable in an error about a value, if the value has come from there and the error does not say so.
pub(crate) fn name_source(command: &Command, mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg).cloned() else { return error };
    let mut built = command.clone();
    // Only then an argument knows how it is written.
    built.build();
    let variable = built.get_arguments().find(|arg| arg.to_string() == flag).and_then(Arg::get_env);
    let Some(variable) = variable.map(OsStr::to_string_lossy) else { return error };
    // Only values of variables are wrong in the one and not in the other.
    let by_flags_alone = command.clone().mut_args(|arg| arg.env(Resettable::Reset)).try_get_matches();
    let is_in_flags = by_flags_alone.is_err_and(|other| {
        other.kind() == error.kind() && other.get(ContextKind::InvalidArg) == error.get(ContextKind::InvalidArg)
    });
    if !is_in_flags && !error.to_string().contains(&*variable) {
        error.insert(ContextKind::InvalidArg, ContextValue::String(format!("{flag} (from {variable})")));
    }
    error
}

/// Refuses variables that begin as this helper's or the shared ones do and belong to no flag: a typo must not be ignored.
pub(crate) fn check_spelling(
    command: &Command,
    present: impl Iterator<Item = (OsString, OsString)>,
) -> anyhow::Result<()> {
    let own = prefix(command.get_name());
    let known: Vec<_> = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).collect();
    for (name, value) in present {
        let name = name.to_string_lossy();
        let is_ours = name.starts_with(&own) || (name.starts_with(SHARED) && !name.starts_with(NOT_SHARED));
        if is_ours && !known.contains(&&*name) && !is_of_a_service(&name, &value) {
            // What all have in common says nothing about what was meant.
            let common = if name.starts_with(&own) { own.as_str() } else { SHARED };
            let alike = known.iter().filter_map(|known| known.strip_prefix(common));
            let hint = nearest(&name[common.len()..], alike).map(|near| format!("; did you mean {common}{near}?"));
            return Err(Exit::Usage.because(format!("unknown variable {name}{}", hint.unwrap_or_default())));
        }
    }
    Ok(())
}

/// Whether Kubernetes made a variable for a Service whose name begins as the helper's does, such as `sidekit-proxy` or
/// `sidekit-proxy-db`: `…_SERVICE_HOST`, `…_SERVICE_PORT`, `…_SERVICE_PORT_<NAME>`, `…_PORT` with a URL, `…_PORT_<NUMBER>_<PROTOCOL>` and
/// what follows it (Kubernetes documentation, "Discovering services").
fn is_of_a_service(name: &str, value: &OsStr) -> bool {
    let is_url = || {
        value
            .to_str()
            .and_then(|value| value.split_once("://"))
            .is_some_and(|(scheme, _)| PROTOCOLS.iter().any(|protocol| protocol.eq_ignore_ascii_case(scheme)))
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && is_url())
        || is_of_a_services_port(name)
}

/// Whether a name ends as `_PORT_5432_TCP`, or so with `_ADDR`, `_PORT` or `_PROTO` behind it.
fn is_of_a_services_port(name: &str) -> bool {
    let name = ["_ADDR", "_PORT", "_PROTO"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
    let port = name
        .rsplit_once('_')
        .filter(|(_, protocol)| PROTOCOLS.contains(protocol))
        .and_then(|(rest, _)| rest.rsplit_once("_PORT_"));
    port.is_some_and(|(_, number)| number.parse::<u16>().is_ok())
}

/// The known name that a misspelt one most likely meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(typos, known)| *typos <= known.len() / LETTERS_PER_TYPO)
        .min_by_key(|(typos, _)| *typos)
        .map(|(_, known)| known)
}

/// Whether a word has the form of a key or of an option: a word in this form is no secret. A secret that is one too is no good one.
pub fn is_name(word: &str) -> bool {
    const LONGEST: usize = 32;
    let is_usual = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    (1..=LONGEST).contains(&word.len()) && word.bytes().all(is_usual)
}

/// All variables and their values.
#[expect(clippy::disallowed_methods, reason = "the check for misspelt variables must see all of them")]
pub(crate) fn all() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os()
}

#[expect(clippy::disallowed_methods, reason = "clap can't tell an empty variable from one that is not there")]
fn is_empty(name: &OsStr) -> bool {
    env::var_os(name).is_some_and(|value| value.is_empty())
}

/// The value of a variable that the user has named in a setting, such as `password-env=PGPASSWORD`. The user may have written the
/// secret itself in place of the name: only a name of the usual characters is repeated.
#[expect(clippy::disallowed_methods, reason = "the one place for variables whose name is itself a setting")]
pub fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| match error {
        env::VarError::NotPresent => format!("{} is not set", printable(name)),
        env::VarError::NotUnicode(_) => format!("{} is not UTF-8", printable(name)),
    })
}

fn printable(name: &str) -> String {
    if name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_') {
        format!("variable {name}")
    } else {
        "the variable, whose name has other characters than capitals, digits and _ and is therefore not repeated,"
            .to_owned()
    }
}

fn prefix(helper: &str) -> String {
    format!("SIDEKIT_{}_", words(helper))
}

fn words(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
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

    fn complaint_about(name: &str, value: &str) -> Option<String> {
        check_spelling(&command(), [(name.into(), value.into())].into_iter()).err().map(|error| error.to_string())
    }

    fn complaint(name: &str) -> Option<String> {
        complaint_about(name, "x")
    }

    #[test]
    fn a_name_that_may_be_a_secret_is_not_repeated() {
        assert_eq!(variable("NO_SUCH_1").unwrap_err(), "variable NO_SUCH_1 is not set");
        for secret in ["hunter2", "Hunter2", "HUNTER-2", "hunter 2"] {
            let error = variable(secret).unwrap_err();
            assert!(!error.contains(secret) && error.ends_with("is not set"), "{error}");
        }
    }

    #[test]
    fn a_misspelt_variable_names_the_nearest() {
        assert_eq!(
            complaint("SIDEKIT_WAIT_FOR_INTERVALL").unwrap(),
            "unknown variable SIDEKIT_WAIT_FOR_INTERVALL; did you mean SIDEKIT_WAIT_FOR_INTERVAL?"
        );
        assert_eq!(
            complaint("SIDEKIT_LOG_LEVLE").unwrap(),
            "unknown variable SIDEKIT_LOG_LEVLE; did you mean SIDEKIT_LOG_LEVEL?"
        );
        assert_eq!(complaint("SIDEKIT_WAIT_FOR_RECURSIVE").unwrap(), "unknown variable SIDEKIT_WAIT_FOR_RECURSIVE");
    }

    #[test]
    fn a_service_whose_name_begins_so_is_no_typo() {
        for service in ["", "DB_", "MY_PORT_80_"] {
            for (own, value) in [
                ("SERVICE_HOST", "10.0.0.1"),
                ("SERVICE_PORT", "80"),
                ("SERVICE_PORT_HTTP", "80"),
                ("PORT", "tcp://10.0.0.1:80"),
                ("PORT_80_TCP", "tcp://10.0.0.1:80"),
                ("PORT_53_UDP_ADDR", "10.0.0.1"),
                ("PORT_53_UDP_PORT", "53"),
                ("PORT_9_SCTP_PROTO", "sctp"),
            ] {
                let name = format!("SIDEKIT_WAIT_FOR_{service}{own}");
                assert_eq!(complaint_about(&name, value), None, "{name}");
            }
        }
    }

    #[test]
    fn what_kubernetes_would_not_make_is_a_typo() {
        for (own, value) in [
            ("SERVICE", "x"),
            ("PORT", "80"),
            ("DB_PORT", "http://10.0.0.1"),
            ("PORT_HTTP", "80"),
            ("PORT_80", "tcp://10.0.0.1:80"),
            ("PORT_X_TCP", "tcp://10.0.0.1:80"),
            ("PORT_80_TCP_NAME", "x"),
            ("HOST", "10.0.0.1"),
            ("INTERVALS", "tcp://10.0.0.1:80"),
        ] {
            assert!(complaint_about(&format!("SIDEKIT_WAIT_FOR_{own}"), value).is_some(), "{own}");
        }
    }

    #[test]
    fn a_misspelt_shared_variable_is_a_typo_too() {
        assert_eq!(
            complaint("SIDEKIT_LOG_LEVLE").unwrap(),
            "unknown variable SIDEKIT_LOG_LEVLE; did you mean SIDEKIT_LOG_LEVEL?"
        );
        assert_eq!(complaint("SIDEKIT_LOG_FORWARDER_INTERVALL"), None);
    }

    #[test]
    fn only_this_helpers_variables_are_checked() {
        for name in ["SIDEKIT_WAIT_FOR_INTERVAL", "SIDEKIT_PROXY_LISTEN", "SIDEKIT_LOG_LEVEL", "WAIT_FOR_PORT"] {
            assert_eq!(complaint(name), None);
        }
    }
}
