//! `nats://`, `memcached://` and `smtp://`: servers that answer by lines.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
};

use rustls::{ServerConnection, StreamOwned};

use crate::support::{
    Authority, Program, Signal, never, proof, reason,
    server::{Server, hold, reset},
    wait_for,
};

type Heard = Arc<Mutex<Vec<String>>>;

/// A server that begins with a greeting, answers each line by the script, and remembers the lines.
fn talking(greeting: &'static str, script: impl Fn(&str) -> &'static str + Send + Sync + 'static) -> (Server, Heard) {
    let heard = Heard::default();
    let into = heard.clone();
    let server = Server::start(move |mut stream: TcpStream, _| {
        let _ = stream.write_all(greeting.as_bytes());
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
            into.lock().unwrap().push(line.trim_end().to_owned());
            if stream.write_all(script(line.trim_end()).as_bytes()).is_err() {
                return;
            }
            line.clear();
        }
    });
    (server, heard)
}

fn nats(info: &'static str, answer: &'static str) -> (Server, Heard) {
    talking(info, move |line| if line == "PING" { answer } else { "" })
}

/// What wait-for says of a target with a password, `hunter2`, and its exit code
fn with_password(url: &str) -> (Option<i32>, String) {
    let ended =
        Program::start(wait_for(&["--timeout", "5s", &format!("{url}#password-env=PW")]).env("PW", "hunter2")).end();
    assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
    (ended.code, ended.last_line().to_owned())
}

#[test]
fn nats_takes_a_client_and_answers_ping() {
    let (server, heard) = nats("INFO {\"server_id\":\"x\"}\r\n", "+OK\r\nINFO {}\r\nPONG\r\n");
    assert_eq!(proof(&[&server.url("nats")]), "PONG");
    let heard = heard.lock().unwrap();
    let connect: serde_json::Value = serde_json::from_str(heard[0].strip_prefix("CONNECT ").unwrap()).unwrap();
    assert_eq!((&connect["verbose"], &connect["name"], connect.get("user")), (&false.into(), &"wait-for".into(), None));
    assert_eq!(heard[1], "PING");
}

#[test]
fn a_nats_server_that_ends_or_is_full_is_not_ready() {
    for (info, answer, said) in [
        ("INFO {\"ldm\":true}\r\n", "", "the server is about to end (lame duck mode)"),
        ("-ERR 'maximum connections exceeded'\r\n", "", "'maximum connections exceeded'"),
        ("INFO {}\r\n", "-ERR 'Authentication Timeout'\r\n", "'Authentication Timeout'"),
        ("220 mail\r\n", "", "the answer is not NATS: \"220 mail\""),
        ("INFO {}\r\n", "MSG x\r\n", "the answer is not NATS: \"MSG x\""),
        ("INFO {", "", "no answer within 300ms"),
    ] {
        let (server, _) = nats(info, answer);
        assert_eq!(reason(&["--attempt-timeout", "300ms", &server.url("nats")]), said);
    }
    let (server, _) = nats("INFO {}\r\n", "INFO {}\r\n".repeat(50).leak());
    assert_eq!(reason(&[&server.url("nats")]), "the server answers with everything but PONG");
}

#[test]
fn a_login_to_nats_is_a_user_or_a_token() {
    let info = "INFO {\"auth_required\":true}\r\n";
    let (server, heard) = nats(info, "PONG\r\n");
    assert_eq!(with_password(&format!("nats://app@{}", server.address)).0, Some(0));
    assert_eq!(with_password(&server.url("nats")).0, Some(0));
    let connects: Vec<serde_json::Value> = heard
        .lock()
        .unwrap()
        .iter()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("CONNECT ")?).ok())
        .collect();
    assert_eq!((&connects[0]["user"], &connects[0]["pass"]), (&"app".into(), &"hunter2".into()));
    assert_eq!((connects[1].get("user"), &connects[1]["auth_token"]), (None, &"hunter2".into()));
    assert_eq!(proof(&[&server.url("nats")]), "answers, but more can't be known without a password");
    let (server, _) = nats(info, "-ERR 'Authorization Violation for hunter2'\r\n");
    let (code, line) = with_password(&server.url("nats"));
    assert_eq!(code, Some(77));
    assert!(line.contains("login refused: 'Authorization Violation for …'"), "{line}");
}

