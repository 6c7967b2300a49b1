//! Options of a login that stand in a URL's query by mistake.

use url::Url;

use crate::login::LOGIN_OPTIONS;

/// Refuses a URL whose query has the name of a login's option, because a `?` was written for the `#`: the server would get
/// the name of the file, and no login.
pub fn refuse_login_in_query(url: &Url) -> Result<(), String> {
    let names = LOGIN_OPTIONS.into_iter().filter_map(|option| option.split_once('=')).map(|(name, _)| name);
    let has = |name: &str| {
        let pairs = url.query().unwrap_or_default().split('&');
        pairs.filter_map(|pair| pair.split_once('=')).any(|(key, _)| key == name)
    };
    // A server can well have parameters such as `user`.
    match names.filter(|name| name.contains('-')).find(|name| has(name)) {
        Some(name) => {
            let encoded = name.replace('-', "%2D");
            Err(format!(
                "{name} is an option and stands in the query: write # in front of options; \
                 a parameter of the server with this name is written {encoded}"
            ))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_of_a_login_in_the_query_is_refused() {
        let refusal = |query: &str| refuse_login_in_query(&Url::parse(&format!("http://a/b?{query}")).unwrap()).err();
        for name in ["token-file", "token-env", "password-file", "password-env", "header-file"] {
            let encoded = name.replace('-', "%2D");
            let expected = format!(
                "{name} is an option and stands in the query: write # in front of options; \
                 a parameter of the server with this name is written {encoded}"
            );
            assert_eq!(refusal(&format!("{name}=SECRET")), Some(expected.clone()));
            assert_eq!(refusal(&format!("a=b&{name}=SECRET")), Some(expected));
            assert_eq!(refusal(&format!("{encoded}=/x")), None);
        }
        for query in ["", "user=me", "header=a", "token=x", "token-files=x", "q=token-file", "token-file"] {
            assert_eq!(refusal(query), None, "{query}");
        }
    }
}
