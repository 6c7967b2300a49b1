//! `HELPER completions SHELL`: the script by which a shell completes the command line.

/// The scripts of a helper. `cargo xtask docs` writes them; a binary holds only the texts.
#[derive(Clone, Copy, Debug)]
pub struct Completions {
    /// For bash
    pub bash: &'static str,
    /// For zsh
    pub zsh: &'static str,
    /// For fish
    pub fish: &'static str,
}

// The subcommand of every helper that has such scripts
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub(crate) enum CompletionsCommand {
    /// Print the script that completes this command line in a shell
    Completions {
        /// The shell that reads the script
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// A shell that completes command lines
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Shell {
    /// eval "$(HELPER completions bash)"
    Bash,
    /// eval "$(HELPER completions zsh)", after compinit
    Zsh,
    /// HELPER completions fish | source
    Fish,
}

impl Completions {
    /// The script that a command asks for
    pub(crate) fn script(&self, command: CompletionsCommand) -> &'static str {
        let CompletionsCommand::Completions { shell } = command;
        match shell {
            Shell::Bash => self.bash,
            Shell::Zsh => self.zsh,
            Shell::Fish => self.fish,
        }
    }
}
