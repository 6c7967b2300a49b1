//! `HELPER probe`, `drain` and `quit`: the helper's binary asks the helper that runs.
//!
//! Distroless images have no curl, and exec probes, Docker's HEALTHCHECK and preStop hooks need one. Plain blocking
//! sockets: the answer must be there within a second, the kubelet's default `timeoutSeconds`.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::{
    args::{Check, ListenAddress, SidecarCommand, SidecarFlags},
    exit::Exit,
    listener, log,
};

/// For the connection, and again for each read and write; three of them stay under a second.
const STEP_TIMEOUT: Duration = Duration::from_millis(300);
/// Bytes of the answer that are read
const ANSWER_LIMIT: u64 = 16 * 1024;

/// Asks; says on stderr what is wrong.
pub(crate) fn run(command: SidecarCommand, flags: &SidecarFlags) -> Exit {
    let (address, method, path) = match (command, flags.admin_addr) {
        (SidecarCommand::Probe { check }, _) => (flags.health_addr, "GET", check.path()),
        (SidecarCommand::Drain, Some(address)) => (address, "POST", "/drain"),
        (SidecarCommand::Quit, Some(address)) => (address, "POST", "/quit"),
        (_, None) => {
            log::say("this needs the helper's admin listener: give --admin-addr as the running helper has it");
            return Exit::Usage;
        }
    };
    match ask(address, method, path) {
        Ok((200, _)) => Exit::Done,
        Ok((status, body)) => {
            log::say(&format!("{path} answers {status}: {}", body.trim_end()));
            Exit::Failed
        }
        Err(error) => {
            log::say(&format!("cannot ask {}{path}: {error}; is the helper running?", listener::dial_address(address)));
            Exit::Failed
        }
    }
}

impl Check {
    fn path(self) -> &'static str {
        match self {
            Self::Live => "/livez",
            Self::Ready => "/readyz",
            Self::Startup => "/startupz",
        }
    }
}

fn ask(address: ListenAddress, method: &str, path: &str) -> io::Result<(u16, String)> {
    let address = listener::dial_address(address);
    let mut stream = TcpStream::connect_timeout(&address, STEP_TIMEOUT)?;
    stream.set_read_timeout(Some(STEP_TIMEOUT))?;
    stream.set_write_timeout(Some(STEP_TIMEOUT))?;
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_LIMIT).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("the answer is not HTTP; is another program on this port?"))?;
    Ok((status, body.to_owned()))
}
