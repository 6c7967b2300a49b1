//! A large page in the memory of the examples, in every format and encoding, for several scrapers at once.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
};

use e2e::cluster::{Namespace, Profile};
use flate2::read::GzDecoder;
use harness::DEADLINE;

use crate::examples::{changed, example};

/// Where metrics-exporter serves the page
const PORT: u16 = 9474;
const SERIES: usize = 10_000;
/// Two Prometheus servers, and as many agents of other systems
const SCRAPERS: usize = 4;
/// Scrapes of each scraper; each one scrapes in all formats and encodings in turn.
const SCRAPES: usize = 45;
const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
const FORMATS: [&str; 3] = ["text/plain", "application/openmetrics-text;version=1.0.0", PROTOBUF];
const ENCODINGS: [&str; 3] = ["identity", "gzip", "zstd"];

#[test]
fn ten_thousand_series_fit_in_24_mib() {
    let namespace = Namespace::new("metrics-memory", Profile::Restricted);
    let manifest = example("metrics-exporter.yaml");
    assert!(manifest.contains("limits: { memory: 24Mi }") && manifest.contains("readOnlyRootFilesystem: true"));
    let app =
        format!("image: localhost/sidekit/test-app:0.1.0\n      args: [\"0.0.0.0:8080\", \"shop\", \"{SERIES}\"]");
    let manifest = changed(&manifest, "image: nginxinc/nginx-unprivileged:1.29", &app);
    // All collectors run by default; the one of textfiles needs a directory.
    let manifest = changed(&manifest, "#name=app\"]", "#name=app\", \"--textfile-directory=/data\"]");
    namespace.create(&manifest);
    namespace.until_pod("web", "it is ready", |pod| pod.is_ready().then_some(()));
    let address = SocketAddr::new(namespace.pod("web").ip().unwrap(), PORT);
    thread::scope(|scope| {
        for scraper in 0..SCRAPERS {
            scope.spawn(move || {
                for scrape in 0..SCRAPES {
                    // At one time each scraper asks for another page.
                    let turn = scraper + scrape;
                    let (format, encoding) = (FORMATS[turn % 3], ENCODINGS[turn / 3 % 3]);
                    let page = page(address, format, encoding);
                    let (series, collectors) = counts(format, &page);
                    assert_eq!((series, collectors), (SERIES, 5), "{format}, {encoding}");
                }
            });
        }
    });
    let pod = namespace.pod("web");
    let exporter = pod.container("metrics-exporter").unwrap();
    assert!(exporter.restarts() == 0 && exporter.previous_end().is_none(), "{:?}", exporter.previous_end());
}

/// The decoded body of an answer, which must have the format and the encoding that were asked for
fn page(address: SocketAddr, format: &str, encoding: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!("Host: web\r\nAccept: {format}\r\nAccept-Encoding: {encoding}\r\nConnection: close\r\n");
    stream.write_all(format!("GET /metrics HTTP/1.1\r\n{head}\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let (head, body) = (String::from_utf8_lossy(&answer[..end]).to_lowercase(), &answer[end + 4..]);
    let kind = format.split(';').next().unwrap();
    assert!(head.starts_with("http/1.1 200 ") && head.contains(&format!("content-type: {kind}")), "{head}");
    assert_eq!(head.contains(&format!("content-encoding: {encoding}")), encoding != "identity", "{head}");
    let mut page = Vec::new();
    match encoding {
        "gzip" => GzDecoder::new(body).read_to_end(&mut page).map(drop).unwrap(),
        "zstd" => page = zstd::decode_all(body).unwrap(),
        _ => page.extend_from_slice(body),
    }
    page
}

/// The number of series of the app, and of collectors that answered
fn counts(format: &str, page: &[u8]) -> (usize, usize) {
    if format == PROTOBUF {
        let families = messages(page);
        let of = |name: &str| families.iter().filter(|family| family.0.starts_with(name)).map(|family| family.1).sum();
        return (of("shop_items_"), of("sidekit_metrics_exporter_collector_success"));
    }
    let text = str::from_utf8(page).unwrap();
    let of = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    assert!(!text.contains("collector_success{collector=\"cgroup\"} 0"), "{text}");
    (of("shop_items_"), of("sidekit_metrics_exporter_collector_success{"))
}

/// Name and number of metrics of each `MetricFamily` of a delimited page: its fields are the name (1), help (2), type (3), the
/// metrics (4) and the unit (5).
fn messages(mut page: &[u8]) -> Vec<(String, usize)> {
    let mut families = Vec::new();
    while !page.is_empty() {
        let mut message = delimited(&mut page);
        let (mut name, mut metrics) = (String::new(), 0);
        while !message.is_empty() {
            match varint(&mut message) {
                // A type is a number; the other fields have a length.
                0x18 => drop(varint(&mut message)),
                0x0a => name = String::from_utf8(delimited(&mut message).to_vec()).unwrap(),
                0x22 => {
                    delimited(&mut message);
                    metrics += 1;
                }
                _ => drop(delimited(&mut message)),
            }
        }
        families.push((name, metrics));
    }
    families
}

fn delimited<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let length = varint(bytes);
    let (part, rest) = bytes.split_at(length);
    *bytes = rest;
    part
}

fn varint(bytes: &mut &[u8]) -> usize {
    let length = bytes.iter().position(|byte| *byte < 0x80).unwrap() + 1;
    let (number, rest) = bytes.split_at(length);
    *bytes = rest;
    number.iter().rev().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f))
}
