//! token-refresher before `OpenBao`: each login, KV of both versions, renewals, and the times when it says no.
//!
//! Long because each login needs a server that is set up for it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use e2e::{
    directory::Directory,
    peers::openbao::OpenBao,
    process::{Process, command, helper, output},
};
use harness::{Authority, HttpServer, Reply, until};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An app's directory, and the helper that fills it
struct Pod {
    directory: TempDir,
}

impl Pod {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    /// Starts the helper with these secrets, each with a file of its name.
    fn start(&self, secrets: &[(&str, Value)]) -> Process {
        Process::start(self.command(secrets))
    }

    fn command(&self, secrets: &[(&str, Value)]) -> Command {
        let entry = |(name, source): &(&str, Value)| json!({"name": name, "source": source, "refresh-every": "1s", "outputs": [{"file": self.path(name)}]});
        let secrets: Vec<_> = secrets.iter().map(entry).collect();
        // JSON is YAML.
        let config = self.path("secrets.yaml");
        fs::write(&config, json!({"secrets": secrets}).to_string()).unwrap();
        let mut command = helper("token-refresher");
        command.args(["--health-addr", "127.0.0.1:0", "--config"]).arg(config);
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The content of a file, once it is there.
    #[track_caller]
    fn reads(&self, name: &str) -> String {
        until(&format!("there is a file {name}"), || fs::read_to_string(self.path(name)).ok())
    }

    /// Waits until a file has another content than this one.
    #[track_caller]
    fn changes(&self, name: &str, from: &str) -> String {
        until(&format!("the file {name} changes"), || {
            fs::read_to_string(self.path(name)).ok().filter(|content| content != from)
        })
    }
}

/// A server with both versions of KV, and a policy `app` that may read both
fn server() -> OpenBao {
    let mut bao = OpenBao::new();
    bao.start();
    bao.write("sys/mounts/secret", &json!({"type": "kv", "options": {"version": "2"}}));
    bao.write("sys/mounts/old", &json!({"type": "kv"}));
    bao.write("secret/data/db", &json!({"data": {"password": "first"}}));
    bao.write("old/db", &json!({"password": "old one"}));
    let policy = r#"path "secret/data/*" { capabilities = ["read"] } path "old/*" { capabilities = ["read"] }"#;
    bao.write("sys/policies/acl/app", &json!({"policy": policy}));
    bao
}

/// A role whose tokens live this long, and what logs in with it
fn approle(bao: &OpenBao, ttl: u32, more: &Value) -> Value {
    approle_in(bao, "", ttl, more)
}

fn approle_in(bao: &OpenBao, namespace: &str, ttl: u32, more: &Value) -> Value {
    bao.write(&format!("{namespace}sys/auth/approle"), &json!({"type": "approle"}));
    let mut role = json!({"token_policies": "app", "token_ttl": ttl});
    role.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bao.write(&format!("{namespace}auth/approle/role/app"), &role);
    let role_id = bao.read(&format!("{namespace}auth/approle/role/app/role-id"))["data"]["role_id"].clone();
    let secret_id = bao.write(&format!("{namespace}auth/approle/role/app/secret-id"), &json!({}));
    let file = bao.server.directory.write("secret-id", secret_id["data"]["secret_id"].as_str().unwrap());
    json!({"approle": {"role-id": role_id, "secret-id": {"file": file}}})
}

fn login(bao: &OpenBao, method: &Value) -> Value {
    json!({"vault-login": {"url": bao.url(), "login": method}})
}

fn kv(bao: &OpenBao, method: &Value, path: &str) -> Value {
    json!({"vault-kv": {"url": bao.url(), "login": method, "path": path}})
}

/// A signed token, and the public key of its issuer
fn jwt(directory: &Directory, claims: &Value) -> (PathBuf, String) {
    let key = directory.join("issuer.key");
    output(with(command("openssl"), &["genrsa", "-out", key.to_str().unwrap(), "2048"]));
    let public = output(with(command("openssl"), &["pkey", "-pubout", "-in", key.to_str().unwrap()]));
    let encoded = |value: &Value| BASE64URL.encode(value.to_string());
    let signed = format!("{}.{}", encoded(&json!({"alg": "RS256", "typ": "JWT"})), encoded(claims));
    let (input, signature) = (directory.write("signed", &signed), directory.join("signature"));
    let mut sign = with(command("openssl"), &["dgst", "-sha256", "-sign", key.to_str().unwrap(), "-out"]);
    sign.arg(&signature).arg(input);
    output(sign);
    let token = format!("{signed}.{}", BASE64URL.encode(fs::read(signature).unwrap()));
    (directory.write("jwt", &token), public)
}

fn with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}

const FAR: u64 = 4_000_000_000;

