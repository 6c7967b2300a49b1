//! Tracebacks, and the crashes that `faulthandler` prints.

use super::{State, Verdict, is_indented, starts_with_any};

/// A traceback behind such a line belongs to the one before.
const LINKS: [&[u8]; 2] = [b"During handling of the above exception", b"The above exception was the direct cause of"];
/// Lines behind the error: of databases, and of a failure in logging itself
const NOTES: [&[u8]; 10] = [
    b"(Background on this error at: ",
    b"[SQL: ",
    b"[parameters: ",
    b"DETAIL:  ",
    b"HINT:  ",
    b"CONTEXT:  ",
    b"LINE 1: ",
    b"Call stack:",
    b"Message: ",
    b"Arguments: ",
];

/// `Traceback (most recent call last):`, behind the line that a logger wrote for it; frames with a
/// blank first; then the error, and perhaps another trace that it led to. A trace behind an error
/// is the next record.
pub(super) fn judge(state: &mut State, line: &[u8]) -> Verdict {
    if is_indented(line) {
        return Verdict::GoesOn;
    }
    if line.starts_with(b"Traceback (most recent call last)") {
        let is_next = std::mem::replace(state, State::Frames) == State::Ended;
        return if is_next { Verdict::Begins } else { Verdict::GoesOn };
    }
    if *state == State::Frames {
        *state = State::Ended;
        return Verdict::GoesOn;
    }
    if starts_with_any(line, &LINKS) || is_within_crash(line) {
        *state = State::Plain;
        return Verdict::GoesOn;
    }
    if *state == State::Ended {
        if starts_with_any(line, &NOTES) {
            return Verdict::GoesOn;
        }
        // The name of a field, as pydantic's errors have it before the fault of each
        if !line.iter().any(|byte| matches!(byte, b' ' | b':')) {
            return Verdict::Depends(1);
        }
    }
    *state = State::Plain;
    Verdict::Begins
}

/// The line behind the name of a field
pub(super) fn shows_trace(line: &[u8]) -> bool {
    line.starts_with(b"  ") && !line.trim_ascii().is_empty()
}

/// `Current thread 0x00007f (most recent call first):`, behind `Fatal Python error: …`
fn is_within_crash(line: &[u8]) -> bool {
    line.ends_with(b"(most recent call first):") || line.starts_with(b"Extension modules: ")
}

#[cfg(test)]
mod tests {
    use super::super::{Language, heads};

    #[test]
    fn python() {
        let text = "\
ERROR:root:cannot place
Traceback (most recent call last):
  File \"/app/a.py\", line 3, in place
    db[\"x\"]
    ~~^^^^^
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/app/a.py\", line 5, in <module>
    raise ValueError(1)
  [Previous line repeated 996 more times]
ValueError: 1

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File \"/app/a.py\", line 9, in <module>
app.errors.Failed
INFO:root:next
  + Exception Group Traceback (most recent call last):
  |   File \"<stdin>\", line 1, in <module>
  +-+---------------- 1 ----------------
    | ValueError: 1
    +------------------------------------
INFO:root:last";
        assert_eq!(heads(Language::Python, text), ["ERROR:root:cannot place", "INFO:root:next", "INFO:root:last"]);
    }

    #[test]
    fn traces_in_a_row() {
        let trace = "\
Traceback (most recent call last):
  File \"a.py\", line 3, in <module>
    1/0
ZeroDivisionError: division by zero
";
        let text = format!("{trace}{trace}\n{trace}INFO:root:next\n");
        let head = "Traceback (most recent call last):";
        assert_eq!(heads(Language::Python, &text), [head, head, head, "INFO:root:next"]);
    }

    #[test]
    fn errors_of_several_lines() {
        let text = "\
Traceback (most recent call last):
  File \"a.py\", line 3, in <module>
pydantic_core._pydantic_core.ValidationError: 2 validation errors for User
id
  Field required [type=missing, input_value={}, input_type=dict]
    For further information visit https://errors.pydantic.dev/2.5/v/missing
items.0.name
  Input should be a valid string
started
Traceback (most recent call last):
  File \"a.py\", line 3, in <module>
sqlalchemy.exc.IntegrityError: (psycopg2.errors.UniqueViolation) duplicate key value
DETAIL:  Key (id)=(1) already exists.

[SQL: INSERT INTO users (id) VALUES (%(id)s)]
[parameters: {'id': 1}]
(Background on this error at: https://sqlalche.me/e/20/gkpj)
--- Logging error ---
Traceback (most recent call last):
  File \"/usr/lib/python3.11/logging/__init__.py\", line 1110, in emit
TypeError: not all arguments converted during string formatting
Call stack:
  File \"a.py\", line 2, in <module>
Message: 'a'
Arguments: (1,)
Fatal Python error: Segmentation fault

Current thread 0x00007f0c2d5b7740 (most recent call first):
  File \"a.py\", line 3 in <module>

Extension modules: numpy.core._multiarray_umath (total: 1)
done";
        assert_eq!(
            heads(Language::Python, text),
            [
                "Traceback (most recent call last):",
                "started",
                "--- Logging error ---",
                "Fatal Python error: Segmentation fault",
                "done",
            ]
        );
    }
}
