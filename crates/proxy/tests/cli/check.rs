//! `proxy check` looks at the files of TLS: those of listeners, and those of upstreams.

use std::{fs, process::Command};

use harness::{Ended, Program};
use tempfile::TempDir;

use crate::certificates::Secret;

/// A listener that shows a certificate and asks clients for one, before an upstream that is asked for another
struct Files {
    front: Secret,
    back: Secret,
    directory: TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self {
            front: Secret::with(&["app.example"]),
            back: Secret::with(&["proxy.example"]),
            directory: TempDir::new().unwrap(),
        };
        let (front, back) = (|name: &str| files.front.text(name), |name: &str| files.back.text(name));
        let text = format!(
            "listeners:
- address: 127.0.0.1:8443
  direction: inbound
  tls:
    certificates:
    - {{cert: '{}', key: '{}'}}
    client-ca: '{}'
  routes:
  - upstream: {{url: 'https://localhost:1', ca: '{}', cert: '{}', key: '{}'}}
",
            front("tls.crt"),
            front("tls.key"),
            front("ca.crt"),
            back("ca.crt"),
            back("tls.crt"),
            back("tls.key"),
        );
        fs::write(files.file(), text).unwrap();
        files
    }

    fn file(&self) -> String {
        self.directory.path().join("proxy.yaml").display().to_string()
    }

    fn check(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_proxy"));
        Program::start(command.args(["check", &self.file()]).args(arguments).env_clear()).end()
    }

    /// The one fault that `check` finds, without the path in front of it; `--no-files` finds none.
    #[track_caller]
    fn fault(&self) -> String {
        let ended = self.check(&[]);
        assert_eq!(ended.code, Some(78), "{ended:#?}");
        let without = self.check(&["--no-files"]);
        assert_eq!(without.code, Some(0), "{without:#?}");
        let [line] = ended.stdout.lines().collect::<Vec<_>>().try_into().unwrap();
        let fault = line.strip_prefix(&format!("{}:", self.file())).unwrap();
        fault.trim_end_matches("; --no-files does not look").trim_start().to_owned()
    }
}

fn expired(params: &mut rcgen::CertificateParams) {
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
}

#[test]
fn good_files_are_good() {
    let ended = Files::new().check(&[]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn each_fault_of_a_listeners_files_is_named_with_its_place() {
    let files = Files::new();
    let (cert, key, ca) = (files.front.text("tls.crt"), files.front.text("tls.key"), files.front.text("ca.crt"));
    let good = files.front.sign(&["app.example"], |_| ());

    let other = files.front.sign(&["app.example"], |_| ());
    fs::write(&key, other.key).unwrap();
    let remedy = "replace both files together";
    assert_eq!(files.fault(), format!("5:5: {key} is not the key of the first certificate in {cert}: {remedy}"));

    files.front.publish("..2", &files.front.sign(&["app.example"], expired));
    assert_eq!(files.fault(), format!("5:5: {cert}: the certificate has expired"));

    files.front.publish("..3", &good);
    fs::write(&key, "hunter2").unwrap();
    let fault = files.fault();
    assert!(fault.starts_with(&format!("5:5: {key} ")) && !fault.contains("hunter2"), "{fault}");

    files.front.publish("..4", &good);
    fs::write(&ca, "").unwrap();
    let fault = files.fault();
    assert!(fault.starts_with(&format!("5:5: {ca} ")), "{fault}");

    files.front.publish("..5", &good);
    fs::remove_file(files.front.path("..data").join("tls.crt")).unwrap();
    let fault = files.fault();
    assert!(fault.starts_with(&format!("it names {cert}, which cannot be read: ")), "{fault}");
}

#[test]
fn each_fault_of_an_upstreams_files_is_named_with_its_place() {
    let files = Files::new();
    let (cert, key, ca) = (files.back.text("tls.crt"), files.back.text("tls.key"), files.back.text("ca.crt"));
    let good = files.back.sign(&["proxy.example"], |_| ());

    fs::write(&key, files.back.sign(&["proxy.example"], |_| ()).key).unwrap();
    let fault = files.fault();
    assert!(fault.starts_with("9:15: options cert and key: ") && fault.contains("not the certificate's"), "{fault}");

    files.back.publish("..2", &files.back.sign(&["proxy.example"], expired));
    assert_eq!(files.fault(), format!("9:15: option cert: {cert}: the certificate has expired"));

    files.back.publish("..3", &good);
    fs::write(&ca, "no authority").unwrap();
    let fault = files.fault();
    assert!(fault.starts_with("9:15: option ca: ") && fault.contains(&ca), "{fault}");
}
