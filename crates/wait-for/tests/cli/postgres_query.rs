//! `query=`, `table=` and `migration=` of `postgres://` against a scripted server, for answers that
//! real ones hardly give.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
};

use crate::support::{
    Ended, Program, Signal, run,
    server::{Server, hold, pour},
    until, wait_for,
};

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind], &length[..], body].concat()
}

fn row(values: &[Option<&str>]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
    for value in values {
        body.extend(value.map_or(-1, |text| i32::try_from(text.len()).unwrap()).to_be_bytes());
        body.extend(value.unwrap_or_default().as_bytes());
    }
    message(b'D', &body)
}

fn error(code: &str, text: &str, position: &str) -> Vec<u8> {
    message(b'E', format!("SERROR\0C{code}\0M{text}\0P{position}\0\0").as_bytes())
}

/// The messages that the server got, each as its type and its text
type Heard = Arc<Mutex<Vec<String>>>;

/// A server that lets in without a password, and gives these answers to the questions of the
/// extended protocol, one each; the last one again and again
fn postgres(answers: Vec<Vec<u8>>) -> (Server, Heard) {
    let heard = Heard::default();
    let into = heard.clone();
    let server = Server::start(move |mut stream, _| {
        let _ = serve(&mut stream, &answers, &into);
    });
    (server, heard)
}

fn serve(stream: &mut TcpStream, answers: &[Vec<u8>], heard: &Heard) -> std::io::Result<()> {
    let idle = message(b'Z', b"I");
    let mut answers = answers.iter();
    let mut answer = answers.next();
    read(stream, false)?;
    stream.write_all(&[message(b'R', &[0; 4]), idle.clone()].concat())?;
    loop {
        let (kind, body) = read(stream, true)?;
        heard.lock().unwrap().push(format!("{}{}", char::from(kind), String::from_utf8_lossy(&body)));
        match kind {
            b'Q' => stream.write_all(&[message(b'C', b"OK\0"), idle.clone()].concat())?,
            b'S' => {
                stream.write_all(&[answer.unwrap(), &idle[..]].concat())?;
                answer = answers.next().or(answer);
            }
            b'X' => return Ok(()),
            _ => {}
        }
    }
}

fn read(stream: &mut TcpStream, has_type: bool) -> std::io::Result<(u8, Vec<u8>)> {
    let mut kind = [0];
    if has_type {
        stream.read_exact(&mut kind)?;
    }
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut body)?;
    Ok((kind[0], body))
}

/// wait-for with one target of this server and these options
fn arguments(server: &Server, options: &str) -> [String; 1] {
    [format!("postgres://app@{}/shop#{options}", server.address)]
}

fn ends(server: &Server, options: &str) -> Ended {
    run(&arguments(server, options).each_ref().map(String::as_str))
}

#[track_caller]
fn proof(server: &Server, options: &str) -> String {
    let ended = ends(server, options);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.message("ready")["proof"].as_str().unwrap().to_owned()
}

#[track_caller]
fn reason(server: &Server, options: &str) -> String {
    crate::support::reason(&arguments(server, options).each_ref().map(String::as_str))
}

#[test]
fn a_query_is_asked_in_a_read_only_transaction_with_a_time_limit_and_ends_politely() {
    let (server, heard) = postgres(vec![row(&[Some("t")])]);
    let options = "attempt-timeout=4s&query=SELECT count(*) > 3 FROM users";
    assert_eq!(proof(&server, options), "logged in, the query found a true value");
    let heard = until("Terminate has come", || {
        let heard = heard.lock().unwrap().clone();
        (heard.last()? == "X").then_some(heard)
    });
    let begin = heard[0].strip_prefix("QBEGIN READ ONLY; SET LOCAL statement_timeout = ").unwrap();
    let (milliseconds, rest) = begin.split_once(';').unwrap();
    assert!((1..=3000).contains(&milliseconds.parse::<u32>().unwrap()), "{milliseconds}");
    assert_eq!(rest, " SELECT 1\0");
    let question: Vec<_> = heard[1..].iter().map(|message| message.trim_matches('\0')).collect();
    let parse = "P\0SELECT count(*) > 3 FROM users";
    assert_eq!(question, [parse, "B", "DP", "E\0\0\0\0\u{1}", "S", "QROLLBACK", "X"]);
}

