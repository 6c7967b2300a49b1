//! `mongodb://h1,h2[:27017]`: a server says that it takes writes, and takes the login if there is
//! one.
//!
//! <https://www.mongodb.com/docs/manual/reference/command/hello/>

use std::sync::Arc;

use endpoint::{Options, one_line};
use futures_util::{FutureExt, future::LocalBoxFuture};
use url::Url;

use super::{
    bson::{self, Document},
    mongodb_login,
    mongodb_wire::{Channel, outcome},
    shape,
};
use crate::{
    check::Check,
    network::Network,
    not_ready::{Cause, NotReady, Verdict},
    wire::{self, Login, Server},
};

pub(crate) const OPTIONS: [&str; 5] =
    ["role=primary|secondary|any", "replicaset=NAME", "authsource=NAME", wire::OPTIONS[0], wire::OPTIONS[1]];

const PORT: u16 = 27017;
/// The database that has the users by default
const ADMIN: &str = "admin";

#[derive(Debug)]
struct Mongodb {
    server: Server,
    wanted: Wanted,
    /// The database that has the user
    auth_source: String,
}

#[derive(Debug)]
struct Wanted {
    role: Role,
    replica_set: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Takes writes: the primary of a replica set, a router, a single server
    Primary,
    Secondary,
    /// One of both
    Any,
}

pub(crate) fn parse(url: &Url, options: &mut Options) -> Result<Arc<dyn Check>, String> {
    shape::no_query(url, "replicaset=NAME")?;
    let role = options.parsed("role", |text| match text {
        "primary" => Ok(Role::Primary),
        "secondary" => Ok(Role::Secondary),
        "any" => Ok(Role::Any),
        _ => Err("this is neither primary, secondary nor any".into()),
    })?;
    let mut name_of = |option| {
        options.parsed(option, |text| {
            Some(text.to_owned()).filter(|name| !name.is_empty()).ok_or("the name is missing".into())
        })
    };
    let replica_set = name_of("replicaset")?;
    let auth_source = name_of("authsource")?;
    let server = Server::from_url(url, PORT, false, options)?;
    server.check_login(url)?;
    if auth_source.is_some() && !server.has_password() {
        return Err("option authsource is for a login: give a user, and password-file=PATH".into());
    }
    let auth_source = auth_source.unwrap_or_else(|| server.database().unwrap_or(ADMIN).to_owned());
    let wanted = Wanted { role: role.unwrap_or(Role::Primary), replica_set };
    Ok(Arc::new(Mongodb { server, wanted, auth_source }))
}

impl Check for Mongodb {
    fn check<'a>(&'a self, network: &'a Network) -> LocalBoxFuture<'a, Verdict> {
        async {
            let login = self.server.login().await?;
            let stream = login.dial(network).await?;
            let mut channel = Channel::new(login.secure(stream).await?);
            let verdict = self.converse(&mut channel, &login).await;
            wire::close(&mut channel.stream).await;
            login.judged(verdict)
        }
        .boxed_local()
    }
}

impl Mongodb {
    async fn converse(&self, channel: &mut Channel, login: &Login<'_>) -> Verdict {
        let user = login.user.unwrap_or_default();
        let mut hello = vec![bson::number("hello", 1), client()];
        if login.password.is_some() {
            hello.push(mongodb_login::ask_for_mechanisms(&self.auth_source, user));
        }
        let answer = channel.ask(ADMIN, &hello).await?;
        let answer = outcome(&answer)?;
        // First the role: a member that is still without its data knows no user.
        let proof = self.wanted.judge(&answer)?;
        let Some(password) = &login.password else { return Ok(proof) };
        mongodb_login::log_in(channel, &answer, &self.auth_source, user, password).await?;
        Ok(format!("{proof}, logged in"))
    }
}

/// The names by which the server's log knows a client; a server refuses a client that leaves one
/// out.
fn client() -> Vec<u8> {
    let application = bson::nested("application", &[bson::text("name", "wait-for")]);
    let driver = [bson::text("name", "wait-for"), bson::text("version", env!("CARGO_PKG_VERSION"))];
    let system = bson::nested("os", &[bson::text("type", "Linux")]);
    bson::nested("client", &[application, bson::nested("driver", &driver), system])
}

