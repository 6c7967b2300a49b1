//! The pages for the kubelet and for Prometheus.

use std::{
    fs,
    io::Read,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::{SystemTime, UNIX_EPOCH},
};

use harness::unshare;

use crate::support::{DEADLINE, Program, end, http, program, sidecar, sidecar_command};

fn started(arguments: &[&str]) -> (Program, SocketAddr) {
    let mut program = Program::start(&mut sidecar(arguments));
    let address = program.address("health");
    (program, address)
}

#[test]
fn what_is_well_says_ok() {
    let (_program, address) = started(&[]);
    for path in ["/startupz", "/readyz", "/livez", "/healthz"] {
        let answer = http::until_status(address, path, 200);
        assert_eq!(answer.body, "ok", "{path}");
        assert!(answer.head.contains("content-type: text/plain"), "{answer:?}");
    }
}

#[test]
fn verbose_tells_every_check() {
    let (_program, address) = started(&[]);
    http::until_status(address, "/readyz", 200);
    for (path, body) in [
        ("/livez?verbose", "[+]work ok\nlivez check passed\n"),
        ("/healthz?verbose=true", "[+]work ok\nlivez check passed\n"),
        ("/readyz?a=b&verbose", "[+]shutdown ok\n[+]started ok\n[+]ready-file ok\nreadyz check passed\n"),
        ("/startupz?verbose", "[+]started ok\nstartupz check passed\n"),
    ] {
        assert_eq!(http::get(address, path).body, body, "{path}");
    }
}

#[test]
fn ready_means_that_every_hold_is_released() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ready");
    let (_program, address) = started(&["--ready-file", file.to_str().unwrap()]);
    http::until_status(address, "/startupz", 200);
    let answer = http::get(address, "/readyz");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body, "[+]shutdown ok\n[+]started ok\n[-]ready-file failed: not yet\nreadyz check failed\n");
    assert_eq!(http::get(address, "/livez").status, 200);
    fs::write(&file, "").unwrap();
    http::until_status(address, "/readyz", 200);
}

#[test]
fn a_vital_loop_that_stalls_is_dead_until_it_beats_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("stall");
    let (_program, address) = started(&["--bound", "300ms", "--stall-file", file.to_str().unwrap()]);
    http::until_status(address, "/livez", 200);
    fs::write(&file, "").unwrap();
    let answer = http::until_status(address, "/livez", 503);
    assert!(answer.body.starts_with("[-]work failed: no beat for "), "{answer:?}");
    assert!(answer.body.ends_with(", the bound is 300ms\nlivez check failed\n"), "{answer:?}");
    assert_eq!(http::get(address, "/metrics").status, 200);
    fs::remove_file(&file).unwrap();
    http::until_status(address, "/livez", 200);
}

#[test]
fn startup_waits_for_the_first_good_result() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("stall");
    fs::write(&file, "").unwrap();
    let (_program, address) = started(&["--stall-file", file.to_str().unwrap()]);
    let answer = http::get(address, "/startupz");
    assert_eq!((answer.status, &*answer.body), (503, "[-]started failed: no good result yet\nstartupz check failed\n"));
    assert_eq!(http::get(address, "/readyz").status, 503, "nobody is ready before the start");
    fs::remove_file(&file).unwrap();
    http::until_status(address, "/startupz", 200);
    fs::write(&file, "").unwrap();
    assert_eq!(http::get(address, "/startupz").status, 200);
}

#[test]
fn a_vital_loop_that_panics_takes_the_helper_along() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("panic");
    let (program, address) = started(&["--panic-file", file.to_str().unwrap()]);
    http::until_status(address, "/startupz", 200);
    fs::write(&file, "").unwrap();
    program.end().ended_with(70, r#"reason=bug what="work" last="told to panic""#);
}

#[test]
fn a_vital_loop_that_returns_before_a_stop_is_a_bug() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("return");
    let (program, address) = started(&["--return-file", file.to_str().unwrap()]);
    http::until_status(address, "/startupz", 200);
    fs::write(&file, "").unwrap();
    program.end().ended_with(70, r#"reason=bug what="work" last="this loop returned before a stop was requested""#);
}

#[test]
fn a_job_that_hangs_before_its_first_vital_loop_is_watched_from_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("begin");
    let (_program, address) = started(&["--begin-file", file.to_str().unwrap()]);
    let answer = http::get(address, "/livez?verbose");
    assert_eq!((answer.status, &*answer.body), (200, "[+]start ok\nlivez check passed\n"));
    fs::write(&file, "").unwrap();
    http::until_status(address, "/startupz", 200);
    assert_eq!(http::get(address, "/livez?verbose").body, "[+]work ok\nlivez check passed\n");
}

