//! Questions to `mysql://` against a scripted server, for answers that real ones hardly give.

use crate::support::{
    mysql::{Heard, OK, error, mysql},
    run,
    server::Server,
    until,
};

const END: &[u8] = &[0xfe, 0, 0, 2, 0];

/// A server that lets in without a password, accepts all settings, and answers the question with
/// these packets
fn answering(packets: Vec<Vec<u8>>) -> (Server, Heard) {
    mysql("mysql_native_password", move |wire| {
        wire.send(OK);
        while let Some(packet) = wire.receive() {
            if packet.starts_with(b"\x03S") && !packet.starts_with(b"\x03SELECT") || packet.starts_with(b"\x03START") {
                wire.send(OK);
            } else if packet.starts_with(b"\x03") {
                for packet in &packets {
                    wire.send(packet);
                }
            }
        }
    })
}

/// A result of one column and these rows
fn rows(rows: &[&[u8]]) -> Vec<Vec<u8>> {
    let head: [&[u8]; 3] = [&[1], b"\x03def", END];
    head.iter().chain(rows).chain([&END]).map(|packet| packet.to_vec()).collect()
}

fn target(server: &Server, options: &str) -> String {
    format!("mysql://app@{}/shop#{options}", server.address)
}

#[track_caller]
fn reason(server: &Server, options: &str) -> String {
    crate::support::reason(&[&target(server, options)])
}

#[test]
fn a_query_is_asked_in_a_read_only_session_with_a_time_limit_and_ends_politely() {
    let (server, heard) = answering(rows(&[b"\x011"]));
    let proof = crate::support::proof(&[&target(&server, "attempt-timeout=4s&query=SELECT 1 FROM users")]);
    assert_eq!(proof, "logged in, the query found a true value");
    let heard = until("QUIT has come", || {
        let heard = heard.lock().unwrap().clone();
        (heard.last()? == &[1]).then_some(heard)
    });
    let words: Vec<_> = heard.iter().skip(1).map(|packet| String::from_utf8_lossy(packet).into_owned()).collect();
    let limits =
        words[0].strip_prefix("\u{3}SET SESSION sql_select_limit = 1 /*!50708 , SESSION max_execution_time = ");
    let milliseconds = limits.unwrap().split_once(' ').unwrap().0;
    assert!((1..=3000).contains(&milliseconds.parse::<u32>().unwrap()), "{milliseconds}");
    let rest =
        ["\u{3}SET SESSION TRANSACTION READ ONLY", "\u{3}START TRANSACTION READ ONLY", "\u{3}SELECT 1 FROM users"];
    assert_eq!(words[1..4], rest);
}

#[test]
fn a_value_that_is_not_true_is_not_ready() {
    for (packets, words) in [
        (rows(&[]), "no row"),
        (rows(&[b"\xfb"]), "NULL"),
        (rows(&[b"\x010", b"\x011"]), "0"),
        (rows(&[b"\x01\0"]), "an empty value"),
        (vec![OK.to_vec()], "no row"),
    ] {
        let (server, _) = answering(packets);
        assert_eq!(reason(&server, "query=SELECT x"), format!("the query found {words}"));
    }
}

#[test]
fn an_answer_that_is_none_of_mysql_is_not_ready() {
    // A request for a file of ours, an end without a beginning, a value without its end
    for packets in [vec![b"\xfb/etc/passwd".to_vec()], vec![END.to_vec()], rows(&[b"\x7fx"])] {
        let (server, _) = answering(packets);
        assert_eq!(reason(&server, "query=SELECT x"), "the answer is not MySQL");
    }
}

#[test]
fn errors_are_waited_for_or_end_the_wait_and_repeat_no_sql() {
    for (code, words) in [
        (1146, "query: error 1146: near hunter3"),
        (1054, "query: error 1054: a column does not exist"),
        (3024, "the query takes longer than an attempt has: give attempt-timeout=DURATION"),
        (1969, "the query takes longer than an attempt has: give attempt-timeout=DURATION"),
        (1040, "error 1040: near hunter3"),
        (1366, "query: error 1366"),
    ] {
        let (server, _) = answering(vec![error(code, "near hunter3")]);
        assert_eq!(reason(&server, "query=SELECT x"), words);
    }
    for (code, exit, words) in [
        (1064, 69, "a syntax error"),
        (1792, 69, "it writes"),
        (1142, 77, "query refused: error 1142: near hunter3"),
        (1820, 77, "error 1820: near hunter3; set a new one, or let it not expire: ALTER USER"),
    ] {
        let (server, _) = answering(vec![error(code, "near hunter3")]);
        let ended = run(&[&target(&server, "query=SELECT x")]);
        assert_eq!(ended.code, Some(exit), "{ended:#?}");
        assert!(ended.everything().contains(words), "{ended:#?}");
        assert_eq!(ended.everything().contains("hunter3"), [1142, 1820].contains(&code), "{ended:#?}");
    }
}

#[test]
fn a_migration_is_waited_for() {
    let (server, _) = answering(rows(&[b"\x017\x07applied", b"\x016\x07applied"]));
    assert_eq!(reason(&server, "migration=flyway:12"), "flyway is at 7, waits for 12");
    let (server, _) = answering(vec![error(1146, "Table 'shop.flyway_schema_history' doesn't exist")]);
    let words = "flyway has no table flyway_schema_history in the database, waits for 12";
    assert_eq!(reason(&server, "migration=flyway:12"), words);
}

#[test]
fn a_query_without_a_password_says_that_the_server_wants_one() {
    let (server, _) = mysql("mysql_native_password", |wire| wire.send(&error(1045, "Access denied")));
    let ended = run(&[&target(&server, "table=users")]);
    assert_eq!(ended.code, Some(77), "{ended:#?}");
    assert!(ended.everything().contains("add password-file=PATH or password-env=NAME"), "{ended:#?}");
}

#[test]
fn a_question_needs_a_database() {
    for (option, words) in [
        ("table=users", "or as DATABASE.TABLE"),
        ("table=`a.users`", "or as DATABASE.TABLE"),
        ("table=a.b.users", "a name has one dot at most"),
        ("migration=goose:1", "in the URL's path"),
    ] {
        let ended = run(&[&format!("mysql://db#{option}")]);
        assert_eq!(ended.code, Some(64), "{ended:#?}");
        assert!(ended.everything().contains(words), "{ended:#?}");
    }
}
