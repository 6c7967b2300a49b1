//! `migration=TOOL:VERSION`: a migration tool's own table has that version, and no migration is
//! half done.

use std::cmp::Ordering;

use endpoint::one_line;

use super::tools::{APPLIED, DIRTY, LOCKED, TOOLS, Tool, Versions};
use crate::not_ready::{Cause, NotReady, Verdict};

/// Bytes of a version in an option
const VERSION_LIMIT: usize = 512;

/// A tool, and the version that its table is to have
#[derive(Debug)]
pub(crate) struct Migration {
    tool: &'static Tool,
    wanted: String,
}

/// What the rows of a table say, as far as they have come. The memory does not grow with the rows.
#[derive(Debug, Default)]
pub(crate) struct Found {
    has_wanted: bool,
    /// The highest and the lowest version; of versions without an order, the last row's
    highest: Option<String>,
    lowest: Option<String>,
    /// The version of a migration that has not succeeded
    dirty: Option<String>,
    /// The holder of the tool's lock
    locked: Option<String>,
}

impl Migration {
    /// Reads `TOOL:VERSION`. An error does not repeat it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, wanted) = text.split_once(':').unwrap_or((text, ""));
        let tool = TOOLS.iter().find(|tool| tool.name == name).ok_or_else(|| {
            let names: Vec<_> = TOOLS.iter().map(|tool| tool.name).collect();
            format!("this is not TOOL:VERSION, in which TOOL is {}", names.join(", "))
        })?;
        let wanted = match tool.versions {
            // Diesel's folders may have hyphens in the date, and its table has none.
            _ if tool.name == "diesel" => wanted.replace('-', ""),
            _ => wanted.to_owned(),
        };
        let is_usable = match tool.versions {
            Versions::Line | Versions::Each => is_number(&wanted),
            Versions::Names => {
                let is_relative = tool.name == "alembic" && ["head", "heads", "base"].contains(&wanted.as_str());
                !is_relative && !wanted.trim().is_empty() && !wanted.contains(char::is_control)
            }
        };
        if !is_usable || wanted.len() > VERSION_LIMIT {
            return Err(format!("{0} has no such version: write {0}:VERSION, such as {0}:{1}", name, tool.example));
        }
        Ok(Self { tool, wanted })
    }

    /// The table that the statement reads, as it stands in the statement
    pub(crate) fn table(&self) -> &'static str {
        self.tool.table
    }

    /// The statement that reads the table. It fails where the table is missing.
    pub(crate) fn statement(&self) -> &'static str {
        self.tool.statement
    }

    /// Takes a row of the statement.
    pub(crate) fn take(&self, found: &mut Found, row: &[Option<String>]) {
        let [version, state, second_name @ ..] = row else { return };
        let version = version.as_deref();
        match state.as_deref() {
            Some(APPLIED) => {}
            Some(DIRTY) => return found.dirty = Some(version.unwrap_or("a repeatable migration").to_owned()),
            Some(LOCKED) => return found.locked = Some(version.unwrap_or("an unknown process").to_owned()),
            _ => return,
        }
        let Some(version) = version else { return };
        let is_at_least = |than: &Option<String>| than.as_ref().is_none_or(|than| compare(version, than).is_ge());
        let is_at_most = |than: &Option<String>| than.as_ref().is_none_or(|than| compare(version, than).is_le());
        match self.tool.versions {
            Versions::Names => {
                let second_name = second_name.first().and_then(Option::as_deref);
                found.has_wanted |= [Some(version), second_name].contains(&Some(&self.wanted));
                found.highest = Some(version.to_owned());
            }
            Versions::Line | Versions::Each if is_number(version) => {
                found.has_wanted |= compare(version, &self.wanted).is_eq();
                if is_at_least(&found.highest) {
                    found.highest = Some(version.to_owned());
                }
                if is_at_most(&found.lowest) {
                    found.lowest = Some(version.to_owned());
                }
            }
            Versions::Line | Versions::Each => {}
        }
    }

    /// The verdict on the whole table
    pub(crate) fn judge(&self, found: &Found) -> Verdict {
        let (tool, wanted) = (self.tool.name, &self.wanted);
        if let Some(holder) = &found.locked {
            let holder = one_line(holder);
            return Err(self.not_yet(&format!("is locked by {holder}, which runs or was killed")));
        }
        if let Some(version) = &found.dirty {
            return Err(self.not_yet(&format!("is dirty at {}", one_line(version))));
        }
        let Some(highest) = &found.highest else { return Err(self.not_yet("has applied nothing")) };
        // Rails leaves out what was squashed into a schema. Another number of digits is a typing
        // error, not an older version.
        let is_squashed = || {
            let is_newer = |lowest: &String| lowest.len() == wanted.len() && compare(lowest, wanted).is_gt();
            tool == "rails" && found.lowest.as_ref().is_some_and(is_newer)
        };
        let is_there = match self.tool.versions {
            Versions::Line => compare(highest, wanted).is_ge(),
            Versions::Each => found.has_wanted || is_squashed(),
            Versions::Names => found.has_wanted,
        };
        let highest = one_line(highest);
        match (is_there, self.tool.versions) {
            (true, Versions::Names) => Ok(format!("logged in, {tool} has {}", one_line(wanted))),
            (true, _) => Ok(format!("logged in, {tool} is at {highest}")),
            (false, _) => Err(self.not_yet(&format!("is at {highest}"))),
        }
    }

    /// The verdict where the table is missing, because the tool makes it; `place` is where it was
    /// looked for.
    pub(crate) fn without_table(&self, place: &str) -> NotReady {
        self.not_yet(&format!("has no table {} in {place}", self.tool.table))
    }

    fn not_yet(&self, state: &str) -> NotReady {
        let Self { tool, wanted } = self;
        NotReady::new(Cause::Contrary, format!("{} {state}, waits for {}", tool.name, one_line(wanted)))
    }
}

