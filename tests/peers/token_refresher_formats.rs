//! Files of token-refresher, read by the programs that they are for.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    thread,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use e2e::process::{Process, command, helper, output, target_directory};
use harness::until;

/// Values on which readers of dotenv files disagree without care
const VARIABLES: [&str; 9] = [
    "plain",
    "two words # no comment",
    "it's",
    "a\"b",
    "$HOME `id` !x",
    "back\\slash \\n",
    "two\nlines",
    "=a=b;c&d",
    "\u{e9}\u{1f512}\t",
];
/// Passwords of netrc files
const PASSWORDS: [&str; 5] = ["plain", "it's", "$HOME`id`", "a#b=c:d", "\u{e9}\u{1f512}"];

/// Writes each value in this format and waits for the files, which are called by the value's number.
fn written(directory: &Path, values: &[&str], format: &str) {
    let shown = directory.display();
    let secret = |(number, value): (usize, &&str)| {
        // The line end is left off.
        fs::write(directory.join(format!("{number}.in")), format!("{value}\n")).unwrap();
        format!(
            "- name: value-{number}\n  source: {{file: {{path: {shown}/{number}.in}}}}\n  outputs:\n  \
             - {{file: {shown}/{number}, {format}}}\n"
        )
    };
    let secrets: String = values.iter().enumerate().map(secret).collect();
    let config = format!("secrets:\n{secrets}");
    let path = directory.join("secrets.yaml");
    fs::write(&path, config).unwrap();
    let mut refresher = helper("token-refresher");
    refresher.arg("--health-addr=127.0.0.1:0").arg("--config").arg(&path);
    let _refresher = Process::start(refresher);
    let are_there = || (0..values.len()).all(|number| directory.join(number.to_string()).exists());
    until("all files are there", || are_there().then_some(()));
}

/// What a program in Python prints about a file
fn python(program: &str, file: &Path) -> String {
    let mut python = command(target_directory().join("peers-venv/bin/python"));
    python.args(["-X", "utf8", "-c", program]).arg(file);
    output(python)
}

#[test]
fn python_and_the_shell_read_a_dotenv_file_alike() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), &VARIABLES, "format: dotenv, keys: {TOKEN: value}");
    for (number, value) in VARIABLES.iter().enumerate() {
        let file = directory.path().join(number.to_string());
        let program = "import dotenv, sys; sys.stdout.write(dotenv.dotenv_values(sys.argv[1])['TOKEN'])";
        assert_eq!(python(program, &file), *value);
        let mut shell = command("sh");
        shell.args(["-ec", r#". "$0"; printf %s "$TOKEN""#]).arg(&file);
        assert_eq!(output(shell), *value);
    }
}

#[test]
fn python_and_curl_read_a_netrc_file_alike() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), &PASSWORDS, "format: netrc, machine: localhost, login: me");
    for (number, value) in PASSWORDS.iter().enumerate() {
        let file = directory.path().join(number.to_string());
        let program = "import netrc, sys; sys.stdout.write(netrc.netrc(sys.argv[1]).authenticators('localhost')[2])";
        assert_eq!(python(program, &file), *value);
        assert_eq!(login_of_curl(&file), format!("me:{value}"));
    }
}

/// The login that curl sends to a server
fn login_of_curl(netrc: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        head
    });
    let mut curl = command("curl");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--netrc-file"]).arg(netrc);
    output({
        curl.arg(format!("http://localhost:{port}/"));
        curl
    });
    let head = server.join().unwrap();
    let login = head.iter().find_map(|line| line.strip_prefix("Authorization: Basic ")).expect("a login");
    String::from_utf8(BASE64_STANDARD.decode(login).unwrap()).unwrap()
}

#[test]
fn python_reads_a_profile_of_aws() {
    let directory = tempfile::tempdir().unwrap();
    let keys = "keys: {aws_access_key_id: value, aws_secret_access_key: value}";
    let values = ["AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY+=="];
    written(directory.path(), &values, &format!("format: aws-credentials, {keys}"));
    for (number, value) in values.iter().enumerate() {
        // As botocore reads it
        let program = "import configparser, sys; file = configparser.RawConfigParser(); file.read(sys.argv[1]); \
                       sys.stdout.write(file['default']['aws_secret_access_key'])";
        assert_eq!(python(program, &directory.path().join(number.to_string())), *value);
    }
}
