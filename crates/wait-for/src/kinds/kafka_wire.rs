//! The few messages of Kafka's protocol that a login and a look at the metadata need.
//!
//! <https://kafka.apache.org/protocol>: a request has a length, a key, a version, a number and the
//! client's name; its answer has a length and the same number. The versions here are the oldest
//! that do, without tagged fields, and brokers from 0.11 to 4 have them, those of logins from 1.0
//! on.

use endpoint::{Stream, one_line};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::reader::Reader;
use crate::{
    not_ready::{Cause, NotReady},
    wire,
};

/// Bytes of an answer; a topic with ten thousand partitions in three copies has half of it.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// The name of the client in the logs and metrics of brokers
const CLIENT: &str = "wait-for";

/// A kind of request: its key and version
pub(super) type Api = (u16, u16);
pub(super) const METADATA: Api = (3, 4);
pub(super) const SASL_HANDSHAKE: Api = (17, 1);
pub(super) const SASL_AUTHENTICATE: Api = (36, 0);
const API_VERSIONS: Api = (18, 0);

/// Requests and answers on a stream
pub(super) struct Channel {
    pub(super) stream: Box<dyn Stream>,
    number: u32,
}

/// The versions of requests that a broker takes: key, oldest, newest
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Versions(Vec<[u16; 3]>);

/// The answer to the name of a mechanism
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    pub(crate) code: u16,
    /// Those that the listener takes
    pub(crate) mechanisms: Vec<String>,
}

/// The answer to a step of a login
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) code: u16,
    pub(crate) message: String,
    pub(crate) bytes: Vec<u8>,
}

/// What a broker knows of its cluster
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) brokers: usize,
    /// Those that were asked for
    pub(crate) topics: Vec<Topic>,
}

/// A topic, or why there is none
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) code: u16,
    pub(crate) name: String,
    pub(crate) partitions: usize,
    /// Partitions without a leader
    pub(crate) leaderless: usize,
}

impl Channel {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, number: 0 }
    }

    pub(super) async fn versions(&mut self) -> Result<Versions, NotReady> {
        Versions::parse(&self.ask(API_VERSIONS, &[]).await?).ok_or_else(not_kafka)
    }

    pub(super) async fn handshake(&mut self, mechanism: &str) -> Result<Handshake, NotReady> {
        Handshake::parse(&self.ask(SASL_HANDSHAKE, &text(mechanism)).await?).ok_or_else(not_kafka)
    }

    pub(super) async fn authenticate(&mut self, bytes: &[u8]) -> Result<Step, NotReady> {
        let length = u32::try_from(bytes.len()).map_err(|_| NotReady::never("the password is too long"))?;
        let body = [&length.to_be_bytes(), bytes].concat();
        Step::parse(&self.ask(SASL_AUTHENTICATE, &body).await?).ok_or_else(not_kafka)
    }

    /// Asks for the cluster and for these topics, and creates none of them.
    pub(super) async fn metadata(&mut self, topics: &[String]) -> Result<Metadata, NotReady> {
        let mut body = u32::try_from(topics.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
        body.extend(topics.iter().flat_map(|topic| text(topic)));
        body.push(u8::from(false));
        Metadata::parse(&self.ask(METADATA, &body).await?).ok_or_else(not_kafka)
    }

    /// Sends a request, and reads its answer.
    async fn ask(&mut self, (key, version): Api, body: &[u8]) -> Result<Vec<u8>, NotReady> {
        self.number += 1;
        let [key, version] = [key, version].map(u16::to_be_bytes);
        let request = [&key[..], &version, &self.number.to_be_bytes(), &text(CLIENT), body].concat();
        let length = u32::try_from(request.len()).map_err(|_| NotReady::never("the request is too long"))?;
        self.stream.write_all(&[&length.to_be_bytes(), &request[..]].concat()).await?;
        self.stream.flush().await?;
        let length = wire::read_head(&mut self.stream, "write kafkas://, or add tls=require").await;
        // A broker that has answered once wants no other way to speak.
        let length = if self.number == 1 { length? } else { length.map_err(NotReady::without_tls_doubt)? };
        let length = (u32::from_be_bytes(length) as usize).checked_sub(4).filter(|length| *length <= ANSWER_LIMIT);
        let length = length.ok_or_else(not_kafka)?;
        if self.stream.read_u32().await? != self.number {
            return Err(not_kafka());
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        Ok(answer)
    }
}

impl Versions {
    pub(crate) fn parse(answer: &[u8]) -> Option<Self> {
        let mut rest = Reader(answer);
        let _code = rest.short()?;
        list(&mut rest, |rest| Some([rest.short()?, rest.short()?, rest.short()?])).map(Self)
    }

    pub(super) fn have(&self, (key, version): Api) -> bool {
        self.0.iter().any(|[of, oldest, newest]| *of == key && (*oldest..=*newest).contains(&version))
    }
}

impl Handshake {
    pub(crate) fn parse(answer: &[u8]) -> Option<Self> {
        let mut rest = Reader(answer);
        Some(Self { code: rest.short()?, mechanisms: list(&mut rest, short_text)? })
    }
}

impl Step {
    pub(crate) fn parse(answer: &[u8]) -> Option<Self> {
        let mut rest = Reader(answer);
        let (code, message) = (rest.short()?, short_text(&mut rest)?);
        let length = length(&mut rest)?;
        Some(Self { code, message, bytes: rest.take(length)?.to_vec() })
    }
}

impl Metadata {
    pub(crate) fn parse(answer: &[u8]) -> Option<Self> {
        let mut rest = Reader(answer);
        let _throttled_for = rest.long()?;
        let brokers = list(&mut rest, |rest| {
            let _id = rest.long()?;
            let _host = short_text(rest)?;
            let _port = rest.long()?;
            short_text(rest)
        })?;
        let _cluster = short_text(&mut rest)?;
        let _controller = rest.long()?;
        Some(Self { brokers: brokers.len(), topics: list(&mut rest, Topic::parse)? })
    }
}

impl Topic {
    fn parse(rest: &mut Reader) -> Option<Self> {
        let (code, name) = (rest.short()?, short_text(rest)?);
        let _is_internal = rest.take(1)?;
        let partitions = list(rest, Self::has_leader)?;
        let leaderless = partitions.iter().filter(|has_leader| !**has_leader).count();
        Some(Self { code, name, partitions: partitions.len(), leaderless })
    }

    /// Reads a partition. A copy that is missing (`REPLICA_NOT_AVAILABLE`) does not concern its
    /// leader.
    fn has_leader(rest: &mut Reader) -> Option<bool> {
        const NONE: u16 = 0;
        const REPLICA_NOT_AVAILABLE: u16 = 9;
        let code = rest.short()?;
        let _index = rest.long()?;
        let leader = rest.long()?;
        for _ in ["replicas", "replicas in sync"] {
            list(rest, Reader::long)?;
        }
        Some(leader.cast_signed() >= 0 && [NONE, REPLICA_NOT_AVAILABLE].contains(&code))
    }
}

/// A length or a count; -1 stands for "null", which is as good as nothing here.
fn length(rest: &mut Reader) -> Option<usize> {
    rest.long().map(|length| if length == u32::MAX { 0 } else { length as usize })
}

fn short_text(rest: &mut Reader) -> Option<String> {
    let length = rest.short()?;
    let length = if length == u16::MAX { 0 } else { length.into() };
    rest.take(length).map(|bytes| one_line(&String::from_utf8_lossy(bytes)))
}

/// Each item takes some bytes, so the answer's own length bounds them all.
fn list<'a, T>(rest: &mut Reader<'a>, item: impl Fn(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
    let count = length(rest)?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(item(rest)?);
    }
    Some(items)
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&length, text.as_bytes()].concat()
}