/// Takes a row as one of each tool, for tests.
#[cfg(any(test, fuzzing))]
pub(crate) fn judge_any(row: &[Option<String>]) {
    for tool in &TOOLS {
        let migration = Migration { tool, wanted: "1".into() };
        let mut found = Found::default();
        migration.take(&mut found, row);
        let _ = migration.judge(&found);
    }
}

/// Whether a version is digits with dots or underscores between them
fn is_number(version: &str) -> bool {
    version.split(['.', '_']).all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Compares numbers of any length with any number of parts: 1.10 is after 1.9, and 1.0 is 1.
fn compare(one: &str, other: &str) -> Ordering {
    let parts = |version: &'_ str| -> Vec<_> {
        version
            .split(['.', '_'])
            .map(|part| part.trim_start_matches('0'))
            .map(|part| (part.len(), part.to_owned()))
            .collect()
    };
    let (mut one, mut other) = (parts(one), parts(other));
    let length = one.len().max(other.len());
    one.resize(length, (0, String::new()));
    other.resize(length, (0, String::new()));
    one.cmp(&other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The verdict's words on rows of a version and a state
    fn judge(migration: &str, rows: &[(&str, &str)]) -> Result<String, String> {
        let migration = Migration::parse(migration).unwrap();
        let mut found = Found::default();
        for (version, state) in rows {
            migration.take(&mut found, &[Some((*version).to_owned()), Some((*state).to_owned()), None]);
        }
        migration.judge(&found).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn numbers_are_compared_part_by_part() {
        for (one, order, other) in [
            ("1.10", Ordering::Greater, "1.9"),
            ("1.0", Ordering::Equal, "1"),
            ("0012", Ordering::Equal, "12"),
            ("2", Ordering::Greater, "1.99.99"),
            ("1_2", Ordering::Equal, "1.2"),
            ("20260102030405", Ordering::Less, "123456789012345678901234567890"),
        ] {
            assert_eq!(compare(one, other), order, "{one} {other}");
        }
    }

    #[test]
    fn the_highest_version_of_a_line_decides() {
        let rows = [("1", APPLIED), ("10", APPLIED), ("9", APPLIED)];
        assert_eq!(judge("flyway:7", &rows), Ok("logged in, flyway is at 10".into()));
        assert_eq!(judge("flyway:10.0", &rows), Ok("logged in, flyway is at 10".into()));
        assert_eq!(judge("flyway:10.0.1", &rows), Err("flyway is at 10, waits for 10.0.1".into()));
        assert_eq!(judge("goose:12", &[]), Err("goose has applied nothing, waits for 12".into()));
    }

    #[test]
    fn a_version_that_a_tool_can_apply_later_must_be_there_itself() {
        for tool in ["sqlx", "diesel", "rails"] {
            let wanted = format!("{tool}:20260102000000");
            let rows = [("20260101000000", APPLIED), ("20260103000000", APPLIED)];
            assert_eq!(judge(&wanted, &rows), Err(format!("{tool} is at 20260103000000, waits for 20260102000000")));
            assert!(judge(&wanted, &[rows[0], ("20260102000000", APPLIED), rows[1]]).is_ok());
            assert_eq!(judge(&wanted, &rows[1..]).is_ok(), tool == "rails", "squashed into a newer one");
            assert!(judge(&format!("{tool}:12"), &rows).is_err());
        }
        assert!(judge("diesel:2026-01-02-000000", &[("20260102000000", APPLIED)]).is_ok());
    }

    #[test]
    fn a_name_has_no_order() {
        let rows = [("27c6a30d7c24", APPLIED), ("ae1027a6acf", APPLIED)];
        assert_eq!(judge("alembic:27c6a30d7c24", &rows), Ok("logged in, alembic has 27c6a30d7c24".into()));
        assert_eq!(
            judge("alembic:1975ea83b712", &rows),
            Err("alembic is at ae1027a6acf, waits for 1975ea83b712".into())
        );
    }

    #[test]
    fn a_changeset_has_a_short_and_a_long_name() {
        for wanted in ["add-users", "db/changelog.xml::add-users::app"] {
            let migration = Migration::parse(&format!("liquibase:{wanted}")).unwrap();
            let mut found = Found::default();
            let row = ["add-users", APPLIED, "db/changelog.xml::add-users::app"].map(|text| Some(text.to_owned()));
            migration.take(&mut found, &row);
            assert_eq!(migration.judge(&found), Ok(format!("logged in, liquibase has {wanted}")));
            migration.take(&mut found, &["pod-1 (10.0.0.7)", LOCKED, ""].map(|text| Some(text.to_owned())));
            let words = "liquibase is locked by pod-1 (10.0.0.7), which runs or was killed, waits for ";
            assert_eq!(migration.judge(&found).unwrap_err().reason, format!("{words}{wanted}"));
        }
    }

    #[test]
    fn a_half_done_migration_is_not_ready() {
        let rows = [("12", APPLIED), ("5", DIRTY)];
        assert_eq!(judge("golang-migrate:4", &rows), Err("golang-migrate is dirty at 5, waits for 4".into()));
        assert_eq!(
            judge("golang-migrate:4", &[("-1", DIRTY)]),
            Err("golang-migrate is dirty at -1, waits for 4".into())
        );
    }

    #[test]
    fn a_wrong_option_is_not_repeated() {
        for (text, error) in [
            (
                "hunter2",
                "this is not TOOL:VERSION, in which TOOL is flyway, liquibase, goose, golang-migrate, alembic, sqlx, diesel, rails",
            ),
            ("flyway:hunter2", "flyway has no such version: write flyway:VERSION, such as flyway:12 or 1.2.3"),
            ("rails", "rails has no such version: write rails:VERSION, such as rails:20260102030405"),
            ("alembic:head", "alembic has no such version: write alembic:VERSION, such as alembic:ae1027a6acf"),
            ("alembic: ", "alembic has no such version: write alembic:VERSION, such as alembic:ae1027a6acf"),
        ] {
            assert_eq!(Migration::parse(text).unwrap_err(), error);
        }
    }

    proptest! {
        #[test]
        fn any_row_is_taken(row: Vec<Option<String>>, state in "(applied|dirty|locked)", version in "[0-9._]{0,9}") {
            judge_any(&row);
            judge_any(&[Some(version), Some(state)]);
        }

        #[test]
        fn versions_have_one_order(one in "[0-9]{1,3}([._][0-9]{1,3}){0,3}", other in "[0-9]{1,3}([._][0-9]{1,3}){0,3}") {
            prop_assert_eq!(compare(&one, &other), compare(&other, &one).reverse());
        }
    }
}
