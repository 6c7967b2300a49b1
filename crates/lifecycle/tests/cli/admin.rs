//! `/drain` and `/quit`: off by default, on loopback only.

use std::{fs, net::SocketAddr};

use crate::support::{Program, end, http, sidecar, sidecar_command};

fn started() -> (Program, SocketAddr, SocketAddr) {
    let mut program = Program::start(&mut sidecar(&["--admin-addr", "127.0.0.1:0"]));
    let (health, admin) = (program.address("health"), program.address("admin"));
    http::until_status(health, "/readyz", 200);
    (program, health, admin)
}

/// How many sockets of the process listen on TCP.
fn listening(id: u32) -> usize {
    let tables = ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/{id}/net/{table}")).unwrap_or_default());
    let is_listening = |inode: &str| {
        let lines = tables.iter().flat_map(|table| table.lines());
        let mut fields = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
        // State and inode, by proc_pid_net(5); 0A is TCP_LISTEN.
        fields.any(|fields| fields.get(3) == Some(&"0A") && fields.get(9) == Some(&inode))
    };
    let links = fs::read_dir(format!("/proc/{id}/fd")).unwrap().flatten();
    links
        .filter_map(|link| fs::read_link(link.path()).ok())
        .filter(|link| {
            let name = link.to_string_lossy();
            name.strip_prefix("socket:[").and_then(|name| name.strip_suffix(']')).is_some_and(is_listening)
        })
        .count()
}

#[test]
fn it_is_off_until_asked_for() {
    let mut program = Program::start(&mut sidecar(&[]));
    let health = program.address("health");
    http::until_status(health, "/readyz", 200);
    assert_eq!(listening(program.id()), 1);
    assert_eq!(http::ask(health, "POST", "/quit").status, 405);
    let (program, ..) = started();
    assert_eq!(listening(program.id()), 2);
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    for address in [":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:9481"] {
        let ended = end(sidecar(&["--admin-addr", address]));
        ended.ended_with(64, "reason=usage");
        assert!(ended.last_line().contains("give --admin-allow-remote"), "{ended:#?}");
    }
    let mut program = Program::start(&mut sidecar(&["--admin-addr", "0.0.0.0:0", "--admin-allow-remote"]));
    assert!(program.address("admin").ip().is_unspecified());
}

#[test]
fn an_address_of_the_health_listener_is_refused() {
    for health in [":9471", "127.0.0.1:9471"] {
        let ended = end(sidecar(&["--admin-addr", "127.0.0.1:9471", "--health-addr", health]));
        ended.ended_with(64, "reason=usage");
        assert!(ended.last_line().contains(&format!("is taken by --health-addr {health}: give each")), "{ended:#?}");
    }
}

#[test]
fn a_drained_sidecar_is_unready_and_serves_until_the_stop_signal() {
    let (mut program, health, admin) = started();
    for _ in 0..2 {
        assert_eq!(http::ask(admin, "POST", "/drain").status, 200);
        http::until_status(health, "/readyz", 503);
        assert_eq!(http::get(health, "/livez").status, 200);
    }
    assert!(program.is_running());
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.log.iter().filter(|line| line.contains("draining:")).count(), 1, "{ended:#?}");
}

#[test]
fn quit_is_the_same_end_as_a_stop_signal() {
    let (mut program, _, admin) = started();
    let answer = http::ask(admin, "POST", "/quit");
    assert_eq!((answer.status, &*answer.body), (200, "stopping\n"));
    assert!(program.wait_for_line("\"stopping\"").contains("POST /quit"));
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn only_post_will_do() {
    let (mut program, health, admin) = started();
    for path in ["/drain", "/quit"] {
        for method in ["GET", "HEAD", "PUT"] {
            let answer = http::ask(admin, method, path);
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(answer.head.contains("allow: post"), "{answer:?}");
        }
    }
    assert_eq!(http::ask(admin, "POST", "/").status, 404);
    assert_eq!(http::get(admin, "/livez").status, 404);
    assert_eq!(http::get(health, "/readyz").status, 200);
    assert!(program.is_running());
}

#[test]
fn the_binary_itself_asks() {
    let (program, health, admin) = started();
    let admin = admin.to_string();
    assert_eq!(end(sidecar_command(&["drain", "--admin-addr", &admin])).code, Some(0));
    http::until_status(health, "/readyz", 503);
    let mut quit = sidecar_command(&["quit"]);
    quit.env("SIDEKIT_TEST_SIDECAR_ADMIN_ADDR", &admin);
    assert_eq!(end(quit).code, Some(0));
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn the_binary_says_when_nobody_can_be_asked() {
    let ended = end(sidecar_command(&["drain"]));
    assert_eq!(ended.code, Some(64));
    assert!(ended.last_line().contains("give --admin-addr"), "{ended:#?}");
    let ended = end(sidecar_command(&["quit", "--admin-addr", "127.0.0.1:1"]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.last_line().contains("127.0.0.1:1/quit: Connection refused"), "{ended:#?}");
}

#[test]
fn a_body_is_read_past() {
    let (_program, _, admin) = started();
    for length in [4, 4096] {
        let head = format!("POST /drain HTTP/1.1\r\nHost: pod\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(http::raw(admin, &(head + &"x".repeat(length))).status, 200, "{length}");
    }
}
