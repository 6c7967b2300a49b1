//! The identity in a client's certificate: as the app and the access log learn it, and as no client
//! can claim it.

use std::process::Command;

use harness::{Program, http};
use rcgen::SanType;
use serde_json::{Value, json};

use crate::{
    certificates::{Secret, Signed},
    client::header,
    support::{OK, Proxy, proxy},
    tls_client::TlsSettings,
    upstream::Upstream,
};

const HEADER: &str = "x-forwarded-client-cert";
const FORGED: [&str; 4] =
    ["X-Forwarded-Client-Cert", "x_forwarded_client_cert", "X-Forwarded_Client-Cert", "X-FORWARDED-CLIENT-CERT"];

struct Front {
    proxy: Proxy,
    upstream: Upstream,
    secret: Secret,
}

impl Front {
    fn start(arguments: &[&str]) -> Self {
        let (upstream, secret) = (Upstream::answering(OK), Secret::with(&["app.example"]));
        let (shown, ca) = (secret.arguments(), secret.text("ca.crt"));
        let shown: Vec<_> = shown.iter().map(String::as_str).chain(["--client-ca", &ca]).collect();
        let proxy = Proxy::start(&upstream, &[&shown, arguments].concat());
        http::until_status(proxy.health, "/readyz", 200);
        Self { proxy, upstream, secret }
    }

    /// Asks with this certificate, or none, and these lines; the last head that the app got.
    fn asked(&self, signed: Option<&Signed>, lines: &str) -> String {
        let settings = TlsSettings::of(&self.secret.root, rustls::ALL_VERSIONS, signed);
        let mut client = settings.connect(self.proxy.address, "app.example");
        assert_eq!(client.ask(&format!("GET / HTTP/1.1\r\nHost: app\r\n{lines}\r\n")).unwrap(), 200);
        self.upstream.requests().pop().unwrap()
    }
}

/// A certificate of a client with a SPIFFE ID
fn client(secret: &Secret) -> Signed {
    secret.sign(&["client.example"], |params| {
        params.subject_alt_names.push(SanType::URI("spiffe://trust.example/client".try_into().unwrap()));
    })
}

#[test]
fn the_app_learns_the_verified_identity_and_no_other() {
    let front = Front::start(&["--client-auth", "optional", "--identity-header"]);
    let signed = client(&front.secret);
    for name in [&[""][..], &FORGED[..1], &FORGED[3..]].concat() {
        let forged = if name.is_empty() { String::new() } else { format!("{name}: Hash=0;URI=spiffe://evil\r\n") };
        let head = front.asked(Some(&signed), &forged);
        let identity = header(&head, HEADER).unwrap_or_else(|| panic!("{head}"));
        assert!(identity.starts_with("Hash=") && identity.len() > 70, "{identity}");
        assert!(identity.ends_with(";URI=spiffe://trust.example/client;DNS=client.example"), "{identity}");
        assert!(!head.contains("evil"), "{head}");

        let head = front.asked(None, &forged);
        assert!(header(&head, HEADER).is_none() && !head.contains("evil"), "{head}");
    }
    for name in FORGED {
        let named = format!("Connection: {HEADER}\r\n{name}: Hash=0;URI=spiffe://evil\r\n");
        let settings = TlsSettings::of(&front.secret.root, rustls::ALL_VERSIONS, Some(&signed));
        let mut client = settings.connect(front.proxy.address, "app.example");
        let status = client.ask(&format!("GET / HTTP/1.1\r\nHost: app\r\n{named}\r\n")).unwrap();
        let head = front.upstream.requests().pop().unwrap().to_ascii_lowercase();
        assert!([200, 400].contains(&status) && !head.contains("evil"), "{status} {head}");
        assert!(status == 400 || head.contains("client.example"), "{head}");
    }
}

#[test]
fn a_trusted_proxy_cannot_name_another_identity_than_its_own() {
    let front = Front::start(&["--identity-header", "--trusted-proxies", "127.0.0.1"]);
    let signed = client(&front.secret);
    let head = front.asked(Some(&signed), "X-Forwarded-Client-Cert: Hash=0;URI=spiffe://evil\r\n");
    assert!(head.contains("client.example") && !head.contains("evil"), "{head}");
}

#[test]
fn without_the_header_no_client_is_believed_either() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream, &[]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: app\r\nX-Forwarded-Client-Cert: Hash=0;URI=spiffe://evil\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert!(!upstream.only().contains("evil"), "{}", upstream.only());
}

#[test]
fn the_access_log_names_the_client() {
    let front = Front::start(&["--client-auth", "optional", "--access-log", "json"]);
    // A comma is no end of a name, and a name that does not fit into the line is left out.
    let long = format!("urn:{}", "a".repeat(1024));
    let signed = front.secret.sign(&["client.example"], |params| {
        params.subject_alt_names.extend(["urn:a,b", &long].map(|uri| SanType::URI(uri.try_into().unwrap())));
    });
    front.asked(Some(&signed), "");
    front.asked(None, "");
    let ended = front.proxy.stop();
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [known, unknown] = &lines[..] else { panic!("{}", ended.stdout) };
    assert_eq!(known["tls.protocol.version"], "1.3");
    assert_eq!(known["tls.client.names"], json!(["client.example", "urn:a,b"]));
    assert_eq!(known["tls.client.hash.sha256"].as_str().unwrap().len(), 64);
    assert_eq!(unknown["tls.protocol.version"], "1.3");
    assert!(unknown.get("tls.client.names").is_none() && unknown.get("tls.client.hash.sha256").is_none(), "{unknown}");
}

