//! The common parts of all real servers: a port, a directory, a log, and a process that is started and stopped.

use std::{
    fs::{self, File},
    io::{self, Read},
    net::{Ipv4Addr, Shutdown, TcpStream},
    path::Path,
    process::Command,
};

use crate::{
    contained::{Contained, Network},
    directory::Directory,
    port::Port,
};
use harness::until;

/// A server of one test, running or not
pub struct Server {
    /// Its data, settings, certificates and log
    pub directory: Directory,
    port: Port,
    process: Option<Contained>,
}

impl Server {
    /// A server that does not run yet. Its port is reserved and refuses connections.
    pub fn new() -> Self {
        Self { directory: Directory::new(), port: Port::free(), process: None }
    }

    /// Its port on loopback
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Starts it, and waits until its log says that it is ready.
    pub fn start(&mut self, program: &Command, network: Network, ready: &str) {
        let mark = self.log().len();
        self.launch(program, network);
        self.says(mark, ready);
    }

    /// Starts it, and does not wait until it is ready.
    pub fn launch(&mut self, program: &Command, network: Network) {
        self.stop();
        let log = File::options().create(true).append(true).open(self.directory.join("log")).expect("a log");
        self.process = Some(Contained::start(program, log, network));
    }

    /// Kills it with SIGKILL, with all its children, and waits until they are gone.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Its process
    pub fn process(&self) -> &Contained {
        self.process.as_ref().expect("a server that runs")
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) {
        self.process.as_mut().expect("a server that runs").tell(line);
    }

    /// Its log, of all its runs
    pub fn log(&self) -> String {
        read(&self.directory.join("log"))
    }

    /// Waits until the log contains `part` after the byte `mark`; the log from that byte on.
    pub fn says(&mut self, mark: usize, part: &str) -> String {
        until(&format!("the server says {part:?}"), || {
            let runs = self.process.as_mut().is_some_and(Contained::runs);
            let said = self.log().split_off(mark);
            assert!(runs || said.contains(part), "the server has ended:\n{said}");
            said.contains(part).then_some(said)
        })
    }

    /// Connects and closes without sending a byte, as `nc -z` does; returns when the server has closed its side too.
    pub fn connect_and_drop(&self) {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())).expect("a server that accepts");
        connection.shutdown(Shutdown::Write).expect("a connection");
        // A reset also shows that the server has closed the connection.
        let _ = connection.read_to_end(&mut Vec::new());
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

/// The text of a log; empty when the file does not exist yet
pub fn read(log: &Path) -> String {
    match fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => panic!("{}: {error}", log.display()),
    }
}
