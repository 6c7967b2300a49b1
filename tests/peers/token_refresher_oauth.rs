//! token-refresher before oidc-provider, which is certified and takes nothing that the specifications do not allow.

use std::fs;

use e2e::{
    port::Port,
    process::{Process, command, helper, target_directory},
};
use harness::{Authority, Identity};
use tempfile::TempDir;

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/token-refresher/tests/keys");

/// A running oidc-provider; its directory has the certificates, the client's secret and the first refresh token.
struct Issuer {
    directory: TempDir,
    authority: Authority,
    port: Port,
    tls_port: Port,
    _process: Process,
}

impl Issuer {
    fn start() -> Self {
        let (directory, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let write = |name: &str, content: &str| fs::write(directory.path().join(name), content).unwrap();
        let Identity { certificate, key } = authority.identity("localhost");
        write("cert.pem", &certificate);
        write("key.pem", &key);
        write("ca.pem", &authority.certificate());
        write("secret", "p%q r+:&-hunter2");
        let (port, tls_port) = (Port::free(), Port::free());
        let mut node = command("node");
        node.arg(target_directory().join("oidc-provider/server.mjs"));
        node.args([port.number().to_string(), tls_port.number().to_string()]).arg(directory.path()).arg(KEYS);
        let mut process = Process::start(node);
        process.says("ready");
        Self { directory, authority, port, tls_port, _process: process }
    }

    fn url(&self) -> String {
        format!("http://localhost:{}", self.port.number())
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// The exit code and the log of `--once` with these settings, and the token that it wrote
    fn once(&self, settings: &str) -> (Option<i32>, String, Option<String>) {
        let (config, token) = (self.path("secrets.yaml"), self.path("token"));
        let source = format!("source: {{oauth2: {{{settings}}}}}");
        let text =
            format!("secrets:\n- name: api\n  {source}\n  outputs:\n  - {{file: {token}, value: access_token}}\n");
        fs::write(&config, text).unwrap();
        let _ = fs::remove_file(&token);
        let mut refresher = helper("token-refresher");
        refresher.args(["--once", "--timeout", "20s", "--health-addr=127.0.0.1:0", "--config", &config]);
        let end = Process::start(refresher).end();
        assert!(!end.log.contains("hunter2") && !end.log.contains("eyJ"), "{}", end.log);
        (end.code, end.log, fs::read_to_string(token).ok())
    }

    /// Whether a token was written
    #[track_caller]
    fn gives(&self, settings: &str) -> String {
        let (code, log, token) = self.once(settings);
        assert_eq!(code, Some(0), "{settings}: {log}");
        token.unwrap()
    }
}

#[test]
fn each_client_logs_in() {
    let issuer = Issuer::start();
    let (url, secret) = (issuer.url(), issuer.path("secret"));
    let by_secret = format!("issuer: '{url}', scope: read, client-secret: {{file: {secret}}}");
    issuer.gives(&format!("{by_secret}, client-id: 'basic:client'"));
    issuer.gives(&format!("{by_secret}, client-id: post, client-auth: client_secret_post"));
    for (algorithm, key) in [("RS256", "rsa"), ("PS256", "rsa"), ("ES256", "p256"), ("EdDSA", "ed25519")] {
        let key = format!("{{key: {{file: {KEYS}/{key}.pem}}, key-id: {key}-1, algorithm: {algorithm}}}");
        issuer.gives(&format!("issuer: '{url}', client-id: key-{algorithm}, private-key: {key}"));
    }
    let (cert, key) = issuer.authority.identity_files(&["client.example"]);
    let endpoint = format!(
        "https://localhost:{}/token#ca={}&cert={cert}&key={key}",
        issuer.tls_port.number(),
        issuer.authority.ca()
    );
    issuer.gives(&format!("token-endpoint: '{endpoint}', client-id: certificate, client-auth: tls_client_auth"));
}

#[test]
fn a_refusal_is_one() {
    let issuer = Issuer::start();
    let url = issuer.url();
    fs::write(issuer.path("wrong"), "not-hunter2").unwrap();
    for (settings, code) in [
        (format!("client-id: 'basic:client', client-secret: {{file: {}}}", issuer.path("wrong")), "invalid_client"),
        (
            format!(
                "client-id: 'basic:client', scope: offline_access, client-secret: {{file: {}}}",
                issuer.path("secret")
            ),
            "invalid_scope",
        ),
        // The key of another client
        (format!("client-id: key-RS256, private-key: {{key: {{file: {KEYS}/p256.pem}}}}"), "invalid_client"),
    ] {
        let (exit, log, token) = issuer.once(&format!("issuer: '{url}', {settings}"));
        assert_eq!((exit, token), (Some(77), None), "{log}");
        assert!(log.contains(code), "{log}");
    }
}

#[test]
fn refresh_tokens_rotate_and_the_newest_is_kept() {
    let issuer = Issuer::start();
    let (url, seed, rotated) = (issuer.url(), issuer.path("seed"), issuer.path("rotated"));
    let settings =
        format!("issuer: '{url}', client-id: public, refresh-token: {{file: {seed}}}, rotated-token-file: {rotated}");
    let first = issuer.gives(&settings);
    let kept = fs::read_to_string(&rotated).unwrap();
    // Each of these starts with the token that the one before has kept.
    let second = issuer.gives(&settings);
    assert_ne!(first, second);
    assert_ne!(kept, fs::read_to_string(&rotated).unwrap());
    // Without the file it starts with the used token, which revokes all.
    fs::remove_file(&rotated).unwrap();
    let (exit, log, _) = issuer.once(&settings);
    assert_eq!(exit, Some(77), "{log}");
    assert!(log.contains("invalid_grant"), "{log}");
}
