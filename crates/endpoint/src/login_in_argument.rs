//! Logins that stand in an argument, where all who can list processes see them.

use crate::options::Options;

/// Headers that hold a login and nothing else
const HEADERS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

/// Refuses options of an argument whose `header` holds a login. In a file and in a variable it may stand.
pub fn refuse_login_in_argument(options: &Options) -> Result<(), String> {
    let names = options.values("header").filter_map(|header| header.split_once(':')).map(|(name, _)| name.trim());
    let mut logins = names.filter_map(|name| HEADERS.iter().find(|header| header.eq_ignore_ascii_case(name)));
    logins.next().map_or(Ok(()), |name| {
        Err(format!(
            "option header: {name} in an argument is visible to all who can list processes: write \
             header-file={name}:PATH, or a login such as token-file=PATH"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_holds_a_login_is_refused_and_not_repeated() {
        let refusal = |fragment: &str| refuse_login_in_argument(&Options::from_fragment(fragment).unwrap()).err();
        for name in ["Authorization", "proxy-authorization", " COOKIE "] {
            let error = refusal(&format!("gzip&header=X-A:b&header={name}:Bearer SECRET")).unwrap();
            assert!(error.contains("header-file=") && !error.contains("SECRET"), "{error}");
        }
        for fragment in ["header=X-Scope-OrgID:shop", "header-file=Authorization:/run/key", "header=Authorization", ""]
        {
            assert_eq!(refusal(fragment), None, "{fragment}");
        }
    }
}