#[test]
fn a_certificate_that_a_client_renews_is_named_from_its_next_handshake_on() {
    let front = Front::start(&["--access-log", "json"]);
    let (first, second) = (client(&front.secret), client(&front.secret));
    let connect = |signed: &Signed| {
        let settings = TlsSettings::of(&front.secret.root, rustls::ALL_VERSIONS, Some(signed));
        settings.connect(front.proxy.address, "app.example")
    };
    let (mut before, mut after) = (connect(&first), connect(&second));
    // The connection from before the renewal goes on, under the certificate that it has shown.
    let statuses = [before.get("/"), after.get("/"), before.get("/")];
    assert_eq!(statuses, [200; 3]);
    drop((before, after));
    let ended = front.proxy.stop();
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown: Vec<_> = lines.iter().map(|line| line["tls.client.hash.sha256"].as_str().unwrap()).collect();
    assert_eq!(shown, [first.fingerprint(), second.fingerprint(), first.fingerprint()]);
    assert!(lines.iter().all(|line| line["tls.client.spiffe_id"] == "spiffe://trust.example/client"), "{lines:#?}");
}

#[test]
fn the_options_of_client_certificates_need_an_authority() {
    for flag in [&["--identity-header"][..], &["--client-auth", "optional"]] {
        let listen =
            ["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--tls-cert", "/c", "--tls-key", "/k"];
        let output = proxy(&[&listen[..], flag].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stderr).contains("--client-ca"));
    }
    let listener = "address: '127.0.0.1:0', direction: inbound, routes: [{ upstream: 'http://127.0.0.1:1' }]";
    let tls = "tls: { certificates: [{ cert: /c, key: /k }], identity-header: true }";
    let (_directory, file) = harness::config_file(&format!("listeners:\n- {{ {listener}, {tls} }}\n"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxy"));
    let ended = Program::start(command.args(["check", "--no-files", &file]).env_clear()).end();
    assert!(ended.code == Some(78) && ended.everything().contains("need client-ca"), "{ended:#?}");
}

#[test]
fn no_rule_and_no_login_can_name_a_client() {
    let check = |identity: bool, route: &str| {
        let tls = format!("certificates: [{{ cert: /c, key: /k }}], client-ca: /ca, identity-header: {identity}");
        let listener = format!("address: '127.0.0.1:0', direction: inbound, tls: {{ {tls} }}");
        let (_directory, file) =
            harness::config_file(&format!("listeners:\n- {{ {listener}, routes: [{{ {route} }}] }}\n"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_proxy"));
        Program::start(command.args(["check", "--no-files", &file]).env_clear()).end()
    };
    let reason = "identity-header sets x-forwarded-client-cert from the verified certificate of a client: \
                  leave it out of header rules and logins";
    let upstream = "upstream: 'http://127.0.0.1:1'";
    for route in [
        format!("{upstream}, request-headers: {{ set: {{ X-Forwarded-Client-Cert: Hash=0 }} }}"),
        format!("{upstream}, request-headers: {{ add: {{ X_Forwarded-Client_Cert: Hash=0 }} }}"),
        format!("{upstream}, request-headers: {{ remove: [x-forwarded-client-cert] }}"),
        "upstream: { url: 'http://127.0.0.1:1', header: 'X-Forwarded-Client-Cert:Hash=0' }".to_owned(),
    ] {
        let ended = check(true, &route);
        assert!(ended.code == Some(78) && ended.everything().contains(reason), "{ended:#?}");
        assert!(ended.stdout.contains("config.yaml:2:"), "{ended:#?}");
        assert_eq!(check(false, &route).code, Some(0), "{route}");
    }
    let answers = format!("{upstream}, response-headers: {{ remove: [X-Forwarded-Client-Cert] }}");
    assert_eq!(check(true, &answers).code, Some(0));
    let upstream = "http://127.0.0.1:1#header=X-Forwarded-Client-Cert:Hash=0";
    let flags = ["--listen", "127.0.0.1:0", "--upstream", upstream, "--tls-cert", "/c", "--tls-key", "/k"];
    let ended = Program::start(&mut proxy(&[&flags[..], &["--client-ca", "/ca", "--identity-header"]].concat())).end();
    assert!(ended.code == Some(64) && ended.everything().contains(reason), "{ended:#?}");
}

#[test]
fn options_that_would_protect_nothing_are_refused() {
    let check = |direction: &str, tls: &str| {
        let listener = format!("address: '127.0.0.1:0', direction: {direction}, tls: {{ {tls} }}");
        let route = "routes: [{ upstream: 'http://127.0.0.1:1' }]";
        let (_directory, file) = harness::config_file(&format!("listeners:\n- {{ {listener}, {route} }}\n"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_proxy"));
        Program::start(command.args(["check", "--no-files", &file]).env_clear()).end()
    };
    // Without a certificate there is no TLS, and the listener asks no client for one.
    let ended = check("inbound", "certificates: [], client-ca: /ca");
    assert!(ended.code == Some(78) && ended.everything().contains("give at least one certificate"), "{ended:#?}");
    let tls = "certificates: [{ cert: /c, key: /k }], client-ca: /ca, identity-header: true";
    let ended = check("outbound", tls);
    assert!(ended.code == Some(78) && ended.everything().contains("no identity to tell"), "{ended:#?}");
    assert_eq!(check("inbound", tls).code, Some(0));
    let arguments = ["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--direction", "outbound"];
    let tls = ["--tls-cert", "/c", "--tls-key", "/k", "--client-ca", "/ca", "--identity-header"];
    let output = proxy(&[&arguments[..], &tls].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", String::from_utf8_lossy(&output.stderr));
}
