//! Command lines that bash, zsh and fish complete by the scripts that the helpers print.
//!
//! In bash and zsh a key inserts all candidates at once, and the completed line runs a function that prints its words.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use e2e::process::{binary, command};
use tempfile::TempDir;

/// A typed line, and the candidates for its last word
const CASES: [(&str, &[&str]); 13] = [
    ("wait-for c", &["check", "completions"]),
    ("wait-for --log-level ", &["debug", "error", "info", "trace", "warn"]),
    ("wait-for --timeout ", &[]),
    ("wait-for tcp://db:5432 --sta", &["--stable"]),
    ("wait-for check --", &["--config", "--help", "--no-files"]),
    ("wait-for check --config app", &["app.yaml"]),
    ("wait-for check app", &["app.yaml"]),
    ("wait-for completions ", &["bash", "fish", "zsh"]),
    ("fix-perms sub --veri", &["--verify"]),
    ("log-forwarder --state-dir ", &["sub"]),
    ("log-forwarder probe ", &["live", "ready", "startup"]),
    ("log-forwarder probe --health", &["--health-addr"]),
    ("proxy --direction ", &["inbound", "outbound"]),
];

const HELPERS: [&str; 4] = ["wait-for", "fix-perms", "log-forwarder", "proxy"];

#[test]
fn bash_completes_flags_values_and_files() {
    let directory = directory();
    let settings = settings("bash", "");
    fs::write(directory.path().join("bashrc"), settings).unwrap();
    let shell = "bash --noprofile --rcfile ./bashrc -i 2>/dev/null";
    // Meta-* is insert-completions.
    assert_completed("bash", &typed(&directory, "sh", &["-c", shell], "\x1b*"));
}

#[test]
fn zsh_completes_flags_values_and_files() {
    let directory = directory();
    let prepare = "PS1=
        autoload -U compinit; compinit -u -D
        zle -C insert-all complete-word _generic; bindkey '^T' insert-all
        zstyle ':completion:insert-all:*' completer _all_matches _complete
        zstyle ':completion:insert-all:*' insert yes\n";
    fs::write(directory.path().join(".zshrc"), settings("zsh", prepare)).unwrap();
    // zsh edits lines only on a terminal.
    assert_completed("zsh", &typed(&directory, "script", &["-qec", "zsh -i", "/dev/null"], "\x14"));
}

#[test]
fn fish_completes_flags_values_and_files() {
    let directory = directory();
    let load: String = HELPERS.map(|name| format!("{} completions fish | source\n", path(name))).concat();
    for (line, candidates) in CASES {
        let script = format!("{load}complete --do-complete '{line}'");
        let output = shell(&directory, "fish", &["--no-config", "--command", &script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let found: Vec<_> = text.lines().map(|line| bare(line.split('\t').next().unwrap())).collect();
        assert_eq!(found, candidates, "{line:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The commands that a shell reads at its start: the scripts, and functions in place of the helpers
fn settings(shell: &str, prepare: &str) -> String {
    let load = |name| {
        let path = path(name);
        format!(
            "eval \"$({path} completions {shell})\"\n{name}() {{ printf 'words:'; printf ' <%s>' \"$@\"; echo; }}\n"
        )
    };
    prepare.to_owned() + &HELPERS.map(load).concat()
}

fn path(name: &str) -> String {
    binary(name).to_str().unwrap().to_owned()
}

/// A directory with a file and a directory in it
fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("app.yaml"), "").unwrap();
    fs::create_dir(directory.path().join("sub")).unwrap();
    directory
}

fn shell(directory: &TempDir, program: &str, arguments: &[&str]) -> Command {
    let mut shell = command(program);
    shell.args(arguments).current_dir(directory.path());
    shell.env("HOME", directory.path()).env("ZDOTDIR", directory.path()).env("TERM", "dumb");
    shell
}

/// Types all cases, each with the key that inserts all candidates, and returns what the functions print.
fn typed(directory: &TempDir, program: &str, arguments: &[&str], key: &str) -> Vec<String> {
    // A shell that misses the last line would wait for ever.
    let mut shell = shell(directory, "timeout", &[&["60", program], arguments].concat());
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut keys = shell.stdin.take().unwrap();
    for (line, _) in CASES {
        writeln!(keys, "{line}{key}").unwrap();
    }
    writeln!(keys, "exit").unwrap();
    let output = shell.wait_with_output().unwrap();
    drop(keys);
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    text.lines().filter_map(|line| line.split_once("words: ")).map(|(_, words)| words.to_owned()).collect()
}

/// Compares the words of each completed line.
#[track_caller]
fn assert_completed(shell: &str, lines: &[String]) {
    assert_eq!(lines.len(), CASES.len(), "{shell}: {lines:?}");
    for ((line, candidates), completed) in CASES.iter().zip(lines) {
        // The helper's own name is not among the words, and the last word is the one that is completed.
        let (before, _) = line.rsplit_once(' ').unwrap();
        let given: Vec<_> = before.split(' ').skip(1).collect();
        let found: Vec<_> = completed.split(' ').map(|word| bare(word.trim_matches(['<', '>']))).collect();
        let found: Vec<_> = found.into_iter().filter(|word| !word.is_empty()).collect();
        assert_eq!(found, [&given, *candidates].concat(), "{shell}: {line:?}");
    }
}

/// A directory without its slash
fn bare(word: &str) -> &str {
    word.trim_end_matches('/')
}
