//! Parses OpenMetrics 1.0. A line that breaks the grammar makes the body no page, as the specification requires and Prometheus
//! does. Other faults that Prometheus accepts do not: a value that its type forbids (for example a counter that is NaN) stays,
//! and the encoder leaves it out of the formats that forbid it. The lines of a metric and of a family may stand apart, because
//! Python's client writes such pages for several processes. A help may hold quotes without escapes (Rust's client), and a counter
//! may have the name of a gauge (Go's client).

mod claims;
mod gathered;
mod open_family;
mod point;
mod sample;
mod time;

use bumpalo::Bump;

use crate::exposition::{
    model::{Exemplar, Kind},
    notes::Notes,
    page::{Bounds, Page, PageFault},
    parse::{
        budget::Budget,
        cursor::Cursor,
        escapes,
        labels::LabelReader,
        names, number,
        openmetrics::{
            gathered::Gathered,
            open_family::OpenFamily,
            sample::{Role, Sample},
        },
    },
};

pub(super) fn parse<'a>(arena: &'a Bump, body: &'a [u8], bounds: &Bounds) -> Result<Page<'a>, PageFault> {
    let cursor = Cursor::new(body)?;
    let mut reader = Reader {
        arena,
        cursor,
        labels: LabelReader::new(arena, bounds),
        exemplar_labels: LabelReader::new(arena, bounds),
        family: OpenFamily::new(arena, "", cursor),
        gathered: Gathered::default(),
        bounds: *bounds,
        budget: Budget::new(bounds),
        notes: Notes::default(),
    };
    while !reader.line()? {}
    reader.begin_family("")?;
    let cost = reader.budget.cost(bounds);
    Ok(Page { families: reader.gathered.into_families(), notes: reader.notes.into_vec(), cost })
}

struct Reader<'a> {
    arena: &'a Bump,
    cursor: Cursor<'a>,
    labels: LabelReader<'a>,
    exemplar_labels: LabelReader<'a>,
    /// The family of the previous line; at the start a family without a name
    family: OpenFamily<'a>,
    gathered: Gathered<'a>,
    bounds: Bounds,
    budget: Budget,
    notes: Notes,
}

impl<'a> Reader<'a> {
    /// Reads one line. True if it is the last one.
    fn line(&mut self) -> Result<bool, PageFault> {
        match self.cursor.peek() {
            None => Err(self.cursor.fault("# EOF is missing: the body is cut off")),
            Some(b'\n') => Err(self.cursor.fault("an empty line")),
            Some(b'#') => self.metadata(),
            Some(_) => self.sample().map(|()| false),
        }
    }

    fn metadata(&mut self) -> Result<bool, PageFault> {
        let start = self.cursor;
        if !self.cursor.eat_all("# ") {
            return Err(start.fault("a comment, which OpenMetrics does not have"));
        }
        if self.cursor.eat_all("EOF") {
            self.cursor.eat(b'\n');
            let is_last = self.cursor.is_at_end();
            return if is_last { Ok(true) } else { Err(self.cursor.fault("something after # EOF")) };
        }
        let keyword = self.cursor.token(b" ");
        if !["TYPE", "HELP", "UNIT"].contains(&keyword) {
            return Err(start.fault("a comment, which OpenMetrics does not have"));
        }
        self.blank()?;
        let name = names::metric(&mut self.cursor, self.bounds.label_bytes)?;
        self.blank()?;
        let text = self.cursor.rest_of_line();
        if text.ends_with('\r') {
            return Err(start.fault("a carriage return at the end of a line"));
        }
        if name != self.family.name || self.family.has_samples {
            self.begin_family(name)?;
        }
        let is_first = match keyword {
            "TYPE" => {
                let kind = kind_of(text).ok_or_else(|| start.fault("an unknown type of metric"))?;
                self.family.kind.replace(kind).is_none()
            }
            "HELP" => self.family.help.replace(escapes::unescape(self.arena, text)).is_none(),
            _ => self.family.unit.replace(text).is_none(),
        };
        self.family.at = start;
        if is_first { Ok(false) } else { Err(start.fault("TYPE, HELP or UNIT twice for one family")) }
    }

