//! `-h`: the help on one screen.

use crate::schemes::SCHEMES;

/// Columns of the screen
const WIDTH: usize = 80;
const INDENT: &str = "  ";

/// For a terminal of 80 columns and 24 lines. The kinds of target come from their table.
pub(crate) fn summary() -> String {
    format!("{HEAD}{}\n{OPTIONS}", kinds())
}

const HEAD: &str = "\
Wait until every target is ready, then exit 0 or become COMMAND

Usage: wait-for [OPTIONS] TARGET... [-- COMMAND [ARG...]]
       wait-for check FILE

A target is a URL, whose fragment has its options. It begins with one of
";

const OPTIONS: &str = "
  --config FILE       read targets from this YAML file too
  --timeout TIME      give up after this long, with exit code 124 [default: 5m]
  --stable COUNT      ask for this many successes in a row
  --any               one ready target is enough
  --not               wait until the targets are gone
  --retry-all         keep trying after a wrong certificate or a refused login
  --output json       print one object on stdout at the end

Example: wait-for --timeout 2m postgres://db 'http://api/#status=200' -- /app
Exit codes: 0 ready, 64 usage, 69 never, 77 denied, 78 config, 124 timed out
wait-for --help explains all flags and targets.
";

/// The schemes of all kinds, in lines that fit.
fn kinds() -> String {
    let mut lines = vec![String::new()];
    for name in SCHEMES.iter().flat_map(|scheme| scheme.names) {
        let word = format!(" {name}://");
        match lines.last_mut() {
            Some(line) if INDENT.len() + line.len() + word.len() <= WIDTH => line.push_str(&word),
            _ => lines.push(word),
        }
    }
    lines.iter().map(|line| format!("{INDENT}{}", line.trim_start())).collect::<Vec<_>>().join("\n")
}
