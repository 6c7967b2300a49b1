//! `HELPER probe`, `drain` and `quit`: the helper's binary asks the helper that runs.
//!
//! Distroless images have no curl, and exec probes, Docker's HEALTHCHECK and preStop hooks need one. Plain blocking
//! sockets: the answer must be there within a second, the kubelet's default `timeoutSeconds`.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::{
    exit::Exit,
    listener, log,
    sidecar::{Check, ListenAddress, SidecarCommand, SidecarFlags},
    units,
};

/// For the whole answer; what is left of a second is for the start of this program.
const TIMEOUT: Duration = Duration::from_millis(800);
/// Bytes of the answer that are read
const ANSWER_LIMIT: usize = 16 * 1024;

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
    let deadline = Instant::now() + TIMEOUT;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let answer = read_until(deadline, &mut stream)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("the answer is not HTTP; is another program on this port?"))?;
    Ok((status, body.to_owned()))
}

/// What the server says before it closes; the deadline holds against one that drips, too.
fn read_until(deadline: Instant, stream: &mut TcpStream) -> io::Result<String> {
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while answer.len() < ANSWER_LIMIT {
        let left = deadline.saturating_duration_since(Instant::now());
        // A timeout of zero would mean none.
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) if !left.is_zero() => answer.extend_from_slice(&part[..length]),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {
                let timeout = units::format_duration(TIMEOUT);
                return Err(io::Error::other(format!("no answer within {timeout}")));
            }
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
