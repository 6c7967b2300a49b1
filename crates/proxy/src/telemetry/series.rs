//! Series whose labels come from the configuration: they go with the last configuration that names them, so that reloads do not
//! add to the metrics without end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus::{
    core::{Collector, MetricVec, MetricVecBuilder},
    proto::MetricFamily,
};

/// Names and values of labels
pub(crate) type Labels = Vec<(&'static str, String)>;

/// How many holders keep the series with these labels
pub(crate) type Holders = Arc<Mutex<HashMap<Labels, usize>>>;

/// Keeps all series with these labels for as long as it lives
pub(crate) struct Kept<R: Fn(&Labels)> {
    labels: Labels,
    holders: Holders,
    remove: R,
}

impl<R: Fn(&Labels)> Kept<R> {
    /// `remove` removes the series; it is called by the last holder.
    pub(crate) fn new(holders: &Holders, labels: Labels, remove: R) -> Self {
        *holders.lock().unwrap_or_else(PoisonError::into_inner).entry(labels.clone()).or_default() += 1;
        Self { labels, holders: holders.clone(), remove }
    }
}

impl<R: Fn(&Labels)> Drop for Kept<R> {
    fn drop(&mut self) {
        // Removed under the lock, so that a new holder's series come after that.
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        let count = holders.get_mut(&self.labels).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if count == 0 {
            holders.remove(&self.labels);
            (self.remove)(&self.labels);
        }
    }
}

/// Removes the series of one metric that have all these labels.
pub(crate) fn remove<B: MetricVecBuilder>(metric: &MetricVec<B>, labels: &Labels)
where
    MetricVec<B>: Collector,
{
    for series in metric.collect().iter().flat_map(MetricFamily::get_metric) {
        let all: HashMap<_, _> = series.get_label().iter().map(|label| (label.name(), label.value())).collect();
        if labels.iter().all(|(name, value)| all.get(name).is_some_and(|known| known == value)) {
            // Another holder of other labels may have been faster.
            let _ = metric.remove(&all);
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{IntCounterVec, Opts};

    use super::*;

    #[test]
    fn series_go_with_their_last_holder() {
        let metric = IntCounterVec::new(Opts::new("x", "x"), &["listener", "route"]).unwrap();
        for route in ["a", "b"] {
            metric.with_label_values(&["front", route]).inc();
        }
        let holders = Holders::default();
        let labels = |route: &str| vec![("listener", "front".to_owned()), ("route", route.to_owned())];
        let keep = |route| Kept::new(&holders, labels(route), |labels| remove(&metric, labels));
        let count = || metric.collect()[0].get_metric().len();
        let (first, second) = (keep("a"), keep("a"));
        drop(first);
        assert_eq!(count(), 2);
        drop(second);
        assert_eq!((count(), metric.with_label_values(&["front", "b"]).get()), (1, 1));
        drop(Kept::new(&holders, vec![("listener", "front".to_owned())], |labels| remove(&metric, labels)));
        assert_eq!((metric.collect()[0].get_metric().len(), holders.lock().unwrap().len()), (0, 0));
    }
}
