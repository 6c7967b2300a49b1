//! nginx writes its access log under load by wrk, while logrotate rotates it: every line is at the collector, once.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use e2e::{
    contained::{Network, as_nobody},
    directory::NOBODY,
    forwarder::{Logs, finish},
    peers::otel_collector::OtelCollector,
    process::{Process, command, output},
    server::Server,
};
use harness::until;

/// The content of a log before its rotation
const ROTATED_AT: u64 = 2 * 1024 * 1024;

/// An nginx that names each request in its access log, and counts them
fn nginx() -> Server {
    let mut server = Server::new();
    let (port, directory) = (server.port(), server.directory.path().display().to_string());
    let settings = format!(
        "daemon off; worker_processes 2; pid {directory}/pid; error_log stderr notice; events {{}}
         http {{
           access_log off;
           log_format named '$request_id $remote_addr [$time_local] \"$request\" $status $body_bytes_sent';
           client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
           fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
           server {{
             listen 127.0.0.1:{port}; keepalive_requests 1000000;
             location / {{ access_log {directory}/access.log named; return 200; }}
             location /status {{ access_log off; stub_status; }}
           }}
         }}"
    );
    let settings = server.directory.write("nginx.conf", &settings);
    let mut program = as_nobody("nginx");
    program.arg("-p").arg(server.directory.path()).arg("-c").arg(settings).args(["-e", "stderr"]);
    server.start(&program, Network::Shared, "start worker process ");
    server
}

/// The requests that nginx has counted, but for this one
fn requests(server: &Server) -> usize {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.write_all(b"GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut status = String::new();
    stream.read_to_string(&mut status).unwrap();
    // "server accepts handled requests", and below these three numbers
    let numbers = status.split_once("requests").unwrap().1.split_whitespace().nth(2).unwrap();
    numbers.parse::<usize>().unwrap() - 1
}

/// Settings of logrotate as a node has them for nginx
fn rotation(server: &Server) -> std::process::Command {
    let log = server.directory.join("access.log");
    let settings = format!(
        "{} {{
           su #{NOBODY} #{NOBODY}
           create 0640 #{NOBODY} #{NOBODY}
           rotate 3
           compress
           delaycompress
           missingok
           postrotate
             kill -USR1 {}
           endscript
         }}",
        log.display(),
        server.process().number()
    );
    let settings = settings.replace(&format!("#{NOBODY} #{NOBODY}"), "nobody nogroup");
    let path = server.directory.join("logrotate.conf");
    fs::write(&path, settings).unwrap();
    let mut logrotate = command("logrotate");
    logrotate.arg("--force").arg("--state").arg(server.directory.join("logrotate.state")).arg(path);
    logrotate
}

#[test]
fn every_request_of_an_nginx_under_load_arrives_while_its_log_is_rotated() {
    let (server, logs, mut collector) = (nginx(), Logs::new(), OtelCollector::new());
    collector.start();
    let log = server.directory.join("access.log");
    let forwarder = logs.forward_from(&log, &["--output", &collector.otlp()]);
    let mut wrk = command("wrk");
    wrk.args(["--threads", "2", "--connections", "4", "--duration", "6s"]);
    let mut wrk = Process::start({
        wrk.arg(format!("http://127.0.0.1:{}/", server.port()));
        wrk
    });
    let mut rotations = 0;
    while wrk.runs() {
        let is_due = |wrk: &mut Process| !wrk.runs() || fs::metadata(&log).is_ok_and(|log| log.len() > ROTATED_AT);
        until("the log has grown", || is_due(&mut wrk).then_some(()));
        output(rotation(&server));
        rotations += 1;
    }
    let end = wrk.ends_with(0);
    let expected = requests(&server);
    let records = collector.records(expected);
    let ledger = finish(forwarder);
    let ids: BTreeSet<_> =
        records.iter().map(|record| &record["body"]["stringValue"].as_str().unwrap()[..32]).collect();
    println!("{expected} requests, {rotations} rotations, ledger {ledger:?}\n{}", end.log);
    assert_eq!((records.len(), ids.len(), ledger["lines"]), (expected, expected, expected as u64));
    assert_eq!((ledger["lost"], ledger["rejected"]), (0, 0));
    assert!(rotations >= 3, "{rotations}");
}
