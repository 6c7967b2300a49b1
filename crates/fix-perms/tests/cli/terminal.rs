//! On a terminal: how far the work has come, on a line that is drawn again and again and is gone in
//! the end.

use harness::{Terminal, send};

use crate::support::{LongWalk, Signal, Tree, fix_perms, stopped_in_time, until};

/// Erases the line where the cursor stands
const ERASED: &str = "\r\u{1b}[K";
/// Walks that take far longer than the time between two drawings
const LONG: usize = 120;

#[test]
fn progress_is_drawn_in_place_and_gone_in_the_end() {
    let walk = LongWalk::new(LONG);
    let terminal = Terminal::start(&mut walk.fix_perms(&["--mode", "u=rwX,go="]), 24);
    terminal.wait_for(" a second\u{1b}[K");
    let (status, text, stdout) = terminal.end();
    assert!(status.success() && stdout.is_empty(), "{text}");
    assert!(text.contains(&format!(" seen, {} changed, ", LongWalk::CHANGES)), "{text}");
    let drawings = text.matches(" a second\u{1b}[K").count();
    // Each begins where the line begins.
    let begun = text.split('\r').filter(|part| part.contains(" a second\u{1b}[K"));
    assert!(begun.clone().all(|part| part.starts_with(|first: char| first.is_ascii_digit())), "{text}");
    assert_eq!(begun.count(), drawings);
    let (_, rest) = text.rsplit_once(ERASED).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(rest, "");
}

#[test]
fn progress_that_is_stopped_leaves_the_last_line() {
    let walk = LongWalk::new(2_000);
    let stop = || {
        let terminal = Terminal::start(&mut walk.fix_perms(&["--mode", "u=rwX,go="]), 24);
        terminal.wait_for(" a second\u{1b}[K");
        send(terminal.id(), Signal::INT);
        let (status, text, _) = terminal.end();
        assert_eq!(status.code(), Some(130), "{text}");
        text
    };
    let text = stopped_in_time(|text: &String| text.contains("stopped after "), stop);
    let (_, rest) = text.rsplit_once(ERASED).unwrap_or_else(|| panic!("{text}"));
    assert!(rest.contains(r#"ERROR code=130 reason=stopped last="stopped after "#), "{rest}");
    assert!(!rest.contains('\u{1b}'), "{rest}");
}

#[test]
fn log_lines_stand_on_lines_of_their_own() {
    let walk = LongWalk::new(2_000);
    let terminal = Terminal::start(&mut walk.fix_perms(&["--mode", "u=rwX,go="]), 24);
    until("a log line follows what was drawn", || {
        terminal.text().split_once(" a second\u{1b}[K")?.1.contains(" INFO looked at ").then_some(())
    });
    send(terminal.id(), Signal::TERM);
    let (_, text, _) = terminal.end();
    for line in text.lines().filter(|line| line.contains(" INFO looked at ")) {
        // The cursor was back at the line's beginning, so this is written over the drawing.
        let shown = line.rsplit('\r').next().unwrap_or_default();
        assert!(!shown.contains(" a second"), "{shown}");
    }
}

#[test]
fn log_lines_are_written_to_a_terminal_when_asked_for_and_no_progress() {
    let walk = LongWalk::new(LONG);
    let terminal = Terminal::start(&mut walk.fix_perms(&["--log-format", "json", "--mode", "u=rwX,go="]), 24);
    let (status, text, _) = terminal.end();
    assert!(status.success() && !text.contains('\u{1b}'), "{text}");
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{text}");
}

#[test]
fn a_dumb_terminal_gets_no_progress() {
    let walk = LongWalk::new(LONG);
    let mut command = walk.fix_perms(&["--mode", "u=rwX,go="]);
    let (status, text, _) = Terminal::start(command.env("TERM", "dumb"), 24).end();
    assert!(status.success() && !text.contains('\u{1b}') && text.contains(" INFO looked at "), "{text}");
}

#[test]
fn lines_for_people_are_written_on_a_terminal() {
    let tree = Tree::new(&["a"]);
    let path = tree.path();
    let (status, text, stdout) = Terminal::start(&mut fix_perms(&["--verify", "--mode", "0700", &path]), 24).end();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains(&format!(" INFO looked at path=\"{path}\" seen=2 ")) && !text.contains("{\""), "{text}");
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
}
