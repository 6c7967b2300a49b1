//! The certificates of one test, in files that every server and client of it reads.

use harness::Authority;

use crate::directory::Directory;

/// Names of the loopback addresses, as clients write them
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// An authority with files: `ca.pem`, and of each identity `NAME.pem`, `NAME.key` and `NAME.both` with the two in one
pub struct Certificates {
    authority: Authority,
    directory: Directory,
}

impl Certificates {
    /// An authority with the identities `server`, for localhost, and `client`
    pub fn new() -> Self {
        let certificates = Self { authority: Authority::new(), directory: Directory::new() };
        certificates.directory.write_with_mode("ca.pem", &certificates.authority.certificate(), 0o644);
        certificates.issue("server", &NAMES);
        certificates.issue("client", &["client"]);
        certificates
    }

    /// Writes a new certificate and key of this authority.
    pub fn issue(&self, file: &str, names: &[&str]) {
        let (certificate, key) = self.authority.identity_files(names);
        let read = |path: String| std::fs::read_to_string(path).expect("a file of the authority");
        let (certificate, key) = (read(certificate), read(key));
        self.directory.write(&format!("{file}.both"), &format!("{certificate}{key}"));
        self.directory.write(&format!("{file}.pem"), &certificate);
        self.directory.write(&format!("{file}.key"), &key);
    }

    /// The path of a file
    pub fn path(&self, file: &str) -> String {
        self.directory.join(file).display().to_string()
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}
