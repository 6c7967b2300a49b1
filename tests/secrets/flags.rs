//! Every flag and every variable of a helper, from the generated reference, so that a new flag has its rows at once.

use std::{fs, path::Path};

use crate::{
    places::Helper,
    row::Row,
    secret::{plain, spellings},
};

/// A flag that takes a value
struct Flag {
    name: String,
    variable: String,
}

fn flags(helper: &str) -> Vec<Flag> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/flags").join(format!("{helper}.md"));
    let text = fs::read_to_string(path).unwrap();
    let flag = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('`');
        let (flag, variable) = (cells.next()?, cells.nth(1)?);
        let name = flag.strip_prefix("--").and_then(|flag| Some(flag.split_once(' ')?.0));
        Some(Flag { name: name?.to_owned(), variable: variable.to_owned() })
    };
    let flags: Vec<_> = text.lines().filter_map(flag).collect();
    assert!(flags.len() > 5, "docs/flags/{helper}.md has no table that this understands");
    flags
}

/// A wrong or right value for each flag, as an argument and as a variable. `repeated` names the flags whose values are no
/// secrets, so that their errors may repeat them: modes, durations, sizes, patterns, paths, names of things.
pub(crate) fn rows(helper: &Helper, repeated: &[&str]) -> Vec<Row> {
    let all = flags(helper.name);
    for name in repeated {
        assert!(all.iter().any(|flag| flag.name == *name), "{} has no flag --{name}", helper.name);
    }
    let mut rows = Vec::new();
    for flag in all.iter().filter(|flag| !repeated.contains(&&*flag.name)) {
        for secret in [plain(), format!("a={}", spellings()[1]), format!("http://x/?token={}", plain())] {
            let argument = format!("--{}={secret}", flag.name);
            rows.push(Row::new(helper.name, format!("--{}", flag.name), &[&argument]).and(helper.right));
            rows.push(Row::new(helper.name, &*flag.variable, helper.right).with_variable(&flag.variable, &secret));
        }
    }
    rows
}
