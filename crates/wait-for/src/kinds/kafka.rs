//! `kafka://h1,h2[:9092]`, `kafkas://`: a broker answers with the cluster's metadata.
//!
//! With `topic=` the topic is there and each of its partitions has a leader; with `brokers=` the
//! cluster has that many.

use std::sync::{Arc, Mutex, PoisonError};

use endpoint::{Options, one_line};
use futures_util::{FutureExt, future::LocalBoxFuture};
use lifecycle::Exit;
use url::Url;

use super::{
    kafka_login::{self, LOGIN_REFUSED, Mechanism, Refusal},
    kafka_wire::{Channel, METADATA, Metadata, SASL_HANDSHAKE, Topic},
    shape,
};
use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    wire::{self, Login, Server},
};

pub(crate) const OPTIONS: [&str; 5] = ["topic=NAME", "brokers=3", "sasl=PLAIN", wire::OPTIONS[0], wire::OPTIONS[1]];

const PORT: u16 = 9092;
/// Bytes of a topic's name
const NAME_LIMIT: usize = 249;

// Error codes of <https://kafka.apache.org/protocol#protocol_error_codes>
const NONE: u16 = 0;
const UNKNOWN_TOPIC: u16 = 3;
const LEADER_NOT_AVAILABLE: u16 = 5;
const INVALID_TOPIC: u16 = 17;
const TOPIC_AUTHORIZATION_FAILED: u16 = 29;

#[derive(Debug)]
struct Kafka {
    server: Server,
    wanted: Wanted,
    /// The option `sasl`
    named: Option<Mechanism>,
    /// The mechanism of the next login: the named one, or one that the listener offers
    mechanism: Mutex<Mechanism>,
}

#[derive(Debug, Default)]
struct Wanted {
    topics: Vec<String>,
    brokers: Option<usize>,
}

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "topic=NAME")?;
    if !matches!(url.path(), "" | "/") {
        return Err(format!("a {} target has no path: write #topic=NAME for a topic", url.scheme()));
    }
    let topics = options.all("topic");
    if !topics.iter().all(|name| is_topic_name(name)) {
        return Err("option topic: this is not the name of a topic, which has letters, digits, '.', '_' and '-'".into());
    }
    let brokers = options.number("brokers")?;
    if brokers == Some(0) {
        return Err("option brokers: at least 1".into());
    }
    let named = options.parsed("sasl", Mechanism::named)?;
    let server = Server::from_url(url, PORT, url.scheme() == "kafkas", options)?;
    server.check_login(url)?;
    if named.is_some() && !server.has_password() {
        return Err("option sasl is for a login: give a user, and password-file=PATH".into());
    }
    let mechanism = Mutex::new(named.unwrap_or(Mechanism::STRONGEST));
    Ok(Arc::new(Kafka { server, wanted: Wanted { topics, brokers }, named, mechanism }))
}

fn is_topic_name(name: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_LIMIT).contains(&name.len()) && name.bytes().all(is_usual) && ![".", ".."].contains(&name)
}

impl Check for Kafka {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let login = self.server.login().await?;
            let mechanism = *self.mechanism.lock().unwrap_or_else(PoisonError::into_inner);
            let offered = match self.ask(&login, network, mechanism).await {
                Ok(proof) => return Ok(proof),
                Err(Refusal::Failed(failure)) => return login.judged(Err(self.with_doubts(failure, mechanism))),
                Err(Refusal::Offers(offered)) => offered,
            };
            if self.named.is_some() {
                return Err(not_taken(mechanism, &offered));
            }
            // The broker closes the connection at a mechanism that it does not take.
            let mechanism = Mechanism::choose(&offered, login.tls.is_some())?;
            *self.mechanism.lock().unwrap_or_else(PoisonError::into_inner) = mechanism;
            let verdict = self.ask(&login, network, mechanism).await.map_err(|refusal| match refusal {
                Refusal::Failed(failure) => self.with_doubts(failure, mechanism),
                Refusal::Offers(offered) => not_taken(mechanism, &offered),
            });
            login.judged(verdict)
        }
        .boxed_local()
    }
}

impl Kafka {
    /// A user may have a password for one SCRAM mechanism and not for the other, and the broker's
    /// refusal is the same.
    fn with_doubts(&self, failure: NotReady, mechanism: Mechanism) -> NotReady {
        let is_refusal = failure.cause == Cause::Never(Exit::Denied) && failure.reason.starts_with(LOGIN_REFUSED);
        match mechanism {
            Mechanism::Scram(_) if is_refusal && self.named.is_none() => {
                let doubt = format!("; is the password one of {}? sasl=NAME names another", mechanism.name());
                NotReady { reason: failure.reason + &doubt, ..failure }
            }
            _ => failure,
        }
    }

    /// Asks on one connection.
    async fn ask(&self, login: &Login<'_>, network: &Network, mechanism: Mechanism) -> Result<String, Refusal> {
        let stream = login.dial(network).await?;
        let mut channel = Channel::new(login.secure(stream).await?);
        let said = self.converse(&mut channel, login, mechanism).await;
        wire::close(&mut channel.stream).await;
        said
    }