impl Wanted {
    fn judge(&self, hello: &Document) -> Verdict {
        let set = hello.text("setName").map(one_line);
        match (&self.replica_set, &set) {
            (Some(wanted), Some(name)) if name != wanted => {
                return Err(NotReady::never(format!("the replica set is {name}, and not {}", one_line(wanted))));
            }
            (Some(wanted), None) => {
                let reason = format!("not yet in the replica set {}", one_line(wanted));
                return Err(NotReady::new(Cause::Contrary, reason));
            }
            _ => {}
        }
        let of_set = set.map(|name| format!(" of {name}")).unwrap_or_default();
        let (is_writable, is_secondary) = (hello.is_true("isWritablePrimary"), hello.is_true("secondary"));
        let found = match () {
            () if is_writable && hello.text("msg") == Some("isdbgrid") => "a router (mongos)".to_owned(),
            () if is_writable && of_set.is_empty() => "a single server".to_owned(),
            () if is_writable => format!("the primary{of_set}"),
            () if is_secondary => format!("a secondary{of_set}"),
            () if hello.is_true("arbiterOnly") => format!("an arbiter{of_set}"),
            () if hello.is_true("isreplicaset") => "the replica set is not initiated yet (rs.initiate)".to_owned(),
            () => format!("neither primary nor secondary{of_set}"),
        };
        let is_wanted = match self.role {
            Role::Primary => is_writable,
            Role::Secondary => is_secondary,
            Role::Any => is_writable || is_secondary,
        };
        if is_wanted {
            return Ok(found);
        }
        let elsewhere = match hello.text("primary") {
            Some(primary) if self.role == Role::Primary => format!(", and the primary is {}", one_line(primary)),
            None if self.role == Role::Primary && is_secondary => ", and there is no primary".to_owned(),
            _ => String::new(),
        };
        Err(NotReady::new(Cause::Contrary, format!("{found}{elsewhere}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(role: Role, replica_set: Option<&str>, hello: &[Vec<u8>]) -> Result<String, String> {
        let wanted = Wanted { role, replica_set: replica_set.map(str::to_owned) };
        let hello = bson::document(hello);
        wanted.judge(&Document::parse(&hello).unwrap()).map_err(|failure| failure.reason)
    }

    #[test]
    fn roles() {
        let primary = [bson::yes("isWritablePrimary"), bson::text("setName", "rs0")];
        let secondary = [bson::yes("secondary"), bson::text("setName", "rs0"), bson::text("primary", "m2:27017")];
        let single = [bson::yes("isWritablePrimary")];
        let router = [bson::yes("isWritablePrimary"), bson::text("msg", "isdbgrid")];
        let arbiter = [bson::yes("arbiterOnly"), bson::text("setName", "rs0")];
        let fresh = [bson::yes("isreplicaset")];
        for (role, hello, expected) in [
            (Role::Primary, &primary[..], Ok("the primary of rs0")),
            (Role::Primary, &single, Ok("a single server")),
            (Role::Primary, &router, Ok("a router (mongos)")),
            (Role::Primary, &secondary, Err("a secondary of rs0, and the primary is m2:27017")),
            (Role::Primary, &secondary[..2], Err("a secondary of rs0, and there is no primary")),
            (Role::Primary, &fresh, Err("the replica set is not initiated yet (rs.initiate)")),
            (Role::Primary, &secondary[1..2], Err("neither primary nor secondary of rs0")),
            (Role::Any, &arbiter, Err("an arbiter of rs0")),
            (Role::Secondary, &secondary, Ok("a secondary of rs0")),
            (Role::Secondary, &primary, Err("the primary of rs0")),
            (Role::Any, &secondary, Ok("a secondary of rs0")),
            (Role::Any, &primary, Ok("the primary of rs0")),
            (Role::Any, &secondary[1..], Err("neither primary nor secondary of rs0")),
        ] {
            assert_eq!(judge(role, None, hello), expected.map(str::to_owned).map_err(str::to_owned), "{role:?}");
        }
        assert_eq!(judge(Role::Primary, Some("rs0"), &primary), Ok("the primary of rs0".into()));
        assert_eq!(judge(Role::Primary, Some("rs1"), &primary), Err("the replica set is rs0, and not rs1".into()));
        assert_eq!(judge(Role::Primary, Some("rs1"), &single), Err("not yet in the replica set rs1".into()));
    }
}
