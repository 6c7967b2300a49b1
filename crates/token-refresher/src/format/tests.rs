//! Each format, as its readers read it, and the values that it refuses.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use lifecycle::Secret;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

const NONE: Settings = Settings {
    format: Kind::Raw,
    value: None,
    keys: None,
    machine: None,
    registry: None,
    profile: None,
    login: None,
    login_value: None,
};

fn fields(values: &[(&str, &str)]) -> Fields {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), Secret::from(*value)));
    Fields::new("token", values.collect())
}

fn keys(keys: &[(&str, &str)]) -> Keys {
    keys.iter().map(|(key, field)| ((*key).to_owned(), (*field).to_owned())).collect()
}

fn netrc() -> Format {
    Format::Netrc { machine: "git.example".into(), login: Login::Text("x-access-token".into()), password: None }
}

fn aws() -> Format {
    let keys = keys(&[("aws_access_key_id", "id"), ("aws_secret_access_key", "token")]);
    Format::AwsCredentials { profile: "default".into(), keys }
}

fn docker() -> Format {
    let login = Login::Field("id".into());
    Format::DockerConfig { registry: "registry.example:5000".into(), login, password: None }
}

#[track_caller]
fn written(format: &Format, values: &[(&str, &str)]) -> String {
    String::from_utf8(format.write(&fields(values)).unwrap().to_vec()).unwrap()
}

#[test]
fn each_format_as_it_is_written() {
    let values = [("id", "me"), ("token", "s3cr3t")];
    let two = || keys(&[("ID", "id"), ("TOKEN", "token")]);
    assert_eq!(written(&Format::Raw(None), &values), "s3cr3t");
    assert_eq!(written(&Format::Raw(Some("id".into())), &values), "me");
    assert_eq!(written(&Format::Json(Keys::new()), &values), "{\"id\":\"me\",\"token\":\"s3cr3t\"}\n");
    assert_eq!(written(&Format::Json(two()), &values), "{\"ID\":\"me\",\"TOKEN\":\"s3cr3t\"}\n");
    assert_eq!(written(&Format::Dotenv(two()), &values), "ID='me'\nTOKEN='s3cr3t'\n");
    assert_eq!(written(&Format::Dotenv(two()), &[("id", "it's"), ("token", "")]), "ID=\"it's\"\nTOKEN=''\n");
    assert_eq!(written(&Format::EnvFile(two()), &values), "ID='me'\nTOKEN='s3cr3t'\n");
    assert_eq!(written(&netrc(), &values), "machine git.example login x-access-token password s3cr3t\n");
    let profile = "[default]\naws_access_key_id = me\naws_secret_access_key = s3cr3t\n";
    assert_eq!(written(&aws(), &values), profile);
    let config = "{\"auths\":{\"registry.example:5000\":{\"auth\":\"bWU6czNjcjN0\"}}}\n";
    assert_eq!(written(&docker(), &values), config);
}

#[test]
fn a_value_that_a_format_cannot_express_is_refused_and_not_repeated() {
    let one = || keys(&[("TOKEN", "token")]);
    let long = "x".repeat(64 * 1024);
    let cases: [(Format, &[&str]); 5] = [
        (
            Format::Dotenv(one()),
            &["HIDDEN\0", "HIDDEN\r", "HIDDEN${X}", "HIDDEN\\\\", "HIDDEN\\", "HIDDEN'\"", "HIDDEN'$"],
        ),
        (Format::EnvFile(one()), &["", "HIDDEN'", "HIDDEN\0", "HIDDEN\r\nx", &long]),
        (netrc(), &["", "HIDDEN x", "HIDDEN\n", "HIDDEN\u{a0}", "HIDDEN\"", "HIDDEN\\", "#HIDDEN"]),
        (aws(), &["", "HIDDEN x", "HIDDEN#", "HIDDEN;", "HIDDEN\"", "HIDDEN\n[other]", "HIDDEN\u{e9}"]),
        (docker(), &["", "HIDDEN\0"]),
    ];
    for (format, values) in cases {
        for value in values {
            let error = format.write(&fields(&[("id", "me"), ("token", value)])).unwrap_err().to_string();
            assert!(error.starts_with("the format "), "{error}");
            assert!(!error.contains("HIDDEN") && !error.contains("xxx"), "{error}");
        }
    }
    let login = docker().write(&fields(&[("id", "HIDDEN:me"), ("token", "x")])).unwrap_err().to_string();
    assert_eq!(
        login,
        "the format docker-config cannot express the field id: it is empty, or holds a colon, which ends the user's name"
    );
}