pub(super) fn not_kafka() -> NotReady {
    NotReady::new(Cause::Odd, "the answer is not Kafka")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VERSIONS: &[u8] = b"\0\0\0\0\0\x02\0\x03\0\0\0\x0d\0\x12\0\0\0\x04";
    const STEP: &[u8] = b"\0\x3a\0\x02no\0\0\0\x01x";
    /// Two brokers, and a topic with two partitions, of which one has no leader
    const METADATA: &[u8] =
        b"\0\0\0\0\0\0\0\x02\0\0\0\x01\0\x01a\0\0\x23\x84\xff\xff\0\0\0\x02\0\x01b\0\0\x23\x84\0\x01r\
        \0\x01c\0\0\0\x01\0\0\0\x01\0\0\0\x02ab\0\0\0\0\x02\
        \0\x09\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\
        \0\x05\0\0\0\x01\xff\xff\xff\xff\0\0\0\0\0\0\0\0";

    #[test]
    fn answers_are_read() {
        let versions = Versions::parse(VERSIONS).unwrap();
        assert!(versions.have(super::METADATA) && !versions.have((3, 14)) && !versions.have(SASL_HANDSHAKE));
        let handshake = Handshake::parse(b"\0\x21\0\0\0\x01\0\x05PLAIN").unwrap();
        assert_eq!(handshake, Handshake { code: 33, mechanisms: vec!["PLAIN".into()] });
        let step = Step::parse(STEP).unwrap();
        assert_eq!(step, Step { code: 58, message: "no".into(), bytes: b"x".to_vec() });
        let topic = Topic { code: 0, name: "ab".into(), partitions: 2, leaderless: 1 };
        assert_eq!(Metadata::parse(METADATA), Some(Metadata { brokers: 2, topics: vec![topic] }));
    }

    #[test]
    fn half_an_answer_is_none() {
        for length in 0..METADATA.len() {
            assert_eq!(Metadata::parse(&METADATA[..length]), None, "{length}");
        }
        for length in 0..STEP.len() {
            assert_eq!(Step::parse(&STEP[..length]), None, "{length}");
        }
        assert_eq!(Versions::parse(b"\0\0\x7f\xff\xff\xff\0\x03"), None);
    }

    proptest! {
        #[test]
        fn anything_may_come(bytes: Vec<u8>) {
            let _ = (Versions::parse(&bytes), Handshake::parse(&bytes), Step::parse(&bytes), Metadata::parse(&bytes));
        }
    }
}