    async fn converse(
        &self,
        channel: &mut Channel,
        login: &Login<'_>,
        mechanism: Mechanism,
    ) -> Result<String, Refusal> {
        let versions = channel.versions().await?;
        if !versions.have(METADATA) {
            let (_, version) = METADATA;
            return Err(NotReady::never(format!("the broker has no version {version} of metadata requests, which Kafka has since 0.11: check it by tcp:// instead")).into());
        }
        let takes_logins = versions.have(SASL_HANDSHAKE);
        match &login.password {
            Some(_) if !takes_logins => return Err(kafka_login::not_taken().into()),
            Some(password) => {
                kafka_login::log_in(channel, mechanism, login.user.unwrap_or_default(), password).await?;
            }
            None if takes_logins && kafka_login::is_wanted(channel).await? => {
                return Ok(self.wanted.without_login()?);
            }
            None => {}
        }
        let metadata = channel.metadata(&self.wanted.topics).await?;
        Ok(self.wanted.judge(&metadata)?)
    }
}

impl Wanted {
    /// The verdict on a listener that takes only those with a login
    fn without_login(&self) -> Verdict {
        if self.topics.is_empty() && self.brokers.is_none() {
            Ok("answers, but more can't be known without a password".into())
        } else {
            Err(NotReady::denied("the listener asks for a login: give a user, and password-file=PATH"))
        }
    }

    fn judge(&self, metadata: &Metadata) -> Verdict {
        let brokers = metadata.brokers;
        let wanted = self.brokers.unwrap_or(1);
        match brokers {
            // A broker that starts answers before it is registered.
            0 => return Err(NotReady::new(Cause::Busy, "the broker knows no broker yet, not even itself")),
            _ if brokers < wanted => {
                return Err(NotReady::new(Cause::Contrary, format!("brokers: {brokers} of {wanted}")));
            }
            _ => {}
        }
        let mut proof = vec![format!("metadata answered, brokers: {brokers}")];
        for name in &self.topics {
            let topic = metadata.topics.iter().find(|topic| topic.name == *name);
            let topic = topic.ok_or_else(|| NotReady::new(Cause::Odd, format!("no word about topic {name}")))?;
            judge_topic(topic)?;
            proof.push(format!("topic {name} with partitions: {}", topic.partitions));
        }
        Ok(proof.join(", "))
    }
}

fn judge_topic(topic: &Topic) -> Result<(), NotReady> {
    let Topic { code, name, partitions, leaderless } = topic;
    let not_yet = |reason: String| NotReady::new(Cause::Contrary, format!("topic {name} {reason}"));
    Err(match *code {
        NONE if *leaderless > 0 => not_yet(format!("has no leader for {leaderless} of its partitions: {partitions}")),
        NONE if *partitions == 0 => not_yet("has no partition yet".into()),
        NONE => return Ok(()),
        UNKNOWN_TOPIC => not_yet("does not exist".into()),
        LEADER_NOT_AVAILABLE => not_yet("has no leader yet".into()),
        INVALID_TOPIC => NotReady::never(format!("{name} can't be the name of a topic, says the broker")),
        TOPIC_AUTHORIZATION_FAILED => {
            NotReady::denied(format!("topic {name}: no permission to see it (DESCRIBE is enough)"))
        }
        code => NotReady::new(Cause::Busy, format!("topic {name}: error {code}")),
    })
}

fn not_taken(mechanism: Mechanism, offered: &[String]) -> NotReady {
    let (name, offered) = (mechanism.name(), one_line(&offered.join(", ")));
    NotReady::never(format!("the listener takes no {name}, but {offered}: name one of them by sasl=NAME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(code: u16, partitions: usize, leaderless: usize) -> Topic {
        Topic { code, name: "orders".into(), partitions, leaderless }
    }

    #[test]
    fn topics() {
        for (topic, expected) in [
            (topic(NONE, 3, 0), None),
            (topic(NONE, 3, 1), Some(Cause::Contrary)),
            (topic(NONE, 0, 0), Some(Cause::Contrary)),
            (topic(UNKNOWN_TOPIC, 0, 0), Some(Cause::Contrary)),
            (topic(LEADER_NOT_AVAILABLE, 0, 0), Some(Cause::Contrary)),
            (topic(TOPIC_AUTHORIZATION_FAILED, 0, 0), Some(Cause::Never(Exit::Denied))),
            (topic(INVALID_TOPIC, 0, 0), Some(Cause::Never(Exit::Unavailable))),
            (topic(72, 0, 0), Some(Cause::Busy)),
        ] {
            assert_eq!(judge_topic(&topic).err().map(|failure| failure.cause), expected, "{topic:?}");
        }
    }

    #[test]
    fn clusters() {
        let judge = |brokers, wanted: &Wanted| wanted.judge(&Metadata { brokers, topics: vec![topic(NONE, 3, 0)] });
        let all = Wanted { topics: vec!["orders".into()], brokers: Some(2) };
        assert_eq!(judge(2, &all).unwrap(), "metadata answered, brokers: 2, topic orders with partitions: 3");
        assert_eq!(judge(1, &all).unwrap_err(), NotReady::new(Cause::Contrary, "brokers: 1 of 2"));
        assert_eq!(judge(0, &Wanted::default()).unwrap_err().cause, Cause::Busy);
        let other = Wanted { topics: vec!["other".into()], brokers: None };
        assert_eq!(judge(1, &other).unwrap_err().cause, Cause::Odd);
    }

    #[test]
    fn names_of_topics() {
        assert!(["orders", "a.b_c-D1"].into_iter().all(is_topic_name));
        assert!(!["", ".", "..", "a b", "a,b", &"x".repeat(250)].into_iter().any(is_topic_name));
    }
}
