//! `HELPER probe`, `drain` and `quit`: the helper's binary asks the helper that runs.
//!
//! Distroless images have no curl, and exec probes, Docker's HEALTHCHECK and preStop hooks need
//! one. The answer must be there within a second, the kubelet's default `timeoutSeconds`, so plain
//! blocking sockets are enough.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::{
    exit::Exit,
    listen_address::ListenAddress,
    log,
    sidecar_flags::{SidecarCommand, SidecarFlags},
    units,
};

/// The time for the whole answer; the rest of a second is for the start of this program.
const TIMEOUT: Duration = Duration::from_millis(800);
/// Bytes of the answer that are read
const ANSWER_LIMIT: usize = 16 * 1024;

/// Asks the running helper; the reason of a failure goes to stderr.
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
            log::say(&format!("cannot ask {error}; is the helper running?"));
            Exit::Failed
        }
    }
}

/// Asks the first address that takes the connection; an error names the address.
fn ask(address: ListenAddress, method: &str, path: &str) -> io::Result<(u16, String)> {
    let deadline = Instant::now() + TIMEOUT;
    let mut first_error = None;
    for address in address.dial_addresses() {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{address}{path}: {error}"));
        match TcpStream::connect_timeout(&address, left(deadline)) {
            Ok(stream) => return ask_over(stream, address, method, path, deadline).map_err(named),
            Err(error) => drop(first_error.get_or_insert_with(|| named(error))),
        }
    }
    Err(first_error.unwrap_or_else(|| io::Error::other("no address")))
}

fn ask_over(
    mut stream: TcpStream,
    address: SocketAddr,
    method: &str,
    path: &str,
    deadline: Instant,
) -> io::Result<(u16, String)> {
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let answer = read_until(deadline, &mut stream)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("the answer is not HTTP; is another program on this port?"))?;
    Ok((status, body.to_owned()))
}

/// The time until the deadline, and never zero, because a timeout of zero would mean none.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// The server's answer up to the end of the connection; the deadline holds also for a server that
/// sends byte by byte.
fn read_until(deadline: Instant, stream: &mut TcpStream) -> io::Result<String> {
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while answer.len() < ANSWER_LIMIT {
        let is_over = Instant::now() >= deadline;
        stream.set_read_timeout(Some(left(deadline)))?;
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) if !is_over => answer.extend_from_slice(&part[..length]),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {
                let timeout = units::format_duration(TIMEOUT);
                return Err(io::Error::other(format!("no answer within {timeout}")));
            }
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
