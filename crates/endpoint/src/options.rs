//! The options of one server: `key=value` pairs in the URL's fragment, which never reaches a server.

use std::{path::PathBuf, str::FromStr};

use percent_encoding::percent_decode_str;

/// Options whose values are free text and may hold a secret. An ampersand in such a value that is not written `%26` ends
/// the value, and the rest of the value looks like the name of another option.
const FREE_TEXT: [&str; 6] = ["header", "body", "body-regex", "json", "query", "request-body"];

/// Follows the number of an option that may be the second half of a value
pub(crate) const ESCAPE_REMINDER: &str = " (write & in a value as %26)";

/// The options of one server that no reader has taken yet
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Options {
    left: Vec<Pair>,
    /// How many options there were
    count: usize,
    /// The number of the first option in [`FREE_TEXT`]
    first_free_text: Option<usize>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Pair {
    /// Counted from 1, for messages that must not print the name
    number: usize,
    name: String,
    value: String,
    /// It is a key of a file, and not what stands behind an ampersand or a `#`, which may be the rest of a secret.
    is_key: bool,
}

impl Options {
    /// Reads `status=200-299&stable=3`. `%26` stands for an ampersand in a value; `+` is a plus.
    pub fn from_fragment(fragment: &str) -> Result<Self, String> {
        let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(text) => Ok(text.into_owned()),
            Err(_) => Err("an option is not UTF-8".to_owned()),
        };
        let mut options = Self::default();
        for pair in fragment.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            options.add(decode(name)?, decode(value)?, false);
        }
        Ok(options)
    }

    /// Adds an option that stands somewhere else than in a fragment, for example in a configuration file.
    pub fn push(&mut self, name: String, value: String) {
        self.add(name, value, true);
    }

    fn add(&mut self, name: String, value: String, is_key: bool) {
        self.count += 1;
        if FREE_TEXT.contains(&name.as_str()) {
            self.first_free_text.get_or_insert(self.count);
        }
        self.left.push(Pair { number: self.count, name, value, is_key });
    }

    /// The value of an option that may stand once.
    pub fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        let mut values = self.all(key);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(format!("option {key} is given twice")),
        }
    }

    /// The same, read by `parse`, whose error must not repeat the value: the value may be half of a secret with an ampersand.
    pub fn parsed<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
        let value = self.text(key)?;
        value.map(|value| parse(&value)).transpose().map_err(|error| format!("option {key}: {error}"))
    }

    /// An option that is a number, or has another type that reads itself.
    pub fn number<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        self.parsed(key, |text| {
            text.parse().map_err(|_| {
                let hint = if text.contains([',', ';', '#', '?', ' ']) { "; options are joined by &" } else { "" };
                format!("this is not a number in range{hint}")
            })
        })
    }

    /// Whether a switch is on: there, or with the value `true` or `1`.
    pub fn switch(&mut self, key: &str) -> Result<bool, String> {
        self.optional_switch(key).map(Option::unwrap_or_default)
    }

    /// The same; `None` if the option is not given.
    pub fn optional_switch(&mut self, key: &str) -> Result<Option<bool>, String> {
        self.parsed(key, |text| match text {
            "" | "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err("this is neither true nor false".to_owned()),
        })
    }

    /// All values of an option that may be repeated.
    pub fn all(&mut self, key: &str) -> Vec<String> {
        self.left.extract_if(.., |pair| pair.name == key).map(|pair| pair.value).collect()
    }

    /// The files that options name, of those that no reader has taken: certificates, keys, and `…-file`.
    pub fn files(&self) -> Vec<PathBuf> {
        self.left.iter().filter_map(Pair::file).map(PathBuf::from).collect()
    }

    /// The values of an option, if no reader has taken one
    pub(crate) fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.left.iter().filter(move |pair| pair.name == key).map(|pair| pair.value.as_str())
    }

    /// The names of all options, if no reader has taken one
    pub(crate) fn names(&self) -> Vec<String> {
        self.left.iter().map(|pair| pair.name.clone()).collect()
    }

    /// The name of the first option that no reader has taken; `None` where it may be the rest of a value.
    pub fn untaken(&self) -> Option<&str> {
        let Pair { number, name, .. } = self.left.first()?;
        let follows_free_text = self.first_free_text.is_some_and(|first| first < *number);
        (!follows_free_text).then_some(name)
    }

    /// Refuses an option that no reader took. The error names the nearest option of `known`, or says how to ask for TLS when
    /// the option needs TLS.
    ///
    /// An unknown name in a fragment may be the rest of a secret. So the error repeats an unknown name only when it has the form of
    /// a name, no option before it is free text, and it is a near miss of a known one or a key of a file.
    pub fn finish(self, scheme: &str, known: &[&str], tls: Option<&str>) -> Result<(), String> {
        let Some(Pair { number, name, is_key, .. }) = self.left.first() else { return Ok(()) };
        if let Some(tls) = tls.filter(|_| known.contains(&name.as_str())) {
            return Err(format!("option {name} is for TLS only: {tls}"));
        }
        let follows_free_text = self.first_free_text.is_some_and(|first| first < *number);
        let reminder = if follows_free_text { ESCAPE_REMINDER } else { "" };
        let near = lifecycle::nearest(name, known.iter().copied());
        let hint =
            near.map_or_else(|| format!("it takes {}", known.join(", ")), |near| format!("did you mean {near}?"));
        // A `#` in a password or in a query ends the URL there, and the rest may look like an option with a value.
        let may_be_shown = lifecycle::is_name(name) && !follows_free_text && (near.is_some() || *is_key);
        Err(if may_be_shown {
            format!("{scheme} has no option {name:?}; {hint}")
        } else {
            format!("{scheme} does not know option number {number}{reminder}; {hint}")
        })
    }
}

