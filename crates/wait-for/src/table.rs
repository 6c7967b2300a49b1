//! The live table on a terminal, redrawn in place.

use std::{fmt::Write as _, io, time::Duration};

use lifecycle::{Paint, elapsed, painted};
use terminal_size::{Height, Width, terminal_size_of};

use crate::row::{Row, State};

/// Columns and lines of a terminal that does not report them
const USUAL_SIZE: (u16, u16) = (80, 24);
/// ANSI (ECMA-48): up some lines; erase to the end of the line, and of the screen
const ERASE_LINE: &str = "\x1b[K";
const ERASE_BELOW: &str = "\x1b[J";
/// Begins the second line of a target and those after it
const INDENT: &str = "    ";

/// The live table, which remembers how many lines it drew
#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: usize,
}

impl Table {
    /// Draws over the last drawing. A terminal that is gone, or does not keep up, is no reason to
    /// fail or to wait.
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

/// The targets that are missing first, each with its whole reason; no line wider and no more lines
/// than the terminal can show.
fn layout(rows: &[Row], waited: Duration, columns: usize, height: usize) -> Vec<String> {
    let width = columns.saturating_sub(1).max(1);
    let room = height.saturating_sub(3).max(1);
    let mut sorted: Vec<_> = rows.iter().collect();
    sorted.sort_by_key(|row| !row.is_missing());
    let (mut lines, mut shown) = (Vec::new(), 0);
    for row in sorted {
        let mut wrapped = wrap(&line(row), width);
        if shown > 0 && lines.len() + wrapped.len() > room {
            break;
        }
        // After the lines are broken, because a colour has no width.
        wrapped[0] = in_color(&wrapped[0], row.state);
        lines.extend(wrapped.into_iter().take(room));
        shown += 1;
    }
    if shown < rows.len() {
        lines.extend(wrap(&format!("  … and {} more", rows.len() - shown), width).into_iter().take(1));
    }
    let ready = rows.iter().filter(|row| row.state == State::Ready).count();
    let all = rows.iter().filter(|row| row.state != State::NotNeeded).count();
    let sum = format!("{ready} of {all} ready after {}", elapsed(waited));
    lines.extend(wrap(&sum, width).into_iter().take(1));
    lines
}

/// The line with its sign in the colour of the state
fn in_color(line: &str, state: State) -> String {
    let (sign, rest) = line.split_at(line.chars().next().map_or(0, char::len_utf8));
    let paint = match state {
        State::Waiting => Paint::Doubtful,
        State::Ready => Paint::Good,
        State::Never => Paint::Bad,
        State::NotNeeded => Paint::Minor,
    };
    painted(sign, paint) + rest
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

/// Breaks a line between words where that is possible. Further lines are indented. A control
/// character would steer the terminal, so it becomes a replacement character.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let harmless = |character: char| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character };
    let characters: Vec<char> = line.chars().map(harmless).collect();
    let mut lines = Vec::new();
    let mut rest = &characters[..];
    loop {
        let indent = if lines.is_empty() || width <= 2 * INDENT.len() { "" } else { INDENT };
        let room = width - indent.len();
        if rest.len() <= room {
            lines.push(indent.chars().chain(rest.iter().copied()).collect());
            return lines;
        }
        // A blank right behind the last character that fits is a break, too.
        let at = rest[..=room].iter().rposition(|character| *character == ' ').filter(|at| *at > 0).unwrap_or(room);
        lines.push(indent.chars().chain(rest[..at].iter().copied()).collect());
        let blanks = rest[at..].iter().take_while(|character| **character == ' ').count();
        rest = &rest[at + blanks..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: &str, state: State) -> Row {
        Row {
            label: label.into(),
            group: None,
            state,
            cause: None,
            reason: "connection refused".into(),
            attempts: 2,
            seconds: None,
        }
    }

    #[test]
    fn what_is_missing_comes_first_and_all_fits() {
        let rows = [row("tcp://a:1", State::Ready), row("tcp://b:2", State::Waiting), row("tcp://c:3", State::Never)];
        let lines = layout(&rows, Duration::from_secs(12), 60, 24);
        assert_eq!(lines[..2], ["… tcp://b:2                        connection refused (2", "    attempts)"]);
        assert!(lines[4].starts_with('✓'));
        assert_eq!(lines[6], "1 of 3 ready after 12s");
        let few = layout(&rows, Duration::from_secs(12), 60, 5);
        assert_eq!(few[1..], ["    attempts)", "  … and 2 more", "1 of 3 ready after 12s"]);
    }

    #[test]
    fn no_reason_is_cut_while_there_is_room() {
        let reason = "the certificate of the server is not trusted: ".to_owned() + &"x".repeat(200);
        let row = Row { reason, ..row("tcp://a:1", State::Waiting) };
        for columns in [12, 40, 80, 200] {
            let lines = layout(std::slice::from_ref(&row), Duration::ZERO, columns, 100);
            assert!(lines.iter().all(|line| line.chars().count() < columns), "{columns}: {lines:#?}");
            let text: String =
                lines[..lines.len() - 1].iter().flat_map(|line| line.chars()).filter(|c| *c != ' ').collect();
            assert_eq!(text, line(&row).replace(' ', ""), "{columns}");
        }
        // A terminal that is too small shows as much as it can.
        assert_eq!(layout(&[row], Duration::ZERO, 20, 6).len(), 4);
    }

    #[test]
    fn a_line_breaks_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one two three four", 11), ["one two", "    three", "    four"]);
        assert_eq!(wrap("", 1), [""]);
        assert_eq!(wrap("abc", 1), ["a", "b", "c"]);
    }

    #[test]
    fn a_reason_cannot_steer_the_terminal() {
        let row = Row { reason: "\u{1b}[2J\nforged".into(), ..row("tcp://a:1", State::Waiting) };
        let lines = layout(&[row], Duration::ZERO, 80, 24);
        assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
    }
}
