//! `redis://host[:port][/database]`, `rediss://`: PING answers PONG, and the server can serve.
//!
//! A node of a cluster without slots, and a Sentinel that knows no primary, answer PING too. INFO
//! tells them apart: <https://redis.io/docs/latest/commands/info/>.

use std::sync::Arc;

use endpoint::{Options, Stream};
use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::io::BufReader;
use url::Url;

use super::{
    redis_verdicts::{
        NO_PASSWORD, Role, field, judge_cluster, judge_login, judge_ping, judge_role, judge_select, judge_sentinel,
        needs_login,
    },
    redis_wire::{Reply, ask},
    shape,
};
use crate::{
    check::Check,
    network::Network,
    not_ready::{NotReady, Verdict},
    wire::{self, Login, Server},
};

const PORT: u16 = 6379;
pub(crate) const OPTIONS: [&str; 3] = [wire::OPTIONS[0], wire::OPTIONS[1], "role=primary|replica"];

#[derive(Debug)]
struct Redis {
    server: Server,
    role: Option<Role>,
}

/// One attempt
struct Session<'a> {
    login: Login<'a>,
    role: Option<Role>,
}

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "tls=require")?;
    let role = options.parsed("role", |text| match text {
        "primary" => Ok(Role::Primary),
        "replica" => Ok(Role::Replica),
        _ => Err("this is neither primary nor replica".into()),
    })?;
    let server = Server::from_url(url, PORT, url.scheme() == "rediss", options)?;
    if server.database().is_some_and(|number| number.parse::<u32>().is_err()) {
        return Err("the path is the number of a database, such as /0".into());
    }
    Ok(Arc::new(Redis { server, role }))
}

impl Check for Redis {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let session = Session { login: self.server.login().await?, role: self.role };
            let stream = session.login.dial(network).await?;
            let mut stream = BufReader::new(session.login.secure(stream).await?);
            let verdict = session.converse(&mut stream).await;
            wire::close(stream.get_mut()).await;
            // Redis repeats the words of a command that it does not know, AUTH included.
            session.login.judged(verdict)
        }
        .boxed_local()
    }
}

impl Session<'_> {
    async fn converse(&self, stream: &mut BufReader<Box<dyn Stream>>) -> Verdict {
        if let Some(password) = &self.login.password {
            let words = ["AUTH"].into_iter().chain(self.login.user).chain([password.expose()]);
            judge_login(&ask(stream, words).await?)?;
        }
        let reply = ask(stream, ["PING"]).await?;
        let mut proof = judge_ping(&reply)?;
        if proof == NO_PASSWORD {
            let asks_for_more = self.role.is_some() || self.login.database.is_some();
            return if asks_for_more { Err(needs_login()) } else { Ok(proof) };
        }
        if let Some(number) = self.login.database {
            judge_select(&ask(stream, ["SELECT", number]).await?)?;
        }
        let info = info(stream, "server").await?;
        match field(&info, "redis_mode") {
            Some("cluster") => judge_cluster(&ask(stream, ["CLUSTER", "INFO"]).await?)?,
            Some("sentinel") => judge_sentinel(&self::info(stream, "sentinel").await?)?,
            _ => {}
        }
        if let Some(role) = self.role {
            proof = judge_role(&ask(stream, ["ROLE"]).await?, role)?;
        }
        Ok(proof)
    }
}

/// A section of INFO. It is empty where the user may not ask for it, and behind a proxy that does
/// not know the command.
async fn info(stream: &mut BufReader<Box<dyn Stream>>, section: &str) -> Result<String, NotReady> {
    Ok(match ask(stream, ["INFO", section]).await? {
        Reply::Bulk(text) => text.unwrap_or_default(),
        _ => String::new(),
    })
}
