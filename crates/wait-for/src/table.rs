//! The live table on a terminal, redrawn in place.

use std::{fmt::Write as _, io, time::Duration};

use lifecycle::elapsed;
use terminal_size::{Height, Width, terminal_size_of};

use crate::row::{Row, State};

/// Columns and lines of a terminal that does not report them
const USUAL_SIZE: (u16, u16) = (80, 24);
/// ANSI (ECMA-48): up some lines; erase to the end of the line, and of the screen
const ERASE_LINE: &str = "\x1b[K";
const ERASE_BELOW: &str = "\x1b[J";

/// The live table, which remembers how many lines it drew
#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: usize,
}

impl Table {
    /// Draws over the last drawing. A terminal that is gone, or does not keep up, is no reason to fail or to wait.
    pub(crate) fn draw(&mut self, rows: &[Row], waited: Duration) {
        let (Width(columns), Height(height)) =
            terminal_size_of(io::stderr()).unwrap_or((Width(USUAL_SIZE.0), Height(USUAL_SIZE.1)));
        let lines = layout(rows, waited, columns.into(), height.into());
        let mut text = String::new();
        if self.lines > 0 {
            let _ = write!(text, "\x1b[{}A\r", self.lines);
        }
        for line in &lines {
            let _ = writeln!(text, "{line}{ERASE_LINE}");
        }
        text.push_str(ERASE_BELOW);
        if lifecycle::draw(&text) {
            self.lines = lines.len();
        }
    }
}

/// A line a target, those that are missing first; none wider or more than the terminal can show.
fn layout(rows: &[Row], waited: Duration, columns: usize, height: usize) -> Vec<String> {
    let mut sorted: Vec<_> = rows.iter().collect();
    sorted.sort_by_key(|row| !row.is_missing());
    let room = height.saturating_sub(3).max(1);
    let mut lines: Vec<_> = sorted.iter().take(room).map(|row| fit(&line(row), columns)).collect();
    if rows.len() > room {
        lines.push(fit(&format!("  … and {} more", rows.len() - room), columns));
    }
    let ready = rows.iter().filter(|row| row.state == State::Ready).count();
    let all = rows.iter().filter(|row| row.state != State::NotNeeded).count();
    lines.push(fit(&format!("{ready} of {all} ready after {}", elapsed(waited)), columns));
    lines
}

fn line(row: &Row) -> String {
    let sign = match row.state {
        State::Waiting => '…',
        State::Ready => '✓',
        State::Never => '✗',
        State::NotNeeded => '-',
    };
    let attempts = if row.attempts == 1 { "1 attempt".into() } else { format!("{} attempts", row.attempts) };
    let reason = if row.reason.is_empty() { "asking" } else { &row.reason };
    let name = row.group.as_ref().map_or_else(|| row.label.clone(), |group| format!("{group}: {}", row.label));
    format!("{sign} {name:<32} {reason} ({attempts})")
}

/// Cut to the terminal's width. A control character would steer the terminal, so it becomes a replacement character.
fn fit(line: &str, columns: usize) -> String {
    let harmless = |character: char| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character };
    line.chars().map(harmless).take(columns.saturating_sub(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: &str, state: State) -> Row {
        Row { label: label.into(), group: None, state, reason: "connection refused".into(), attempts: 2, seconds: None }
    }

    #[test]
    fn what_is_missing_comes_first_and_all_fits() {
        let rows = [row("tcp://a:1", State::Ready), row("tcp://b:2", State::Waiting), row("tcp://c:3", State::Never)];
        let lines = layout(&rows, Duration::from_secs(12), 60, 24);
        assert_eq!(lines[0], "… tcp://b:2                        connection refused (2 at");
        assert!(lines[2].starts_with('✓'));
        assert_eq!(lines[3], "1 of 3 ready after 12s");
        assert_eq!(layout(&rows, Duration::ZERO, 60, 5).len(), 4);
    }

    #[test]
    fn a_reason_cannot_steer_the_terminal() {
        let row = Row { reason: "\u{1b}[2J\nforged".into(), ..row("tcp://a:1", State::Waiting) };
        let lines = layout(&[row], Duration::ZERO, 80, 24);
        assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
    }
}
