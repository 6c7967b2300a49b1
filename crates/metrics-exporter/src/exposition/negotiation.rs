//! Content negotiation: the format and the encoding of an answer, from the request's `Accept` and `Accept-Encoding` (RFC 9110,
//! section 12.5).
//!
//! A scraper that accepts none of the formats gets text 0.0.4, uncompressed, as from every Prometheus client, because a scraper
//! with a wrong header can mostly read the page, and can never use a 406.

use http::{
    HeaderMap, HeaderName,
    header::{ACCEPT, ACCEPT_ENCODING},
};

use crate::exposition::{compression::Encoding, page_format::PageFormat};

/// The form of one answer
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Answer {
    pub(crate) format: PageFormat,
    pub(crate) encoding: Encoding,
}

impl Answer {
    /// The form that the request's headers prefer.
    pub(crate) fn to(headers: &HeaderMap) -> Self {
        Self { format: format(headers), encoding: encoding(headers) }
    }
}

/// The formats in order of preference among equals. Text is the first, because browsers and curl should get a readable page.
const FORMATS: [PageFormat; 3] = [PageFormat::Text, PageFormat::OpenMetrics, PageFormat::Protobuf];

/// One element of a header: `text/plain; version=0.0.4; q=0.5`
struct Element<'a> {
    value: &'a str,
    /// Names and values, without `q`
    parameters: Vec<(&'a str, &'a str)>,
    /// The value of `q`, from 0 to 1
    quality: f32,
}

/// The format with the highest quality. Among equals the format that the request names most closely wins, then the one that it
/// names first.
fn format(headers: &HeaderMap) -> PageFormat {
    let elements = lists(headers, ACCEPT);
    let elements: Vec<Element> = elements.iter().flat_map(|list| split(list)).collect();
    let mut best = (PageFormat::Text, Rank::default());
    for format in FORMATS {
        let rank = Rank::of(format, &elements);
        if rank.quality > 0.0 && rank.is_over(&best.1) {
            best = (format, rank);
        }
    }
    best.0
}

/// The preference of the request for one format
#[derive(Default)]
struct Rank {
    quality: f32,
    /// 0 for `*/*`, 1 for `type/*`; for a whole type 2 plus the number of equal parameters
    closeness: usize,
    /// The position of the element that decides
    position: usize,
}

impl Rank {
    /// Ranks a format. The closest element decides, and among equally close ones the best, so that a quality of 0 excludes a format
    /// that a wildcard includes.
    fn of(format: PageFormat, elements: &[Element]) -> Self {
        let mut rank = Self::default();
        let mut is_named = false;
        for (position, element) in elements.iter().enumerate() {
            let Some(closeness) = closeness(format, element) else { continue };
            let is_better = element.quality > rank.quality;
            if !is_named || closeness > rank.closeness || (closeness == rank.closeness && is_better) {
                rank = Self { quality: element.quality, closeness, position };
                is_named = true;
            }
        }
        rank
    }

    fn is_over(&self, other: &Self) -> bool {
        let order = self.quality.total_cmp(&other.quality).then(self.closeness.cmp(&other.closeness));
        order.then(other.position.cmp(&self.position)).is_gt()
    }
}

/// The closeness of a media range to a format; `None` if it names another one.
///
/// A missing parameter contradicts nothing. `escaping` is ignored, because no name on the page needs an escape in any format.
/// `OpenMetrics` 0.0.1, text 1.0.0 and the text forms of protobuf are other formats.
fn closeness(format: PageFormat, element: &Element) -> Option<usize> {
    let (kind, subtype) = element.value.split_once('/')?;
    let (kind, subtype) = (kind.trim(), subtype.trim());
    if (kind, subtype) == ("*", "*") {
        return Some(0);
    }
    let (own_kind, own_subtype, own_parameters): (_, _, &[(&str, &str)]) = match format {
        PageFormat::Text => ("text", "plain", &[("version", "0.0.4")]),
        PageFormat::OpenMetrics => ("application", "openmetrics-text", &[("version", "1.0.0")]),
        PageFormat::Protobuf => (
            "application",
            "vnd.google.protobuf",
            &[("proto", "io.prometheus.client.MetricFamily"), ("encoding", "delimited")],
        ),
    };
    if !kind.eq_ignore_ascii_case(own_kind) {
        return None;
    }
    if subtype == "*" {
        return Some(1);
    }
    if !subtype.eq_ignore_ascii_case(own_subtype) {
        return None;
    }
    let mut closeness = 2;
    for (name, own_value) in own_parameters {
        let asked = element.parameters.iter().find(|(asked, _)| asked.eq_ignore_ascii_case(name));
        match asked {
            None => {}
            Some((_, value)) if value.eq_ignore_ascii_case(own_value) => closeness += 1,
            Some(_) => return None,
        }
    }
    Some(closeness)
}

/// The encoding with the highest quality. Among equals zstd comes before gzip, because it costs less on both sides, and identity
/// last. `*` means gzip only, because a client that does not name zstd may not have it.
fn encoding(headers: &HeaderMap) -> Encoding {
    let elements = lists(headers, ACCEPT_ENCODING);
    let elements: Vec<Element> = elements.iter().flat_map(|list| split(list)).collect();
    let quality = |name: &str| {
        let named = elements.iter().find(|element| element.value.eq_ignore_ascii_case(name));
        named.map(|element| element.quality)
    };
    let gzip = quality("gzip").or_else(|| quality("x-gzip")).or_else(|| quality("*"));
    let candidates = [
        (Encoding::Zstd, quality("zstd").unwrap_or(0.0)),
        (Encoding::Gzip, gzip.unwrap_or(0.0)),
        (Encoding::Identity, quality("identity").unwrap_or(0.0)),
    ];
    let mut best = (Encoding::Identity, 0.0);
    for (encoding, quality) in candidates {
        if quality > best.1 {
            best = (encoding, quality);
        }
    }
    best.0
}

/// The values of a header. A value that is not text is ignored.
fn lists(headers: &HeaderMap, name: HeaderName) -> Vec<&str> {
    headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect()
}

/// The elements of a list. The header's length bounds their number.
fn split(list: &str) -> impl Iterator<Item = Element<'_>> {
    outside_quotes(list, ',').filter_map(element)
}

fn element(text: &str) -> Option<Element<'_>> {
    let mut parts = outside_quotes(text, ';');
    let value = parts.next().filter(|value| !value.is_empty())?;
    let mut element = Element { value, parameters: Vec::new(), quality: 1.0 };
    for part in parts {
        let Some((name, value)) = part.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        if name.eq_ignore_ascii_case("q") {
            element.quality = quality(value);
        } else {
            element.parameters.push((name, value));
        }
    }
    Some(element)
}

/// Reads a quality. An invalid one is 1, as in Prometheus' own clients.
fn quality(value: &str) -> f32 {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let quality: Option<f32> = value.parse().ok().filter(|_| is_number);
    quality.map_or(1.0, |quality| quality.min(1.0))
}

/// Splits a text at the separators outside of quotes.
fn outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let parts = text.split(move |character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    });
    parts.map(str::trim)
}

#[cfg(test)]
mod tests;
