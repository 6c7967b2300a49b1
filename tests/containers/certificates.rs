//! The authorities that the image trusts: those in its bundle, at the path where Debian has it, and no others.

use std::fs;

use harness::Authority;
use tempfile::TempDir;

use crate::{
    archive::Archive,
    container::{Container, Ended, HARDENED, run, run_alone},
    contents::BUNDLE,
    engine::ask,
    image::{Image, NGINX, WAIT_FOR},
    network::Network,
};

const NGINX_CONF: &str = "
    pid /tmp/pid; error_log stderr notice; events {}
    http {
      access_log off; client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy;
      fastcgi_temp_path /tmp/fastcgi; uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
      server {
        listen 8443 ssl; ssl_certificate /tls/server.pem; ssl_certificate_key /tls/server.key;
        return 200;
      }
    }";

#[test]
fn an_authority_is_trusted_once_it_is_in_the_bundle() {
    let (network, authority) = (Network::new(), Authority::new());
    let server = server(&network, &authority);
    server.says("start worker process");
    let ask = |image: &str| -> Ended {
        let options = [&HARDENED[..], &[network.option()]].concat();
        run(&options, image, &["https://server:8443/", "--timeout=30s"])
    };

    let stranger = ask(WAIT_FOR);
    assert_eq!(stranger.code, 69, "{}", stranger.log);
    assert!(stranger.log.contains("signed by an unknown authority"), "{}", stranger.log);

    let friend = ask(image_that_trusts(&authority).name());
    assert_eq!(friend.code, 0, "{}", friend.log);
}

#[test]
fn an_image_without_a_bundle_says_so() {
    let dockerfile = format!("FROM scratch\nCOPY --from={WAIT_FOR} /wait-for /wait-for\nENTRYPOINT [\"/wait-for\"]\n");
    let image = Image::of(&dockerfile, &[]);
    let ended = run_alone(image.name(), &["https://server:8443/"]);
    assert_eq!(ended.code, 64, "{}", ended.log);
    assert!(ended.log.contains("no CA certificates on this system: mount a bundle"), "{}", ended.log);
}

/// As the README of wait-for tells it: another bundle at the same path
fn image_that_trusts(authority: &Authority) -> Image {
    let bundle = String::from_utf8(Archive::of_helper("wait-for").file(BUNDLE)).unwrap() + &authority.certificate();
    Image::of(&format!("FROM {WAIT_FOR}\nCOPY bundle /{BUNDLE}\n"), &[("bundle", &bundle)])
}

/// An nginx called `server`, with a certificate that `authority` has signed
fn server(network: &Network, authority: &Authority) -> Container {
    let options = [network.option(), "--network-alias=server", "--tmpfs=/tmp"];
    let container =
        Container::create(&options, NGINX, &["nginx", "-e", "stderr", "-c", "/tls/nginx.conf", "-g", "daemon off;"]);
    let (identity, directory) = (authority.identity("server"), TempDir::new().unwrap());
    // Not a mount: the engine may be on another machine.
    let tls = directory.path().join("tls");
    fs::create_dir(&tls).unwrap();
    fs::write(tls.join("nginx.conf"), NGINX_CONF).unwrap();
    fs::write(tls.join("server.pem"), identity.certificate).unwrap();
    fs::write(tls.join("server.key"), identity.key).unwrap();
    ask(["cp", tls.to_str().unwrap(), &format!("{}:/", container.reference())]);
    ask(["start", container.reference()]);
    container
}