    fn sample(&mut self) -> Result<(), PageFault> {
        let start = self.cursor;
        let name = names::metric(&mut self.cursor, self.bounds.label_bytes)?;
        let role = match self.family.role_of(name) {
            Some(role) => role,
            None => self.begin_piece(name)?,
        };
        self.budget.take_series(1).map_err(|fault| start.fault(fault))?;
        read_labels(&mut self.cursor, &mut self.labels)?;
        let labels = self.labels.finish(self.family.aside()).map_err(|fault| start.fault(fault))?;
        self.budget.take_labels(&labels).map_err(|fault| start.fault(fault))?;
        self.blank()?;
        let value = self.number()?;
        let mut timestamp = None;
        let mut exemplar = None;
        if self.cursor.eat(b' ') {
            if self.cursor.peek() != Some(b'#') {
                let text = self.cursor.token(b" ");
                timestamp = Some(time::milliseconds(text).ok_or_else(|| start.fault("expected a time in seconds"))?);
            }
            if self.cursor.peek() == Some(b'#') || self.cursor.eat(b' ') {
                exemplar = Some(self.exemplar()?);
            }
        }
        if !self.cursor.eat(b'\n') {
            return Err(self.cursor.fault("expected the end of the line"));
        }
        let sample = Sample { role, labels, value, timestamp, exemplar };
        self.family.add(&sample, start, &mut self.notes).map_err(|(at, fault)| at.fault(fault))
    }

    /// Reads the exemplar behind its `#`.
    fn exemplar(&mut self) -> Result<&'a Exemplar<'a>, PageFault> {
        let start = self.cursor;
        if !self.cursor.eat_all("# ") || self.cursor.peek() != Some(b'{') {
            return Err(start.fault("expected a time or an exemplar"));
        }
        read_labels(&mut self.cursor, &mut self.exemplar_labels)?;
        let labels = self.exemplar_labels.finish("").map_err(|fault| start.fault(fault))?;
        let taken = self.budget.take_part().and_then(|()| self.budget.take_labels(&labels));
        taken.map_err(|fault| start.fault(fault))?;
        self.blank()?;
        let value = self.number()?;
        let mut timestamp = None;
        if self.cursor.eat(b' ') {
            let seconds = number::float(self.cursor.token(b" ")).filter(|seconds| seconds.is_finite());
            timestamp = Some(seconds.ok_or_else(|| start.fault("expected the time of an exemplar in seconds"))?);
        }
        Ok(self.arena.alloc(Exemplar { labels: labels.labels, value, timestamp }))
    }

    /// Begins the family of a sample without metadata: another piece of an earlier family, or a family without a type.
    fn begin_piece(&mut self, sample: &'a str) -> Result<Role, PageFault> {
        if let Some((name, kind)) = self.gathered.owner(sample) {
            self.begin_family(name)?;
            self.family.kind = Some(kind);
            if let Some(role) = self.family.role_of(sample) {
                return Ok(role);
            }
        }
        self.begin_family(sample)?;
        Ok(Role::Value)
    }

    /// Ends the current family, and begins another one.
    fn begin_family(&mut self, name: &'a str) -> Result<(), PageFault> {
        let ended = std::mem::replace(&mut self.family, OpenFamily::new(self.arena, name, self.cursor));
        if ended.name.is_empty() {
            return Ok(());
        }
        let name = ended.name;
        self.budget.take_name().map_err(|fault| ended.at.fault(fault))?;
        let family = ended.end(&mut self.notes).map_err(|(at, fault)| at.fault(fault))?;
        self.gathered.add(name, family, &mut self.notes);
        Ok(())
    }

    fn number(&mut self) -> Result<f64, PageFault> {
        number::float(self.cursor.token(b" ")).ok_or_else(|| self.cursor.fault("expected a number"))
    }

    fn blank(&mut self) -> Result<(), PageFault> {
        if self.cursor.eat(b' ') { Ok(()) } else { Err(self.cursor.fault("expected one blank")) }
    }
}

/// Reads labels, if there are any. They have no blanks, and commas only between them.
fn read_labels<'a>(cursor: &mut Cursor<'a>, labels: &mut LabelReader<'a>) -> Result<(), PageFault> {
    labels.clear();
    if !cursor.eat(b'{') || cursor.eat(b'}') {
        return Ok(());
    }
    loop {
        let name = names::label(cursor)?;
        if !cursor.eat_all("=\"") {
            return Err(cursor.fault("expected =\" after the name of a label"));
        }
        let start = *cursor;
        let value = cursor.quoted().ok_or_else(|| start.fault("the value of a label does not end"))?;
        if value.raw.contains('\n') {
            return Err(start.fault("the value of a label does not end in its line"));
        }
        labels.push(name, value).map_err(|fault| start.fault(fault))?;
        if cursor.eat(b'}') {
            return Ok(());
        }
        if !cursor.eat(b',') {
            return Err(cursor.fault("expected , or } after the value of a label"));
        }
    }
}

fn kind_of(text: &str) -> Option<Kind> {
    Some(match text {
        "unknown" => Kind::Unknown,
        "gauge" => Kind::Gauge,
        "counter" => Kind::Counter,
        "summary" => Kind::Summary,
        "histogram" => Kind::Histogram,
        "gaugehistogram" => Kind::GaugeHistogram,
        "info" => Kind::Info,
        "stateset" => Kind::StateSet,
        _ => return None,
    })
}
