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

fn self_signed(change: impl FnOnce(&mut rcgen::CertificateParams)) -> String {
    let mut params = rcgen::CertificateParams::new(["client.example".to_owned()]).unwrap();
    change(&mut params);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
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
    assert_eq!(files.fault(), format!("6:7: {key} is not the key of the first certificate in {cert}: {remedy}"));

    files.front.publish("..2", &files.front.sign(&["app.example"], expired));
    assert_eq!(files.fault(), format!("6:7: {cert}: the certificate has expired"));

    files.front.publish("..3", &good);
    fs::write(&key, "hunter2").unwrap();
    let fault = files.fault();
    assert!(fault.starts_with(&format!("6:7: {key} ")) && !fault.contains("hunter2"), "{fault}");

    files.front.publish("..4", &good);
    fs::write(&ca, "").unwrap();
    let fault = files.fault();
    assert!(fault.starts_with(&format!("7:16: {ca} ")), "{fault}");

    // A certificate that is signed by an authority, and is none
    fs::write(&ca, &good.cert).unwrap();
    let fault = files.fault();
    let expected =
        format!("7:16: {ca}: the certificate of \"app.example\" is no authority's (CA:TRUE is missing): name");
    assert!(fault.starts_with(&expected), "{fault}");

    let expired = self_signed(expired);
    fs::write(&ca, &expired).unwrap();
    assert_eq!(files.fault(), format!("7:16: {ca}: the certificate has expired"));
    // A bundle may have one that has expired, and a client may vouch for itself.
    fs::write(&ca, expired + &self_signed(|_| ())).unwrap();
    assert_eq!(files.check(&[]).code, Some(0));

    files.front.publish("..5", &good);
    fs::remove_file(files.front.path("..data").join("tls.crt")).unwrap();
    let fault = files.fault();
    assert!(fault.starts_with(&format!("6:14: this names {cert}, which cannot be read: ")), "{fault}");
}

#[test]
fn each_fault_of_an_upstreams_files_is_named_with_its_place() {
    let files = Files::new();
    let (cert, key, ca) = (files.back.text("tls.crt"), files.back.text("tls.key"), files.back.text("ca.crt"));
    let good = files.back.sign(&["proxy.example"], |_| ());

    fs::write(&key, files.back.sign(&["proxy.example"], |_| ()).key).unwrap();
    let fault = files.fault();
    let expected = format!("9:15: options cert and key: {key} cannot be used, or it is not the key of the first");
    assert!(fault.starts_with(&expected) && fault.contains(&format!("certificate in {cert} (P-521")), "{fault}");

    files.back.publish("..2", &files.back.sign(&["proxy.example"], expired));
    assert_eq!(files.fault(), format!("9:15: option cert: {cert}: the certificate has expired"));

    files.back.publish("..3", &good);
    fs::write(&ca, "no authority").unwrap();
    let fault = files.fault();
    assert!(fault.starts_with("9:15: option ca: ") && fault.contains(&ca), "{fault}");
}

/// What `check` says of these listeners
fn said(text: &str) -> String {
    let (_directory, file) = harness::config_file(text);
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxy"));
    let ended = Program::start(command.args(["check", &file]).env_clear()).end();
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    ended.stdout.replace(&format!("{file}:"), "")
}

#[test]
fn each_mistake_is_named_with_its_place() {
    let listener = |more: &str, routes: &str| {
        format!("- {{address: '127.0.0.1:{}', direction: inbound{more}, routes: [{routes}]}}\n", more.len())
    };
    let route = |more: &str| format!("{{upstream: 'http://127.0.0.1:1'{more}}}");
    let listeners = |entries: &[String]| format!("listeners:\n{}", entries.concat());
    let one = |more: &str| listeners(&[listener("", &route(more))]);
    let two = format!("{}, {}", route(", name: web, host: a"), route(", name: web, host: b"));
    for (text, words) in [
        (one(", host: '*.example'"), "a host is one name and no pattern: write a route for each name"),
        (listeners(&[listener("", &two)]), "another route of this listener has this name"),
        (
            listeners(&[listener(", name: front", &route("")), listener(", name:  front", &route(""))]),
            "another listener has this name",
        ),
        (
            listeners(&[listener(", client-ca: /ca", &route(""))]),
            "unknown key \"client-ca\"; there are name, address, ",
        ),
        (listeners(&[listener(", tls: {certificates: [{key: /key}]}", &route(""))]), "the key \"cert\" is missing"),
        (
            listeners(&[listener("", "{upstream: {url: 'https://a', cafile: x}}")]),
            "an upstream has no option \"cafile\"; it takes ",
        ),
        (listeners(&[listener("", "{upstream: {url: 'https://a', CA: x}}")]), "has lower-case letters and hyphens"),
        (listeners(&[listener("", "{upstream: 'http://a#token-file=nope'}")]), "write an absolute path"),
        (
            listeners(&[listener(", tls: {certificates: [{cert: nope, key: /dev/null}]}", &route(""))]),
            "this names a file by a relative path, which cannot be read: ",
        ),
    ] {
        let said = said(&text);
        let is_placed = said.split(' ').next().is_some_and(|place| place.starts_with("2:") || place.starts_with("3:"));
        assert!(said.contains(words) && is_placed && !said.contains("nope"), "{words}: {said}");
    }
}

#[test]
fn the_configurations_of_the_readme_are_good() {
    let blocks = include_str!("../../README.md").split("```yaml\n").skip(1);
    let configurations: Vec<_> =
        blocks.filter(|block| block.starts_with("listeners:")).filter_map(|block| block.split("```").next()).collect();
    assert!(configurations.len() > 1, "{configurations:?}");
    let files = Files::new();
    for text in configurations {
        fs::write(files.file(), text).unwrap();
        let ended = files.check(&["--no-files"]);
        assert_eq!(ended.code, Some(0), "{text}\n{ended:#?}");
    }
}
