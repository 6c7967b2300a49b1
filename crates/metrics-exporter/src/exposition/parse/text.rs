//! Parses Prometheus text format 0.0.4 exactly like Prometheus' scraper (`model/textparse/promlex.l` of 2.42), except that names in
//! quotes, bytes that are not UTF-8 and a last line without a newline make the body no page.

use bumpalo::Bump;

use crate::exposition::{
    model::Kind,
    page::{Bounds, Page, PageFault},
    parse::{
        cursor::Cursor,
        draft::{Draft, Sample, aside},
        escapes, families,
        labels::LabelReader,
        names, number,
    },
};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
const CARRIAGE_RETURN: &str = "a carriage return at the end of a line";

pub(super) fn parse<'a>(arena: &'a Bump, body: &'a [u8], bounds: &Bounds) -> Result<Page<'a>, PageFault> {
    let cursor = Cursor::new(body)?;
    if body.last().is_some_and(|last| *last != b'\n') {
        return Err(cursor.fault_at_end("the last line has no end: the body is cut off"));
    }
    if body.starts_with(BYTE_ORDER_MARK) {
        return Err(cursor.fault("a byte order mark, which no page of metrics has"));
    }
    let draft = Draft::new(bounds);
    let mut reader = Reader { arena, cursor, labels: LabelReader::new(arena, bounds), draft, bounds: *bounds };
    while !reader.cursor.is_at_end() {
        reader.line()?;
    }
    Ok(families::page(arena, reader.draft, bounds))
}

struct Reader<'a> {
    arena: &'a Bump,
    cursor: Cursor<'a>,
    labels: LabelReader<'a>,
    draft: Draft<'a>,
    bounds: Bounds,
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> Result<(), PageFault> {
        self.cursor.blanks();
        match self.cursor.peek() {
            Some(b'\n') => {
                self.cursor.eat(b'\n');
                Ok(())
            }
            Some(b'#') => self.comment(),
            _ => self.sample(),
        }
    }

    fn comment(&mut self) -> Result<(), PageFault> {
        self.cursor.eat(b'#');
        if !self.cursor.blanks() {
            self.cursor.rest_of_line();
            return Ok(());
        }
        if self.cursor.eat_all("HELP") && self.cursor.blanks() {
            let name = self.metric_name()?;
            let help = self.text_of_metadata()?;
            let help = escapes::unescape_help(self.arena, help);
            self.draft.declare_help(name, help).map_err(|fault| self.cursor.fault(fault))?;
        } else if self.cursor.eat_all("TYPE") && self.cursor.blanks() {
            let name = self.metric_name()?;
            let here = self.cursor;
            let kind = match self.text_of_metadata()? {
                "counter" => Kind::Counter,
                "gauge" => Kind::Gauge,
                "histogram" => Kind::Histogram,
                "summary" => Kind::Summary,
                "untyped" => Kind::Unknown,
                text if text.ends_with('\r') => return Err(here.fault(CARRIAGE_RETURN)),
                _ => return Err(here.fault("an unknown type of metric")),
            };
            self.draft.declare_kind(name, kind).map_err(|fault| here.fault(fault))?;
        } else {
            self.cursor.rest_of_line();
        }
        Ok(())
    }

    /// Reads the text behind a name. As in Prometheus, any single byte separates them.
    fn text_of_metadata(&mut self) -> Result<&'a str, PageFault> {
        let here = self.cursor;
        let rest = self.cursor.rest_of_line();
        if rest.is_empty() {
            return Ok(rest);
        }
        rest.get(1..).ok_or_else(|| here.fault("expected a blank after the name of the metric"))
    }

    fn sample(&mut self) -> Result<(), PageFault> {
        let start = self.cursor;
        let name = self.metric_name()?;
        self.cursor.blanks();
        self.labels.clear();
        if self.cursor.eat(b'{') {
            self.read_labels()?;
        }
        let labels = self.labels.finish(aside(name)).map_err(|fault| start.fault(fault))?;
        self.cursor.blanks();
        let number = self.cursor.token(b" \t{");
        let fault = if number.ends_with('\r') { CARRIAGE_RETURN } else { "expected a number" };
        let value = number::float(number).ok_or_else(|| self.cursor.fault(fault))?;
        self.cursor.blanks();
        let timestamp = self.timestamp()?;
        self.cursor.blanks();
        if !self.cursor.eat(b'\n') {
            return Err(self.cursor.fault("expected the end of the line after value and time"));
        }
        self.draft.budget.take_labels(&labels).map_err(|fault| start.fault(fault))?;
        let sample = Sample { labels: labels.labels, aside: labels.aside, value, timestamp };
        self.draft.add(name, sample).map_err(|fault| start.fault(fault))
    }

    /// Reads labels. Commas between them are optional, and one may stand behind the last label.
    fn read_labels(&mut self) -> Result<(), PageFault> {
        loop {
            self.cursor.blanks();
            if self.cursor.eat(b'}') {
                return Ok(());
            }
            let name = names::label(&mut self.cursor)?;
            self.cursor.blanks();
            if !self.cursor.eat(b'=') {
                return Err(self.cursor.fault("expected = after the name of a label"));
            }
            self.cursor.blanks();
            if !self.cursor.eat(b'"') {
                return Err(self.cursor.fault("expected a quote before the value of a label"));
            }
            let start = self.cursor;
            let value = self.cursor.quoted().ok_or_else(|| start.fault("the value of a label does not end"))?;
            self.labels.push(name, value).map_err(|fault| start.fault(fault))?;
            self.cursor.blanks();
            self.cursor.eat(b',');
        }
    }

    fn timestamp(&mut self) -> Result<Option<i64>, PageFault> {
        if !self.cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        let digits = self.cursor.token(b" \t");
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let timestamp = is_number.then(|| digits.parse().ok()).flatten();
        timestamp.map(Some).ok_or_else(|| self.cursor.fault("expected a time in whole milliseconds"))
    }

    fn metric_name(&mut self) -> Result<&'a str, PageFault> {
        names::metric(&mut self.cursor, self.bounds.label_bytes)
    }
}