#[test]
fn both_versions_of_kv_are_read_with_one_approle_login() {
    let (bao, pod) = (server(), Pod::new());
    let method = approle(&bao, 600, &json!({}));
    let shared = json!({"token": {"secret": "vault"}});
    let process = pod.start(&[
        ("vault", login(&bao, &method)),
        ("new", kv(&bao, &shared, "secret/db")),
        ("old", kv(&bao, &shared, "old/db")),
    ]);
    assert_eq!((pod.reads("new"), pod.reads("old")), ("first".into(), "old one".into()));
    assert!(pod.reads("vault").starts_with("s."));
    assert_eq!(bao.successes("approle/login"), 1);
    process.signal("TERM");
    process.ends_with(0);
}

#[test]
fn a_jwt_logs_in_whose_key_the_server_knows() {
    let (bao, pod) = (server(), Pod::new());
    let claims = json!({"sub": "billing", "aud": "bao", "exp": FAR, "iat": 1, "nbf": 1});
    let (token, key) = jwt(&bao.server.directory, &claims);
    bao.write("sys/auth/ci", &json!({"type": "jwt"}));
    bao.write("auth/ci/config", &json!({"jwt_validation_pubkeys": [key]}));
    let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["bao"], "token_policies": "app"});
    bao.write("auth/ci/role/app", &role);
    let method = json!({"jwt": {"role": "app", "mount": "ci", "jwt": {"file": token}}});
    let _process = pod.start(&[("db", kv(&bao, &method, "secret/db"))]);
    assert_eq!(pod.reads("db"), "first");
}

#[test]
fn a_service_accounts_token_logs_in_by_token_review() {
    let (bao, pod) = (server(), Pod::new());
    let own = json!({"namespace": "shop", "serviceaccount": {"name": "billing", "uid": "u-1"}});
    let subject = "system:serviceaccount:shop:billing";
    let claims = json!({"sub": subject, "aud": ["bao"], "exp": FAR, "iat": 1, "nbf": 1, "kubernetes.io": own});
    let (token, _) = jwt(&bao.server.directory, &claims);
    let sent = fs::read_to_string(&token).unwrap();
    let authority = Authority::new();
    // The server of the test does not speak HTTP/2.
    let mut tls = Arc::unwrap_or_clone(authority.server(&["localhost"]));
    tls.alpn_protocols.clear();
    let reviews = HttpServer::with_tls(Some(tls.into()), move |asked| {
        let review: Value = serde_json::from_str(&asked.body).unwrap();
        let user = json!({"username": subject, "uid": "u-1", "groups": []});
        let is_known = review["spec"]["token"] == sent.as_str();
        Reply::json(
            201,
            &json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                "status": {"authenticated": is_known, "user": user, "audiences": ["bao"]},
            }),
        )
    });
    bao.write("sys/auth/kubernetes", &json!({"type": "kubernetes"}));
    let config = json!({
        "kubernetes_host": reviews.url(""), "kubernetes_ca_cert": authority.certificate(), "disable_local_ca_jwt": true,
        "token_reviewer_jwt": sent_for_review(&token),
    });
    bao.write("auth/kubernetes/config", &config);
    let role = json!({
        "bound_service_account_names": ["billing"], "bound_service_account_namespaces": ["shop"], "token_policies": "app",
    });
    bao.write("auth/kubernetes/role/app", &role);
    let method = json!({"kubernetes": {"role": "app", "jwt": {"file": token}}});
    let _process = pod.start(&[("db", kv(&bao, &method, "secret/db"))]);
    assert_eq!(pod.reads("db"), "first");
    assert!(reviews.asked()[0].path.ends_with("/tokenreviews"));
}

fn sent_for_review(token: &Path) -> String {
    fs::read_to_string(token).unwrap()
}

#[test]
fn a_client_certificate_logs_in() {
    let (bao, pod, clients) = (server(), Pod::new(), Authority::new());
    bao.write("sys/auth/cert", &json!({"type": "cert"}));
    bao.write("auth/cert/certs/app", &json!({"certificate": clients.certificate(), "token_policies": "app"}));
    let source =
        json!({"vault-kv": {"url": bao.tls_url(&clients), "login": {"cert": {"role": "app"}}, "path": "old/db"}});
    let _process = pod.start(&[("db", source)]);
    assert_eq!(pod.reads("db"), "old one");
}

#[test]
fn a_namespace_has_logins_and_secrets_of_its_own() {
    let (bao, pod) = (server(), Pod::new());
    bao.write("sys/namespaces/team", &json!({}));
    bao.write("team/:sys/mounts/secret", &json!({"type": "kv", "options": {"version": "2"}}));
    bao.write("team/:secret/data/db", &json!({"data": {"password": "of the team"}}));
    let policy = r#"path "secret/data/*" { capabilities = ["read"] }"#;
    bao.write("team/:sys/policies/acl/app", &json!({"policy": policy}));
    let method = approle_in(&bao, "team/:", 600, &json!({}));
    let mut source = kv(&bao, &method, "secret/db");
    source["vault-kv"]["namespace"] = "team".into();
    let _process = pod.start(&[("db", source)]);
    assert_eq!(pod.reads("db"), "of the team");
}