#[test]
fn only_reading_is_allowed() {
    let (_program, address) = started(&[]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        for path in ["/livez", "/metrics", "/quit"] {
            let answer = http::ask(address, method, path);
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(answer.head.contains("allow: get, head"), "{answer:?}");
        }
    }
    let answer = http::ask(address, "HEAD", "/livez");
    assert_eq!((answer.status, &*answer.body), (200, ""));
}

#[test]
fn any_other_path_is_404_and_names_the_right_ones() {
    let (_program, address) = started(&[]);
    for path in ["/", "/livez/", "/quit", "/metrics2"] {
        let answer = http::get(address, path);
        assert_eq!((answer.status, &*answer.body), (404, "try /livez, /readyz, /startupz or /metrics\n"), "{path}");
    }
}

#[test]
fn metrics_are_prometheus_text() {
    let (_program, address) = started(&[]);
    let answer = http::get(address, "/metrics");
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{answer:?}");
    let version = env!("CARGO_PKG_VERSION");
    let info = format!("sidekit_build_info{{helper=\"test-sidecar\",version=\"{version}\"}} 1\n");
    assert!(answer.body.contains(&info), "{answer:?}");
    for line in answer.body.lines() {
        let is_sample = || line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok());
        assert!(line.starts_with("# HELP ") || line.starts_with("# TYPE ") || is_sample(), "{line}");
    }
}

#[test]
fn every_sidecar_has_the_metrics_of_its_process() {
    let (program, address) = started(&[]);
    http::until_status(address, "/startupz", 200);
    let page = http::get(address, "/metrics").body;
    let value = |name: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {page}")).parse::<f64>().unwrap()
    };
    let (files, threads) = program.files_and_threads();
    let number = |count: usize| f64::from(u32::try_from(count).unwrap());
    // Connections come and go: the scrape's own, and one before it.
    assert!((value("process_open_fds") - number(files)).abs() <= 2.0, "{files} in {page}");
    assert!((value("process_threads") - number(threads)).abs() < 0.5, "{threads} in {page}");
    assert!(value("process_max_fds") > value("process_open_fds"));
    assert!(value("process_cpu_seconds_total") < 60.0);
    assert!(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"));
    assert!(value("process_resident_memory_bytes") > 100_000.0);
    let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() - value("process_start_time_seconds");
    assert!((-2.0..60.0).contains(&age), "started {age} s ago");
    assert!(page.contains("# TYPE process_cpu_seconds_total counter"), "{page}");
}

#[test]
fn all_addresses_are_those_of_both_families_where_ipv6_sockets_are_for_ipv6_only() {
    let inside = sidecar(&["--health-addr", ":0"]);
    let script = r#"
        set -e
        ip link set lo up
        echo 1 >/proc/sys/net/ipv6/bindv6only
        exec "$0" "$@"
    "#;
    let mut shell = program("/bin/sh", &["-c", script]);
    shell.arg(inside.get_program()).args(inside.get_args());
    let mut pod = Program::start(unshare(&["--net"], &shell).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"));
    let port = pod.address("health").port();
    let id = pod.id().to_string();
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}"), format!(":{port}"), format!("[::]:{port}")] {
        let mut probe = program("nsenter", &["--net", "--target", &id]);
        let inside = sidecar_command(&["probe", "live", "--health-addr", &address]);
        probe.env("PATH", "/usr/bin:/bin").arg(inside.get_program()).args(inside.get_args());
        let ended = end(probe);
        assert_eq!(ended.code, Some(0), "{address}: {ended:#?}");
    }
}

#[test]
fn all_addresses_are_those_of_both_families() {
    let (_program, address) = started(&["--health-addr", ":0"]);
    assert!(address.ip().is_unspecified());
    let mut families = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    // A machine without IPv6 has no loopback of that family either.
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        families.push(Ipv6Addr::LOCALHOST.into());
    }
    for ip in families {
        http::until_status((ip, address.port()).into(), "/livez", 200);
    }
}

#[test]
fn connections_that_say_nothing_lock_nobody_out() {
    let (_program, address) = started(&[]);
    let mut idle: Vec<_> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert_eq!(http::get(address, "/livez").status, 200);
    let first = &mut idle[0];
    first.set_read_timeout(Some(DEADLINE)).unwrap();
    assert_eq!(first.read(&mut [0; 64]).unwrap(), 0, "closed");
}

#[test]
fn a_head_without_end_is_refused() {
    let (_program, address) = started(&[]);
    let answer = http::raw(address, &format!("GET /livez HTTP/1.1\r\nX: {}", "x".repeat(20_000)));
    assert_eq!(answer.status, 431);
    assert_eq!(http::get(address, "/livez").status, 200);
}
