//! `metrics-exporter lint`: findings, exit codes, and no value that could be a secret.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use harness::{Ended, HttpServer, Program, Reply, command, until};
use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::NamedTempFile;

const CLEAN: &str =
    "# HELP http_requests_total All requests.\n# TYPE http_requests_total counter\nhttp_requests_total 1\n";
const FINDINGS: &str =
    "# HELP requests All requests.\n# TYPE requests counter\nrequests{user=\"hunter2@example.com\"} 1\n";

fn lint_command(target: &str) -> Command {
    let mut lint = command(env!("CARGO_BIN_EXE_metrics-exporter"), &["lint", target]);
    lint.stdin(Stdio::null());
    lint
}

fn lint(target: &str) -> Ended {
    let ended = Program::start(&mut lint_command(target)).end();
    assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
    ended
}

fn file(page: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(page.as_ref()).unwrap();
    file
}

fn lint_page(page: impl AsRef<[u8]>) -> Ended {
    lint(file(page).path().to_str().unwrap())
}

#[test]
fn a_clean_page_ends_with_0_and_says_nothing() {
    let ended = lint_page(CLEAN);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:#?}");
}

#[test]
fn each_finding_is_a_line_and_the_end_is_1() {
    let ended = lint_page(FINDINGS);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let expected = "requests: a counter without _total: rename it to requests_total\n\
                    requests: the label user holds an e-mail address (\"hunt\"…), so that series grow without bound: leave \
                    the label out\n";
    assert_eq!(ended.stdout, expected);
    assert!(ended.everything().contains("findings: 2"), "{ended:#?}");
}

#[test]
fn a_minus_is_standard_input() {
    let mut program = lint_command("-");
    program.stdin(fs::File::open(file(FINDINGS).path()).unwrap());
    let ended = Program::start(&mut program).end();
    assert_eq!((ended.code, ended.stdout.lines().count()), (Some(1), 2), "{ended:#?}");
}

#[test]
fn a_pipe_is_read_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
    let program = Program::start(&mut lint_command(fifo.to_str().unwrap()));
    // Opening waits for the reader. Write two pieces, because a read returns only the bytes that are in the pipe.
    let mut writer = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    let (begin, rest) = FINDINGS.split_at(20);
    for piece in [begin, rest] {
        writer.write_all(piece.as_bytes()).unwrap();
        writer.flush().unwrap();
        until("the piece is read", || (rustix::io::ioctl_fionread(&writer).unwrap() == 0).then_some(()));
    }
    drop(writer);
    let ended = program.end();
    assert_eq!((ended.code, ended.stdout.lines().count()), (Some(1), 2), "{ended:#?}");
}

#[test]
fn standard_input_has_names_too() {
    for name in ["/dev/stdin", "/proc/self/fd/0"] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut program = lint_command(name);
        program.stdin(reader);
        let program = Program::start(&mut program);
        writer.write_all(FINDINGS.as_bytes()).unwrap();
        drop(writer);
        let ended = program.end();
        assert_eq!((ended.code, ended.stdout.lines().count()), (Some(1), 2), "{name} {ended:#?}");
    }
}

#[test]
fn an_empty_page_is_65() {
    let ended = lint_page("");
    assert_eq!(ended.code, Some(65), "{ended:#?}");
    assert!(ended.everything().contains("this is no page of metrics: it is empty"), "{ended:#?}");
    assert_eq!(lint_url(page_of_type("text/plain; version=0.0.4", "")).code, Some(65));
}

#[test]
fn a_page_that_cannot_be_read_is_65() {
    for page in ["requests{user=\"hunter2} 1\n", "requests hunter2\n", "requests 1", "\x01\x02hunter2"] {
        let ended = lint_page(page);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(65), ""), "{page:?} {ended:#?}");
        assert!(ended.everything().contains("this is no page of metrics: line 1"), "{ended:#?}");
    }
}

#[test]
fn a_compressed_page_is_read_too() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(FINDINGS.as_bytes()).unwrap();
    let compressed = encoder.finish().unwrap();
    assert_eq!(lint_page(&compressed).stdout.lines().count(), 2);
    let cut = lint_page(&compressed[..compressed.len() - 3]);
    assert_eq!(cut.code, Some(65), "{cut:#?}");
}

#[test]
fn a_file_that_cannot_be_read_is_74() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().join("missing"), directory.path().to_owned(), "/dev/null".into()] {
        let ended = lint(path.to_str().unwrap());
        assert_eq!(ended.code, Some(74), "{ended:#?}");
        assert!(ended.everything().contains("cannot read"), "{ended:#?}");
    }
}

/// Lints the page that a server sends.
fn lint_url(reply: Reply) -> Ended {
    let server = HttpServer::start(move |_| reply.clone());
    let ended = lint(&server.url("/metrics?key=hunter2"));
    assert_eq!(server.asked().len(), 1);
    ended
}

fn page_of_type(content_type: &str, page: &str) -> Reply {
    Reply::Answer(200, vec![("Content-Type", content_type.into())], page.into())
}

#[test]
fn the_content_type_of_a_url_is_its_format() {
    let text = lint_url(page_of_type("text/plain", FINDINGS));
    assert_eq!((text.code, text.stdout.lines().count()), (Some(1), 2), "{text:#?}");
    let openmetrics = "application/openmetrics-text; version=1.0.0";
    let page = "# TYPE requests counter\n# HELP requests All.\nrequests_total 1\n";
    assert_eq!(lint_url(page_of_type(openmetrics, &format!("{page}# EOF\n"))).code, Some(0));
    let without_end = lint_url(page_of_type(openmetrics, page));
    assert_eq!(without_end.code, Some(1), "{without_end:#?}");
    assert!(without_end.stdout.starts_with("# EOF: the last line is missing"), "{without_end:#?}");
}

#[test]
fn a_url_without_a_page_is_65_or_69() {
    let html = lint_url(page_of_type("text/html", "<html>"));
    assert_eq!(html.code, Some(65), "{html:#?}");
    let missing = lint_url(Reply::Answer(404, Vec::new(), String::new()));
    assert_eq!(missing.code, Some(69), "{missing:#?}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = lint(&format!("http://{closed}/?key=hunter2"));
    assert_eq!(refused.code, Some(69), "{refused:#?}");
}

#[test]
fn a_wrong_target_is_64_and_not_repeated() {
    for target in
        ["", "ftp://127.0.0.1/?key=hunter2", "http://user:hunter2@127.0.0.1/", "http://127.0.0.1/#token=hunter2"]
    {
        assert_eq!(lint(target).code, Some(64), "{target}");
    }
}
