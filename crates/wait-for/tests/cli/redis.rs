//! `redis://`, `rediss://`: PING answers PONG.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex, mpsc},
};

use crate::support::{
    Authority, DEADLINE, Program, Signal, never, proof, reason, run,
    server::{Server, hold, pour, reset_when_spoken_to},
    wait_for,
};

/// A server that answers each command with the script's line, and remembers them.
fn redis(script: impl Fn(&str) -> &'static str + Send + Sync + 'static) -> (Server, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let into = heard.clone();
    let server = Server::start(move |mut stream: TcpStream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(command) = read_command(&mut reader) {
            into.lock().unwrap().push(command.clone());
            if stream.write_all(format!("{}\r\n", script(&command)).as_bytes()).is_err() {
                return;
            }
        }
    });
    (server, heard)
}

/// An array of bulk strings, as words.
fn read_command(reader: &mut impl BufRead) -> Option<String> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        Some(line.trim_end().to_owned())
    };
    let count: usize = line()?.strip_prefix('*')?.parse().ok()?;
    let words: Option<Vec<_>> = (0..count).map(|_| line().and_then(|_| line())).collect();
    Some(words?.join(" "))
}

#[test]
fn pong_is_ready() {
    let (server, heard) = redis(|_| "+PONG");
    assert_eq!(proof(&[&server.url("redis")]), "PONG");
    assert_eq!(*heard.lock().unwrap(), ["PING", "INFO server"]);
}

#[test]
fn a_server_that_repeats_the_password_does_not_bring_it_into_the_log() {
    // Redis answers so where AUTH was renamed.
    let (server, _) = redis(|_| "-ERR unknown command 'AUTH', with args beginning with: 'hunter2' ");
    let ended =
        Program::start(wait_for(&[&format!("{}#password-env=PW", server.url("redis"))]).env("PW", "hunter2")).end();
    assert_eq!(ended.code, Some(77), "{ended:#?}");
    assert!(ended.everything().contains("with args beginning with: '…'"), "{ended:#?}");
    assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
    // A control character, which no line has, and an echo that is cut off
    for (password, echo) in [("hunter\t2", "hunter\t2"), ("hunter2 and so much more", "hunter2 and so")] {
        let answer: &str = format!("-ERR unknown command 'AUTH', with args beginning with: '{echo}' ").leak();
        let (server, _) = redis(move |_| answer);
        let target = format!("{}#password-env=PW", server.url("redis"));
        let ended = Program::start(wait_for(&[&target]).env("PW", password)).end();
        assert!(ended.code == Some(77) && !ended.everything().contains("hunter"), "{ended:#?}");
    }
}

#[test]
fn a_server_that_loads_or_is_busy_is_not_ready() {
    for (answer, said) in [
        ("-LOADING Redis is loading the dataset in memory", "LOADING Redis is loading the dataset in memory"),
        ("-MASTERDOWN Link with MASTER is down", "MASTERDOWN Link with MASTER is down"),
        ("-BUSY Redis is busy running a script", "BUSY Redis is busy running a script"),
    ] {
        let (server, _) = redis(move |_| answer);
        assert_eq!(reason(&[&server.url("redis")]), said);
        assert_eq!(reason(&[&format!("{}#not", server.url("redis"))]), format!("not proven gone: {said}"));
    }
}

#[test]
fn a_server_that_wants_a_password_is_ready_as_far_as_can_be_known() {
    let (server, _) = redis(|_| "-NOAUTH Authentication required.");
    assert_eq!(proof(&[&server.url("redis")]), "answers, but more can't be known without a password");
    for more in ["#role=replica", "/9"] {
        let said = "the server asks for a password, and role= and a database need a login: give password-file=PATH";
        assert_eq!(never(77, &[&format!("{}{more}", server.url("redis"))]), said);
    }
}

