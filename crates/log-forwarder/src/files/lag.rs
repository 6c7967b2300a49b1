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
    /// By the label of the output
    series: Arc<Mutex<BTreeMap<String, Paths>>>,
}

/// By the path
type Paths = BTreeMap<Arc<Path>, Behind>;

/// Bytes, and the age of the oldest one; `None` if there are none, as in most files, because there may be tens of thousands.
type Behind = Option<Box<(u64, Duration)>>;

impl Lag {
    /// Sets how far an output is behind in the files of some paths, or that there is nothing to say about them.
    pub(super) fn set(&self, output: &str, lags: impl Iterator<Item = (Arc<Path>, Option<(u64, Duration)>)>) {
        // Two names that are not UTF-8 may look the same, and then they have one series.
        let shown = |path: Arc<Path>| match path.to_str() {
            Some(_) => path,
            None => Path::new(&*path.to_string_lossy()).into(),
        };
        let mut all = self.series();
        let known = all.entry(output.to_owned()).or_default();
        let mut new = Vec::new();
        for (path, lag) in lags.map(|(path, lag)| (shown(path), lag)) {
            let behind = lag.map(|lag| (lag.0 > 0).then(|| lag.into()));
            match (known.get_mut(&path), behind) {
                (Some(known), Some(behind)) => *known = behind,
                (None, Some(behind)) => new.push((path, behind)),
                (_, None) => drop(known.remove(&path)),
            }
        }
        // A map into which paths are put one after the other is half empty.
        known.append(&mut new.into_iter().collect());
        all.retain(|_, paths| !paths.is_empty());
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
        for (path, behind) in paths {
            let value = value(behind.as_deref().copied().unwrap_or_default());
            let path = path.to_string_lossy();
            page.extend([name, "{file=\"", &escaped(&path), "\",output=\"", &output, "\"} ", &value, "\n"]);
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
        let set = |output, path: &Arc<Path>, behind| lag.set(output, [(path.clone(), behind)].into_iter());
        set("tcp://one", &one, Some((7, Duration::from_millis(1500))));
        set("tcp://one", &one, Some((8, Duration::from_millis(2500))));
        set("tcp://two", &two, Some((0, Duration::ZERO)));
        let lines = |name| {
            let begin = format!("sidekit_log_forwarder_lag_{name}{{");
            text().lines().filter_map(|line| Some(line.strip_prefix(&begin)?.to_owned())).collect::<Vec<_>>()
        };
        let (first, second) =
            (r#"file="/logs/a.log",output="tcp://one"}"#, r#"file="/logs/b\".log",output="tcp://two"}"#);
        assert_eq!(lines("bytes"), [format!("{first} 8"), format!("{second} 0")]);
        assert_eq!(lines("seconds"), [format!("{first} 2.5"), format!("{second} 0")]);
        set("tcp://one", &one, None);
        set("tcp://one", &none, None);
        assert_eq!(lines("bytes"), [format!("{second} 0")]);
        set("tcp://two", &two, None);
        assert_eq!(text(), "");
    }
}