#[test]
fn a_field_that_the_source_does_not_have_is_named() {
    let missing = Format::Raw(Some("tokn".into())).write(&fields(&[("id", "me"), ("token", "HIDDEN")])).unwrap_err();
    assert_eq!(missing.to_string(), "the source has no field tokn; it has id, token");
    let main = Format::Raw(None).write(&fields(&[("id", "me")])).unwrap_err();
    assert_eq!(main.to_string(), "the source has no main field: name one; it has id");
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let fault = |settings: Settings| {
        let fault = Format::of(settings).unwrap_err();
        (fault.key, fault.message)
    };
    let of = |format| Settings { format, ..NONE };
    let wrong = Some("HIDDEN x");
    assert_eq!(
        fault(Settings { machine: wrong, ..NONE }),
        ("machine", "the format raw has value instead of machine".into())
    );
    assert_eq!(
        fault(of(Kind::Dotenv)),
        (
            "format",
            "keys are missing: name each key of the file with its field, as in keys: {TOKEN: access_token}".into()
        )
    );
    let odd = keys(&[("1ST", "token")]);
    assert_eq!(fault(Settings { keys: Some(&odd), ..of(Kind::Dotenv) }).0, "keys");
    assert_eq!(fault(of(Kind::Netrc)), ("format", "the format netrc needs the key machine".into()));
    let host = Some("git.example");
    let message = "the user is missing: write it as login, or name its field as login-value";
    assert_eq!(fault(Settings { machine: host, ..of(Kind::Netrc) }), ("format", message.into()));
    let both = Settings { machine: host, login: host, login_value: host, ..of(Kind::Netrc) };
    assert_eq!(fault(both), ("login-value", "login and login-value exclude each other".into()));
    let (key, message) = fault(Settings { machine: host, login: wrong, ..of(Kind::Netrc) });
    assert!(key == "login" && !message.contains("HIDDEN"));
    assert_eq!(fault(Settings { registry: wrong, login: host, ..of(Kind::DockerConfig) }).0, "registry");
    let id = keys(&[("aws_access_key_id", "id")]);
    let missing = fault(Settings { keys: Some(&id), ..of(Kind::AwsCredentials) });
    assert_eq!(missing, ("keys", "the key aws_secret_access_key is missing".into()));
    let token = keys(&[("token", "id")]);
    assert!(
        fault(Settings { keys: Some(&token), ..of(Kind::AwsCredentials) })
            .1
            .starts_with("the keys are aws_access_key_id")
    );
}

#[test]
fn settings_that_fit_are_taken() {
    let (machine, login) = (Some("git.example"), Some("x-access-token"));
    let settings = Settings { format: Kind::Netrc, machine, login, ..NONE };
    assert_eq!(Format::of(settings), Ok(netrc()));
    let (registry, login_value) = (Some("registry.example:5000"), Some("id"));
    let settings = Settings { format: Kind::DockerConfig, registry, login_value, ..NONE };
    assert_eq!(Format::of(settings), Ok(docker()));
    let three = keys(&[("aws_access_key_id", "id"), ("aws_secret_access_key", "token")]);
    assert_eq!(Format::of(Settings { format: Kind::AwsCredentials, keys: Some(&three), ..NONE }), Ok(aws()));
    assert_eq!(Format::of(Settings { format: Kind::Json, ..NONE }), Ok(Format::Json(Keys::new())));
    assert_eq!(Format::of(NONE), Ok(Format::Raw(None)));
}

