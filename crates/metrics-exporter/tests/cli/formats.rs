//! The scraper's headers choose the format and the encoding.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use harness::DEADLINE;

use crate::support::{Exporter, HttpServer, text_page};

/// The head in lower case, and the body
fn scrape(exporter: &Exporter, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(exporter.address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(format!("GET /metrics HTTP/1.1\r\nHost: pod\r\n{headers}\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap().to_lowercase(), body)
}

#[test]
fn the_scraper_chooses_format_and_encoding() {
    let app = HttpServer::start(|_| text_page("# TYPE app_total counter\napp_total -1\n# TYPE other gauge\nother 1\n"));
    let exporter = Exporter::start(&["--scrape", &format!("{}#name=app", app.url("/metrics"))]);
    let (head, body) = scrape(&exporter, "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
    let page = String::from_utf8(body).unwrap();
    assert!(page.ends_with("# EOF\n"), "{page}");
    // OpenMetrics cannot hold a counter below zero, and the next page counts it as left out.
    assert!(page.contains("other 1\n") && !page.contains("app_total"), "{page}");
    let debug = exporter.get("/debug/merge");
    assert!(debug.contains("left out, because openmetrics cannot hold it\n    app_total: "), "{debug}");
    let page = exporter.page();
    assert!(page.contains("other 1\n") && page.contains("app_total -1\n"), "{page}");
    assert!(page.contains("sidekit_metrics_exporter_format_left_out_series_total{format=\"openmetrics\","), "{page}");

    let (head, body) = scrape(
        &exporter,
        "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n",
    );
    assert!(head.contains("content-type: application/vnd.google.protobuf;"), "{head}");
    assert!(!head.contains("content-encoding") && !body.is_empty());
    for (encoding, magic) in [("gzip", &b"\x1f\x8b"[..]), ("zstd", b"\x28\xb5\x2f\xfd")] {
        let (head, body) = scrape(&exporter, &format!("Accept-Encoding: {encoding}\r\n"));
        assert!(head.contains(&format!("content-encoding: {encoding}")), "{head}");
        assert!(head.contains("vary: accept, accept-encoding") && body.starts_with(magic), "{head}");
    }
}
