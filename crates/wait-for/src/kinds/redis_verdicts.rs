//! The meaning of Redis's replies: ready, not yet, or never. Pure.

use endpoint::one_line;

use super::redis_wire::{Reply, not_redis};
use crate::not_ready::{Cause, NotReady, Verdict};

pub(super) const NO_PASSWORD: &str = "answers, but more can't be known without a password";

/// The role that a server must have
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    /// In touch with its primary
    Replica,
}

/// `name:value` on a line of its own
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

pub(super) fn judge_login(reply: &Reply) -> Result<(), NotReady> {
    match reply {
        Reply::Simple(text) if text == "OK" => Ok(()),
        Reply::Error(text) if is_about_the_login(text) => {
            Err(NotReady::denied(format!("login refused: {}", one_line(text))))
        }
        Reply::Error(text) => Err(judge_error(text)),
        other => Err(odd(other)),
    }
}

/// ERR has many meanings, too many clients among them; before Redis 6 a wrong password was one.
fn is_about_the_login(text: &str) -> bool {
    let words = text.to_ascii_lowercase();
    match code(text) {
        "WRONGPASS" | "NOAUTH" | "NOPERM" | "DENIED" => true,
        "ERR" => words.contains("auth") || words.contains("password"),
        _ => false,
    }
}

pub(super) fn judge_ping(reply: &Reply) -> Verdict {
    match reply {
        Reply::Simple(text) if text == "PONG" => Ok("PONG".into()),
        // Redis asks for the password before it says that it is still loading.
        Reply::Error(text) if code(text) == "NOAUTH" => Ok(NO_PASSWORD.into()),
        // Redis looks at the rights last, so it would serve a command that the user may send.
        Reply::Error(text) if code(text) == "NOPERM" => Ok("answers; the user may not send PING".into()),
        Reply::Error(text) if code(text) == "DENIED" => Err(NotReady::denied(one_line(text))),
        Reply::Error(text) => Err(judge_error(text)),
        other => Err(odd(other)),
    }
}

/// For a role or a database of a server that asks for a password
pub(super) fn needs_login() -> NotReady {
    NotReady::denied("the server asks for a password, and role= and a database need a login: give password-file=PATH")
}

pub(super) fn judge_select(reply: &Reply) -> Result<(), NotReady> {
    match reply {
        Reply::Simple(_) => Ok(()),
        Reply::Error(text) if code(text) == "NOPERM" => Err(NotReady::denied(one_line(text))),
        // The number is out of range, or this is a cluster, which has only one.
        Reply::Error(text) if code(text) == "ERR" => Err(NotReady::never(one_line(text))),
        Reply::Error(text) => Err(judge_error(text)),
        other => Err(odd(other)),
    }
}

pub(super) fn judge_cluster(reply: &Reply) -> Result<(), NotReady> {
    // The user may not ask.
    let Reply::Bulk(Some(info)) = reply else { return Ok(()) };
    if field(info, "cluster_slots_assigned") == Some("0") {
        return Err(NotReady::new(Cause::Busy, "a node of a cluster that has no slots yet"));
    }
    match field(info, "cluster_state") {
        None | Some("ok") => Ok(()),
        Some(state) => Err(NotReady::new(Cause::Busy, format!("the state of the cluster is {:?}", one_line(state)))),
    }
}

/// `master0:name=cache,status=ok,address=…`, a line for each primary
pub(super) fn judge_sentinel(info: &str) -> Result<(), NotReady> {
    let mut primaries = info.lines().filter(|line| line.starts_with("master") && line.contains("name=")).peekable();
    let is_none = primaries.peek().is_none();
    if is_none && field(info, "sentinel_masters") == Some("0") {
        Err(NotReady::new(Cause::Busy, "a Sentinel that knows no primary"))
    } else if is_none || primaries.any(|line| line.contains(",status=ok,")) {
        Ok(())
    } else {
        Err(NotReady::new(Cause::Busy, "a Sentinel that reaches no primary"))
    }
}

pub(super) fn judge_role(reply: &Reply, wanted: Role) -> Verdict {
    let items = match reply {
        Reply::Array(items) => &items[..],
        Reply::Error(text) if code(text) == "NOPERM" => return Err(NotReady::denied(one_line(text))),
        Reply::Error(text) => return Err(judge_error(text)),
        other => return Err(odd(other)),
    };
    let word = |place: usize| match items.get(place) {
        Some(Reply::Bulk(Some(text))) => text,
        _ => "",
    };
    match (word(0), wanted) {
        ("master", Role::Primary) => Ok("is the primary".into()),
        ("slave", Role::Replica) if word(3) == "connected" => Ok("is a replica, and connected".into()),
        ("slave", Role::Replica) => {
            Err(NotReady::new(Cause::Busy, format!("a replica that is not connected: {:?}", one_line(word(3)))))
        }
        ("master", Role::Replica) => Err(NotReady::new(Cause::Contrary, "is the primary, not a replica")),
        ("slave", Role::Primary) => Err(NotReady::new(Cause::Contrary, "is a replica, not the primary")),
        (other, _) => Err(NotReady::new(Cause::Contrary, format!("has another role: {:?}", one_line(other)))),
    }
}