#[test]
fn a_query_whose_value_is_not_true_is_not_ready() {
    for (answer, words) in [
        (Vec::new(), "no row"),
        (row(&[None]), "NULL"),
        (row(&[Some("f")]), "false"),
        (row(&[Some("0")]), "0"),
        (row(&[Some("")]), "an empty value"),
        ([row(&[Some("NaN")]), row(&[Some("1")])].concat(), "NaN"),
        // COPY … TO STDOUT
        ([message(b'H', &[0; 3]), message(b'd', b"1\n"), message(b'c', b"")].concat(), "no row"),
    ] {
        let (server, _) = postgres(vec![answer]);
        assert_eq!(reason(&server, "query=SELECT x"), format!("the query found {words}"));
    }
}

#[test]
fn a_value_of_a_query_is_never_shown() {
    let (server, _) = postgres(vec![row(&[Some("hunter2")])]);
    let ended = ends(&server, "query=SELECT secret");
    assert_eq!(ended.code, Some(0));
    assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
}

#[test]
fn what_a_migration_may_still_make_is_waited_for() {
    for (code, text, words) in [
        ("42P01", "relation \"users\" does not exist", "query: relation \"users\" does not exist"),
        ("42883", "function f() does not exist", "query: function f() does not exist"),
        ("42703", "column \"hunter2\" does not exist", "query: a column does not exist at character 8"),
        ("22P02", "invalid input: \"hunter2\"", "query: SQLSTATE 22P02 at character 8"),
    ] {
        let (server, heard) = postgres(vec![error(code, text, "8")]);
        assert_eq!(reason(&server, "query=SELECT x"), words);
        // The connection is left as politely as after an answer.
        until("Terminate has come", || heard.lock().unwrap().iter().any(|heard| heard == "X").then_some(()));
    }
}

#[test]
fn a_query_that_cannot_succeed_ends_the_wait_at_once() {
    for (code, text, exit, words) in [
        ("42601", "syntax error at or near \"hunter2\"", 69, "query refused: a syntax error at character 8, or more"),
        ("42804", "argument of WHERE must be type boolean", 69, "query refused with SQLSTATE 42804 at character 8"),
        ("25006", "cannot execute INSERT in a read-only transaction", 69, "query refused: it writes"),
        ("42501", "permission denied for table users", 77, "query refused: permission denied for table users"),
    ] {
        let (server, _) = postgres(vec![error(code, text, "8")]);
        let ended = ends(&server, "query=SELECT x");
        assert_eq!(ended.code, Some(exit), "{ended:#?}");
        assert!(ended.everything().contains(words), "{ended:#?}");
        assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
    }
}

#[test]
fn a_query_that_takes_too_long_is_said_to() {
    let (server, _) = postgres(vec![error("57014", "canceling statement due to statement timeout", "")]);
    let words = "the query takes longer than an attempt has: give attempt-timeout=DURATION";
    assert_eq!(reason(&server, "query=SELECT pg_sleep(9)"), words);
}

#[test]
fn a_server_that_stops_meanwhile_is_not_ready() {
    let (server, _) = postgres(vec![error("57P01", "terminating connection due to administrator command", "")]);
    assert_eq!(reason(&server, "query=SELECT 1"), "terminating connection due to administrator command");
}