#[test]
fn a_login_is_proof() {
    let (server, heard) = redis(|command| match command {
        "AUTH app hunter2" => "+OK",
        "PING" => "+PONG",
        _ => "-ERR",
    });
    let mut command = wait_for(&[&format!("redis://app@{}#password-env=SECRET", server.address)]);
    command.env("SECRET", "hunter2");
    let ended = Program::start(&mut command).end();
    assert_eq!((ended.code, &ended.message("ready")["proof"]), (Some(0), &"PONG".into()));
    assert_eq!(*heard.lock().unwrap(), ["AUTH app hunter2", "PING", "INFO server"]);
    assert!(!ended.everything().contains("hunter2"));
}

#[test]
fn a_refused_login_ends_the_wait_at_once() {
    let (server, heard) = redis(|_| "-WRONGPASS invalid username-password pair or user is disabled.");
    let mut command = wait_for(&[&format!("redis://{}#password-env=SECRET", server.address)]);
    let ended = Program::start(command.env("SECRET", "hunter2")).end();
    let what = server.url("redis");
    ended.ended_with(77, &format!(r#"reason=denied what="{what}" last="login refused: WRONGPASS invalid username"#));
    assert_eq!(*heard.lock().unwrap(), ["AUTH hunter2"]);
    assert!(!ended.everything().contains("hunter2"));
}

#[test]
fn a_server_that_is_full_does_not_refuse_the_login() {
    let (server, _) = redis(|_| "-ERR max number of clients reached");
    let mut program =
        Program::start(wait_for(&[&format!("redis://{}#password-env=SECRET", server.address)]).env("SECRET", "x"));
    program.wait_for_reason("ERR max number of clients reached");
    program.signal(Signal::TERM);
    program.end().ended_with(143, "reason=stopped");
}

#[test]
fn a_server_that_denies_this_host_ends_the_wait_at_once() {
    let (server, _) = redis(|_| "-DENIED Redis is running in protected mode");
    assert_eq!(never(77, &[&server.url("redis")]), "DENIED Redis is running in protected mode");
}

#[test]
fn a_command_that_the_server_does_not_know_ends_the_wait_at_once() {
    let (server, _) = redis(|_| "-ERR unknown command 'PING', with args beginning with: ");
    assert_eq!(never(69, &[&server.url("redis")]), "ERR unknown command 'PING', with args beginning with:");
}

#[test]
fn a_database_is_selected() {
    let (server, heard) = redis(|command| match command {
        "SELECT 99" => "-ERR DB index is out of range",
        "PING" => "+PONG",
        _ => "+OK",
    });
    assert_eq!(proof(&[&format!("{}/3", server.url("redis"))]), "PONG");
    assert_eq!(*heard.lock().unwrap(), ["PING", "SELECT 3", "INFO server"]);
    assert_eq!(never(69, &[&format!("{}/99", server.url("redis"))]), "ERR DB index is out of range");
    let ended = run(&["redis://cache/app"]);
    ended.ended_with(64, "reason=usage");
    assert!(ended.last_line().contains("the path is the number of a database, such as /0"), "{ended:#?}");
}

#[test]
fn a_node_without_slots_and_a_sentinel_without_a_primary_are_not_ready() {
    for (server_info, more, said) in [
        (
            "redis_mode:cluster",
            "cluster_state:ok\r\ncluster_slots_assigned:0",
            "a node of a cluster that has no slots yet",
        ),
        (
            "redis_mode:cluster",
            "cluster_state:fail\r\ncluster_slots_assigned:9",
            "the state of the cluster is \"fail\"",
        ),
        ("redis_mode:sentinel", "sentinel_masters:0", "a Sentinel that knows no primary"),
        ("redis_mode:sentinel", "master0:name=x,status=odown,address=y", "a Sentinel that reaches no primary"),
    ] {
        let bulk = |text: &str| -> &'static str { format!("${}\r\n{text}", text.len()).leak() };
        let (server_info, more) = (bulk(server_info), bulk(more));
        let (server, _) = redis(move |command| match command {
            "PING" => "+PONG",
            "INFO server" => server_info,
            _ => more,
        });
        assert_eq!(reason(&[&server.url("redis")]), said);
    }
}

#[test]
fn a_role_can_be_asked_for() {
    let (server, _) = redis(|command| match command {
        "ROLE" => "*3\r\n$6\r\nmaster\r\n:0\r\n*0",
        "PING" => "+PONG",
        _ => "-NOPERM no",
    });
    assert_eq!(proof(&[&format!("{}#role=primary", server.url("redis"))]), "is the primary");
    assert_eq!(reason(&[&format!("{}#role=replica", server.url("redis"))]), "is the primary, not a replica");
    let ended = run(&["redis://cache#role=master"]);
    assert!(ended.last_line().contains("option role: this is neither primary nor replica"), "{ended:#?}");
}

#[test]
fn a_server_that_speaks_tls_is_named() {
    let alert = Server::start(|mut stream, _| {
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"\x15\x03\x01\x00\x02\x02\x46");
    });
    assert_eq!(never(69, &[&alert.url("redis")]), "the server speaks TLS: write rediss://, or add tls=require");
}

#[test]
fn a_server_that_says_nothing_useful_is_not_ready() {
    let closing = Server::start(|stream, _| drop(BufReader::new(stream).read_line(&mut String::new())));
    let said = "closed without an answer; does the server want TLS? then write rediss://";
    assert_eq!(reason(&[&closing.url("redis")]), said);
    let resetting = Server::start(|stream, _| reset_when_spoken_to(stream));
    assert_eq!(reason(&[&resetting.url("redis")]), said);
    let silent = Server::start(|stream, _| hold(stream));
    assert_eq!(reason(&["--attempt-timeout", "300ms", &silent.url("redis")]), "no answer within 300ms");
    let (http, _) = redis(|_| "HTTP/1.1 400 Bad Request");
    assert_eq!(reason(&[&http.url("redis")]), r#"the answer is not Redis: "HTTP/1.1 400 Bad Request""#);
    let endless = Server::start(|stream, _| pour(stream, &[b'+'; 4096]));
    assert_eq!(reason(&[&endless.url("redis")]), "a line of the answer has no end");
    for half in [&b"+"[..], b"+PON"] {
        let cut = Server::start(move |mut stream, _| {
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(half);
        });
        assert_eq!(reason(&[&cut.url("redis")]), "closed before its answer was whole");
    }
}

#[test]
fn tls_is_spoken_for_rediss() {
    let authority = Authority::new();
    let config = authority.server(&["localhost"]);
    let (sender, ends) = mpsc::channel();
    let server = Server::start(move |stream, _| {
        let connection = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut reader = BufReader::new(rustls::StreamOwned::new(connection, stream));
        while let Some(command) = read_command(&mut reader) {
            let reply = if command == "PING" { "+PONG\r\n" } else { "-NOPERM no\r\n" };
            reader.get_mut().write_all(reply.as_bytes()).unwrap();
        }
        let _ = sender.send(reader.read_to_end(&mut Vec::new()).map_err(|error| error.kind()));
    });
    let options = format!("ca={}", authority.ca());
    assert_eq!(proof(&[&format!("rediss://localhost:{}#{options}", server.port())]), "PONG");
    assert_eq!(proof(&[&format!("redis://localhost:{}#tls=require&{options}", server.port())]), "PONG");
    for _ in 0..2 {
        assert_eq!(ends.recv_timeout(DEADLINE), Ok(Ok(0)), "a connection ends with the last word of TLS");
    }
    let stranger = Authority::new();
    let url = format!("rediss://localhost:{}#ca={}", server.port(), stranger.ca());
    assert!(never(69, &[&url]).starts_with("the certificate is signed by an unknown authority"));
}
