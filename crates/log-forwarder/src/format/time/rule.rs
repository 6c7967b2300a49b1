//! Which field of a record is its time, and how it is read: `--time-key`, `--time-format` and
//! `--time-zone`.

use std::{borrow::Cow, str::FromStr, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{calendar::scaled, form::TimeForm, known, zone::Zone};
use crate::format::record::{Field, Value};

/// Names of the time, the first that holds one: those of most loggers, then of Grafana and
/// `MongoDB`, Serilog, Log4j and Python
const USUAL: [&str; 9] = ["time", "timestamp", "ts", "@timestamp", "t", "@t", "datetime", "timeMillis", "asctime"];

// How times are read. Not a doc comment: clap would take it for the helper's description.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TimeFlags {
    /// The field that holds a record's time, in place of the usual ones (time, timestamp, ts, …); a
    /// record without a time there gets the time of the read, and is counted
    #[arg(id = "time_key", long = "time-key", value_name = "NAME", allow_hyphen_values = true)]
    pub(crate) key: Option<TimeKey>,
    /// The form of that time, in place of all that are known: rfc3339, unix, `unix_ms`, `unix_us`,
    /// `unix_ns`, or a pattern of strptime(3) such as `%d.%m.%Y %H:%M:%S`
    #[arg(id = "time_format", long = "time-format", value_name = "FORM", allow_hyphen_values = true)]
    pub(crate) form: Option<TimeForm>,
    /// The zone of times that name none, such as Europe/Berlin or +01:00; UTC without this flag
    #[arg(id = "time_zone", long = "time-zone", value_name = "ZONE", allow_hyphen_values = true)]
    pub(crate) zone: Option<Zone>,
}

impl TimeFlags {
    /// Whether they say where the time is, or how it looks.
    pub(crate) fn name_a_field(&self) -> bool {
        self.key.is_some() || self.form.is_some()
    }
}

/// `--time-key`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TimeKey(Arc<str>);

impl FromStr for TimeKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("this is empty: write the name of a field".into());
        }
        Ok(Self(text.into()))
    }
}

/// How the time of a record is found; cheap to clone
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TimeRule {
    /// `None` means the usual ones
    key: Option<TimeKey>,
    form: Option<TimeForm>,
    zone: Zone,
}

impl From<TimeFlags> for TimeRule {
    fn from(flags: TimeFlags) -> Self {
        Self { key: flags.key, form: flags.form, zone: flags.zone.unwrap_or_default() }
    }
}

impl TimeRule {
    /// Whether a record without a time is not what the settings say.
    pub(crate) fn demands_time(&self) -> bool {
        self.key.is_some() || self.form.is_some()
    }

    /// Takes the time out of the fields, in nanoseconds since 1970. A field that holds none stays.
    pub(crate) fn take(&self, fields: &mut Vec<Field<'_>>) -> Option<i64> {
        let mut take = |name: &str| {
            let at = fields.iter().position(|(key, _)| key == name)?;
            let time = self.read(&fields[at].1)?;
            fields.remove(at);
            Some(time)
        };
        match &self.key {
            Some(TimeKey(name)) => take(name),
            None => USUAL.into_iter().find_map(take),
        }
    }

    fn read(&self, value: &Value<'_>) -> Option<i64> {
        match (value, &self.form) {
            (Value::Text(text), None) => known::parse_in(text, &self.zone),
            (Value::Json(json), None) if json.starts_with('{') => self.date(json),
            (Value::Json(json), None) => known::number(json),
            (Value::Text(text) | Value::Json(text), Some(form)) => form.read(text, &self.zone),
        }
    }

    /// `{"$date": …}`, as `MongoDB` writes a time in Extended JSON: a text, a number of
    /// milliseconds, or such a number as a text.
    fn date(&self, json: &str) -> Option<i64> {
        let Extended { date } = serde_json::from_str(json).ok()?;
        match date.get() {
            text if text.starts_with('"') => {
                known::parse_in(&serde_json::from_str::<Cow<'_, str>>(text).ok()?, &self.zone)
            }
            long if long.starts_with('{') => scaled(serde_json::from_str::<Long<'_>>(long).ok()?.number, 3),
            number => scaled(number, 3),
        }
    }
}

#[derive(Deserialize)]
struct Extended<'a> {
    #[serde(rename = "$date", borrow)]
    date: &'a RawValue,
}

#[derive(Deserialize)]
struct Long<'a> {
    #[serde(rename = "$numberLong")]
    number: &'a str,
}
