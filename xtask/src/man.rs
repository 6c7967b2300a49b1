//! Man pages: `clap_mangen`'s sections, and those that it lacks or gets wrong.
//!
//! `clap_mangen` refers to a page of its own for each subcommand, and there is none. It knows no exit codes, does not list the
//! variables, and prints examples as running text.

use anyhow::Context;
use clap::{Arg, Command};
use clap_mangen::{
    Man,
    roff::{Inline, Roff, bold, italic, roman},
};

use crate::argument::{help, value_name, words};

/// The page of one helper
pub(crate) fn page(command: &Command) -> anyhow::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let mut built = command.clone();
    built.build();
    let mut page = Vec::new();
    man.render_title(&mut page)
        .and_then(|()| man.render_name_section(&mut page))
        .and_then(|()| man.render_synopsis_section(&mut page))
        .and_then(|()| man.render_description_section(&mut page))
        .and_then(|()| man.render_options_section(&mut page))
        .and_then(|()| own_sections(&built).to_writer(&mut page))
        .and_then(|()| man.render_version_section(&mut page))
        .context("cannot render the man page")?;
    Ok(ascii(&String::from_utf8(page)?).into_bytes())
}

/// roff reads Latin-1 and writes other characters by their numbers.
fn ascii(page: &str) -> String {
    let escape = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\[u{:04X}]", u32::from(c)) };
    page.chars().map(escape).collect()
}

/// The lines below `Examples:` in the help, each a whole command
pub(crate) fn examples(command: &Command) -> Vec<String> {
    let sections = sections(command);
    let lines = sections.into_iter().filter(|section| section.title == EXAMPLES).flat_map(|section| section.lines);
    lines.map(|line| line.trim().to_owned()).collect()
}

const EXAMPLES: &str = "Examples";
/// The help names only the most frequent ones; the page has the table.
const EXIT_CODES: &str = "Exit codes";

/// A paragraph behind the flags of the help: a title with a colon, and indented lines
struct Section {
    title: String,
    lines: Vec<String>,
}

fn own_sections(command: &Command) -> Roff {
    let mut roff = Roff::new();
    subcommands(&mut roff, command);
    for section in sections(command) {
        if section.title != EXAMPLES && section.title != EXIT_CODES {
            verbatim(&mut roff, &section.title.to_uppercase(), &section.lines);
        }
    }
    environment(&mut roff, command);
    exit_status(&mut roff, command);
    let examples: Vec<_> = examples(command).into_iter().map(|line| format!("  {line}")).collect();
    verbatim(&mut roff, "EXAMPLES", &examples);
    roff
}

fn sections(command: &Command) -> Vec<Section> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let paragraphs = text.split("\n\n").map(str::trim_end).filter(|paragraph| !paragraph.is_empty());
    paragraphs
        .map(|paragraph| {
            let (first, rest) = paragraph.trim_start_matches('\n').split_once('\n').unwrap_or((paragraph, ""));
            match first.split_once(':') {
                Some((title, "")) => Section { title: title.into(), lines: rest.lines().map(str::to_owned).collect() },
                Some((title, _)) if title == EXIT_CODES => Section { title: title.into(), lines: Vec::new() },
                // Several sentences of the form `Options of X: …`
                _ => Section { title: "Shared options".into(), lines: paragraph.lines().map(str::to_owned).collect() },
            }
        })
        .collect()
}

/// Each with what may follow it, because no page of its own does.
fn subcommands(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["SUBCOMMANDS"]);
    for subcommand in command.get_subcommands() {
        let mut header = vec![bold(subcommand.get_name())];
        for arg in subcommand.get_positionals() {
            header.extend([roman(" "), italic(value_name(arg))]);
        }
        item(roff, header, subcommand.get_about().map(ToString::to_string).unwrap_or_default());
        let flags = subcommand.get_arguments().filter(|arg| !arg.is_positional() && arg.get_long() != Some("help"));
        for arg in flags {
            roff.control("RS", []);
            item(roff, flag(arg), help(arg));
            roff.control("RE", []);
        }
        for arg in subcommand.get_positionals().filter(|arg| !words(arg).is_empty()) {
            roff.control("RS", []);
            item(roff, vec![italic(value_name(arg))], format!("One of {}", words(arg).join(", ")));
            roff.control("RE", []);
        }
    }
}

fn environment(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["ENVIRONMENT"]);
    roff.text([roman("A flag on the command line wins over its variable. An empty variable counts as not set.")]);
    for arg in command.get_arguments() {
        let Some(variable) = arg.get_env() else { continue };
        roff.control("TP", []);
        roff.text([bold(variable.to_string_lossy())]);
        let mut text = vec![roman("The same as ")];
        text.extend(flag(arg));
        roff.text(text);
    }
}