impl Pair {
    fn file(&self) -> Option<&str> {
        match self.name.as_str() {
            "ca" | "cert" | "key" | "server-key" => Some(&self.value),
            "header-file" => self.value.split_once(':').map(|(_, path)| path.trim_start()),
            name if name.ends_with("-file") => Some(&self.value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        assert_eq!(options.number::<u32>("stable").unwrap_err(), "option stable: this is not a number in range");
        assert_eq!(options.text("min").unwrap_err(), "option min is given twice");
        assert_eq!(options.switch("not").unwrap_err(), "option not: this is neither true nor false");
        let unknown = options.finish("http", &["status", "stable"], None).unwrap_err();
        assert_eq!(unknown, r#"http has no option "statsu"; did you mean status?"#);
        let options = Options::from_fragment("ca=/ca.pem").unwrap();
        let misplaced = options.finish("http", &["ca"], Some("write https://")).unwrap_err();
        assert_eq!(misplaced, "option ca is for TLS only: write https://");
    }

    #[test]
    fn half_of_a_value_is_never_printed() {
        let known = ["header", "status", "gzip"];
        for (fragment, error) in [
            // The second half looks like the name of an option, even like a misspelt one.
            (
                "header=X-Api-Key: open&sesame",
                "http does not know option number 2 (write & in a value as %26); it takes header, status, gzip",
            ),
            (
                "header=X-Api-Key: open&statsu=1",
                "http does not know option number 2 (write & in a value as %26); did you mean status?",
            ),
            // A # in a password or in a query ends the URL there.
            ("sesame", "http does not know option number 1; it takes header, status, gzip"),
            ("Statsu", "http does not know option number 1; did you mean status?"),
            ("status=200&gzpi", r#"http has no option "gzpi"; did you mean gzip?"#),
            ("hunter=xyz@db/", "http does not know option number 1; it takes header, status, gzip"),
        ] {
            let mut options = Options::from_fragment(fragment).unwrap();
            options.all("header");
            options.all("status");
            assert_eq!(options.finish("http", &known, None).unwrap_err(), error, "{fragment}");
        }
    }

    #[test]
    fn an_unknown_key_of_a_file_is_named() {
        let mut options = Options::default();
        options.push("cafile".into(), "sesame".into());
        let error = options.finish("http", &["header", "gzip"], None).unwrap_err();
        assert_eq!(error, r#"http has no option "cafile"; it takes header, gzip"#);
    }

    proptest! {
        #[test]
        fn no_error_holds_what_follows_a_secret(name in "[a-z-]{5,12}", value in "[a-z]{0,4}") {
            prop_assume!(!name.contains("header") && !"option number write value takes header gzip know does".contains(&name));
            let mut options = Options::from_fragment(&format!("header=X: open&{name}={value}")).unwrap();
            options.all("header");
            let error = options.finish("http", &["header", "gzip"], None).unwrap_err();
            prop_assert!(!error.contains(&name), "{}", error);
        }
    }
}
