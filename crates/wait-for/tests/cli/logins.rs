//! Users and passwords over HTTP: really sent, refused at once when wrong, and never printed.

use std::fs;

use tempfile::TempDir;

use crate::support::{
    Ended, Program,
    http::{Http, status},
    never, proof, reason, wait_for,
};

const SECRET: &str = "hunter2";
/// `user:hunter2` in base64
const LOGIN: &str = "Basic dXNlcjpodW50ZXIy";

/// Lets in a client that knows the password.
fn door() -> Http {
    Http::start(|request| status(if request.header("authorization") == Some(LOGIN) { "200 OK" } else { "401 No" }))
}

/// A directory with the password in a file, and the file's path.
fn password_file() -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("password");
    // With the line's end that editors leave.
    fs::write(&path, format!("{SECRET}\n")).unwrap();
    let path = path.display().to_string();
    (directory, path)
}

fn url(server: &Http, userinfo: &str, fragment: &str) -> String {
    format!("http://{userinfo}@{}/{fragment}", server.address)
}

#[track_caller]
fn tells_no_secret(ended: &Ended) {
    let everything = ended.everything();
    assert!(!everything.contains(SECRET) && !everything.contains(&LOGIN[6..]), "{ended:#?}");
}

#[test]
fn a_password_comes_from_a_file() {
    let (_directory, path) = password_file();
    assert_eq!(proof(&[&url(&door(), "user", &format!("#password-file={path}"))]), "HTTP 200");
}

#[test]
fn a_password_comes_from_a_variable() {
    let mut command = wait_for(&[&url(&door(), "user", "#password-env=API_PASSWORD")]);
    command.env("API_PASSWORD", SECRET);
    assert_eq!(Program::start(&mut command).end().code, Some(0));
}

#[test]
fn a_refused_login_ends_the_wait_at_once() {
    let (_directory, path) = password_file();
    for status_line in ["401 Unauthorized", "403 Forbidden"] {
        let server = Http::start(move |_| status(status_line));
        let said = never(77, &[&url(&server, "user", &format!("#password-file={path}"))]);
        assert_eq!(said, format!("login refused: HTTP {status_line}"));
    }
}

#[test]
fn without_a_login_of_ours_a_refusal_may_pass() {
    assert_eq!(reason(&[&door().url("/")]), "HTTP 401 Unauthorized");
}

#[test]
fn a_password_in_a_variable_of_targets_is_sent_and_never_printed() {
    for (password, code) in [(SECRET, 0), ("hunter22", 77)] {
        let mut command = wait_for(&["--output", "json", "--log-level", "trace"]);
        command.env("SIDEKIT_WAIT_FOR_TARGETS", url(&door(), &format!("user:{password}"), "?token=hunter2#stable=1"));
        let ended = Program::start(&mut command).end();
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        tells_no_secret(&ended);
    }
}

#[test]
fn a_password_in_a_configuration_file_is_sent_and_never_printed() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("targets.yaml");
    let server = door();
    for (password, code) in [(SECRET, 0), ("hunter22", 77)] {
        fs::write(&path, format!("targets: ['{}']\n", url(&server, &format!("user:{password}"), ""))).unwrap();
        let mut command = wait_for(&["--output", "json", "--log-level", "trace", "--config", path.to_str().unwrap()]);
        let ended = Program::start(&mut command).end();
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        tells_no_secret(&ended);
    }
}

#[test]
fn a_target_that_is_wrong_is_told_without_its_password() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("targets.yaml");
    for wrong in [
        "http://user:hunter2@api:99999/?token=hunter2",
        "htp://user:hunter2@api/#header=hunter2",
        "http://user:hunter2@api/#hedaer=hunter2",
        "http://user:hunter2@api/#header=hunter2",
        "http://user:hunter2@/#stable=1",
        "mysql://user:hun/hunter2@db:3306/#statble=1",
        "user:hunter2@db:3306",
        "hunter2@db",
    ] {
        let mut from_variable = wait_for(&["--output", "json"]);
        from_variable.env("SIDEKIT_WAIT_FOR_TARGETS", wrong);
        fs::write(&path, format!("targets: ['{wrong}']\n")).unwrap();
        let from_file = || wait_for(&["--config", path.to_str().unwrap()]);
        let from_map = || {
            fs::write(&path, format!("targets: [{{url: '{wrong}', header: hunter2}}]\n")).unwrap();
            wait_for(&["--config", path.to_str().unwrap()])
        };
        for (code, mut command) in [(64, from_variable), (64, wait_for(&[wrong])), (78, from_file()), (78, from_map())]
        {
            let ended = Program::start(&mut command).end();
            assert_eq!(ended.code, Some(code), "{wrong}: {ended:#?}");
            tells_no_secret(&ended);
        }
    }
}

