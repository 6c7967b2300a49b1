//! TLS of the proxy's listener before curl, sslyze, nginx and `HAProxy`; and of its upstreams, nginx and `HAProxy`.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    process::{Command, Stdio},
};

use e2e::{
    directory::Directory,
    peers::{
        app::{App, Kind},
        certificates::Certificates,
        client::{curl, curl_command},
        front::Front,
        h2load::{load, none_failed},
        nginx::Nginx,
    },
    process::{command, output},
};
use harness::until;

/// Our proxy with TLS in front of an app without it
fn with_tls(app: SocketAddr, certificates: &Certificates, more: &[&str]) -> Front {
    Front::ours_with_tls(&format!("http://{app}"), certificates, more)
}

/// `https://localhost` and the port
fn url(front: &Front) -> String {
    format!("https://localhost:{}/", front.address.port())
}

#[test]
fn curl_speaks_both_versions_of_tls_and_of_http() {
    let (app, certificates) = (App::start(Kind::Go), Certificates::new());
    let (front, authority) = (with_tls(app.address, &certificates, &[]), certificates.path("ca.pem"));
    let url = url(&front);
    for tls in ["1.2", "1.3"] {
        for (flag, http) in [("--http1.1", "1.1"), ("--http2", "2")] {
            let least = format!("--tlsv{tls}");
            // Two requests over one connection
            let said = curl([
                "--cacert",
                &authority,
                &least,
                "--tls-max",
                tls,
                flag,
                "--write-out",
                "%{http_version} %{num_connects}\n",
                &url,
                &url,
            ]);
            assert_eq!(said, format!("hello\n{http} 1\nhello\n{http} 0\n"), "TLS {tls}");
        }
    }
    for old in ["1.0", "1.1"] {
        // Debian's OpenSSL speaks them only at security level 0.
        let mut curl = curl_command([
            "--cacert",
            &authority,
            "--tlsv1.0",
            "--tls-max",
            old,
            "--ciphers",
            "DEFAULT@SECLEVEL=0",
            &url,
        ]);
        assert!(!curl.status().unwrap().success(), "TLS {old}");
    }
}

#[test]
fn a_key_of_rsa_serves_both_versions_of_tls() {
    let (app, directory) = (App::start(Kind::Go), Directory::new());
    let (certificate, key) = (directory.join("rsa.pem"), directory.join("rsa.key"));
    let mut openssl = command("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "30"]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost", "-out"]).arg(&certificate).arg("-keyout").arg(&key);
    output(openssl);
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let front = Front::ours_to(&format!("http://{}", app.address), &["--tls-cert", &certificate, "--tls-key", &key]);
    for tls in ["1.2", "1.3"] {
        let least = format!("--tlsv{tls}");
        assert_eq!(curl(["--cacert", &certificate, &least, "--tls-max", tls, &url(&front)]), "hello\n", "TLS {tls}");
    }
}

#[test]
fn curl_needs_a_client_certificate_of_the_right_authority() {
    let (app, certificates, others) = (App::start(Kind::Go), Certificates::new(), Certificates::new());
    let authority = certificates.path("ca.pem");
    let front = with_tls(app.address, &certificates, &["--client-ca", &authority]);
    let asked = |identity: Option<&Certificates>, version: &str| {
        let mut arguments = vec!["--cacert".to_owned(), authority.clone(), "--tls-max".into(), version.into()];
        if let Some(identity) = identity {
            arguments.extend([
                "--cert".into(),
                identity.path("client.pem"),
                "--key".into(),
                identity.path("client.key"),
            ]);
        }
        arguments.push(url(&front));
        let output = curl_command(arguments).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    for version in ["1.2", "1.3"] {
        assert_eq!(asked(Some(&certificates), version).as_deref(), Some("hello\n"), "TLS {version}");
        assert_eq!(asked(None, version), None, "TLS {version}");
        assert_eq!(asked(Some(&others), version), None, "TLS {version}");
    }
}

/// Five more connections with the session of the first one; OpenSSL does so with TLS 1.2 only.
#[test]
fn openssl_resumes_its_session() {
    let (app, certificates) = (App::start(Kind::Go), Certificates::new());
    let front = with_tls(app.address, &certificates, &[]);
    let mut openssl = command("openssl");
    openssl.args([
        "s_client",
        "-connect",
        &front.address.to_string(),
        "-servername",
        "localhost",
        "-tls1_2",
        "-reconnect",
    ]);
    let said = output(openssl);
    assert_eq!((said.matches("\nNew, TLSv1.2").count(), said.matches("\nReused, TLSv1.2").count()), (1, 5), "{said}");
}

/// A client of TLS 1.2 that asks for a second handshake reads the refusal at once, and other
/// clients are served.
#[test]
fn openssl_is_told_that_there_is_no_renegotiation() {
    let (app, certificates) = (App::start(Kind::Go), Certificates::new());
    let front = with_tls(app.address, &certificates, &[]);
    let mut openssl = command("openssl");
    openssl.args(["s_client", "-connect", &front.address.to_string(), "-servername", "localhost", "-tls1_2"]);
    let mut openssl = openssl.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // The letter alone on a line asks for it. The pipe stays open, so that only the refusal ends
    // the client.
    let mut input = openssl.stdin.take().unwrap();
    input.write_all(b"R\n").unwrap();
    let mut said = String::new();
    openssl.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!openssl.wait().unwrap().success() && said.contains(":no renegotiation:"), "{said}");
    drop(input);
    assert_eq!(curl(["--cacert", &certificates.path("ca.pem"), &url(&front)]), "hello\n");
}

