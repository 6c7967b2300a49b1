//! Mode changes as chmod(1) reads them: octal, or symbolic such as `u=rwX,g=rX,o=`.

use std::{fmt, str::FromStr};

/// Set-user-ID, set-group-ID, sticky and the nine permission bits
const ALL: u16 = 0o7777;
const SET_IDS: u16 = 0o6000;
const EXECUTE: u16 = 0o111;
/// Modes on which a rule is tried, to see whether it is stable
const UMASKS: [u16; 5] = [0o000, 0o022, 0o027, 0o077, 0o777];

/// A mode change, which gives the same result however often it is applied
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    text: String,
    steps: Vec<Step>,
}

/// One operator with what stands on both of its sides
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    /// The bits that may change; `None` where no class is named: then the umask counts
    who: Option<u16>,
    operator: Operator,
    operand: Operand,
    /// The bits that the rule speaks of: a directory keeps those of its set-ID bits that no one
    /// spoke of
    mentioned: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Set,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operand {
    /// These bits; with `X`, execution too where it makes sense
    Bits { bits: u16, execute_if_any: bool },
    /// The permissions that a class (0o700, 0o070 or 0o007) has now
    Class(u16),
}

impl Rule {
    /// The mode that this makes of `mode`. `umask` counts where the rule names no class, as in
    /// `+x`.
    pub(crate) fn apply(&self, mode: u16, is_directory: bool, umask: u16) -> u16 {
        self.steps.iter().fold(mode, |mode, step| step.apply(mode, is_directory, umask))
    }

    fn is_stable(&self) -> bool {
        let is_stable = |umask, is_directory| {
            let once = |mode| self.apply(mode, is_directory, umask);
            (0..=ALL).all(|mode| once(once(mode)) == once(mode))
        };
        UMASKS.into_iter().all(|umask| is_stable(umask, true) && is_stable(umask, false))
    }
}

impl Step {
    fn apply(self, mode: u16, is_directory: bool, umask: u16) -> u16 {
        let kept = if is_directory { SET_IDS & !self.mentioned } else { 0 };
        let bits = self.operand.bits(mode, is_directory) & self.who.unwrap_or(!umask) & !kept;
        match self.operator {
            Operator::Add => mode | bits,
            Operator::Remove => mode & !bits,
            Operator::Set => (mode & (!self.who.unwrap_or(ALL) | kept)) | bits,
        }
    }
}

impl Operand {
    fn bits(self, mode: u16, is_directory: bool) -> u16 {
        match self {
            Self::Bits { bits, execute_if_any: true } if is_directory || mode & EXECUTE != 0 => bits | EXECUTE,
            Self::Bits { bits, .. } => bits,
            Self::Class(class) => {
                let of_all = [0o444, 0o222, 0o111].into_iter();
                of_all.filter(|bits| mode & class & bits != 0).fold(0, |sum, bits| sum | bits)
            }
        }
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim_end_matches(['\r', '\n']);
        let steps = octal(text).map_or_else(|| symbolic(text), |step| Some(vec![step]));
        let rule = steps.map(|steps| Self { text: text.into(), steps }).ok_or_else(|| {
            "this is not a mode: write it as chmod reads it, such as 0750 or u=rwX,g=rX,o=".to_owned()
        })?;
        if !rule.is_stable() {
            return Err("this gives another mode each time it is applied: say with = what is wanted".into());
        }
        Ok(rule)
    }
}

/// A plain number. One of five digits or more speaks of a directory's set-ID bits too (GNU chmod).
fn octal(text: &str) -> Option<Step> {
    let bits = octal_bits(text)?;
    let mentioned = if text.len() < 5 { bits | !SET_IDS & ALL } else { ALL };
    let operand = Operand::Bits { bits, execute_if_any: false };
    Some(Step { who: Some(ALL), operator: Operator::Set, operand, mentioned })
}

fn octal_bits(text: &str) -> Option<u16> {
    let is_octal = !text.is_empty() && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let bits = u16::from_str_radix(text, 8).ok().filter(|bits| *bits <= ALL)?;
    is_octal.then_some(bits)
}

