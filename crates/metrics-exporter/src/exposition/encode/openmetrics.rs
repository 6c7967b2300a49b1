//! Writes OpenMetrics 1.0.

use crate::exposition::{
    encode::{
        fitness::{Fit, fit},
        number::{write_open_bound, write_seconds, write_value},
        writer::{Name, Writer},
    },
    model::{Exemplar, Family, Kind, Series, Value},
    notes::Notes,
    openmetrics_rules::{judge_exemplar, with_allowed_totals},
    page::Note,
    page_format::PageFormat,
};

pub(super) fn encode(families: &[Family], page: &mut Vec<u8>) -> Vec<Note> {
    let mut notes = Notes::default();
    let mut encoder = Encoder { writer: Writer::new(page) };
    for fit in fit(families, PageFormat::OpenMetrics, &mut notes) {
        encoder.family(&fit);
    }
    encoder.writer.all(&["# EOF\n"]);
    notes.into_vec()
}

struct Encoder<'p> {
    writer: Writer<'p>,
}

impl Encoder<'_> {
    fn family(&mut self, fit: &Fit) {
        self.writer.metadata("TYPE", [fit.name, ""], fit.kind.name());
        if !fit.unit.is_empty() {
            self.writer.metadata("UNIT", [fit.name, ""], fit.unit);
        }
        // A line must not end with a carriage return.
        let help = fit.help.trim_end_matches('\r');
        if !help.is_empty() {
            self.writer.help([fit.name, ""], help, true);
        }
        for series in &fit.series {
            self.series(fit, series);
        }
    }

    fn series(&mut self, fit: &Fit, series: &Series) {
        match series.value {
            Value::Counter(total, exemplar) if fit.kind == Kind::Counter => {
                self.sample([fit.name, "_total"], series, total, exemplar);
            }
            Value::Number(value) | Value::Counter(value, _) => {
                let suffix = if fit.kind == Kind::Info { "_info" } else { "" };
                self.sample([fit.name, suffix], series, value, None);
                // The declared type has no time of creation.
                return;
            }
            Value::Summary(summary) => {
                let quantiles = summary.quantiles.iter().map(|(quantile, value)| (*quantile, *value, None));
                self.bounded([fit.name, ""], series, "quantile", quantiles);
                self.totals(fit, series, summary.count, summary.sum);
            }
            Value::Histogram(histogram) => {
                let buckets = histogram.buckets.iter().map(|it| (it.upper_bound, it.cumulative, it.exemplar));
                self.bounded([fit.name, "_bucket"], series, "le", buckets);
                let histogram = with_allowed_totals(histogram, fit.kind);
                self.totals(fit, series, histogram.count, histogram.sum);
            }
        }
        if let Some(created) = series.created
            && fit.kind != Kind::GaugeHistogram
        {
            self.sample([fit.name, "_created"], series, created, None);
        }
    }

    fn totals(&mut self, fit: &Fit, series: &Series, count: Option<f64>, sum: Option<f64>) {
        let suffixes = if fit.kind == Kind::GaugeHistogram { ["_gcount", "_gsum"] } else { ["_count", "_sum"] };
        for (suffix, value) in suffixes.into_iter().zip([count, sum]) {
            if let Some(value) = value {
                self.sample([fit.name, suffix], series, value, None);
            }
        }
    }

    fn sample(&mut self, name: Name, series: &Series, value: f64, exemplar: Option<&Exemplar>) {
        self.writer.series(name, series.labels);
        self.end(value, series.timestamp, exemplar.filter(|exemplar| judge_exemplar(exemplar, None).is_ok()));
    }

    /// Writes samples with the label `le` or `quantile`.
    fn bounded<'a>(
        &mut self,
        name: Name,
        series: &Series,
        bound_label: &str,
        points: impl Iterator<Item = (f64, f64, Option<&'a Exemplar<'a>>)>,
    ) {
        let mut written = None;
        for (bound, value, exemplar) in points {
            match written.clone() {
                None => written = Some(self.writer.bounded_series(name, series.labels, bound_label)),
                Some(range) => self.writer.repeat(range),
            }
            self.writer.with(|page| write_open_bound(bound, page));
            self.writer.all(&["\"} "]);
            let exemplar = exemplar.filter(|exemplar| judge_exemplar(exemplar, Some(bound)).is_ok());
            self.end(value, series.timestamp, exemplar);
        }
    }

    fn end(&mut self, value: f64, timestamp: Option<i64>, exemplar: Option<&Exemplar>) {
        self.writer.with(|page| write_value(value, page));
        if let Some(milliseconds) = timestamp {
            self.writer.all(&[" "]);
            self.writer.with(|page| write_seconds(milliseconds, page));
        }
        if let Some(exemplar) = exemplar {
            self.writer.all(&[" # "]);
            self.writer.labels(exemplar.labels);
            self.writer.all(&[" "]);
            self.writer.with(|page| write_value(exemplar.value, page));
            if let Some(seconds) = exemplar.timestamp {
                self.writer.all(&[" "]);
                self.writer.with(|page| write_value(seconds, page));
            }
        }
        self.writer.all(&["\n"]);
    }
}