/// nginx and `HAProxy` in front of our TLS, which they check
#[test]
fn nginx_and_haproxy_forward_to_the_proxy_by_tls() {
    let (app, certificates) = (App::start(Kind::Go), Certificates::new());
    let authority = certificates.path("ca.pem");
    let ours = with_tls(app.address, &certificates, &["--client-ca", &authority]);
    let (port, certificate, key, both) = (
        ours.address.port(),
        certificates.path("client.pem"),
        certificates.path("client.key"),
        certificates.path("client.both"),
    );
    let nginx = Front::by_nginx(&format!(
        "upstream ours {{ server 127.0.0.1:{port}; keepalive 16; }}
         server {{
           listen 127.0.0.1:PORT; client_max_body_size 0;
           location / {{
             proxy_pass https://ours; proxy_http_version 1.1; proxy_set_header Connection \"\";
             proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_verify on; proxy_ssl_trusted_certificate {authority};
             proxy_ssl_certificate {certificate}; proxy_ssl_certificate_key {key};
           }}
         }}"
    ));
    let haproxy = |alpn: &str| {
        Front::by_haproxy(&format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
             frontend front\n bind 127.0.0.1:PORT\n default_backend app\n\
             backend app\n server app 127.0.0.1:{port} ssl verify required ca-file {authority} crt {both} sni str(localhost) alpn {alpn}\n"
        ))
    };
    let directory = Directory::new();
    let content = "0123456789".repeat(500_000);
    let upload = directory.write("upload", &content).display().to_string();
    for front in [nginx, haproxy("http/1.1"), haproxy("h2")] {
        let url = format!("http://{}/", front.address);
        assert_eq!(curl([&url, &url]), "hello\nhello\n");
        curl(["--upload-file", &upload, &format!("{url}upload")]);
        assert_eq!(curl([&format!("{url}upload")]), content);
        let mut wrk = command("wrk");
        wrk.args(["-t", "1", "-c", "32", "-d", "2s", "--timeout", "20s", &url]);
        let report = output(wrk);
        assert!(!report.contains("Non-2xx") && !report.contains("Socket errors"), "{report}");
    }
}

/// The options of an upstream's URL, before nginx that asks for a client certificate
#[test]
fn nginx_as_upstream_gets_a_client_certificate_and_is_checked() {
    let mut nginx = Nginx::new(
        "ssl_client_certificate ca.pem; ssl_verify_client on; return 200 \"$ssl_client_s_dn $server_protocol\";",
    );
    nginx.start();
    let identity = nginx.authority.identity("proxy");
    let certificate = nginx.server.directory.write("client.pem", &identity.certificate);
    let key = nginx.server.directory.write("client.key", &identity.key);
    let with = format!("{}&cert={}&key={}", nginx.url(""), certificate.display(), key.display());
    for (option, protocol) in [("", "HTTP/2.0"), ("&http=1", "HTTP/1.1"), ("&http=2", "HTTP/2.0")] {
        let front = Front::ours_to(&format!("{with}{option}"), &[]);
        let said = curl([format!("http://{}/", front.address)]);
        assert!(said.ends_with(protocol), "{option}: {said}");
    }
    // Without a certificate nginx answers with 400, which is its own answer.
    let front = Front::ours_to(&nginx.url(""), &[]);
    assert!(!curl_command([format!("http://{}/", front.address)]).status().unwrap().success());
    assert_eq!(front.counted("http_server_request_duration_seconds_count"), 1);
    assert_eq!(front.counted("sidekit_proxy_refusals_total"), 0);
    // Its certificate is for localhost alone.
    let front = Front::ours_to(&with.replace("localhost", "127.0.0.1"), &[]);
    let status = |front: &Front| output(status(front));
    assert_eq!(status(&front), "502");
    assert_eq!(front.counted("sidekit_proxy_refusals_total"), 1);
}

/// curl that prints the status alone
fn status(front: &Front) -> Command {
    let mut curl = command("curl");
    curl.args(["--disable", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]);
    curl.arg(format!("http://{}/", front.address));
    curl
}

/// The serial number of the certificate that a new connection gets
fn serial(front: &Front) -> String {
    let mut openssl = command("sh");
    openssl.args([
        "-c",
        "openssl s_client -connect $0 -servername localhost </dev/null 2>/dev/null | openssl x509 -noout -serial",
    ]);
    openssl.arg(front.address.to_string());
    output(openssl)
}

#[test]
fn a_certificate_is_replaced_under_load() {
    let (app, certificates) = (App::start(Kind::Go), Certificates::new());
    let front = with_tls(app.address, &certificates, &[]);
    let load = load(&url(&front), 12);
    let mut serials = vec![serial(&front)];
    while !load.is_finished() && serials.len() < 5 {
        certificates.issue("server", &["localhost", "127.0.0.1"]);
        front.signal("HUP");
        let last = serials.last().unwrap().clone();
        serials.push(until("new connections get the new certificate", || {
            Some(serial(&front)).filter(|serial| *serial != last)
        }));
    }
    none_failed(&load.join().unwrap());
    assert!(serials.len() == 5, "{serials:?}");
}
