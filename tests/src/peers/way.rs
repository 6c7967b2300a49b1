//! The way from a client to an app, both by Python's libraries, through our proxy: without TLS, or with TLS on both
//! sides.

use crate::{
    peers::{
        certificates::Certificates,
        client::{play, scenario},
        front::Front,
        python::PythonApp,
    },
    process::Process,
};

/// An app and its client
#[derive(Debug)]
pub struct Programs {
    /// A script in `apps`
    pub app: &'static str,
    /// A script in `clients`
    pub client: &'static str,
    /// The beginning of the client's target, without TLS and with it
    pub schemes: [&'static str; 2],
    /// The options of the app's URL without TLS
    pub options: &'static str,
}

/// A running app with the proxy in front of it
pub struct Way {
    /// The app
    pub app: PythonApp,
    /// The proxy
    pub front: Front,
    /// Those of the way with TLS
    pub certificates: Certificates,
    programs: &'static Programs,
    is_tls: bool,
}

impl Way {
    /// Without TLS, the proxy with more arguments
    pub fn plain(programs: &'static Programs, arguments: &[&str]) -> Self {
        let app = PythonApp::start(programs.app);
        let front = Front::ours_to(&format!("http://{}{}", app.address(), programs.options), arguments);
        Self { app, front, certificates: Certificates::new(), programs, is_tls: false }
    }

    /// TLS on both sides, the proxy with more arguments
    pub fn tls(programs: &'static Programs, arguments: &[&str]) -> Self {
        let certificates = Certificates::new();
        let app = PythonApp::start_with_tls(programs.app, &certificates);
        let upstream = format!("https://localhost:{}#ca={}", app.server.port(), certificates.path("ca.pem"));
        let front = Front::ours_with_tls(&upstream, &certificates, arguments);
        Self { app, front, certificates, programs, is_tls: true }
    }

    /// Runs a scenario, which must succeed; its output
    pub fn play(&self, name: &str) -> String {
        play(self.programs.client, name, &self.target(), self.authority().as_deref())
    }

    /// Starts a scenario.
    pub fn start(&self, name: &str) -> Process {
        Process::start(scenario(self.programs.client, name, &self.target(), self.authority().as_deref()))
    }

    fn target(&self) -> String {
        format!("{}localhost:{}", self.programs.schemes[usize::from(self.is_tls)], self.front.address.port())
    }

    fn authority(&self) -> Option<String> {
        self.is_tls.then(|| self.certificates.path("ca.pem"))
    }
}

/// Plays scenarios on the way without TLS, and on the way with it.
pub fn play_on_both(programs: &'static Programs, names: &[&str]) {
    for way in [Way::plain(programs, &[]), Way::tls(programs, &[])] {
        for name in names {
            way.play(name);
        }
    }
}