/// The value of a variable after a shell has read the file
fn by_shell(file: &Path) -> String {
    let mut shell = Command::new("sh");
    let output = shell.env_clear().args(["-ec", r#". "$0"; printf '%s.' "$TOKEN""#]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().strip_suffix('.').unwrap().to_owned()
}

/// The grammar of KEP-3721 as its text has it: a name, `='`, all up to the next quote, and nothing but a comment after it
fn by_kubelet(text: &str, wanted: &str) -> Option<String> {
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("='").unwrap();
        assert!(!name.contains(char::is_whitespace), "{name:?}");
        let (value, after) = after.split_once('\'').unwrap();
        rest = after.strip_prefix('\n').unwrap();
        if name == wanted {
            let lines: Vec<_> = value.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
            // The last line of a value ends in the quote, not in the end of the line.
            let last = value.rsplit('\n').next().unwrap();
            let lines = [&lines[..lines.len() - 1], &[last]].concat();
            return Some(lines.join("\n")).filter(|value| !value.is_empty());
        }
    }
    None
}

const TEXT: &str = "[a-zA-Z0-9'\"\\\\$`!#{}()=;&|<>*?~^%@:/ \t\n\r\u{e9}\u{1f512}-]{0,24}";

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_shell_reads_what_was_written(value in TEXT) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("env");
        let fields = fields(&[("id", "me"), ("token", &value)]);
        let keys = keys(&[("ID", "id"), ("TOKEN", "token"), ("ZED", "id")]);
        if let Ok(content) = Format::Dotenv(keys.clone()).write(&fields) {
            fs::write(&file, &*content).unwrap();
            prop_assert_eq!(&by_shell(&file), &value);
        }
        if let Ok(content) = Format::EnvFile(keys).write(&fields) {
            let text = std::str::from_utf8(&content).unwrap();
            prop_assert_eq!(by_kubelet(text, "TOKEN"), Some(value.clone()));
            prop_assert_eq!(by_kubelet(text, "ZED"), Some("me".into()));
            // The grammar is a part of the shell's.
            fs::write(&file, text).unwrap();
            prop_assert_eq!(&by_shell(&file), &value);
        }
    }

    #[test]
    fn any_value_becomes_json_and_comes_back(id in any::<String>(), token in any::<String>()) {
        let text = written(&Format::Json(Keys::new()), &[("id", &id), ("token", &token)]);
        let read: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read, BTreeMap::from([("id".to_owned(), id), ("token".to_owned(), token)]));
    }

    #[test]
    fn words_and_logins_come_back(id in TEXT, token in any::<String>()) {
        let fields = fields(&[("id", &id), ("token", &token)]);
        let text = |content: Content| String::from_utf8(content.to_vec()).unwrap();
        if let Ok(content) = netrc().write(&fields) {
            let text = text(content);
            let words: Vec<_> = text.split_whitespace().collect();
            prop_assert_eq!(words, ["machine", "git.example", "login", "x-access-token", "password", &token]);
        }
        if let Ok(content) = aws().write(&fields) {
            let text = text(content);
            let rows: Vec<_> = text.lines().filter_map(|line| line.split_once(" = ")).collect();
            prop_assert_eq!(rows, [("aws_access_key_id", &*id), ("aws_secret_access_key", &token)]);
        }
        if let Ok(content) = docker().write(&fields) {
            use base64::{Engine, prelude::BASE64_STANDARD};
            let read: Json = serde_json::from_str(&text(content)).unwrap();
            let auth = read["auths"]["registry.example:5000"]["auth"].as_str().unwrap();
            let pair = String::from_utf8(BASE64_STANDARD.decode(auth).unwrap()).unwrap();
            prop_assert_eq!(pair.split_once(':'), Some((&*id, &*token)));
        }
    }
}
