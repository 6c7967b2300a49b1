//! The memory limit of a real cgroup: a source that needs too much is left out before the kernel kills the exporter.

mod as_root {
    use std::{
        fmt::Write as _,
        io::{Read, Write as _},
        net::{SocketAddr, TcpListener, TcpStream},
        thread,
    };

    use harness::{MemoryCgroup, http, until};

    use crate::support::{Exporter, HttpServer, exporter, has, text_page};

    /// The memory limit of the examples, in bytes
    const LIMIT: u64 = 24 * 1024 * 1024;
    const SMALL: &str = "# TYPE small gauge\nsmall 1\n";

    /// An exporter in a cgroup
    struct Contained {
        // The first field, because the exporter must end before its cgroup is removed
        exporter: Exporter,
        _cgroup: MemoryCgroup,
        _servers: Vec<HttpServer>,
    }

    /// An exporter with these sources between two small ones
    fn with_sources(mut servers: Vec<HttpServer>, flags: &[&str]) -> Contained {
        servers.insert(0, HttpServer::start(|_| text_page(SMALL)));
        servers.push(HttpServer::start(|_| text_page(SMALL)));
        let urls: Vec<_> = servers.iter().map(|server| server.url("/")).collect();
        let named: Vec<_> = urls.iter().enumerate().map(|(nth, url)| format!("{url}#name=s{nth}")).collect();
        let scrapes: Vec<_> = named.iter().flat_map(|url| ["--scrape", url]).collect();
        let cgroup = MemoryCgroup::new(LIMIT);
        let command = exporter(&[&["--collect", "none"], flags, &scrapes].concat());
        Contained { exporter: Exporter::start_command(&mut cgroup.enter(&command)), _cgroup: cgroup, _servers: servers }
    }

    fn lines(count: usize, line: impl Fn(&mut String, usize)) -> String {
        let mut page = String::new();
        (0..count).for_each(|nth| line(&mut page, nth));
        page
    }

    /// Series of one metric
    fn series(count: usize) -> String {
        lines(count, |page, nth| {
            writeln!(page, "requests{{path=\"/api/v1/customers/{nth}\",code=\"200\"}} {nth}").unwrap();
        })
    }

    fn is_up(page: &str, source: &str) -> bool {
        page.contains(&format!("sidekit_metrics_exporter_source_up{{source=\"{source}\"}} 1\n"))
    }