/// An error that no other function has a meaning for
fn judge_error(text: &str) -> NotReady {
    if text.to_ascii_lowercase().starts_with("err unknown command") {
        // Renamed or disabled in its configuration
        NotReady::never(one_line(text))
    } else if text.contains("max number of clients") {
        NotReady::full(one_line(text))
    } else {
        NotReady::new(Cause::Busy, one_line(text))
    }
}

fn code(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

fn odd(reply: &Reply) -> NotReady {
    match reply {
        Reply::Simple(text) | Reply::Integer(text) | Reply::Bulk(Some(text)) => not_redis(text),
        _ => not_redis(""),
    }
}

#[cfg(test)]
mod tests {
    use lifecycle::Exit;

    use super::*;

    const DENIED: Cause = Cause::Never(Exit::Denied);
    const NEVER: Cause = Cause::Never(Exit::Unavailable);

    fn simple(text: &str) -> Reply {
        Reply::Simple(text.into())
    }

    fn error(text: &str) -> Reply {
        Reply::Error(text.into())
    }

    fn bulk(text: &str) -> Reply {
        Reply::Bulk(Some(text.into()))
    }

    fn cause<T>(verdict: Result<T, NotReady>) -> Option<Cause> {
        verdict.err().map(|failure| failure.cause)
    }

    #[test]
    fn replies_to_ping() {
        assert_eq!(judge_ping(&simple("PONG")), Ok("PONG".into()));
        assert!(judge_ping(&error("NOAUTH Authentication required.")).unwrap().contains("password"));
        assert!(judge_ping(&error("NOPERM this user has no permissions")).unwrap().contains("may not send PING"));
        for busy in ["LOADING Redis is loading", "MASTERDOWN Link with MASTER is down", "BUSY Redis is busy", "ERR odd"]
        {
            assert_eq!(cause(judge_ping(&error(busy))), Some(Cause::Busy), "{busy}");
        }
        assert_eq!(cause(judge_ping(&error("DENIED protected mode"))), Some(DENIED));
        assert_eq!(cause(judge_ping(&error("ERR unknown command 'PING'"))), Some(NEVER));
        assert_eq!(cause(judge_ping(&simple("HELLO"))), Some(Cause::Odd));
    }

    #[test]
    fn replies_to_auth() {
        assert_eq!(judge_login(&simple("OK")), Ok(()));
        for refused in [
            "WRONGPASS invalid username-password pair",
            "ERR AUTH called without any password configured",
            "ERR invalid password",
            "ERR wrong number of arguments for 'auth' command",
            "DENIED protected mode",
        ] {
            assert_eq!(cause(judge_login(&error(refused))), Some(DENIED), "{refused}");
        }
        for busy in ["LOADING Redis is loading", "ERR max number of clients reached", "TRYAGAIN later"] {
            assert_eq!(cause(judge_login(&error(busy))), Some(Cause::Busy), "{busy}");
        }
    }

    #[test]
    fn replies_to_select() {
        assert_eq!(judge_select(&simple("OK")), Ok(()));
        assert_eq!(cause(judge_select(&error("ERR DB index is out of range"))), Some(NEVER));
        assert_eq!(cause(judge_select(&error("NOPERM no permissions to run 'select'"))), Some(DENIED));
        assert_eq!(cause(judge_select(&error("LOADING Redis is loading"))), Some(Cause::Busy));
    }

    #[test]
    fn states_of_clusters_and_sentinels() {
        let cluster = |state: &str, slots: u16| {
            cause(judge_cluster(&bulk(&format!("cluster_state:{state}\r\ncluster_slots_assigned:{slots}\r\n"))))
        };
        assert_eq!((cluster("ok", 16384), cluster("fail", 16384)), (None, Some(Cause::Busy)));
        assert_eq!((cluster("ok", 0), cause(judge_cluster(&error("NOPERM")))), (Some(Cause::Busy), None));
        let sentinel = |info: &str| cause(judge_sentinel(info));
        assert_eq!(sentinel("# Sentinel\r\nsentinel_masters:0\r\n"), Some(Cause::Busy));
        let of =
            |status: &str| format!("sentinel_masters:1\r\nmaster0:name=cache,status={status},address=1.2.3.4:6379\r\n");
        assert_eq!((sentinel(&of("ok")), sentinel(&of("odown")), sentinel("")), (None, Some(Cause::Busy), None));
    }

    #[test]
    fn roles() {
        let primary = Reply::Array(vec![bulk("master"), Reply::Integer("0".into()), Reply::Array(Vec::new())]);
        let replica = |state: &str| {
            Reply::Array(vec![bulk("slave"), bulk("10.0.0.1"), Reply::Integer("6379".into()), bulk(state)])
        };
        for (reply, wanted, expected) in [
            (&primary, Role::Primary, None),
            (&primary, Role::Replica, Some(Cause::Contrary)),
            (&replica("connected"), Role::Replica, None),
            (&replica("sync"), Role::Replica, Some(Cause::Busy)),
            (&replica("connected"), Role::Primary, Some(Cause::Contrary)),
            (&Reply::Array(vec![bulk("sentinel")]), Role::Primary, Some(Cause::Contrary)),
            (&error("NOPERM no permissions to run 'role'"), Role::Primary, Some(DENIED)),
            (&error("ERR unknown command 'ROLE'"), Role::Primary, Some(NEVER)),
        ] {
            assert_eq!(cause(judge_role(reply, wanted)), expected, "{reply:?} {wanted:?}");
        }
    }
}
