//! On a terminal: a live table instead of log lines.

use harness::Terminal;

use crate::support::{
    Signal, send,
    server::{ClosedPort, Server, hold},
    wait_for,
};

#[test]
fn a_table_is_drawn_in_place_and_no_json_is_written() {
    let (port, ready) = (ClosedPort::new(), Server::start(|stream, _| hold(stream)));
    let url = port.url();
    let terminal = Terminal::start(&mut wait_for(&[&url, &ready.url("tcp")]), 24);
    terminal.wait_for(&format!("… {url:<32} connection refused (1 attempt)"));
    terminal.wait_for(&format!("✓ {:<32} connected and held (1 attempt)", ready.url("tcp")));
    // Redrawn every second although nothing is new, over the three lines that are there.
    terminal.wait_for("1 of 2 ready after 1.");
    terminal.wait_for("\u{1b}[3A\r");
    Server::on(port.open(), |stream, _| hold(stream));
    let (status, text, _) = terminal.end();
    assert!(status.success(), "{text}");
    assert!(text.contains(&format!("✓ {url:<32} connected and held (")), "{text}");
    assert!(text.contains("2 of 2 ready after "), "{text}");
    assert!(!text.contains("{\"") && !text.contains("not ready target="), "{text}");
}

#[test]
fn a_table_that_is_stopped_leaves_the_summary_and_the_last_line() {
    let port = ClosedPort::new();
    let terminal = Terminal::start(&mut wait_for(&["--output", "json", &port.url()]), 24);
    terminal.wait_for("connection refused");
    send(terminal.id(), Signal::INT);
    let (status, text, stdout) = terminal.end();
    assert_eq!(status.code(), Some(130), "{text}");
    let line = format!(r#"code=130 reason=stopped what="{}" last="connection refused" attempts="#, port.url());
    assert!(text.contains("WARN missing target=") && text.contains(&line), "{text}");
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json["state"], "stopped");
}

#[test]
fn a_table_is_no_higher_than_its_terminal() {
    let ports: Vec<_> = (0..30).map(|_| ClosedPort::new()).collect();
    let urls: Vec<_> = ports.iter().map(ClosedPort::url).collect();
    let terminal = Terminal::start(&mut wait_for(&urls.iter().map(String::as_str).collect::<Vec<_>>()), 10);
    terminal.wait_for("  … and 23 more");
    terminal.wait_for("\u{1b}[9A\r");
}

#[test]
fn a_reason_is_wrapped_and_never_cut() {
    let path = format!("/none/{}/end-of-name", "x".repeat(150));
    let terminal = Terminal::start(&mut wait_for(&[&format!("file://{path}")]), 24);
    terminal.wait_for("\u{1b}[K\r\n    ");
    terminal.wait_for("(1 attempt)");
}

#[test]
fn a_terminal_gets_colours_unless_they_are_not_wanted() {
    let (waiting, warning) = ("\u{1b}[33m…\u{1b}[0m file:///none", "\u{1b}[33m WARN\u{1b}[0m missing target=");
    let arguments = ["--timeout", "500ms", "file:///none"];
    let (_, text, _) = Terminal::start(wait_for(&arguments).env("NO_COLOR", ""), 24).end();
    assert!(text.contains(waiting) && text.contains(warning), "{text}");
    let unwanted = [("NO_COLOR", "1"), ("SIDEKIT_COLOR", "never"), ("TERM", "dumb")];
    for (name, value) in unwanted {
        let mut command = wait_for(&arguments);
        let (_, text, _) = Terminal::start(command.env("NO_COLOR", "").env(name, value), 24).end();
        assert!(text.contains("missing target=") && !text.contains("\u{1b}[33m"), "{name}: {text}");
    }
}

#[test]
fn colours_can_be_asked_for_where_there_is_no_terminal() {
    let arguments = ["--color", "always", "--log-format", "text", "--timeout", "300ms", "file:///none"];
    let output = wait_for(&arguments).env("NO_COLOR", "1").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("\u{1b}[33m WARN\u{1b}[0m missing target="), "{text}");
    assert!(text.contains("\u{1b}[31mERROR\u{1b}[0m code=124"), "{text}");
}

#[test]
fn a_dumb_terminal_gets_lines() {
    let mut command = wait_for(&["--timeout", "300ms", "file:///none"]);
    let (status, text, _) = Terminal::start(command.env("TERM", "dumb"), 24).end();
    assert_eq!(status.code(), Some(124), "{text}");
    assert!(!text.contains('\u{1b}') && text.contains(" INFO not ready target="), "{text}");
}

#[test]
fn log_lines_are_written_to_a_terminal_when_asked_for() {
    let terminal = Terminal::start(&mut wait_for(&["--log-format", "json", "--timeout", "500ms", "file:///none"]), 24);
    let (status, text, _) = terminal.end();
    assert_eq!(status.code(), Some(124));
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{text}");
}

#[test]
fn a_level_above_news_silences_the_table() {
    for level in ["error", "warn"] {
        let port = ClosedPort::new();
        let terminal = Terminal::start(&mut wait_for(&[&port.url(), "--log-level", level, "--timeout", "300ms"]), 24);
        let (status, text, _) = terminal.end();
        assert_eq!(status.code(), Some(124), "{text}");
        assert!(!text.contains("\u{1b}[") && !text.contains("ready after"), "{text}");
        assert!(text.contains("code=124 reason=timed-out"), "{text}");
    }
}
