//! The meaning of a server's refusal, by its number: MySQL's and MariaDB's "Server Error Message
//! Reference".

use super::mysql_wire::Refusal;
use crate::not_ready::{Cause, NotReady};

/// A refusal of a login with a password. A server has the same words for other faults than the
/// password: `doubts` names them.
pub(super) fn judge_login(refusal: &Refusal, doubts: &str) -> NotReady {
    let told = told(refusal);
    match refusal.code {
        1045 => NotReady::denied(format!("{told}{doubts}")),
        // Access denied, in its several forms
        1142 | 1227 | 1698 => NotReady::denied(told),
        // The account is locked (in MySQL, in MariaDB), or blocked after failed logins
        3118 | 3955 | 4151 => NotReady::denied(format!("{told}; unlock it: ALTER USER … ACCOUNT UNLOCK")),
        // Its password has expired: before the login, after it
        1862 | 1820 => NotReady::denied(format!("{told}; set a new one, or let it not expire: ALTER USER")),
        // The server, or its settings, know no such login: an old kind of password, a plugin that
        // is not loaded
        1251 | 1275 | 1524 => NotReady::never(told),
        3159 => NotReady::never(format!("{told}; give tls=require")),
        _ => judge(refusal),
    }
}

/// A refusal of any client
pub(super) fn judge(refusal: &Refusal) -> NotReady {
    let told = told(refusal);
    match refusal.code {
        // The server has blocked this host; only its administrator can undo that.
        1129 => NotReady::never(format!(
            "{told} (mariadb-admin flush-hosts, on the server, lifts it; in MySQL: TRUNCATE TABLE performance_schema.host_cache)"
        )),
        // No account for this host, or none for this database
        1130 | 1044 => NotReady::denied(told),
        // Too many connections: in all, of the user, or by a limit of the account
        1040 | 1203 | 1226 => NotReady::full(told),
        // Unknown database: it may be made later.
        1049 => NotReady::new(Cause::Contrary, told),
        _ => NotReady::new(Cause::Busy, told),
    }
}

fn told(refusal: &Refusal) -> String {
    format!("error {}: {}", refusal.code, refusal.message.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use lifecycle::Exit;

    use super::*;

    #[test]
    fn refusals_that_no_waiting_mends_end_at_once() {
        let cause = |code| {
            let refusal = Refusal { code, message: "x".into() };
            (judge_login(&refusal, "").cause, judge(&refusal).rest.is_some())
        };
        let denied = (Cause::Never(Exit::Denied), false);
        for code in [1044, 1045, 1130, 1142, 1227, 1698, 1820, 1862, 3118, 3955, 4151] {
            assert_eq!(cause(code), denied, "{code}");
        }
        for code in [1129, 1251, 1275, 1524, 3159] {
            assert_eq!(cause(code), (Cause::Never(Exit::Unavailable), false), "{code}");
        }
        for code in [1040, 1203, 1226] {
            assert_eq!(cause(code), (Cause::Busy, true), "{code}");
        }
        // A node of Galera that is not synchronized, a shutdown, a server that is offline
        for code in [1047, 1053, 3032] {
            assert_eq!(cause(code), (Cause::Busy, false), "{code}");
        }
        assert_eq!(cause(1049), (Cause::Contrary, false));
    }
}