#[test]
fn a_nats_server_and_a_target_agree_on_tls() {
    let (server, heard) = nats("INFO {\"tls_required\":true}\r\n", "");
    assert_eq!(never(69, &[&server.url("nats")]), "the server asks for TLS: add tls=require");
    let (plain, _) = nats("INFO {}\r\n", "");
    let url = format!("{}#tls=require&insecure", plain.url("nats"));
    assert!(never(69, &[&url]).starts_with("the server offers no TLS"));
    assert_eq!(*heard.lock().unwrap(), <[String; 0]>::default());
    // Somebody between has put something behind the greeting.
    let (injected, _) = nats("INFO {\"tls_required\":true}\r\nPONG\r\n", "");
    let url = format!("{}#tls=require&insecure", injected.url("nats"));
    assert_eq!(reason(&[&url]), "the server says more than it was asked before TLS");
}

#[test]
fn memcached_says_its_version() {
    let (server, heard) = talking("", |line| if line == "version" { "VERSION 1.6.18\r\n" } else { "" });
    assert_eq!(proof(&[&server.url("memcached")]), "version 1.6.18");
    assert_eq!(heard.lock().unwrap()[0], "version");
    for (answer, said) in [
        ("ERROR Too many open connections\r\n", "ERROR Too many open connections"),
        ("HTTP/1.1 400 Bad Request\r\n", "the answer is not memcached: \"HTTP/1.1 400 Bad Request\""),
        ("VERSION", "no answer within 300ms"),
    ] {
        let (server, _) = talking("", move |_| answer);
        assert_eq!(reason(&["--attempt-timeout", "300ms", &server.url("memcached")]), said);
    }
}

#[test]
fn a_login_to_memcached_is_sent_where_it_is_asked_for() {
    let (asking, heard) = talking("", |line| match line {
        "app hunter2" => "CLIENT_ERROR authentication failure\r\n",
        "version" => "CLIENT_ERROR unauthenticated\r\n",
        _ => "",
    });
    let (code, line) = with_password(&format!("memcached://app@{}", asking.address));
    assert_eq!(code, Some(77));
    assert!(line.contains("login refused: CLIENT_ERROR authentication failure"), "{line}");
    assert_eq!(heard.lock().unwrap()[..3], ["version", "set auth 0 0 11", "app hunter2"]);
    let (open, heard) = talking("", |_| "VERSION 1\r\n");
    assert_eq!(with_password(&format!("memcached://app@{}", open.address)).0, Some(0));
    assert!(heard.lock().unwrap().iter().all(|line| !line.starts_with("set")));
}

#[test]
fn a_mail_server_greets_and_takes_ehlo() {
    let (server, heard) = talking("220-mail.test\r\n220 ESMTP\r\n", |line| match line {
        "QUIT" => "221 bye\r\n",
        _ => "250-mail.test\r\n250-SIZE 1000\r\n250 HELP\r\n",
    });
    assert_eq!(proof(&[&server.url("smtp")]), "greets");
    assert_eq!(*heard.lock().unwrap(), ["EHLO [127.0.0.1]", "QUIT"]);
}

#[test]
fn a_mail_server_that_has_no_time_or_no_mail_is_not_ready() {
    for (greeting, answer, said) in [
        ("421 too many connections\r\n", "", "421 too many connections"),
        ("554-no\r\n554 SMTP service here\r\n", "", "554 no SMTP service here"),
        ("220 mail\r\n", "502 not implemented\r\n", "502 not implemented"),
        ("220 mail\r\n", "250 ok\n250+no\r\n", "greets"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "", "the answer is not SMTP: \"SSH-2.0-OpenSSH_9.2\""),
        ("220-mail", "", "no answer within 300ms"),
    ] {
        let (server, _) = talking(greeting, move |line| if line == "QUIT" { "221 bye\r\n" } else { answer });
        let url = server.url("smtp");
        let arguments = ["--attempt-timeout", "300ms", &url];
        assert_eq!(if said == "greets" { proof(&arguments) } else { reason(&arguments) }, said);
    }
    let (endless, _) = talking("220 mail\r\n", |_| "250-more\r\n".repeat(200).leak());
    assert_eq!(reason(&[&endless.url("smtp")]), "a reply of the server has no end");
    // A definite no, for `not`
    let (gone, _) = talking("554 no\r\n", |_| "221 bye\r\n");
    assert_eq!(proof(&["--not", &gone.url("smtp")]), "gone: 554 no");
}

