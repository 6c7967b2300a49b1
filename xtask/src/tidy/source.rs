//! Rules for one Rust file: its opening, its length, and lists without logic.

/// Lines of a file that needs no reason for its length, and of any file
const USUAL_LINES: usize = 300;
const MOST_LINES: usize = 500;
/// The words that the `//!` of a longer file must have
const REASON: &str = "//! Long because";

/// The rules that a Rust file breaks.
pub(super) fn complaints(name: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !text.starts_with("//!") {
        wrong.push("a file opens with //! and its purpose".to_owned());
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        wrong.push(format!("{lines} lines; {MOST_LINES} is the most that a file may have"));
    } else if lines > USUAL_LINES && !text.contains(REASON) {
        wrong.push(format!("{lines} lines; over {USUAL_LINES} needs a line `{REASON} …`"));
    }
    let holds_logic = |line: &str| {
        let line = line.trim_start();
        !line.starts_with("//") && (line.contains("fn ") || line.starts_with("impl"))
    };
    let is_list = name.ends_with("src/lib.rs") || name.ends_with("mod.rs");
    if is_list && text.lines().any(holds_logic) {
        wrong.push("lib.rs and mod.rs are lists: move the logic to a file named for it".to_owned());
    }
    wrong
}