/// The rows of the table that this helper can end with: its flags say whether it drains, has a time limit or becomes a command.
fn exit_status(roff: &mut Roff, command: &Command) {
    let has_flag = |name: &str| command.get_arguments().any(|arg| arg.get_long() == Some(name));
    let becomes_command = command.get_positionals().any(Arg::is_last_set);
    roff.control("SH", ["EXIT STATUS"]);
    for row in &lifecycle::TABLE {
        let is_possible = match row.code {
            // The help of a sidecar that has nothing to deliver does not promise it.
            "75" => command
                .get_arguments()
                .any(|arg| arg.get_long() == Some("shutdown-timeout") && help(arg).contains("75")),
            "124" => has_flag("timeout"),
            "126" | "127" => becomes_command,
            _ => true,
        };
        if is_possible {
            item(roff, vec![bold(row.code)], format!("{}: {}", row.reason, row.meaning));
        }
    }
}

/// Lines that the page shows as they are
fn verbatim(roff: &mut Roff, title: &str, lines: &[String]) {
    roff.control("SH", [title]);
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

fn item(roff: &mut Roff, header: Vec<Inline>, text: String) {
    roff.control("TP", []);
    roff.text(header);
    roff.text([roman(text)]);
}

/// `--config FILE`, or the name of an argument that is no flag
fn flag(arg: &Arg) -> Vec<Inline> {
    match arg.get_long() {
        Some(long) if arg.get_action().takes_values() => {
            vec![bold(format!("--{long}")), roman(" "), italic(value_name(arg))]
        }
        Some(long) => vec![bold(format!("--{long}"))],
        None => vec![italic(value_name(arg))],
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command as Process;

    use super::*;
    use crate::helpers::{self, Described};

    /// The text of the lines of a page, without requests and escapes
    fn text(page: &[u8]) -> String {
        let page = String::from_utf8(page.to_vec()).unwrap();
        let lines = page.lines().filter(|line| !line.starts_with('.'));
        lines.map(|line| line.replace(r"\*(Aq", "'").replace(r"\-", "-").replace(r"\e", "\\") + "\n").collect()
    }

    /// Code in the running text of a helper's README that is a command of this helper
    fn commands_of_readme(name: &str) -> Vec<String> {
        let path = format!("{}/../crates/{name}/README.md", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| line.matches('`').count() % 2 == 0);
        let code = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
        let commands: Vec<_> = code.filter(|code| code.starts_with(&format!("{name} "))).map(str::to_owned).collect();
        assert!(!commands.is_empty(), "{name}");
        commands
    }

    /// The words that a shell makes of a line
    fn shell_words(line: &str) -> Vec<String> {
        let script = format!("printf '%s\\n' {line}");
        let output = Process::new("sh").arg("-c").arg(script).output().unwrap();
        assert!(output.status.success(), "{line}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_page_has_each_example_as_it_is_typed() {
        for Described { command, .. } in helpers::all() {
            let page = page(&command).unwrap();
            let examples = examples(&command);
            assert!(examples.len() > 1, "{}", command.get_name());
            for example in examples {
                assert!(text(&page).lines().any(|line| line.trim() == example), "{example}\n{}", text(&page));
            }
        }
    }

    #[test]
    fn a_page_is_ascii() {
        assert_eq!(ascii("é …"), r"\[u00E9] \[u2026]");
        for Described { command, .. } in helpers::all() {
            assert!(page(&command).unwrap().is_ascii(), "{}", command.get_name());
        }
    }

    #[test]
    fn each_example_can_be_pasted() {
        for Described { command, .. } in helpers::all() {
            for example in examples(&command).into_iter().chain(commands_of_readme(command.get_name())) {
                let outcome = command.clone().try_get_matches_from(shell_words(&example));
                assert!(outcome.is_ok(), "{example}: {}", outcome.unwrap_err());
            }
        }
    }

    #[test]
    fn a_page_has_the_sections_that_users_look_for_and_refers_to_no_other_page() {
        for Described { command, .. } in helpers::all() {
            let page = String::from_utf8(page(&command).unwrap()).unwrap();
            for title in ["SUBCOMMANDS", "ENVIRONMENT", "\"EXIT STATUS\"", "EXAMPLES"] {
                assert!(page.contains(&format!("\n.SH {title}\n")), "{title}\n{page}");
            }
            assert!(page.contains(r"SIDEKIT_LOG_LEVEL") && page.contains(r"\fB64\fR"), "{page}");
            assert!(!page.contains("(1)"), "{page}");
        }
    }

    #[test]
    fn a_page_has_only_exit_codes_that_the_helper_can_have() {
        for Described { command, .. } in helpers::all() {
            let page = String::from_utf8(page(&command).unwrap()).unwrap();
            let delivers = ["log-forwarder", "proxy", "token-refresher"].contains(&command.get_name());
            assert_eq!(page.contains(r"\fB75\fR"), delivers, "{page}");
            let becomes_command = ["fix-perms", "wait-for"].contains(&command.get_name());
            assert_eq!(page.contains(r"\fB127\fR"), becomes_command, "{page}");
            let has_timeout = ["token-refresher", "wait-for"].contains(&command.get_name());
            assert_eq!(page.contains(r"\fB124\fR"), has_timeout, "{page}");
        }
    }
}