#[test]
fn help_tells_no_variable_values() {
    let mut command = wait_for(&["--help"]);
    command.env("SIDEKIT_WAIT_FOR_TARGETS", "http://user:hunter2@api/");
    let ended = Program::start(&mut command).end();
    assert_eq!(ended.code, Some(0));
    tells_no_secret(&ended);
}

#[test]
fn a_password_file_that_cannot_be_read_ends_the_wait_at_once() {
    let ended = crate::support::run(&["http://user@api/#password-file=/none"]);
    ended.ended_with(64, "reason=usage what=\"http://api/\" last=");
    assert!(ended.last_line().contains("option password-file: cannot read /none: no such file"), "{ended:#?}");
    let ended = crate::support::run(&["http://user@api/#password-env=NONE"]);
    assert!(ended.last_line().contains("option password-env: variable NONE is not set"), "{ended:#?}");
}

#[test]
fn tokens_and_headers_come_from_files_and_variables() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("token");
    fs::write(&path, "hunter2\n").unwrap();
    let path = path.display();
    let wants = |name: &'static str, value: &'static str| {
        Http::start(move |request| status(if request.header(name) == Some(value) { "200 OK" } else { "401 No" }))
    };
    let token = wants("authorization", "Bearer hunter2");
    for (server, options) in [
        (&token, format!("token-file={path}")),
        (&token, "token-env=API_TOKEN".into()),
        (&door(), format!("user=user&password-file={path}")),
        (&wants("x-api-key", "hunter2"), format!("header-file=X-Api-Key:{path}")),
    ] {
        let mut command = wait_for(&[&server.url(&format!("/#{options}"))]);
        command.env("API_TOKEN", SECRET);
        let ended = Program::start(&mut command).end();
        assert_eq!(ended.code, Some(0), "{options}: {ended:#?}");
        tells_no_secret(&ended);
    }
}

#[test]
fn a_token_that_is_renewed_is_sent() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("token");
    fs::write(&path, "stale\n").unwrap();
    let server = Http::start(|request| {
        status(if request.header("authorization") == Some("Bearer new") { "200 OK" } else { "401 No" })
    });
    let url = server.url(&format!("/#token-file={}", path.display()));
    let mut program = Program::start(&mut wait_for(&["--retry-all", "--interval", "50ms", &url]));
    program.wait_for_reason("login refused: HTTP 401 Unauthorized");
    fs::write(directory.path().join("next"), "new\n").unwrap();
    fs::rename(directory.path().join("next"), &path).unwrap();
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_file_that_was_good_once_and_is_half_written_later_does_not_end_the_wait() {
    let (_directory, path) = password_file();
    let token = path.clone();
    let server = Http::start(move |_| {
        // The token is renewed by a writer that empties the file first.
        fs::write(&token, "").unwrap();
        status("401 Unauthorized")
    });
    let target = format!("{}#token-file={path}&interval=50ms", server.url("/"));
    let ended = Program::start(&mut wait_for(&["--not", "--timeout", "3s", &target])).end();
    assert_eq!(ended.code, Some(124), "{ended:#?}");
    assert!(ended.everything().contains("is empty"), "{ended:#?}");
}

#[test]
fn a_login_that_is_given_twice_or_in_the_query_is_a_usage_error() {
    for (target, words) in [
        ("http://a/#header=Authorization:hunter2&token-file=/t", "the header Authorization and a token"),
        ("grpc://a:1#header=Authorization:hunter2&token-file=/t", "the header Authorization and a token"),
        (
            "http://a/?token-file=hunter2",
            "token-file is an option and stands in the query: write # in front of options",
        ),
    ] {
        let ended = Program::start(&mut wait_for(&[target])).end();
        assert_eq!(ended.code, Some(64), "{ended:#?}");
        assert!(ended.everything().contains(words), "{ended:#?}");
        tells_no_secret(&ended);
    }
}