/// Clauses joined by commas; each names classes and then what to do with them.
fn symbolic(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (classes, mut rest) = clause.split_at(at);
        let who = classes.chars().try_fold(0, |sum, class| Some(sum | affected(class)?))?;
        while let Some(sign) = rest.chars().next() {
            let operator = match sign {
                '+' => Operator::Add,
                '-' => Operator::Remove,
                _ => Operator::Set,
            };
            let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |next| next + 1);
            let operand = &rest[1..end];
            // A number stands alone, as for GNU.
            if end < rest.len() && octal_bits(operand).is_some() {
                return None;
            }
            steps.push(step((who != 0).then_some(who), operator, operand)?);
            rest = &rest[end..];
        }
    }
    Some(steps)
}

fn step(who: Option<u16>, operator: Operator, operand: &str) -> Option<Step> {
    if let Some(bits) = octal_bits(operand) {
        // GNU: `=0750` names no class, means all, and mentions every bit.
        let operand = Operand::Bits { bits, execute_if_any: false };
        return who.is_none().then_some(Step { who: Some(ALL), operator, operand, mentioned: ALL });
    }
    let operand = match operand {
        "u" => Operand::Class(0o700),
        "g" => Operand::Class(0o070),
        "o" => Operand::Class(0o007),
        letters => {
            let bits = letters.chars().try_fold(0, |sum, letter| Some(sum | permission(letter)?))?;
            Operand::Bits { bits, execute_if_any: letters.contains('X') }
        }
    };
    let spoken_of = match operand {
        Operand::Bits { bits, .. } => bits,
        Operand::Class(_) => 0,
    };
    Some(Step { who, operator, operand, mentioned: spoken_of & who.unwrap_or(ALL) })
}

fn affected(class: char) -> Option<u16> {
    match class {
        'u' => Some(0o4700),
        'g' => Some(0o2070),
        'o' => Some(0o1007),
        'a' => Some(ALL),
        _ => None,
    }
}

fn permission(letter: char) -> Option<u16> {
    match letter {
        'r' => Some(0o444),
        'w' => Some(0o222),
        'x' => Some(EXECUTE),
        'X' => Some(0),
        's' => Some(SET_IDS),
        't' => Some(0o1000),
        _ => None,
    }
}

/// As it was written
impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn apply(rule: &str, mode: u16, is_directory: bool) -> u16 {
        rule.parse::<Rule>().unwrap().apply(mode, is_directory, 0o022)
    }

    #[test]
    fn modes_for_files() {
        for (rule, before, after) in [
            ("0640", 0o755, 0o640),
            ("4755", 0o640, 0o4755),
            ("u=rwX,g=rX,o=", 0o644, 0o640),
            ("u=rwX,g=rX,o=", 0o744, 0o750),
            ("a+X", 0o600, 0o600),
            ("g=u", 0o740, 0o770),
            ("+w", 0o444, 0o644),
            ("ug+rw-x", 0o111, 0o661),
            ("=0600", 0o6777, 0o600),
            ("u+s,g-s", 0o2755, 0o4755),
            ("o+t", 0o755, 0o1755),
            ("a=", 0o777, 0o000),
        ] {
            assert_eq!(apply(rule, before, false), after, "{rule}");
        }
    }

    #[test]
    fn a_directory_keeps_the_set_id_bits_that_nobody_spoke_of() {
        for (rule, after) in [
            ("750", 0o2750),
            ("0750", 0o2750),
            ("00750", 0o750),
            ("=750", 0o750),
            ("u=rwX,g=rX,o=", 0o2750),
            ("g-s", 0o755),
            ("6755", 0o6755),
        ] {
            assert_eq!(apply(rule, 0o2755, true), after, "{rule}");
        }
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        for text in
            ["", "8", "rw", "0o644", "10000", "u", "u=rwz", "z=r", "u=rw,", "u=7", "u=ug", "640 ", "u:r", "+0111-0222"]
        {
            assert!(text.parse::<Rule>().is_err(), "{text:?}");
        }
        assert_eq!(
            "rw".parse::<Rule>().unwrap_err(),
            "this is not a mode: write it as chmod reads it, such as 0750 or u=rwX,g=rX,o="
        );
    }

    #[test]
    fn what_never_comes_to_rest_is_refused() {
        let error = "g=u,u=o".parse::<Rule>().unwrap_err();
        assert_eq!(error, "this gives another mode each time it is applied: say with = what is wanted");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[ugoarwxXst0-9+=,-]{0,12}|\\PC*") {
            let _ = text.parse::<Rule>();
        }
    }
}
