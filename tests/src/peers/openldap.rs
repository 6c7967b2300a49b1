//! OpenLDAP.

use std::fs;

use crate::{
    contained::{Network, as_nobody},
    server::Server,
};
use harness::Identity;

/// The entry that may log in, and its password
pub const ADMIN: (&str, &str) = ("cn=admin,dc=example,dc=org", "secret");

/// An OpenLDAP server with one empty database, for `ldap://localhost` and TLS on the same port
pub struct OpenLdap {
    /// Its port, directory, log and process
    pub server: Server,
    scheme: &'static str,
}

impl OpenLdap {
    /// One that offers StartTLS with this identity, with further global settings of `slapd.conf(5)`
    pub fn new(identity: &Identity, settings: &str) -> Self {
        Self::speaking("ldap", identity, settings)
    }

    /// One that speaks TLS from the first byte
    pub fn with_tls(identity: &Identity) -> Self {
        Self::speaking("ldaps", identity, "")
    }

    fn speaking(scheme: &'static str, identity: &Identity, settings: &str) -> Self {
        let server = Server::new();
        let certificate = server.directory.write("server.pem", &identity.certificate).display().to_string();
        let key = server.directory.write("server.key", &identity.key).display().to_string();
        let data = server.directory.join("data");
        fs::create_dir(&data).expect("a directory");
        std::os::unix::fs::chown(&data, Some(65534), Some(65534)).expect("a directory for nobody");
        let ((name, password), data) = (ADMIN, data.display());
        let configuration = format!(
            "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\nTLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\n\
             {settings}\ndatabase mdb\nsuffix \"dc=example,dc=org\"\nrootdn \"{name}\"\nrootpw {password}\ndirectory {data}\n"
        );
        server.directory.write("slapd.conf", &configuration);
        Self { server, scheme }
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let mut program = as_nobody("slapd");
        let listener = format!("{}://127.0.0.1:{}", self.scheme, self.server.port());
        program.arg("-f").arg(self.server.directory.join("slapd.conf")).args(["-h", &listener, "-d", "stats"]);
        self.server.start(&program, Network::Shared, "slapd starting");
    }

    /// `ldap://localhost:port`
    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.server.port())
    }

    /// The same, with the name of an entry
    pub fn url_of(&self, name: &str) -> String {
        self.url().replace("://", &format!("://{name}@"))
    }
}
