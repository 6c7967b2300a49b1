//! The options of one server: `key=value` pairs in the URL's fragment, which never reaches a server.

use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// The options of one server that no one has taken yet
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Options(Vec<(String, String)>);

impl Options {
    /// Reads `status=200-299&stable=3`. `%26` stands for an ampersand in a value; `+` is a plus.
    pub fn from_fragment(fragment: &str) -> Result<Self, String> {
        let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(text) => Ok(text.into_owned()),
            Err(_) => Err("an option is not UTF-8".to_owned()),
        };
        let pairs = fragment.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        });
        Ok(Self(pairs.collect::<Result<_, String>>()?))
    }

    /// Adds one that was written elsewhere.
    pub fn push(&mut self, key: String, value: String) {
        self.0.push((key, value));
    }

    /// The value of an option that may stand once.
    pub fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        let mut values = self.all(key);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(format!("option {key} is given twice")),
        }
    }

    /// Likewise, read by `parse`.
    pub fn parsed<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
        let value = self.text(key)?;
        value.map(|value| parse(&value)).transpose().map_err(|error| format!("option {key}: {error}"))
    }

    /// Likewise, a number or anything else that reads itself.
    pub fn number<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        self.parsed(key, |text| text.parse().map_err(|_| format!("{text:?} is not a number in range")))
    }

    /// Whether a switch is on: there, or with the value `true` or `1`.
    pub fn switch(&mut self, key: &str) -> Result<bool, String> {
        self.optional_switch(key).map(Option::unwrap_or_default)
    }

    /// Likewise; nothing if it is not there.
    pub fn optional_switch(&mut self, key: &str) -> Result<Option<bool>, String> {
        self.parsed(key, |text| match text {
            "" | "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(format!("{text:?} is neither true nor false")),
        })
    }

    /// All values of an option that may be repeated.
    pub fn all(&mut self, key: &str) -> Vec<String> {
        self.0.extract_if(.., |(name, _)| name == key).map(|(_, value)| value).collect()
    }

    /// An option that nobody took is an error that names the nearest known one, or how to ask for TLS, if it needs that.
    pub fn finish(self, scheme: &str, known: &[&str], tls: Option<&str>) -> Result<(), String> {
        let Some((name, _)) = self.0.first() else { return Ok(()) };
        if !could_be_an_option(name) {
            // Most likely a part of a value, which may be a password.
            return Err(format!("{scheme} has an option whose name is none; is a & in a value written %26?"));
        }
        if let Some(tls) = tls.filter(|_| known.contains(&name.as_str())) {
            return Err(format!("option {name} is for TLS only: {tls}"));
        }
        let hint = lifecycle::nearest(name, known.iter().copied()).map(|near| format!("; did you mean {near}?"));
        let hint = hint.unwrap_or_else(|| format!("; it takes {}", known.join(", ")));
        Err(format!("{scheme} has no option {name:?}{hint}"))
    }
}

fn could_be_an_option(name: &str) -> bool {
    const LONGEST: usize = 32;
    let is_usual = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    name.len() <= LONGEST && name.bytes().all(is_usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_decoded() {
        let mut options = Options::from_fragment("header=X-A:%20b%26c+d&header=Y:z&not").unwrap();
        assert_eq!(options.all("header"), ["X-A: b&c+d", "Y:z"]);
        assert_eq!(options.switch("not"), Ok(true));
        assert_eq!(options.switch("insecure"), Ok(false));
        assert_eq!(options.finish("http", &[], None), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut options = Options::from_fragment("stable=x&min=1&min=2&not=maybe&statsu=200").unwrap();
        assert_eq!(options.number::<u32>("stable").unwrap_err(), r#"option stable: "x" is not a number in range"#);
        assert_eq!(options.text("min").unwrap_err(), "option min is given twice");
        assert_eq!(options.switch("not").unwrap_err(), r#"option not: "maybe" is neither true nor false"#);
        let unknown = options.finish("http", &["status", "stable"], None).unwrap_err();
        assert_eq!(unknown, r#"http has no option "statsu"; did you mean status?"#);
        let torn = Options::from_fragment("header=Authorization: Bearer abc&defSECRET").unwrap();
        assert!(!torn.finish("http", &["header"], None).unwrap_err().contains("SECRET"));
        let options = Options::from_fragment("ca=/ca.pem").unwrap();
        let misplaced = options.finish("http", &["ca"], Some("write https://")).unwrap_err();
        assert_eq!(misplaced, "option ca is for TLS only: write https://");
    }
}
