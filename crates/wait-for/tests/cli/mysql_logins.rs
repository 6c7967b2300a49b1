//! `mysql://` with a password, against scripted servers: what proves it, and how a login ends that
//! is not to be.

use std::{
    fs,
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{
    Authority, Ended, Program, Signal,
    mysql::{FULL_AUTHENTICATION, NONCE, OK, error, mysql, mysql_with_tls},
    never, proof,
    server::Server,
    until, wait_for,
};

/// wait-for with the password `hunter2` and these options.
fn with_password(server: &Server, options: &str) -> Command {
    let address = format!("localhost:{}", server.port());
    let mut command = wait_for(&[&format!("mysql://app@{address}/shop#password-env=SECRET{options}")]);
    command.env("SECRET", "hunter2");
    command
}

#[track_caller]
fn end_with_password(server: &Server, options: &str) -> Ended {
    let ended = Program::start(&mut with_password(server, options)).end();
    assert!(!ended.everything().contains("hunter2"), "{ended:#?}");
    ended
}

/// SHA256(password) XOR SHA256(SHA256(SHA256(password)) + nonce)
fn sha2_proof() -> Vec<u8> {
    let once = Sha256::digest("hunter2");
    let salted = Sha256::digest([Sha256::digest(once).as_slice(), NONCE].concat());
    once.iter().zip(salted).map(|(a, b)| a ^ b).collect()
}

#[test]
fn a_login_is_proof_with_select_one() {
    let (server, heard) = mysql("caching_sha2_password", |wire| {
        wire.send(&[1, 3]);
        wire.send(OK);
    });
    let ended = end_with_password(&server, "");
    assert_eq!((ended.code, &ended.message("ready")["proof"]), (Some(0), &"logged in, SELECT 1 answered".into()));
    let answer = heard.lock().unwrap()[0].clone();
    let expected = [&b"app\0\x20"[..], &sha2_proof(), b"shop\0caching_sha2_password\0"].concat();
    assert_eq!(answer[32..], expected);
}

#[test]
fn a_wrong_password_ends_the_wait_at_once() {
    let (server, _) = mysql("caching_sha2_password", |wire| wire.send(&error(1045, "Access denied for user 'app'")));
    let ended = end_with_password(&server, "");
    ended.ended_with(
        77,
        &format!(r#"reason=denied what="mysql://localhost:{}/shop" last="error 1045: "#, server.port()),
    );
}

#[test]
fn a_database_that_is_not_there_yet_is_not_ready() {
    let (server, _) = mysql("caching_sha2_password", |wire| wire.send(&error(1049, "Unknown database 'shop'")));
    let mut program = Program::start(&mut with_password(&server, ""));
    program.wait_for_reason("error 1049: Unknown database 'shop'");
}

#[test]
fn a_server_may_switch_to_another_plugin() {
    let switch = [b"\xfecaching_sha2_password\0", &NONCE[..], &[0]].concat();
    let (server, heard) = mysql("mysql_native_password", move |wire| {
        wire.send(&switch);
        assert_eq!(wire.receive().unwrap(), sha2_proof());
        wire.send(&error(1045, "Access denied"));
    });
    assert_eq!(end_with_password(&server, "").code, Some(77));
    assert_eq!(heard.lock().unwrap()[0][36], 20, "the first proof is one of mysql_native_password");
}

/// A key pair of OpenSSL in this directory, as MySQL makes one
fn key_pair(directory: &TempDir) -> Vec<u8> {
    openssl(directory, &["genrsa", "-out", "key.pem", "2048"]);
    openssl(directory, &["rsa", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
    fs::read(directory.path().join("public.pem")).unwrap()
}

/// The password that a client has encrypted for the key in this directory
fn decrypted(directory: &TempDir, packet: &[u8]) -> Vec<u8> {
    fs::write(directory.path().join("packet"), packet).unwrap();
    let oaep = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha1"];
    let words = [&["pkeyutl", "-decrypt", "-inkey", "key.pem", "-in", "packet"][..], &oaep].concat();
    openssl(directory, &words).iter().zip(NONCE).map(|(a, b)| a ^ b).collect()
}

fn openssl(directory: &TempDir, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    let done = command.current_dir(directory).args(arguments).stderr(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{arguments:?}");
    done.stdout
}

#[test]
fn without_tls_the_password_is_encrypted_with_the_key_of_the_server() {
    // For this plugin the first answer is the request.
    for (plugin, request) in
        [("caching_sha2_password", &[2][..]), ("sha256_password", b"app\0\x01\x01shop\0sha256_password\0")]
    {
        let directory = TempDir::new().unwrap();
        let shown = [&[1], &key_pair(&directory)[..]].concat();
        let (server, heard) = mysql(plugin, move |wire| {
            if plugin == "caching_sha2_password" {
                wire.send(FULL_AUTHENTICATION);
                wire.receive();
            }
            wire.send(&shown);
            wire.receive();
            wire.send(OK);
        });
        assert_eq!(end_with_password(&server, "").code, Some(0), "{plugin}");
        let heard = heard.lock().unwrap();
        let encrypted = heard.iter().position(|packet| packet.len() == 256).unwrap();
        assert!(heard[encrypted - 1].ends_with(request), "{plugin}: {heard:?}");
        assert_eq!(decrypted(&directory, &heard[encrypted]), b"hunter2\0", "{plugin}");
    }
}

#[test]
fn a_key_that_is_given_is_not_asked_for() {
    let directory = TempDir::new().unwrap();
    key_pair(&directory);
    let (server, heard) = mysql("caching_sha2_password", |wire| {
        wire.send(FULL_AUTHENTICATION);
        wire.receive();
        wire.send(OK);
    });
    let option = format!("&server-key={}", directory.path().join("public.pem").display());
    assert_eq!(end_with_password(&server, &option).code, Some(0));
    assert_eq!(decrypted(&directory, &heard.lock().unwrap()[1]), b"hunter2\0");
}

#[test]
fn a_key_file_that_holds_no_key_is_named() {
    let authority = Authority::new();
    let (server, _) = mysql("caching_sha2_password", |_| {});
    let ended = end_with_password(&server, &format!("&server-key={}", authority.ca()));
    let words = format!("option server-key: {}: there is no PEM public key (BEGIN PUBLIC KEY)", authority.ca());
    assert!(ended.code == Some(64) && ended.last_line().contains(&words), "{ended:#?}");
}

#[test]
fn a_server_whose_key_is_none_gets_a_whole_handshake() {
    let (server, heard) = mysql("caching_sha2_password", |wire| {
        wire.send(FULL_AUTHENTICATION);
        wire.receive();
        wire.send(b"\x01-----BEGIN PUBLIC KEY-----\nnone");
    });
    let mut program = Program::start(&mut with_password(&server, ""));
    program.wait_for_reason("the server's public key: there is no PEM public key (BEGIN PUBLIC KEY)");
    assert_eq!(heard.lock().unwrap()[2], [0], "an empty packet counts as a broken handshake");
}

#[test]
fn a_plugin_that_is_not_known_here_is_told_and_answered() {
    // The reason is the same where the server answers, and where it does not.
    for answers in [true, false] {
        let (server, heard) = mysql("mysql_native_password", move |wire| {
            wire.send(&[b"\xfeauth_gssapi_client\0", &NONCE[..], &[0]].concat());
            wire.receive();
            if answers {
                wire.send(&error(1045, "Access denied"));
            }
        });
        let ended = end_with_password(&server, "");
        assert_eq!(ended.code, Some(69), "{ended:#?}");
        assert!(ended.last_line().contains("plugin auth_gssapi_client is not supported"), "{ended:#?}");
        assert_eq!(heard.lock().unwrap()[1], b"");
    }
}

#[test]
fn a_password_is_not_sent_in_the_clear() {
    let (server, heard) = mysql("mysql_clear_password", |wire| wire.send(&error(1045, "Access denied")));
    let ended = end_with_password(&server, "");
    ended.ended_with(69, "reason=unavailable what=");
    let words = "the server asks for the password itself, which needs TLS: give tls=require";
    assert!(ended.last_line().contains(words), "{ended:#?}");
    assert_eq!(heard.lock().unwrap().len(), 1);
}

#[test]
fn a_server_without_tls_gets_a_whole_handshake_and_no_secret() {
    let (server, heard) = mysql("caching_sha2_password", |wire| wire.send(OK));
    let ended = end_with_password(&server, "&tls=require&insecure");
    assert!(ended.code == Some(69) && ended.last_line().contains("the server offers no TLS"), "{ended:#?}");
    until("QUIT has come", || (heard.lock().unwrap().len() == 2).then_some(()));
    is_of_a_stranger(&heard.lock().unwrap()[0]);
}

#[test]
fn a_server_of_an_unknown_authority_gets_a_whole_handshake_and_no_secret() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (names, ca, refusal) in [
        (["localhost"], &stranger, "signed by an unknown authority"),
        (["other.example"], &authority, "the server's certificate is for other.example"),
    ] {
        let (server, heard) = mysql_with_tls(authority.server(&names), |wire| wire.send(OK));
        let ended = end_with_password(&server, &format!("&tls=require&ca={}", ca.ca()));
        assert!(ended.code == Some(69) && ended.last_line().contains(refusal), "{ended:#?}");
        until("QUIT has come", || (heard.lock().unwrap().len() == 3).then_some(()));
        is_of_a_stranger(&heard.lock().unwrap()[1]);
    }
}

/// A login as `wait-for` without a proof; an account of the user could be locked by a login without
/// its password.
#[track_caller]
fn is_of_a_stranger(answer: &[u8]) {
    assert_eq!(answer[32..42], *b"wait-for\0\0");
}

#[test]
fn an_authority_may_vouch_for_a_server_of_any_name() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (server, heard) = mysql_with_tls(authority.server(&["other.example"]), |wire| wire.send(FULL_AUTHENTICATION));
    let program = Program::start(&mut with_password(&server, &format!("&tls=verify-ca&ca={}", authority.ca())));
    until("the password has come", || heard.lock().unwrap().contains(&b"hunter2\0".to_vec()).then_some(()));
    program.signal(Signal::TERM);
    program.end();
    let said = never(69, &[&format!("{}#tls=verify-ca&ca={}", server.url("mysql"), stranger.ca())]);
    assert!(said.contains("unknown authority"), "{said}");
}

#[test]
fn an_account_that_only_its_owner_can_mend_ends_the_wait_at_once() {
    for (code, words) in [
        (3118, "unlock it: ALTER USER"),
        (4151, "unlock it: ALTER USER"),
        (3955, "unlock it: ALTER USER"),
        (1862, "set a new one, or let it not expire"),
    ] {
        let (server, _) = mysql("caching_sha2_password", move |wire| wire.send(&error(code, "No.")));
        let ended = end_with_password(&server, "");
        assert!(
            ended.code == Some(77) && ended.last_line().contains(&format!("error {code}: No; {words}")),
            "{ended:#?}"
        );
        // It is no matter without a login.
        assert_eq!(proof(&[&server.url("mysql")]), format!("asks for a login (error {code})"));
    }
}

#[test]
fn a_password_that_has_expired_shows_after_the_login_and_the_leave_is_polite() {
    let (server, heard) = mysql("caching_sha2_password", |wire| {
        wire.send(OK);
        wire.receive();
        wire.send(&error(1820, "You must reset your password"));
    });
    let ended = end_with_password(&server, "");
    assert!(ended.code == Some(77) && ended.last_line().contains("error 1820: You must reset"), "{ended:#?}");
    until("QUIT has come", || heard.lock().unwrap().contains(&vec![1]).then_some(()));
}
