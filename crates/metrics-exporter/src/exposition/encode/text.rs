//! Writes Prometheus text format 0.0.4. Types that it does not have are written as by Python's client: an info and a state set are
//! gauges; the sum and the count of a gauge histogram, and times of creation, are gauges of their own.

use crate::exposition::{
    encode::{
        fitness::{Fit, fit, stem},
        number::{write_bound, write_value},
        writer::{Name, Writer},
    },
    model::{Family, Histogram, Kind, Label, Series, Value},
    notes::Notes,
    page::Note,
    page_format::PageFormat,
};

pub(super) fn encode(families: &[Family], page: &mut Vec<u8>) -> Vec<Note> {
    let mut notes = Notes::default();
    let mut encoder = Encoder { writer: Writer::new(page) };
    for fit in fit(families, PageFormat::Text, &mut notes) {
        encoder.family(&fit);
    }
    notes.into_vec()
}

struct Encoder<'p> {
    writer: Writer<'p>,
}

impl Encoder<'_> {
    fn family(&mut self, fit: &Fit) {
        let kind = match fit.kind {
            Kind::Unknown => "untyped",
            Kind::Gauge | Kind::Info | Kind::StateSet => "gauge",
            Kind::Counter => "counter",
            Kind::Summary => "summary",
            Kind::Histogram | Kind::GaugeHistogram => "histogram",
        };
        self.metadata([fit.name, ""], fit.help, kind);
        for series in &fit.series {
            self.series(fit, series);
        }
        if fit.kind == Kind::GaugeHistogram {
            self.gauge([fit.name, "_gcount"], fit, |series| histogram(series)?.count);
            self.gauge([fit.name, "_gsum"], fit, |series| histogram(series)?.sum);
        }
        if fit.has_created {
            self.gauge([stem(fit), "_created"], fit, |series| series.created);
        }
    }

    fn series(&mut self, fit: &Fit, series: &Series) {
        let Series { labels, timestamp, .. } = *series;
        match series.value {
            Value::Number(value) | Value::Counter(value, _) => self.sample([fit.name, ""], labels, value, timestamp),
            Value::Summary(summary) => {
                self.bounded([fit.name, ""], labels, "quantile", summary.quantiles.iter().copied(), timestamp);
                self.totals(fit.name, series, summary.sum, summary.count);
            }
            Value::Histogram(histogram) => {
                let buckets = histogram.buckets.iter().map(|bucket| (bucket.upper_bound, bucket.cumulative));
                self.bounded([fit.name, "_bucket"], labels, "le", buckets, timestamp);
                if fit.kind == Kind::Histogram {
                    self.totals(fit.name, series, histogram.sum, histogram.count);
                }
            }
        }
    }

    fn totals(&mut self, name: &str, series: &Series, sum: Option<f64>, count: Option<f64>) {
        for (suffix, value) in [("_sum", sum), ("_count", count)] {
            if let Some(value) = value {
                self.sample([name, suffix], series.labels, value, series.timestamp);
            }
        }
    }

    /// Writes one number of each series, as a gauge.
    fn gauge(&mut self, name: Name, fit: &Fit, number: impl Fn(&Series) -> Option<f64>) {
        let mut has_metadata = false;
        for series in &fit.series {
            let Some(number) = number(series) else { continue };
            if !has_metadata {
                self.metadata(name, fit.help, "gauge");
                has_metadata = true;
            }
            self.sample(name, series.labels, number, series.timestamp);
        }
    }

    fn metadata(&mut self, name: Name, help: &str, kind: &str) {
        if !help.is_empty() {
            self.writer.help(name, help, false);
        }
        self.writer.metadata("TYPE", name, kind);
    }

    fn sample(&mut self, name: Name, labels: &[Label], value: f64, timestamp: Option<i64>) {
        self.writer.series(name, labels);
        self.end(value, timestamp);
    }

    /// Writes samples with the label `le` or `quantile`.
    fn bounded(
        &mut self,
        name: Name,
        labels: &[Label],
        bound_label: &str,
        points: impl Iterator<Item = (f64, f64)>,
        timestamp: Option<i64>,
    ) {
        let mut written = None;
        for (bound, value) in points {
            match written.clone() {
                None => written = Some(self.writer.bounded_series(name, labels, bound_label)),
                Some(range) => self.writer.repeat(range),
            }
            self.writer.with(|page| write_bound(bound, page));
            self.writer.all(&["\"} "]);
            self.end(value, timestamp);
        }
    }

    fn end(&mut self, value: f64, timestamp: Option<i64>) {
        self.writer.with(|page| write_value(value, page));
        if let Some(milliseconds) = timestamp {
            self.writer.all(&[" ", itoa::Buffer::new().format(milliseconds)]);
        }
        self.writer.all(&["\n"]);
    }
}

fn histogram<'a>(series: &Series<'a>) -> Option<&'a Histogram<'a>> {
    match series.value {
        Value::Histogram(histogram) => Some(histogram),
        _ => None,
    }
}