#[test]
fn a_row_that_is_too_long_is_not_read() {
    let server = Server::start(|mut stream, _| {
        read(&mut stream, false).unwrap();
        let idle = message(b'Z', b"I");
        let long = message(b'D', &[&b"\0\x01\0\x01\x11\x6c"[..], &vec![b'x'; 69_996]].concat());
        let _ = stream.write_all(&[message(b'R', &[0; 4]), idle.clone(), idle, long].concat());
        hold(stream);
    });
    let ended = ends(&server, "query=SELECT x");
    ended.ended_with(69, &format!(r#"reason=unavailable what="postgres://{}/shop" last="a row has"#, server.address));
}

#[test]
fn rows_without_end_cost_an_attempt_its_deadline() {
    let server = Server::start(|mut stream, _| {
        read(&mut stream, false).unwrap();
        let idle = message(b'Z', b"I");
        let _ = stream.write_all(&[message(b'R', &[0; 4]), idle.clone(), idle].concat());
        pour(stream, &row(&[Some("1"), Some("applied")]));
    });
    assert_eq!(reason(&server, "query=SELECT 1&attempt-timeout=500ms"), "no answer within 500ms");
}

#[test]
fn a_query_comes_from_a_file_that_may_change_and_from_a_variable() {
    let (server, heard) = postgres(vec![Vec::new()]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ready.sql");
    std::fs::write(&path, "SELECT 1 FROM a -- '&%#'\n").unwrap();
    let heard_statement = |sql: &str| {
        until("the statement has come", || {
            heard.lock().unwrap().iter().any(|message| message.trim_matches('\0') == format!("P\0{sql}")).then_some(())
        });
    };
    let program = Program::start(&mut wait_for(&[&arguments(&server, &format!("query-file={}", path.display()))[0]]));
    heard_statement("SELECT 1 FROM a -- '&%#'");
    std::fs::write(&path, "\u{feff}SELECT 2\n").unwrap();
    heard_statement("SELECT 2");
    program.signal(Signal::TERM);
    program.end().ended_with(143, "reason=stopped");

    let mut command = wait_for(&[&arguments(&server, "query-env=SQL")[0]]);
    let program = Program::start(command.env("SQL", "SELECT 3"));
    heard_statement("SELECT 3");
    program.signal(Signal::TERM);
    program.end().ended_with(143, "reason=stopped");

    std::fs::write(&path, "\n").unwrap();
    let ended = ends(&server, &format!("query-file={}", path.display()));
    assert_eq!(ended.code, Some(64), "{ended:#?}");
    assert!(ended.everything().contains("the query: it is empty"), "{ended:#?}");
}

#[test]
fn the_name_of_a_table_and_of_a_schema_are_parameters() {
    let (server, heard) = postgres(vec![row(&[Some("t"), Some("x")]), row(&[Some("t")])]);
    assert_eq!(proof(&server, "table=users'; DROP&schema=my\"app"), "logged in, table users'; DROP is there");
    let heard = heard.lock().unwrap().join("\n");
    assert!(!heard.lines().any(|line| line.contains("SELECT") && (line.contains("DROP") || line.contains("my\""))));
    let (server, _) = postgres(vec![Vec::new()]);
    assert_eq!(reason(&server, "table=users&schema=app"), "schema app does not exist");
    let (server, _) = postgres(vec![row(&[Some("t"), Some("app")]), row(&[Some("f")])]);
    assert_eq!(reason(&server, "table=users&schema=app"), "table users is not there in the schema app");
    let (server, _) = postgres(vec![row(&[Some("f"), Some("app")])]);
    let ended = ends(&server, "table=users&schema=app");
    ended.ended_with(77, "reason=denied");
    assert!(ended.last_line().contains("the user may not use the schema app: grant USAGE on it"), "{ended:#?}");
    let (server, _) = postgres(vec![row(&[Some("f")])]);
    let words = "table users is not there in the search path (schema=NAME names a schema)";
    assert_eq!(reason(&server, "table=users"), words);
    assert_eq!(reason(&server, "table=app.users"), "table app.users is not there");
    let words = "table app.Users is not there; a name with capital letters stands in double quotes";
    assert_eq!(reason(&server, "table=app.Users"), words);
    assert_eq!(reason(&server, "table=app.\"Users\""), "table app.\"Users\" is not there");
}

#[test]
fn a_migration_is_waited_for() {
    let is_there = row(&[Some("t")]);
    let (server, _) = postgres(vec![row(&[Some("f")])]);
    let words =
        "flyway has no table flyway_schema_history in the search path (schema=NAME names a schema), waits for 12";
    assert_eq!(reason(&server, "migration=flyway:12"), words);
    let at = |version| row(&[Some(version), Some("applied")]);
    let (server, _) = postgres(vec![is_there.clone(), [at("7"), at("6")].concat()]);
    assert_eq!(reason(&server, "migration=flyway:12"), "flyway is at 7, waits for 12");
    let (server, _) = postgres(vec![is_there.clone(), [at("7"), at("12.1")].concat()]);
    assert_eq!(proof(&server, "migration=flyway:12"), "logged in, flyway is at 12.1");
    let (server, _) = postgres(vec![is_there, row(&[Some("5"), Some("dirty")])]);
    assert_eq!(reason(&server, "migration=golang-migrate:4"), "golang-migrate is dirty at 5, waits for 4");
}

#[test]
fn a_query_without_a_password_says_that_the_server_wants_one() {
    let server = Server::start(|mut stream, _| {
        read(&mut stream, false).unwrap();
        let _ = stream.write_all(&message(b'R', b"\0\0\0\x05salt"));
        hold(stream);
    });
    let ended = ends(&server, "table=users");
    assert_eq!(ended.code, Some(77), "{ended:#?}");
    assert!(ended.everything().contains("add password-file=PATH or password-env=NAME"), "{ended:#?}");
}
