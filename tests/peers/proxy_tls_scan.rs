//! sslyze before the proxy's listener, which should have nothing weaker than it must.

use e2e::{
    directory::Directory,
    peers::{
        app::{App, Kind},
        front::Front,
        python,
    },
    process::{command, output},
};
use serde_json::Value;

/// A root, an authority below it, and a certificate of that authority, as public ones are made
fn chain() -> Directory {
    let directory = Directory::new();
    let openssl = |arguments: &str| {
        let mut openssl = command("openssl");
        openssl.current_dir(directory.path()).args(arguments.split(' '));
        output(openssl)
    };
    directory.write("authority.cnf", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
    directory.write("server.cnf", "subjectAltName=DNS:localhost\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
    for (name, issuer, kind) in
        [("root", None, "authority"), ("middle", Some("root"), "authority"), ("server", Some("middle"), "server")]
    {
        openssl(&format!("ecparam -genkey -name prime256v1 -noout -out {name}.key"));
        openssl(&format!("req -new -key {name}.key -subj /CN={name} -out {name}.csr"));
        let signed = match issuer {
            Some(issuer) => format!("-CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial"),
            None => format!("-signkey {name}.key"),
        };
        openssl(&format!("x509 -req -in {name}.csr -days 90 -extfile {kind}.cnf -out {name}.pem {signed}"));
    }
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    directory.write("chain.pem", &format!("{}{}", read("server.pem"), read("middle.pem")));
    directory
}

/// What sslyze found, by the name of its check
fn sslyze(port: u16, root: &str) -> Value {
    let directory = Directory::new();
    let report = directory.join("report.json");
    let mut sslyze = python::module("sslyze");
    sslyze.arg("--json_out").arg(&report).args(["--certinfo_ca_file", root, "--early_data"]);
    sslyze.args(CHECKS).args(["--mozilla_config", "disable", &format!("localhost:{port}")]);
    output(sslyze);
    let mut report: Value = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
    report["server_scan_results"][0]["scan_result"].take()
}

/// What sslyze is asked to look at
const CHECKS: [&str; 14] = [
    "--certinfo",
    "--sslv2",
    "--sslv3",
    "--tlsv1",
    "--tlsv1_1",
    "--tlsv1_2",
    "--tlsv1_3",
    "--compression",
    "--reneg",
    "--heartbleed",
    "--openssl_ccs",
    "--robot",
    "--elliptic_curves",
    "--ems",
];

#[test]
fn sslyze_finds_nothing_weak() {
    let (app, files) = (App::start(Kind::Go), chain());
    let path = |name: &str| files.join(name).display().to_string();
    let front = Front::ours(app.address, &["--tls-cert", &path("chain.pem"), "--tls-key", &path("server.key")]);
    let found = sslyze(front.address.port(), &path("root.pem"));
    let result = |check: &str| {
        assert_eq!(found[check]["status"], "COMPLETED", "{check}: {}", found[check]);
        &found[check]["result"]
    };
    let accepted = |version: &str| {
        let suites = result(&format!("{version}_cipher_suites"))["accepted_cipher_suites"].as_array().unwrap();
        let mut names: Vec<_> =
            suites.iter().map(|suite| suite["cipher_suite"]["name"].as_str().unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    };
    for version in ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"] {
        assert!(accepted(version).is_empty(), "{version}");
    }
    let with_forward_secrecy = ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"];
    assert_eq!(accepted("tls_1_2"), with_forward_secrecy.map(|suite| format!("TLS_ECDHE_ECDSA_WITH_{suite}")));
    assert_eq!(accepted("tls_1_3"), with_forward_secrecy.map(|suite| format!("TLS_{suite}")));
    let curves = result("elliptic_curves")["supported_curves"].as_array().unwrap();
    let mut curves: Vec<_> = curves.iter().map(|curve| curve["name"].as_str().unwrap()).collect();
    curves.sort_unstable();
    assert_eq!(curves, ["X25519", "secp256r1", "secp384r1"]);

    assert_eq!(result("tls_compression")["supports_compression"], false);
    assert_eq!(result("tls_1_3_early_data")["supports_early_data"], false);
    assert_eq!(result("heartbleed")["is_vulnerable_to_heartbleed"], false);
    assert_eq!(result("openssl_ccs_injection")["is_vulnerable_to_ccs_injection"], false);
    assert_eq!(result("robot")["robot_result"], "NOT_VULNERABLE_RSA_NOT_SUPPORTED");
    let renegotiation = result("session_renegotiation");
    assert_eq!(renegotiation["is_vulnerable_to_client_renegotiation_dos"], false);
    assert_eq!(renegotiation["client_renegotiations_success_count"], 0);
    assert_eq!(result("tls_extended_master_secret")["supports_ems_extension"], true);
    let deployments = result("certificate_info")["certificate_deployments"].as_array().unwrap();
    for deployment in deployments {
        assert_eq!(deployment["received_certificate_chain"].as_array().unwrap().len(), 2);
        assert_eq!(deployment["received_chain_has_valid_order"], true);
        assert_eq!(deployment["received_chain_contains_anchor_certificate"], false);
        let trust = deployment["path_validation_results"].as_array().unwrap();
        let ours = trust
            .iter()
            .find(|result| result["trust_store"]["name"] == "Supplied CA file")
            .expect("the test's own root");
        assert_eq!(ours["validation_error"], Value::Null, "{ours}");
    }
}
