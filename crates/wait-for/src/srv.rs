//! SRV records by a query of our own: getaddrinfo has no word for them (RFC 2782).
//!
//! The pod's resolv.conf rules, as for any other name: servers in their order, search list and
//! ndots. Only the number of records is wanted, so an answer is walked over, not decoded (RFC 1035,
//! section 4.1).

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use resolv_conf::Config;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time,
};

use crate::not_ready::NotReady;

const RESOLV_CONF: &str = "/etc/resolv.conf";
const PORT: u16 = 53;
/// A server that is silent for this long gives way to the next; glibc waits five, but an attempt
/// has no more in all.
const SERVER_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of an answer by UDP that no path cuts apart (DNS Flag Day 2020)
const UDP_LIMIT: u16 = 1232;

const TYPE_SRV: u16 = 33;
const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;
const RECURSION_DESIRED: u16 = 0x0100;
const TRUNCATED: u16 = 0x0200;
const RCODE: u16 = 0x000f;
const NAME_ERROR: u16 = 3;

/// What one server said
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Records(usize),
    NoSuchName,
    Truncated,
    /// SERVFAIL and its like
    Failure,
}

/// The number of SRV records of a name.
pub(crate) async fn count(name: &str) -> Result<usize, NotReady> {
    // A missing file means the local server, as for glibc.
    let config = fs::read(RESOLV_CONF).ok().and_then(|text| Config::parse(text).ok()).unwrap_or_default();
    let servers: Vec<IpAddr> = config.get_nameservers_or_local().into_iter().map(IpAddr::from).collect();
    let mut unanswered = false;
    for candidate in candidates(name, &config) {
        match ask_any(&servers, &candidate).await? {
            Answer::Records(0) | Answer::NoSuchName => {}
            Answer::Records(count) => return Ok(count),
            // As in glibc, a domain of the search list that no server can answer for is not in the
            // way of the next.
            Answer::Truncated | Answer::Failure => unanswered = true,
        }
    }
    if unanswered { Err(NotReady::no_dns_answer(name)) } else { Ok(0) }
}

/// The names to try, as resolv.conf(5) has it: with enough dots the name itself comes first, else
/// last.
fn candidates(name: &str, config: &Config) -> Vec<String> {
    if let Some(absolute) = name.strip_suffix('.') {
        return vec![absolute.to_owned()];
    }
    let dots = u32::try_from(name.matches('.').count()).unwrap_or(u32::MAX);
    let search = config.get_last_search_or_domain().filter(|domain| !matches!(domain.as_str(), "" | "."));
    let mut names: Vec<_> = search.map(|domain| format!("{name}.{}", domain.trim_end_matches('.'))).collect();
    names.insert(if dots >= config.ndots { 0 } else { names.len() }, name.to_owned());
    names
}

/// The first answer of a server that has one.
async fn ask_any(servers: &[IpAddr], name: &str) -> Result<Answer, NotReady> {
    let query = query(name, fastrand::u16(..)).ok_or_else(|| NotReady::never(format!("{name} is no DNS name")))?;
    for server in servers {
        let server = SocketAddr::new(*server, PORT);
        let answer = match time::timeout(SERVER_TIMEOUT, ask_udp(server, &query)).await {
            Ok(Ok(Some(Answer::Truncated))) => time::timeout(SERVER_TIMEOUT, ask_tcp(server, &query)).await,
            answer => answer,
        };
        match answer {
            Ok(Ok(Some(Answer::Failure) | None) | Err(_)) | Err(_) => {}
            Ok(Ok(Some(answer))) => return Ok(answer),
        }
    }
    Ok(Answer::Failure)
}

async fn ask_udp(server: SocketAddr, query: &[u8]) -> io::Result<Option<Answer>> {
    let any: SocketAddr = if server.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    // On a connected socket, datagrams of other hosts do not arrive, and a closed port is an error
    // at once.
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut answer = [0; UDP_LIMIT as usize];
    let length = socket.recv(&mut answer).await?;
    Ok(read(&answer[..length], query))
}

async fn ask_tcp(server: SocketAddr, query: &[u8]) -> io::Result<Option<Answer>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    Ok(read(&answer, query))
}

/// A query for the SRV records of a name, with room for a large answer (EDNS, RFC 6891); `None` if
/// the name can't be one.
fn query(name: &str, id: u16) -> Option<Vec<u8>> {
    let mut query = Vec::new();
    for word in [id, RECURSION_DESIRED, 1, 0, 0, 1] {
        query.extend(word.to_be_bytes());
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        query.push(length);
        query.extend(label.as_bytes());
    }
    query.push(0);
    for word in [TYPE_SRV, CLASS_IN] {
        query.extend(word.to_be_bytes());
    }
    query.push(0);
    for word in [TYPE_OPT, UDP_LIMIT, 0, 0, 0] {
        query.extend(word.to_be_bytes());
    }
    (name.len() <= 253).then_some(query)
}

/// Reads an answer; `None` when it is none to this query.
fn read(answer: &[u8], query: &[u8]) -> Option<Answer> {
    let word = |at: usize| Some(u16::from_be_bytes([*answer.get(at)?, *answer.get(at + 1)?]));
    if answer.get(..2) != query.get(..2) {
        return None;
    }
    let flags = word(2)?;
    match flags & RCODE {
        0 if flags & TRUNCATED != 0 => return Some(Answer::Truncated),
        0 => {}
        NAME_ERROR => return Some(Answer::NoSuchName),
        _ => return Some(Answer::Failure),
    }
    let mut at = 12;
    for _ in 0..word(4)? {
        at = after_name(answer, at)? + 4;
    }
    let mut count = 0;
    for _ in 0..word(6)? {
        at = after_name(answer, at)?;
        count += usize::from(word(at)? == TYPE_SRV);
        at += 10 + usize::from(word(at + 8)?);
    }
    Some(Answer::Records(count))
}

/// Where a name ends: after its root label, or after a pointer, which is always the last.
fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length if length >= 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_follow_the_search_list() {
        let config = Config::parse("search default.svc.cluster.local cluster.local\noptions ndots:5\n").unwrap();
        assert_eq!(candidates("db", &config), ["db.default.svc.cluster.local", "db.cluster.local", "db"]);
        assert_eq!(candidates("a.b.c.d.e.f", &config)[0], "a.b.c.d.e.f");
        assert_eq!(candidates("db.example.", &config), ["db.example"]);
    }

    #[test]
    fn an_answer_is_counted() {
        let query = query("_sql._tcp.db", 7).unwrap();
        let mut answer = query[..query.len() - 11].to_vec();
        answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0]);
        for kind in [33, 33, 5] {
            answer.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 5, 0, 3, 1, 2, 3]);
        }
        assert_eq!(read(&answer, &query), Some(Answer::Records(2)));
        answer[3] = 0x83;
        assert_eq!(read(&answer, &query), Some(Answer::NoSuchName));
        answer[3] = 0x82;
        assert_eq!(read(&answer, &query), Some(Answer::Failure));
        answer[1] = 8;
        assert_eq!(read(&answer, &query), None);
    }

    #[test]
    fn what_is_no_name_is_not_asked() {
        for name in ["", "a..b", &"a".repeat(64), &"a.".repeat(127)] {
            assert_eq!(query(name, 1), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(answer: Vec<u8>) {
            let query = query("db", 0).unwrap();
            let _ = read(&answer, &query);
            let _ = read(&[&query[..2], &[0x81, 0x80], &answer].concat(), &query);
        }
    }
}