    #[test]
    fn a_source_that_takes_too_much_costs_its_own_series_only() {
        let wide = |page: &mut String, nth| {
            let labels: Vec<_> = (0..60).map(|label| format!("l{label}=\"\"")).collect();
            writeln!(page, "wide{{a=\"{nth}\",{}}} 1", labels.join(",")).unwrap();
        };
        for (what, body) in [
            ("names", lines(60_000, |page, nth| writeln!(page, "m{nth} 1").unwrap())),
            ("types", lines(100_000, |page, nth| writeln!(page, "# TYPE m{nth} gauge").unwrap())),
            ("series", series(1_000_000)),
            ("labels", lines(30_000, wide)),
            ("bytes", format!("# HELP a {}\na 1\n", "b".repeat(100_000_000))),
        ] {
            let contained = with_sources(vec![HttpServer::start(move |_| text_page(&body))], &[]);
            for encoding in ["identity", "gzip", "zstd"] {
                let request = format!(
                    "GET /metrics HTTP/1.1\r\nHost: pod\r\nAccept-Encoding: {encoding}\r\nContent-Length: 0\r\n\r\n"
                );
                let mut stream = TcpStream::connect(contained.exporter.address).unwrap();
                stream.write_all(request.as_bytes()).unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).unwrap();
                assert!(answer.starts_with(b"HTTP/1.1 200"), "{what} {encoding}");
            }
            let page = contained.exporter.page();
            assert!(is_up(&page, "s0") && is_up(&page, "s2"), "{what}");
            let fault = "sidekit_metrics_exporter_source_fault{reason=\"memory\",source=\"s1\"}";
            let why = contained.exporter.get("/debug/merge");
            assert!(has(&page, fault), "{what} {why}");
            assert!(why.contains("raise the container's memory limit or --max-memory"), "{why}");
        }
    }

    #[test]
    fn many_sources_that_take_too_much_together_leave_the_small_ones_their_memory() {
        let servers: Vec<_> = (1..=10).map(|nth| nth * 1000).map(series).collect();
        let servers: Vec<_> = servers.into_iter().map(|body| HttpServer::start(move |_| text_page(&body))).collect();
        let contained = with_sources(servers, &[]);
        for _ in 0..3 {
            let page = contained.exporter.page();
            let up: Vec<_> = (0..12).map(|nth| is_up(&page, &format!("s{nth}"))).collect();
            // Only these bodies fit into the memory that is reserved for each source. The others share the rest as they arrive.
            assert!(up[..3].iter().all(|is_up| *is_up) && up[11], "{up:?}");
            assert!(up.contains(&false), "{up:?}");
            let left_out = up.iter().enumerate().filter(|(_, is_up)| !**is_up);
            for (nth, _) in left_out {
                let fault = format!("sidekit_metrics_exporter_source_fault{{reason=\"memory\",source=\"s{nth}\"}}");
                assert!(has(&page, &fault), "{nth} {page}");
            }
        }
    }

    #[test]
    fn a_page_of_twenty_thousand_series_fits() {
        let contained = with_sources(vec![HttpServer::start(|_| text_page(&series(20_000)))], &[]);
        for _ in 0..5 {
            assert!(is_up(&contained.exporter.page(), "s1"), "{}", contained.exporter.get("/debug/merge"));
        }
    }

    #[test]
    fn scrapers_that_do_not_read_leave_the_exporter_alive() {
        let contained = with_sources(vec![HttpServer::start(|_| text_page(&series(20_000)))], &[]);
        let address = contained.exporter.address;
        let silent: Vec<_> = (0..16)
            .map(|_| {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: pod\r\nContent-Length: 0\r\n\r\n").unwrap();
                stream
            })
            .collect();
        let is_refused = |answer: &http::Answer| {
            let reasons = ["too many pages are asked for at once\n", "there is no memory for another one\n"];
            answer.status == 503 && reasons.iter().any(|reason| answer.body.ends_with(reason))
        };
        let answer = http::get(address, "/metrics");
        assert!(answer.status == 200 && is_up(&answer.body, "s1") || is_refused(&answer), "{}", answer.head);
        drop(silent);
        until("the page is there again", || (http::get(address, "/metrics").status == 200).then_some(()));
    }

    /// Sends this head in as many connections at once, and returns the answers.
    fn at_once(address: SocketAddr, count: usize, head: &'static str) -> Vec<String> {
        let ask = move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        let asking: Vec<_> = (0..count).map(|_| thread::spawn(ask)).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    }

    #[test]
    fn scrapers_that_come_together_all_get_the_whole_page() {
        let contained = with_sources(vec![HttpServer::start(|_| text_page(&series(20_000)))], &[]);
        for _ in 0..3 {
            for answer in at_once(contained.exporter.address, 8, "GET /metrics HTTP/1.1\r\nHost: pod\r\n\r\n") {
                assert!(answer.starts_with("HTTP/1.1 200 ") && is_up(&answer, "s1"), "{}", answer.len());
            }
        }
    }

    /// Scrapes through other exporters share no fetches, so that each has bodies of its own.
    #[test]
    fn scrapes_that_share_nothing_fit_too() {
        let servers = (0..10).map(|_| HttpServer::start(|_| text_page(&series(1_500)))).collect();
        let contained = with_sources(servers, &[]);
        let head = "GET /metrics HTTP/1.1\r\nHost: pod\r\nVia: 1.1 metrics-exporter-0123\r\n\r\n";
        for answer in at_once(contained.exporter.address, 16, head) {
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        assert!((0..12).all(|source| is_up(&contained.exporter.page(), &format!("s{source}"))));
    }

    #[test]
    fn a_large_source_leaves_textfiles_their_memory() {
        let directory = tempfile::tempdir().unwrap();
        let file = lines(3_000, |page, nth| writeln!(page, "backup{{nth=\"{nth}\"}} 1").unwrap());
        std::fs::write(directory.path().join("backup.prom"), file).unwrap();
        let large = HttpServer::start(|_| text_page(&series(24_000)));
        let flags = ["--collect", "textfile", "--max-memory", "16MiB", "--scrape", &large.url("/#name=large")];
        let directory = ["--textfile-directory", directory.path().to_str().unwrap()];
        let page = Exporter::start_command(&mut exporter(&[&flags[..], &directory].concat())).page();
        assert_eq!(page.matches("\nbackup{").count(), 3_000);
    }

    #[test]
    fn less_memory_is_a_choice_too() {
        let contained =
            with_sources(vec![HttpServer::start(|_| text_page(&series(20_000)))], &["--max-memory", "2MiB"]);
        let page = contained.exporter.page();
        assert!(is_up(&page, "s0") && !is_up(&page, "s1") && is_up(&page, "s2"));
    }

    /// A body that is small when compressed and large in memory
    #[test]
    fn a_compressed_body_is_left_out_too() {
        let body = series(300_000);
        for encoding in ["gzip", "zstd"] {
            let compressed = match encoding {
                "gzip" => {
                    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    encoder.write_all(body.as_bytes()).unwrap();
                    encoder.finish().unwrap()
                }
                _ => zstd::bulk::compress(body.as_bytes(), 1).unwrap(),
            };
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let large = format!("http://{}/#name=large", listener.local_addr().unwrap());
            thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    head.extend(byte);
                }
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nConnection: close\r\n\r\n").unwrap();
                // The exporter may close the connection before the end.
                let _ = stream.write_all(&compressed);
            });
            let page = with_sources(Vec::new(), &["--scrape", &large]).exporter.page();
            assert!(has(&page, "sidekit_metrics_exporter_source_fault{reason=\"memory\",source=\"large\"}"), "{page}");
            assert!(is_up(&page, "s0") && is_up(&page, "s1"));
        }
    }
}
