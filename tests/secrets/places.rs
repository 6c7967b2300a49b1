//! Places that every helper has: stray arguments, unknown flags and variables, subcommands, configuration files.

use crate::{
    row::Row,
    secret::{plain, spellings},
};

/// A helper as these rows need it
pub(crate) struct Helper {
    pub(crate) name: &'static str,
    /// Arguments of a run that is right
    pub(crate) right: &'static [&'static str],
    /// A stray argument is a path, which may be printed
    pub(crate) takes_paths: bool,
    pub(crate) subcommands: &'static [&'static str],
    /// The keys at the top of its configuration file
    pub(crate) keys: &'static [&'static str],
    /// The keys of an entry of a list
    pub(crate) entry_keys: &'static [(&'static str, &'static str)],
}

impl Helper {
    /// The prefix of its variables
    pub(crate) fn variable(&self, name: &str) -> String {
        format!("SIDEKIT_{}_{name}", self.name.to_uppercase().replace('-', "_"))
    }

    /// The run that is right, without a secret
    pub(crate) fn right(&self) -> Row {
        Row::new(self.name, "none", self.right)
    }

    /// All rows of these places
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for secret in spellings() {
            rows.extend(self.stray(&secret));
        }
        rows.extend(self.files(&plain(), &["check", "--config", "FILE"]));
        // The file takes the place of the one that is right.
        let others = self.right.iter().filter(|argument| !argument.starts_with("--config="));
        let arguments: Vec<&str> = ["--config", "FILE"].into_iter().chain(others.copied()).collect();
        rows.extend(self.files(&format!("x?token={}", plain()), &arguments));
        rows
    }

    /// A secret where a flag, a subcommand or nothing is expected
    fn stray(&self, secret: &str) -> Vec<Row> {
        let row = |place: &str, arguments: &[&str]| Row::new(self.name, place, arguments);
        let flag = format!("--{secret}");
        let mut rows = vec![
            row("an unknown flag", &[&flag]).and(self.right),
            row("the value of an unknown flag", &["--tokn", secret]).and(self.right),
            row("the value of an unknown flag", &[&format!("--tokn={secret}")]).and(self.right),
            row("a value given to a flag without one", &[&format!("--help={secret}")]),
            row("a short flag", &[&format!("-{secret}")]).and(self.right),
            row("a short flag's value", &[&format!("-H{secret}")]).and(self.right),
            row("a header as curl has it", &["-H", &format!("Authorization: Bearer {secret}")]).and(self.right),
            row("an unknown variable's value", self.right).with_variable(&self.variable("TOKN"), secret),
        ];
        if !self.takes_paths {
            rows.push(row("the first argument", &[secret]).and(self.right));
            rows.push(row("a misspelt subcommand", &[&format!("{}{secret}", self.subcommands[0])]));
        }
        for subcommand in self.subcommands {
            rows.push(row("an argument of a subcommand", &[subcommand, "FILE", secret]).with_file(""));
            rows.push(row("a flag of a subcommand", &[subcommand, &flag]));
            rows.push(row("a flag's value of a subcommand", &[subcommand, &format!("--tokn={secret}")]));
        }
        rows
    }

    /// A secret in a configuration file that is wrong
    fn files(&self, secret: &str, arguments: &[&str]) -> Vec<Row> {
        let mut texts = vec![
            secret.to_owned(),
            format!("{secret}: x\n"),
            format!("- {secret}\n"),
            format!("[{secret}"),
            format!("\"{secret}\n"),
            format!("'{secret}"),
            format!("*{secret}\n"),
            format!("!{secret} x\n"),
            format!("a: &{secret} [x]\n{secret}: *{secret}\n"),
            format!("%{secret} x\n---\n"),
            format!("a: b: {secret}\n"),
            format!("\t{secret}: x\n"),
            format!("x: |\n {secret}\n\t{secret}: [\n"),
            format!("a: {secret}\na: {secret}\n"),
            format!("{secret}: 1\n{secret}: 2\n"),
            format!("a: \"\\{secret}\"\n"),
            format!("a: {secret}\u{0}\n"),
        ];
        for key in self.keys {
            texts.push(format!("{key}: {secret}\n"));
            texts.push(format!("{key}: [{secret}]\n"));
            texts.push(format!("{key}: {{{secret}: x}}\n"));
            texts.push(format!("{key}: [{{{secret}: x}}]\n"));
            // The first value of an entry that is a list is its path.
            if !self.takes_paths {
                texts.push(format!("{key}: [[{secret}]]\n"));
            }
            texts.push(format!("{key}: {{x: {secret}}}\n"));
            texts.push(format!("{key}: \"{secret}\"\n{key}: \"{secret}\"\n"));
            texts.push(format!("{key}x: {secret}\n"));
        }
        for (key, entry) in self.entry_keys {
            texts.push(format!("{key}:\n- {entry}: {secret}\n"));
            texts.push(format!("{key}:\n- {entry}: [{secret}]\n"));
            texts.push(format!("{key}:\n- {entry}: {{{secret}: {secret}}}\n"));
            texts.push(format!("{key}:\n- {entry}x: {secret}\n"));
        }
        let row =
            |text: &String| Row::new(self.name, format!("a configuration file {text:?}"), arguments).with_file(text);
        texts.iter().map(row).collect()
    }
}
