//! How far each output is behind in the files of each path, as two metrics. They are made when they are asked for, because the
//! vectors of the prometheus crate keep half a kilobyte for each series, and there may be tens of thousands of files.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::{
    core::{Collector, Desc},
    proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType},
};

const LABELS: [&str; 2] = ["output", "file"];
const BYTES: (&str, &str) = ("sidekit_log_forwarder_lag_bytes", "Bytes of a file that an output has not settled yet");
const SECONDS: (&str, &str) =
    ("sidekit_log_forwarder_lag_seconds", "Age of the oldest of them, as it was seen to come");

/// How far each output is behind; cheap to clone
#[derive(Clone, Debug)]
pub(super) struct Lag {
    descriptions: [Desc; 2],
    /// By the label of the output and the path; bytes and the age of the oldest one
    series: Arc<Mutex<BTreeMap<String, Paths>>>,
}

type Paths = BTreeMap<Box<str>, (u64, Duration)>;

impl Lag {
    pub(super) fn new() -> prometheus::Result<Self> {
        let description = |(name, help): (&str, &str)| {
            Desc::new(name.into(), help.into(), LABELS.map(str::to_owned).to_vec(), HashMap::new())
        };
        Ok(Self { descriptions: [description(BYTES)?, description(SECONDS)?], series: Arc::default() })
    }

    /// Sets how far an output is behind in the files of a path, or that there is nothing to say about them.
    pub(super) fn set(&self, output: &str, path: &str, lag: Option<(u64, Duration)>) {
        let mut series = self.series();
        match (series.get_mut(output), lag) {
            (Some(paths), Some(lag)) => match paths.get_mut(path) {
                Some(known) => *known = lag,
                None => drop(paths.insert(path.into(), lag)),
            },
            (None, Some(lag)) => drop(series.insert(output.to_owned(), BTreeMap::from([(path.into(), lag)]))),
            (Some(paths), None) => {
                paths.remove(path);
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

impl Collector for Lag {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let series = self.series();
        vec![family(BYTES, &series, |(bytes, _)| float(bytes)), family(SECONDS, &series, |(_, age)| age.as_secs_f64())]
    }
}

fn family(
    (name, help): (&str, &str),
    series: &BTreeMap<String, Paths>,
    value: fn((u64, Duration)) -> f64,
) -> MetricFamily {
    let mut metrics = Vec::with_capacity(series.values().map(BTreeMap::len).sum());
    for (output, paths) in series {
        for (path, lag) in paths {
            let mut gauge = Gauge::default();
            gauge.set_value(value(*lag));
            let mut metric = Metric::from_gauge(gauge);
            metric.set_label(vec![label(LABELS[1], path), label(LABELS[0], output)]);
            metrics.push(metric);
        }
    }
    let mut family = MetricFamily::default();
    family.set_name(name.into());
    family.set_help(help.into());
    family.set_field_type(MetricType::GAUGE);
    family.set_metric(metrics);
    family
}

#[expect(clippy::cast_precision_loss, reason = "values of metrics are floats")]
const fn float(bytes: u64) -> f64 {
    bytes as f64
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.into());
    label.set_value(value.into());
    label
}

#[cfg(test)]
mod tests {
    use prometheus::{Registry, TextEncoder};

    use super::*;

    #[test]
    fn each_path_of_each_output_has_two_series_until_there_is_nothing_to_say() {
        let (registry, lag) = (Registry::new(), Lag::new().unwrap());
        registry.register(Box::new(lag.clone())).unwrap();
        let text = || TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert_eq!(text(), "");
        lag.set("tcp://one", "/logs/a.log", Some((7, Duration::from_millis(1500))));
        lag.set("tcp://one", "/logs/a.log", Some((8, Duration::from_millis(2500))));
        lag.set("tcp://two", "/logs/b\".log", Some((0, Duration::ZERO)));
        let lines = |name| {
            let begin = format!("sidekit_log_forwarder_lag_{name}{{");
            text().lines().filter_map(|line| Some(line.strip_prefix(&begin)?.to_owned())).collect::<Vec<_>>()
        };
        let (one, two) = (r#"file="/logs/a.log",output="tcp://one"}"#, r#"file="/logs/b\".log",output="tcp://two"}"#);
        assert_eq!(lines("bytes"), [format!("{one} 8"), format!("{two} 0")]);
        assert_eq!(lines("seconds"), [format!("{one} 2.5"), format!("{two} 0")]);
        lag.set("tcp://one", "/logs/a.log", None);
        lag.set("tcp://one", "/logs/none.log", None);
        assert_eq!(lines("bytes"), [format!("{two} 0")]);
        lag.set("tcp://two", "/logs/b\".log", None);
        assert_eq!(text(), "");
    }
}