#[test]
fn a_token_is_renewed_until_its_maximum_and_then_a_new_login_follows() {
    let (bao, pod) = (server(), Pod::new());
    let method = approle(&bao, 6, &json!({"token_max_ttl": 12}));
    let _process = pod.start(&[("vault", login(&bao, &method))]);
    let first = pod.reads("vault");
    let second = pod.changes("vault", &first);
    assert!(bao.successes("auth/token/renew-self") >= 1);
    assert_eq!(bao.successes("approle/login"), 2);
    assert!(second.starts_with("s."));
}

#[test]
fn a_token_in_a_file_is_renewed_and_stays_the_same() {
    let (bao, pod) = (server(), Pod::new());
    let token = bao.write("auth/token/create", &json!({"policies": ["app"], "ttl": "6s", "period": "6s"}));
    let file = bao.server.directory.write("token", token["auth"]["client_token"].as_str().unwrap());
    let method = json!({"token": {"file": file}});
    let _process = pod.start(&[("vault", login(&bao, &method)), ("db", kv(&bao, &method, "secret/db"))]);
    assert_eq!(pod.reads("db"), "first");
    let given = fs::read_to_string(&file).unwrap();
    assert_eq!(pod.reads("vault"), given);
    until("the token is renewed twice", || (bao.successes("auth/token/renew-self") >= 2).then_some(()));
    assert_eq!((pod.reads("vault"), bao.requests("/login")), (given, 0));
}

#[test]
fn a_batch_token_cannot_be_renewed_and_is_replaced_before_its_end() {
    let (bao, pod) = (server(), Pod::new());
    let method = approle(&bao, 6, &json!({"token_type": "batch"}));
    let _process = pod.start(&[("vault", login(&bao, &method))]);
    let first = pod.reads("vault");
    assert!(pod.changes("vault", &first).starts_with("b."));
    assert_eq!(bao.requests("auth/token/renew-self"), 0);
}

#[test]
fn refused_renewals_lead_to_one_login_in_a_life() {
    let (bao, pod) = (server(), Pod::new());
    let policy = r#"path "auth/token/renew-self" { capabilities = ["deny"] }"#;
    bao.write("sys/policies/acl/never-renew", &json!({"policy": policy}));
    let method = approle(&bao, 10, &json!({"token_policies": ["app", "never-renew"]}));
    let mut process = pod.start(&[("vault", login(&bao, &method))]);
    let first = pod.reads("vault");
    process.says("cannot renew the token, which is still valid");
    assert_eq!((pod.reads("vault"), bao.successes("approle/login")), (first.clone(), 1));
    let second = pod.changes("vault", &first);
    pod.changes("vault", &second);
    assert_eq!(bao.successes("approle/login"), 3);
    assert!(bao.requests("auth/token/renew-self") <= 3);
}

#[test]
fn a_revoked_token_is_replaced_when_a_secret_meets_the_refusal() {
    let (bao, pod) = (server(), Pod::new());
    let method = approle(&bao, 600, &json!({}));
    let shared = json!({"token": {"secret": "vault"}});
    let _process = pod.start(&[("vault", login(&bao, &method)), ("db", kv(&bao, &shared, "secret/db"))]);
    let token = pod.reads("vault");
    assert_eq!(pod.reads("db"), "first");
    bao.write("auth/token/revoke", &json!({"token": token}));
    bao.write("secret/data/db", &json!({"data": {"password": "second"}}));
    assert_eq!(pod.changes("db", "first"), "second");
    assert_ne!(pod.reads("vault"), token);
    assert_eq!(bao.successes("approle/login"), 2);
}

#[test]
fn a_sealed_server_is_an_outage_and_comes_back() {
    let (bao, pod) = (server(), Pod::new());
    let method = approle(&bao, 600, &json!({}));
    bao.seal();
    let mut process = pod.start(&[("db", kv(&bao, &method, "secret/db"))]);
    assert!(process.says("sealed").contains("unavailable"));
    bao.unseal();
    assert_eq!(pod.reads("db"), "first");
    assert_eq!(bao.successes("approle/login"), 1);
}

#[test]
fn a_task_says_why_it_is_refused() {
    let (bao, pod) = (server(), Pod::new());
    let method = approle(&bao, 600, &json!({}));
    bao.delete("secret/data/db");
    for (source, reason) in [
        (kv(&bao, &method, "secret/db"), "version 1 was deleted at 2"),
        (kv(&bao, &method, "old/none"), "there is none at this path"),
        (kv(&bao, &method, "other/db"), "403 Forbidden"),
        (kv(&bao, &json!({"approle": {"role-id": "wrong"}}), "secret/db"), "invalid role or secret ID"),
        (kv(&bao, &json!({"token": {"file": "/proc/self/comm"}}), "secret/db"), "does not know the token"),
    ] {
        let mut command = pod.command(&[("db", source)]);
        command.arg("--once");
        let end = Process::start(command).ends_with(77);
        assert!(end.log.contains(reason), "{reason}: {}", end.log);
    }
}