#[test]
fn a_mail_server_that_does_not_answer_quit_hides_no_verdict() {
    let (server, _) = talking("220 mail\r\n", |line| if line == "QUIT" { "" } else { "250 mail\r\n" });
    assert_eq!(proof(&["--attempt-timeout", "1s", &server.url("smtp")]), "greets");
    let url = format!("{}#tls=require&insecure", server.url("smtp"));
    assert!(never(69, &["--attempt-timeout", "1s", &url]).starts_with("the server offers no STARTTLS"));
}

#[test]
fn a_password_never_goes_to_a_mail_server_without_tls() {
    let (server, heard) =
        talking("220 mail\r\n", |line| if line == "QUIT" { "221 bye\r\n" } else { "250 AUTH PLAIN\r\n" });
    let (code, line) = with_password(&format!("smtp://app@{}", server.address));
    assert_eq!(code, Some(69));
    assert!(line.contains("which needs TLS: give tls=require"), "{line}");
    assert_eq!(*heard.lock().unwrap(), ["EHLO [127.0.0.1]", "QUIT"]);
    let url = format!("{}#tls=require&insecure", server.url("smtp"));
    assert!(never(69, &[&url]).starts_with("the server offers no STARTTLS"));
}

#[test]
fn a_login_that_a_mail_server_repeats_is_not_told() {
    // A server that does not know AUTH, and one that repeats each line
    for repeat in ["500 unrecognized command: ", ""] {
        let config = Authority::new().server(&["localhost"]);
        let server = Server::start(move |stream, _| {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut reader = BufReader::new(StreamOwned::new(connection, stream));
            reader.get_mut().write_all(b"220 mail\r\n").unwrap();
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
                let answer =
                    if line.starts_with("AUTH") { format!("{repeat}{line}") } else { "250 AUTH PLAIN\r\n".into() };
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
                line.clear();
            }
        });
        let mut command = wait_for(&[&format!("smtps://app@{}#insecure&password-env=PW", server.address)]);
        let mut program = Program::start(command.args(["--retry-all"]).env("PW", "hunter2"));
        let said = program.wait_for_message("not ready")["reason"].as_str().unwrap().to_owned();
        assert!(said.contains(&format!("{repeat}AUTH PLAIN …")), "{said}");
    }
}

#[test]
fn servers_that_go_or_say_nothing() {
    for scheme in ["nats", "memcached", "smtp", "ldap"] {
        let resetting = Server::start(|stream, _| reset(stream));
        let said = reason(&[&resetting.url(scheme)]);
        assert!(said.starts_with("closed without an answer"), "{scheme}: {said}");
        let closing = Server::start(|stream, _| drop(BufReader::new(stream).fill_buf().map(<[u8]>::len)));
        if ["memcached", "ldap"].contains(&scheme) {
            let said = reason(&[&closing.url(scheme)]);
            let hint = said.strip_prefix("closed without an answer; does the server want TLS? then ").unwrap();
            assert_eq!(hint, if scheme == "ldap" { "write ldaps://" } else { "add tls=require" });
        }
        let silent = Server::start(|stream, _| hold(stream));
        let mut program = Program::start(&mut wait_for(&["--attempt-timeout", "300ms", &silent.url(scheme)]));
        program.wait_for_reason("no answer within 300ms");
        program.signal(Signal::TERM);
        program.end().ended_with(143, "reason=stopped");
        let endless = Server::start(|stream, _| crate::support::server::pour(stream, &[b'+'; 4096]));
        let said = reason(&[&endless.url(scheme)]);
        assert!(["a line of the answer has no end", "the answer is not LDAP"].contains(&&*said), "{scheme}: {said}");
    }
}

#[test]
fn a_login_needs_a_user_where_the_protocol_has_one() {
    for (url, said) in [
        ("memcached://cache#password-env=PW", "a login needs a user: memcached://USER@HOST"),
        ("smtps://mail#password-env=PW&insecure", "a login needs a user: smtps://USER@HOST"),
        ("ldap://directory#password-env=PW", "a login needs the name of an entry before the @"),
        ("nats://queue/subject", "a nats target has no path"),
    ] {
        let ended = Program::start(wait_for(&[url]).env("PW", "hunter2")).end();
        ended.ended_with(64, "reason=usage");
        assert!(ended.last_line().contains(said), "{url}: {}", ended.last_line());
    }
}
