//! How far each output is behind in the files of each path, as two metrics. They are written when they are asked for, because the
//! prometheus crate needs half a kilobyte for each series, and there may be tens of thousands of files.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

const BYTES: (&str, &str) = ("sidekit_log_forwarder_lag_bytes", "Bytes of a file that an output has not settled yet");
const SECONDS: (&str, &str) =
    ("sidekit_log_forwarder_lag_seconds", "Age of the oldest of them, as it was seen to come");

/// How far each output is behind; cheap to clone
#[derive(Clone, Debug, Default)]
pub(crate) struct Lag {
    /// By the label of the output and the path; bytes and the age of the oldest one
    series: Arc<Mutex<BTreeMap<String, Paths>>>,
}

type Paths = BTreeMap<Arc<Path>, (u64, Duration)>;

impl Lag {
    /// Sets how far an output is behind in the files of a path, or that there is nothing to say about them.
    pub(super) fn set(&self, output: &str, path: &Arc<Path>, lag: Option<(u64, Duration)>) {
        // Two names that are not UTF-8 may look the same, and then they have one series.
        let path = if path.to_str().is_some() { path.clone() } else { Path::new(&*path.to_string_lossy()).into() };
        let mut series = self.series();
        match (series.get_mut(output), lag) {
            (Some(paths), Some(lag)) => match paths.get_mut(&path) {
                Some(known) => *known = lag,
                None => drop(paths.insert(path, lag)),
            },
            (None, Some(lag)) => drop(series.insert(output.to_owned(), BTreeMap::from([(path, lag)]))),
            (Some(paths), None) => {
                paths.remove(&path);
                if paths.is_empty() {
                    series.remove(output);
                }
            }
            (None, None) => {}
        }
    }

    fn series(&self) -> MutexGuard<'_, BTreeMap<String, Paths>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lag {
    /// Writes both metrics in the text format of Prometheus.
    pub(crate) fn write(&self, page: &mut String) {
        let series = self.series();
        family(page, BYTES, &series, |(bytes, _)| bytes.to_string());
        family(page, SECONDS, &series, |(_, age)| age.as_secs_f64().to_string());
    }
}

fn family(
    page: &mut String,
    (name, help): (&str, &str),
    series: &BTreeMap<String, Paths>,
    value: fn((u64, Duration)) -> String,
) {
    if series.is_empty() {
        return;
    }
    page.extend(["# HELP ", name, " ", help, "\n# TYPE ", name, " gauge\n"]);
    for (output, paths) in series {
        let output = escaped(output);
        for (path, lag) in paths {
            let path = path.to_string_lossy();
            page.extend([name, "{file=\"", &escaped(&path), "\",output=\"", &output, "\"} ", &value(*lag), "\n"]);
        }
    }
}

/// The value of a label
fn escaped(value: &str) -> Cow<'_, str> {
    if value.contains(['\\', '"', '\n']) {
        value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n").into()
    } else {
        value.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_of_each_output_has_two_series_until_there_is_nothing_to_say() {
        let lag = Lag::default();
        let [one, two, none] = ["/logs/a.log", "/logs/b\".log", "/logs/none.log"].map(|path| Path::new(path).into());
        let text = || {
            let mut page = String::new();
            lag.write(&mut page);
            page
        };
        assert_eq!(text(), "");
        lag.set("tcp://one", &one, Some((7, Duration::from_millis(1500))));
        lag.set("tcp://one", &one, Some((8, Duration::from_millis(2500))));
        lag.set("tcp://two", &two, Some((0, Duration::ZERO)));
        let lines = |name| {
            let begin = format!("sidekit_log_forwarder_lag_{name}{{");
            text().lines().filter_map(|line| Some(line.strip_prefix(&begin)?.to_owned())).collect::<Vec<_>>()
        };
        let (first, second) =
            (r#"file="/logs/a.log",output="tcp://one"}"#, r#"file="/logs/b\".log",output="tcp://two"}"#);
        assert_eq!(lines("bytes"), [format!("{first} 8"), format!("{second} 0")]);
        assert_eq!(lines("seconds"), [format!("{first} 2.5"), format!("{second} 0")]);
        lag.set("tcp://one", &one, None);
        lag.set("tcp://one", &none, None);
        assert_eq!(lines("bytes"), [format!("{second} 0")]);
        lag.set("tcp://two", &two, None);
        assert_eq!(text(), "");
    }
}
